//! A second look at what goes out: read again as if it came from nobody, each scoped table must stand inside its lens.
//!
//! It knows nothing of how the text was made. What it cannot account for is refused.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Insert, LimitClause, Merge,
    MergeAction, MergeClauseKind, MergeInsertExpr, MergeInsertKind, ObjectName, Query, Select, SelectItem, SetExpr,
    Statement as Tree, TableFactor, TableObject, TableWithJoins, Value, Visit, Visitor,
};

use crate::catalog::QualifiedName;
use crate::guard::cte_names::CteNames;
use crate::guard::decision::{CopyIn, GuardedSql};
use crate::guard::private;
use crate::guard::query::item_expression;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, Ruleset, TenantColumn};
use crate::guard::system::is_ours;
use crate::guard::verify_copy::verify_copy;
use crate::guard::verify_execute::verify_execute;
use crate::guard::verify_temporary::verify_temporary;
use crate::guard::view::View;
use crate::guard::walk::Outcome;
use crate::sql::{Body, Explained, ReadErrorKind, TextLimits, Tokens, current_of, ident_value, with_script};
use crate::tenant::TenantId;

/// Limits of the text as sent: it is longer and deeper than the client's by what the guard has put in.
const EMITTED: TextLimits = TextLimits { bytes_max: 64 << 20, tokens_max: 4_000_000, nesting_max: 250 };

/// Fails where a scoped table is reached otherwise than through its tenant's rows, or a bare name is left.
pub(in crate::guard) fn verify(
    ruleset: &Ruleset,
    tenant: Option<&TenantId>,
    sql: &GuardedSql,
    copy_in: &CopyIn,
) -> Outcome<()> {
    with_script(sql.as_str(), &EMITTED, |read| match read {
        Ok(script) => script.statements.iter().try_for_each(|statement| match &statement.body {
            Body::Tree(tree) => verify_tree(ruleset, tenant, &script.tokens, tree),
            Body::Copy(copy) => verify_copy(ruleset, tenant, script, (copy, copy_in)),
            Body::Prepare(prepare) => verify_tree(ruleset, tenant, &script.tokens, &prepare.tree),
            Body::Declare(declare) => verify_tree(ruleset, tenant, &script.tokens, &declare.tree),
            Body::Execute(execute) => verify_execute(ruleset, tenant, &script.tokens, execute),
            Body::Explain(explain) => match &explain.statement {
                Explained::Tree(tree) => verify_tree(ruleset, tenant, &script.tokens, tree),
                Explained::Declare(declare) => verify_tree(ruleset, tenant, &script.tokens, &declare.tree),
                Explained::Execute(execute) => verify_execute(ruleset, tenant, &script.tokens, execute),
            },
            Body::Temporary(statement, _) => verify_temporary(ruleset, tenant, &script.tokens, statement),
            Body::Empty | Body::Session(_) => Ok(()),
            Body::Other(_) => Err(disagree("a statement of another kind")),
        }),
        Err(error) if error.kind == ReadErrorKind::TooLarge => {
            Err(Rejection::new(Code::StatementTooLarge, "the statement is too large once it is guarded")
                .hint("Split it."))
        }
        Err(error) => Err(disagree(&error.message)),
    })
}

pub(in crate::guard) fn verify_tree(
    ruleset: &Ruleset,
    tenant: Option<&TenantId>,
    tokens: &Tokens<'_>,
    tree: &Tree,
) -> Outcome<()> {
    let mut check = Check {
        ruleset,
        tenant,
        tokens,
        system: None,
        names: BTreeSet::new(),
        functions: BTreeSet::new(),
        reached: 0,
        accounted: 0,
        fault: None,
    };
    // Names of CTEs first: a bare name may stand before or after the one it means.
    match tree.visit(&mut CteNames(&mut check.names)) {
        ControlFlow::Continue(()) | ControlFlow::Break(()) => {}
    }
    match tree.visit(&mut check) {
        ControlFlow::Continue(()) | ControlFlow::Break(()) => {}
    }
    match check.fault {
        Some(fault) => Err(disagree(&fault)),
        None if check.reached == check.accounted => Ok(()),
        None => Err(disagree("a scoped table outside of its lens")),
    }
}

struct Check<'a> {
    ruleset: &'a Ruleset,
    tenant: Option<&'a TenantId>,
    tokens: &'a Tokens<'a>,
    /// Lenses of PostgreSQL's own relations, once they were asked for.
    system: Option<Vec<Range<usize>>>,
    names: BTreeSet<String>,
    /// Of `pg_catalog`, called in FROM.
    functions: BTreeSet<String>,
    /// Mentions of scoped tables.
    reached: usize,
    /// Lenses and restricted targets.
    accounted: usize,
    fault: Option<String>,
}

impl Visitor for Check<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.is_lens(query) {
            self.accounted += 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(ident_value).collect();
        if parts.iter().any(|part| part == "pg_catalog" || part == "information_schema" || is_ours(part)) {
            match self.ruleset.system().is_inside(self.tokens, &mut self.system, name) {
                Ok(true) => return ControlFlow::Continue(()),
                Ok(false) => {}
                Err(fault) => return self.fail(fault),
            }
        }
        match parts.as_slice() {
            [only] if self.names.contains(only) => ControlFlow::Continue(()),
            // What is in the session's own schema, the session has put there.
            [schema, _] if schema == private::SCHEMA => ControlFlow::Continue(()),
            [schema, only] if schema == "pg_catalog" && self.functions.contains(only) => ControlFlow::Continue(()),
            [schema, relation] => {
                match self.ruleset.relation(&QualifiedName::new(schema, relation)).map(|rule| &rule.lens) {
                    // A view only as the target of a write, which is accounted for.
                    Some(Lens::Scoped(_) | Lens::View(View { target: Ok(_), .. })) => self.reached += 1,
                    Some(Lens::Shared | Lens::Private) => {}
                    Some(Lens::View(_) | Lens::Undeclared(_)) | None => {
                        return self.fail("a relation that is not in reach");
                    }
                }
                ControlFlow::Continue(())
            }
            _ => self.fail("a relation without its schema"),
        }
    }

    /// A function in FROM is a relation to the visitor's tree; its own name is none.
    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } = factor {
            let last = name.0.last().and_then(|part| part.as_ident()).map(ident_value);
            self.functions.extend(last.clone());
            self.names.extend(last);
            if self.scoped(name).is_some() {
                return self.fail("a function with the name of a table");
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Tree) -> ControlFlow<()> {
        let restricted = match statement {
            Tree::Update(update) => self.is_restricted(&update.table, update.selection.as_ref()),
            Tree::Delete(delete) => match &delete.from {
                sqlparser::ast::FromTable::WithFromKeyword(tables) => {
                    tables.first().is_some_and(|table| self.is_restricted(table, delete.selection.as_ref()))
                }
                sqlparser::ast::FromTable::WithoutKeyword(_) => false,
            },
            Tree::Merge(merge) => self.keeps_to_tenant(merge),
            Tree::Insert(insert) => match &insert.table {
                TableObject::TableName(name) => {
                    self.target(name).is_some_and(|column| self.gives_tenant(insert, column))
                }
                _ => false,
            },
            _ => false,
        };
        self.accounted += usize::from(restricted);
        ControlFlow::Continue(())
    }
}

impl Check<'_> {
    fn fail(&mut self, fault: &str) -> ControlFlow<()> {
        self.fault = Some(fault.to_owned());
        ControlFlow::Break(())
    }

    fn scoped(&self, name: &ObjectName) -> Option<&TenantColumn> {
        let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(ident_value).collect();
        let [schema, relation] = parts.as_slice() else { return None };
        match &self.ruleset.relation(&QualifiedName::new(schema, relation))?.lens {
            Lens::Scoped(column) => Some(column),
            Lens::Shared | Lens::Private | Lens::View(_) | Lens::Undeclared(_) => None,
        }
    }

    fn target(&self, name: &ObjectName) -> Option<&TenantColumn> {
        let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(ident_value).collect();
        let [schema, relation] = parts.as_slice() else { return None };
        self.ruleset.relation(&QualifiedName::new(schema, relation))?.target_column()
    }

    /// `SELECT <columns> FROM schema.table WHERE column OPERATOR(pg_catalog.=) '<tenant>'::… [OFFSET 0]`, and no more.
    fn is_lens(&self, query: &Query) -> bool {
        let SetExpr::Select(select) = query.body.as_ref() else { return false };
        let no_more =
            query.with.is_none() && query.order_by.is_none() && query.fetch.is_none() && query.locks.is_empty();
        let offset = match &query.limit_clause {
            None => true,
            Some(LimitClause::LimitOffset { limit: None, offset: Some(_), .. }) => true,
            Some(_) => false,
        };
        no_more && offset && self.is_lens_select(select)
    }

    fn is_lens_select(&self, select: &Select) -> bool {
        let ([TableWithJoins { relation, joins }], Some(selection)) = (select.from.as_slice(), &select.selection)
        else {
            return false;
        };
        let TableFactor::Table { name, alias: None, args: None, .. } = relation else { return false };
        let Some(column) = self.scoped(name) else { return false };
        let plain = select
            .projection
            .iter()
            .all(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::UnnamedExpr(Expr::Identifier(_))));
        joins.is_empty()
            && plain
            && select.having.is_none()
            && select.distinct.is_none()
            && self.is_predicate(selection, None, column)
    }

    fn is_restricted(&self, target: &TableWithJoins, selection: Option<&Expr>) -> bool {
        let TableFactor::Table { name, alias, args: None, .. } = &target.relation else { return false };
        let Some(column) = self.target(name) else { return false };
        let visible = alias.as_ref().map(|alias| ident_value(&alias.name)).or_else(|| last(name));
        let first = match selection {
            Some(Expr::BinaryOp { left, op: BinaryOperator::And, right })
                if matches!(right.as_ref(), Expr::Nested(_)) =>
            {
                Some(left.as_ref())
            }
            other => other,
        };
        // The row of a cursor is as far as its query was, which has been verified.
        selection.is_some_and(|selection| current_of(self.tokens, selection).is_some())
            || first.is_some_and(|first| self.is_predicate(first, visible.as_deref(), column))
    }

    /// Only the tenant's rows match, only they are changed where nothing matches, and what is inserted is the tenant's.
    fn keeps_to_tenant(&self, merge: &Merge) -> bool {
        let TableFactor::Table { name, alias, args: None, .. } = &merge.table else { return false };
        let Some(column) = self.scoped(name) else { return false };
        let visible = alias.as_ref().map(|alias| ident_value(&alias.name)).or_else(|| last(name));
        let is_own = |expression: &Expr| self.is_predicate(expression, visible.as_deref(), column);
        let on = match merge.on.as_ref() {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                is_own(left) && matches!(right.as_ref(), Expr::Nested(_))
            }
            _ => false,
        };
        on && merge.clauses.iter().all(|clause| {
            let reaches_others = clause.clause_kind == MergeClauseKind::NotMatchedBySource;
            let guarded = match &clause.predicate {
                Some(Expr::Case { operand: None, conditions, else_result: None, .. }) => {
                    matches!(conditions.as_slice(), [case] if is_own(&case.condition))
                }
                Some(predicate) => is_own(predicate),
                None => false,
            };
            let gives = match &clause.action {
                MergeAction::Insert(insert) => self.merge_gives_tenant(insert, column),
                MergeAction::Update(_) | MergeAction::Delete { .. } | MergeAction::DoNothing { .. } => true,
            };
            gives && (guarded || !reaches_others)
        })
    }

    fn merge_gives_tenant(&self, insert: &MergeInsertExpr, column: &TenantColumn) -> bool {
        let place = insert.columns.iter().position(|listed| last(listed).as_ref() == Some(&column.name));
        match (place, &insert.kind) {
            (Some(place), MergeInsertKind::Values(values)) => {
                values.rows.iter().all(|row| row.content.get(place).is_some_and(|cell| self.is_tenant(cell, column)))
            }
            _ => false,
        }
    }

    /// Every row that an INSERT can bring has the tenant in the tenant column's place.
    fn gives_tenant(&self, insert: &Insert, column: &TenantColumn) -> bool {
        let place = insert.columns.iter().position(|listed| last(listed).as_ref() == Some(&column.name));
        match (place, &insert.source) {
            (Some(place), Some(source)) => {
                let is_last = place + 1 == insert.columns.len();
                self.arm_gives_tenant(&source.body, place, is_last, column)
            }
            _ => false,
        }
    }

    fn arm_gives_tenant(&self, body: &SetExpr, place: usize, is_last: bool, column: &TenantColumn) -> bool {
        match body {
            SetExpr::Values(values) => {
                values.rows.iter().all(|row| row.content.get(place).is_some_and(|cell| self.is_tenant(cell, column)))
            }
            SetExpr::Select(select) => {
                let plain = select.projection.iter().take(place + 1).all(|item| item_expression(item).is_some());
                let item =
                    if plain { select.projection.get(place) } else { select.projection.last().filter(|_| is_last) };
                let given = item.and_then(item_expression).is_some_and(|expression| self.is_tenant(expression, column));
                given || self.is_all_of_a_lens(select)
            }
            SetExpr::Query(query) => self.arm_gives_tenant(&query.body, place, is_last, column),
            SetExpr::SetOperation { left, right, .. } => {
                self.arm_gives_tenant(left, place, is_last, column)
                    && self.arm_gives_tenant(right, place, is_last, column)
            }
            _ => false,
        }
    }

    /// `SELECT * FROM <lens>`.
    fn is_all_of_a_lens(&self, select: &Select) -> bool {
        match (select.projection.as_slice(), select.from.as_slice()) {
            (
                [SelectItem::Wildcard(_)],
                [TableWithJoins { relation: TableFactor::Derived { subquery, .. }, joins }],
            ) => joins.is_empty() && self.is_lens(subquery),
            _ => false,
        }
    }

    /// The tenant's literal; `COALESCE(<literal>, …)`; `CASE WHEN … THEN <literal> END`.
    fn is_tenant(&self, expression: &Expr, column: &TenantColumn) -> bool {
        match expression {
            Expr::Cast { .. } => self.is_literal(expression, column),
            Expr::Nested(inner) => self.is_tenant(inner, column),
            Expr::Case { operand: None, conditions, else_result: None, .. } => {
                matches!(conditions.as_slice(), [case] if self.is_literal(&case.result, column))
            }
            Expr::Function(function) if last(&function.name).as_deref() == Some("coalesce") => match &function.args {
                FunctionArguments::List(list) => match list.args.first() {
                    Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) => self.is_literal(first, column),
                    _ => false,
                },
                _ => false,
            },
            _ => false,
        }
    }

    /// `'<tenant>'::type`.
    fn is_literal(&self, expression: &Expr, column: &TenantColumn) -> bool {
        let value = self.tenant.and_then(|tenant| column.column_type.value(tenant));
        let literal = match expression {
            Expr::Cast { expr, .. } => match expr.as_ref() {
                Expr::Value(literal) => match &literal.value {
                    Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        value.zip(literal).is_some_and(|(value, literal)| value.as_text() == *literal)
    }

    fn is_predicate(&self, expression: &Expr, relation: Option<&str>, column: &TenantColumn) -> bool {
        let Expr::BinaryOp { left, op: BinaryOperator::PGCustomBinaryOperator(operator), right } = expression else {
            return false;
        };
        let names = |idents: &[Ident]| idents.iter().map(ident_value).collect::<Vec<_>>();
        let left = match left.as_ref() {
            Expr::Identifier(ident) => names(std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(idents) => names(idents),
            _ => return false,
        };
        let expected: Vec<&str> = relation.into_iter().chain([column.name.as_str()]).collect();
        operator.as_slice() == ["pg_catalog", "="] && left == expected && self.is_literal(right, column)
    }
}

fn last(name: &ObjectName) -> Option<String> {
    name.0.last().and_then(|part| part.as_ident()).map(ident_value)
}

pub(in crate::guard) fn disagree(fault: &str) -> Rejection {
    Rejection::new(Code::ReadingsDisagree, "the statement could not be guarded safely")
        .detail(format!("Read again, it has {fault}."))
        .hint("This is a fault of Partywall; please report the statement.")
}
