//! FROM clauses: every relation becomes its lens, and an entry in the scope.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Join, JoinConstraint, ObjectName, TableAlias, TableFactor, TableFunctionArgs,
    TableWithJoins,
};

use crate::guard::computed::Source;
use crate::guard::join::constraint;
use crate::guard::reg::made_by;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::scope::{Entry, Level, OutputColumn, Protection};
use crate::guard::shown::ShownTenant;
use crate::guard::system::{output_columns, partition_tree_columns};
use crate::guard::walk::{Outcome, Walk};
use crate::sql::ident_value;

impl Walk<'_> {
    /// Reads a FROM clause into a level of its own. The level is on the stack while later items are read, so that
    /// LATERAL ones see it; the others only see outer levels.
    pub(in crate::guard) fn from(&mut self, items: &[TableWithJoins]) -> Outcome<()> {
        self.levels.push(Level::default());
        for item in items {
            self.table_with_joins(item)?;
        }
        Ok(())
    }

    fn table_with_joins(&mut self, item: &TableWithJoins) -> Outcome<()> {
        let begin = self.entry_count();
        self.table_factor(&item.relation)?;
        for join in &item.joins {
            self.join(join, begin)?;
        }
        Ok(())
    }

    fn hide_level(&mut self, hidden: bool) {
        // A join under an alias stands in the FROM clause around it.
        for level in self.levels.iter_mut().rev() {
            level.hidden = hidden;
            if !level.in_join {
                break;
            }
        }
    }

    pub(in crate::guard) fn entry_count(&self) -> usize {
        self.levels.last().map_or(0, |level| level.entries.len())
    }

    pub(in crate::guard) fn push_entry(&mut self, entry: Entry) -> Outcome<()> {
        let Some(level) = self.levels.last_mut() else {
            return Err(Rejection::new(Code::ReadingsDisagree, "relation outside of a FROM clause"));
        };
        level.entries.push(entry);
        Ok(())
    }

    pub(in crate::guard) fn table_factor(&mut self, factor: &TableFactor) -> Outcome<()> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                let entry = self.relation(name, alias.as_ref())?;
                self.push_entry(entry)
            }
            TableFactor::Table {
                name,
                alias,
                args: Some(TableFunctionArgs { args, settings: None }),
                with_hints,
                version: None,
                with_ordinality: _,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                self.function_in_from(name, args, alias.as_ref())
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias } => {
                self.function_in_from(name, args, alias.as_ref())
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                let (mark, references) = (self.touched.len(), self.references.len());
                self.hide_level(!lateral);
                let columns = self.subquery(subquery)?;
                self.hide_level(false);
                let sources = self.touched.get(mark..).unwrap_or_default().to_vec();
                let lateral = self.referenced(references).into_iter().collect();
                let shape = self.shape(subquery).cloned().unwrap_or_default();
                // No other scoped table is in it that a condition could be pushed down to.
                let is_only = |shown: &ShownTenant| sources.iter().all(|source| *source == Source::Lens(shown.table));
                let protection =
                    shape.tenant.filter(is_only).map_or_else(|| fences(sources.clone()), ShownTenant::protection);
                let may_be_reg = self.met_reg;
                let entry =
                    Entry { lateral, may_be_reg, shared: shape.shared, ..plain_entry(None, columns, protection) };
                let entry = self.alias(entry, alias.as_ref());
                self.push_entry(entry)
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality: _,
            } => {
                self.each(array_exprs)?;
                let entry = function_entry("unnest".to_owned());
                let entry = self.alias(entry, alias.as_ref());
                self.push_entry(entry)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => self.nested_join(table_with_joins, alias.as_ref()),
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                Err(not_allowed("TABLESAMPLE").detail("A sample depends on where the rows of all tenants lie on disk."))
            }
            _ => Err(not_allowed("this kind of FROM item")),
        }
    }

    /// `(a JOIN b …)`, or with an alias, which hides the names inside.
    fn nested_join(&mut self, join: &TableWithJoins, alias: Option<&TableAlias>) -> Outcome<()> {
        let Some(alias) = alias else {
            return self.table_with_joins(join);
        };
        let (mark, references) = (self.touched.len(), self.references.len());
        self.levels.push(Level { in_join: true, ..Level::default() });
        self.table_with_joins(join)?;
        self.join_conditions(std::slice::from_ref(join), 0)?;
        let shared = self.shared_in_from();
        let inner = self.levels.pop().unwrap_or_default();
        // What is behind the alias is not followed column by column.
        for relation in inner.entries.iter().filter_map(|entry| entry.relation.as_ref()) {
            self.record_all_columns(relation);
        }
        let columns = inner.entries.iter().map(|entry| entry.columns.clone()).collect::<Option<Vec<_>>>();
        let sources = self.touched.get(mark..).unwrap_or_default().to_vec();
        // The merged columns of USING and NATURAL stand once, in another order: not worth knowing exactly.
        let columns = if has_merged_columns(join) { None } else { columns.map(|columns| columns.concat()) };
        let lateral = self.referenced(references).into_iter().collect();
        let may_be_reg = self.met_reg;
        let entry = Entry { lateral, may_be_reg, shared, ..plain_entry(None, columns, fences(sources)) };
        let entry = self.alias(entry, Some(alias));
        self.push_entry(entry)
    }

    fn function_in_from(&mut self, name: &ObjectName, args: &[FunctionArg], alias: Option<&TableAlias>) -> Outcome<()> {
        let plain = args.iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
            _ => None,
        });
        let plain: Option<Vec<_>> = plain.collect();
        let function = self.function_name(name, args.len())?;
        let references = self.references.len();
        for argument in args {
            let expression = argument_expression(argument).ok_or_else(|| not_allowed("this form of argument"))?;
            self.function_argument(&function, expression)?;
        }
        let is_tree = self.partition_tree(name, plain.as_deref().unwrap_or_default(), alias.is_some())?;
        if !is_tree {
            self.system_call(name, plain)?;
        }
        // A function of one query is read as that query.
        let lateral = self.referenced(references).into_iter().collect();
        if let Some(alias) = alias {
            for column in &alias.columns {
                if let Some(data_type) = &column.data_type {
                    self.data_type(data_type)?;
                }
            }
        }
        let may_be_reg = made_by(&function).is_some();
        self.met_reg |= may_be_reg;
        let mut entry = Entry { lateral, may_be_reg, ..function_entry(function.clone()) };
        let outputs = output_columns(&function).iter().map(|column| (*column).to_owned());
        entry.function_columns.iter_mut().for_each(|own| own.extend(outputs.clone()));
        if is_tree {
            entry.columns = Some(partition_tree_columns());
        }
        let entry = self.alias(entry, alias);
        self.push_entry(entry)
    }

    pub(in crate::guard) fn alias(&self, entry: Entry, alias: Option<&TableAlias>) -> Entry {
        match alias {
            None => entry,
            Some(alias) => {
                let columns: Vec<String> = alias.columns.iter().map(|column| ident_value(&column.name)).collect();
                entry.aliased(ident_value(&alias.name), &columns)
            }
        }
    }
}

pub(in crate::guard) fn plain_entry(
    name: Option<String>,
    columns: Option<Vec<OutputColumn>>,
    protection: Protection,
) -> Entry {
    Entry {
        name,
        unaliased: None,
        relation: None,
        columns,
        may_be_reg: false,
        protection,
        nullable: false,
        lateral: Vec::new(),
        function_columns: None,
        shared: None,
        primary_key: Vec::new(),
    }
}

fn function_entry(name: String) -> Entry {
    let function_columns = Some(vec![name.clone()]);
    Entry { function_columns, ..plain_entry(Some(name), None, Protection::None) }
}

pub(in crate::guard) fn fences(sources: Vec<Source>) -> Protection {
    if sources.is_empty() { Protection::None } else { Protection::Fence { sources } }
}

/// The value that an argument gives, by its place or by its name.
pub(in crate::guard) fn argument_expression(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expression), .. }
        | FunctionArg::ExprNamed { name: Expr::Identifier(_), arg: FunctionArgExpr::Expr(expression), .. } => {
            Some(expression)
        }
        _ => None,
    }
}

fn has_merged_columns(join: &TableWithJoins) -> bool {
    let nested = |factor: &TableFactor| matches!(factor, TableFactor::NestedJoin { .. });
    let merged = |join: &Join| {
        !matches!(constraint(&join.join_operator), Some(JoinConstraint::On(_) | JoinConstraint::None))
            || nested(&join.relation)
    };
    nested(&join.relation) || join.joins.iter().any(merged)
}

pub(in crate::guard) fn not_allowed(what: &str) -> Rejection {
    Rejection::new(Code::FeatureNotAllowed, format!("{what} is not allowed"))
}

/// The kinds that a name list takes from a query whose columns it renames.
pub(in crate::guard) fn renamed(columns: Option<Vec<OutputColumn>>, names: &[String]) -> Option<Vec<OutputColumn>> {
    let mut columns = columns?;
    for (column, name) in columns.iter_mut().zip(names) {
        column.name.clone_from(name);
    }
    Some(columns)
}
