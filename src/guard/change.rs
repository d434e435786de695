//! UPDATE and DELETE: the tenant's rows only, and none of them given away.

use std::ops::Range;

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, ObjectName, SelectItem, TableFactor, TableWithJoins, Update,
    UpdateTableFromKind,
};

use crate::guard::decision::Access;
use crate::guard::from::not_allowed;
use crate::guard::naming::Positioned;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::rows::mismatch;
use crate::guard::ruleset::RelationRule;
use crate::guard::tenant_column;
use crate::guard::walk::{Inheritance, Outcome, QueryShape, Walk, quote_name};
use crate::sql::clauses::{self, Block, Clauses};
use crate::sql::{TokenKind, current_of, ident_value, token_range};

/// The table that a statement changes.
pub(in crate::guard) struct Target<'a> {
    pub(in crate::guard) rule: &'a RelationRule,
    /// The name by which columns refer to it.
    pub(in crate::guard) name: String,
}

impl<'a> Walk<'a> {
    pub(in crate::guard) fn update(&mut self, update: &Update) -> Outcome<QueryShape> {
        let Update {
            update_token,
            optimizer_hints,
            table,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
        } = update;
        if !optimizer_hints.is_empty() || output.is_some() || or.is_some() || !order_by.is_empty() || limit.is_some() {
            return Err(not_allowed("a clause that PostgreSQL does not have"));
        }
        let from = match from {
            None => &[],
            Some(UpdateTableFromKind::AfterSet(items)) => items.as_slice(),
            Some(UpdateTableFromKind::BeforeSet(_)) => return Err(not_allowed("FROM before SET")),
        };
        let clauses = self.clauses(update_token.0.span, Block::Update)?;
        if clauses.from.is_some() == from.is_empty() || clauses.where_.is_some() != selection.is_some() {
            return Err(disagree());
        }
        let target = self.only_target(table, Access::Update)?;
        self.open_target(&target, from)?;
        self.assignments(&target, assignments, clauses.set.clone())?;
        self.restrict(&target, &clauses, selection.as_ref(), from)?;
        self.close_target(returning.as_deref())
    }

    pub(in crate::guard) fn delete(&mut self, delete: &Delete) -> Outcome<QueryShape> {
        let Delete {
            delete_token,
            optimizer_hints,
            tables,
            from,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
        } = delete;
        let foreign = !optimizer_hints.is_empty()
            || !tables.is_empty()
            || output.is_some()
            || !order_by.is_empty()
            || limit.is_some();
        let (FromTable::WithFromKeyword(from), false) = (from, foreign) else {
            return Err(not_allowed("a clause that PostgreSQL does not have"));
        };
        let [table] = from.as_slice() else {
            return Err(not_allowed("DELETE from several tables"));
        };
        let using = using.as_deref().unwrap_or_default();
        let clauses = self.clauses(delete_token.0.span, Block::Delete)?;
        if clauses.using.is_some() == using.is_empty() || clauses.where_.is_some() != selection.is_some() {
            return Err(disagree());
        }
        let target = self.only_target(table, Access::Delete)?;
        self.open_target(&target, using)?;
        self.restrict(&target, &clauses, selection.as_ref(), using)?;
        self.close_target(returning.as_deref())
    }

    fn clauses(&self, span: sqlparser::tokenizer::Span, block: Block) -> Outcome<Clauses> {
        let keyword = token_range(span).map(|range| range.start);
        keyword.and_then(|at| Clauses::read(self.tokens, at, block)).ok_or_else(disagree)
    }

    fn only_target(&mut self, table: &TableWithJoins, access: Access) -> Outcome<Target<'a>> {
        match table.joins.as_slice() {
            [] => self.target(&table.relation, &[access]),
            _ => Err(not_allowed("this form of target")),
        }
    }

    pub(in crate::guard) fn target(&mut self, table: &TableFactor, accesses: &[Access]) -> Outcome<Target<'a>> {
        let TableFactor::Table {
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
        } = table
        else {
            return Err(not_allowed("this form of target"));
        };
        if !with_hints.is_empty() || !partitions.is_empty() || !index_hints.is_empty() {
            return Err(not_allowed("this form of target"));
        }
        let rule = self.target_rule(name)?;
        let tokens = self.name_tokens(name)?;
        self.changeable(rule, &tokens)?;
        let (only, tokens) = self.inheritance(tokens)?;
        let only = if only == Inheritance::Only { "ONLY " } else { "" };
        self.replace(tokens, format!("{only}{}", quote_name(&rule.relation.qualified_name())));
        for access in accesses {
            self.record_target(rule, *access);
        }
        let name = match alias {
            Some(alias) if !alias.columns.is_empty() => return Err(not_allowed("column names after a target's alias")),
            Some(alias) => ident_value(&alias.name),
            None => rule.relation.name.clone(),
        };
        self.writes = true;
        Ok(Target { rule, name })
    }

    /// The level of the target and of what stands beside it, on the stack.
    fn open_target(&mut self, target: &Target<'_>, others: &[TableWithJoins]) -> Outcome<()> {
        self.from(others)?;
        self.add_target(target);
        Ok(())
    }

    /// The target stands first in the level of what stands beside it.
    pub(in crate::guard) fn add_target(&mut self, target: &Target<'_>) {
        let entry = self.target_entry(target.rule, target.name.clone());
        let this = self.levels.len().saturating_sub(1);
        if let Some(level) = self.levels.last_mut() {
            let lateral = level.entries.iter_mut().flat_map(|entry| &mut entry.lateral);
            lateral.filter(|(level, _)| *level == this).for_each(|(_, at)| *at += 1);
            level.entries.insert(0, entry);
        }
    }

    pub(in crate::guard) fn close_target(&mut self, returning: Option<&[SelectItem]>) -> Outcome<QueryShape> {
        let columns = match returning {
            Some(items) => self.projection(items)?,
            None => Some(Vec::new()),
        };
        self.levels.pop();
        Ok(QueryShape { columns, ..QueryShape::default() })
    }

    /// `WHERE <tenant> AND (<what the client asked for>)`.
    fn restrict(
        &mut self,
        target: &Target<'_>,
        clauses: &Clauses,
        selection: Option<&Expr>,
        others: &[TableWithJoins],
    ) -> Outcome<()> {
        self.join_conditions(others, 1)?;
        if let Some(cursor) = selection.and_then(|selection| current_of(self.tokens, selection)) {
            return self.position_on(cursor, target);
        }
        self.conditions(clauses.where_.clone(), selection)?;
        let Some(column) = target.rule.target_column() else { return Ok(()) };
        let reference = tenant_column::reference(&target.name, &column.name);
        let predicate = self.predicate(target.rule, column, &reference)?;
        match &clauses.where_ {
            Some(tokens) => {
                self.before(tokens.start, format!("{predicate} AND ("));
                self.after(tokens.end - 1, ")");
            }
            None => {
                let last = match &clauses.returning {
                    Some(returning) => returning.start.checked_sub(2),
                    None => clauses.end.checked_sub(1),
                };
                self.after(last.ok_or_else(disagree)?, format!("WHERE {predicate}"));
            }
        }
        Ok(())
    }

    /// `WHERE CURRENT OF cursor` takes no condition beside it. The session sees to it that the cursor is one of those that
    /// read the table through its lens.
    fn position_on(&mut self, cursor: String, target: &Target<'_>) -> Outcome<()> {
        let relation = target.rule.relation.qualified_name();
        match self.positioned.replace(Positioned { cursor, relation }) {
            None => Ok(()),
            Some(_) => Err(not_allowed("WHERE CURRENT OF twice in one statement")),
        }
    }

    /// The SET list: values are read; the tenant column may only be set to what it is.
    pub(in crate::guard) fn assignments(
        &mut self,
        target: &Target<'_>,
        assignments: &[Assignment],
        set: Option<Range<usize>>,
    ) -> Outcome<()> {
        let set = set.ok_or_else(disagree)?;
        let pieces = clauses::split_at_commas(self.tokens, set);
        if pieces.len() != assignments.len() {
            return Err(disagree());
        }
        let mut names = Vec::new();
        for (assignment, piece) in assignments.iter().zip(pieces) {
            let assigned = self.assigned(target.rule, assignment)?;
            if !self.is_default(&assignment.value) {
                self.expression(&assignment.value)?;
            }
            if let Some(column) = target.rule.target_column()
                && assigned.contains(&column.name)
            {
                let [_] = assigned.as_slice() else { return Err(mismatch(column)) };
                let value = self.tenant_value(target.rule, column)?;
                let equals = (piece.start..piece.end).find(|at| self.tokens.is_operator(*at, "="));
                let tokens = equals.map(|at| at + 1..piece.end).ok_or_else(disagree)?;
                self.tenant_expression(&assignment.value, tokens, column, &value)?;
            }
            names.extend(assigned);
        }
        for name in &names {
            self.record_column(&target.rule.relation.qualified_name(), name);
        }
        self.key_oracles(target.rule, &names)
    }

    /// The columns that are assigned to, each as a whole or in part.
    pub(in crate::guard) fn assigned(&self, rule: &RelationRule, assignment: &Assignment) -> Outcome<Vec<String>> {
        let one = |name: &ObjectName| self.column_or_part(rule, name);
        match &assignment.target {
            AssignmentTarget::ColumnName(name) => Ok(vec![one(name)?]),
            AssignmentTarget::Tuple(names) => names.iter().map(one).collect(),
        }
    }
}

impl Walk<'_> {
    /// `column`, or `column.field` of a composite one; never a part of the tenant column.
    pub(in crate::guard) fn column_or_part(&self, rule: &RelationRule, name: &ObjectName) -> Outcome<String> {
        let parts = self.name_parts(name)?;
        let has_subscript = self.tokens.kind(self.name_tokens(name)?.end) == Some(TokenKind::LeftBracket);
        match (parts.as_slice(), rule.target_column()) {
            (parts, Some(tenant)) if has_subscript && parts.contains(&tenant.name) => Err(mismatch(tenant)),
            ([column], _) => Ok(column.clone()),
            (parts, Some(tenant)) if parts.contains(&tenant.name) => Err(mismatch(tenant)),
            ([column, _, ..], _) if rule.relation.column(column).is_some() => Ok(column.clone()),
            _ => Err(not_allowed("assignment to a part of a column")),
        }
    }
}

fn disagree() -> Rejection {
    Rejection::new(Code::ReadingsDisagree, "the clauses of the statement are not clear")
}
