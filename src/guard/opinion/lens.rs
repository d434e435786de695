//! What keeps a relation to one tenant's rows, as PostgreSQL's grammar sees it: predicates, literals, lenses.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, AExpr, AExprKind, BoolExpr, BoolExprType, ColumnRef, Node, RangeVar, ResTarget, SelectStmt, SetOperation,
    TypeCast, TypeName, a_const,
};

use crate::catalog::QualifiedName;
use crate::guard::opinion::{Reader, parts};
use crate::guard::private;
use crate::guard::ruleset::{Lens, RelationRule, TenantColumn};

/// A tenant column, and the literal of this session's tenant in it.
pub(super) struct Tenancy<'m> {
    pub(super) column: &'m TenantColumn,
    /// `None`: no row can be the tenant's.
    literal: Option<String>,
}

impl<'m> Reader<'_, 'm> {
    /// The rule of a relation under its full name.
    pub(super) fn rule(&self, relation: &RangeVar) -> Option<&'m RelationRule> {
        let RangeVar { catalogname, schemaname, relname, inh: _, relpersistence: _, alias: _, location: _ } = relation;
        if !catalogname.is_empty() || schemaname.is_empty() {
            return None;
        }
        if schemaname == private::SCHEMA {
            return self.private.get(relname);
        }
        self.ruleset.relation(&QualifiedName::new(schemaname, relname))
    }

    /// Of a table that is read.
    fn scoped(&self, rule: &'m RelationRule) -> Option<Tenancy<'m>> {
        let Lens::Scoped(column) = &rule.lens else { return None };
        Some(self.tenancy(column))
    }

    /// Of a table that is written, or of a view through which one is.
    pub(super) fn target_tenancy(&self, rule: &'m RelationRule) -> Option<Tenancy<'m>> {
        rule.target_column().map(|column| self.tenancy(column))
    }

    fn tenancy(&self, column: &'m TenantColumn) -> Tenancy<'m> {
        let value = self.identity.tenant.as_ref().and_then(|tenant| column.column_type.value(tenant));
        Tenancy { column, literal: value.map(|value| value.as_text()) }
    }

    /// `SELECT <columns> FROM schema.table WHERE <tenant> [OFFSET 0]`, and no more: the table behind it.
    pub(super) fn lens<'t>(&self, select: &'t SelectStmt) -> Option<(&'t RangeVar, &'m RelationRule)> {
        let SelectStmt {
            distinct_clause,
            into_clause: None,
            target_list,
            from_clause,
            where_clause: Some(condition),
            group_clause,
            group_distinct: false,
            having_clause: None,
            window_clause,
            values_lists,
            sort_clause,
            limit_offset,
            limit_count: None,
            limit_option: _,
            locking_clause,
            with_clause: None,
            op,
            all: false,
            larg: None,
            rarg: None,
        } = select
        else {
            return None;
        };
        let nothing = [distinct_clause, group_clause, window_clause, values_lists, sort_clause, locking_clause];
        let [Node { node: Some(NodeEnum::RangeVar(relation)) }] = from_clause.as_slice() else { return None };
        let rule = self.rule(relation)?;
        let tenancy = self.scoped(rule)?;
        let is_lens = *op == SetOperation::SetopNone as i32
            && nothing.iter().all(|clause| clause.is_empty())
            && relation.alias.is_none()
            && limit_offset.as_deref().is_none_or(is_zero)
            && target_list.iter().all(is_bare_column)
            && tenancy.is_predicate(condition, None);
        is_lens.then_some((relation, rule))
    }
}

impl Tenancy<'_> {
    /// `WHERE <tenant>` or `WHERE <tenant> AND …`.
    pub(super) fn restricts(&self, condition: Option<&Node>, relation: &str) -> bool {
        match condition.and_then(|node| node.node.as_ref()) {
            Some(NodeEnum::BoolExpr(chain)) => {
                let BoolExpr { xpr: _, boolop, args, location: _ } = chain.as_ref();
                *boolop == BoolExprType::AndExpr as i32
                    && args.first().is_some_and(|first| self.is_predicate(first, Some(relation)))
            }
            Some(_) => condition.is_some_and(|node| self.is_predicate(node, Some(relation))),
            None => false,
        }
    }

    /// `[relation.]column OPERATOR(pg_catalog.=) <literal>`.
    fn is_predicate(&self, node: &Node, relation: Option<&str>) -> bool {
        let Some(NodeEnum::AExpr(comparison)) = node.node.as_ref() else { return false };
        let AExpr {
            kind,
            name,
            lexpr: Some(left),
            rexpr: Some(right),
            rexpr_list_start: _,
            rexpr_list_end: _,
            location: _,
        } = comparison.as_ref()
        else {
            return false;
        };
        let Some(NodeEnum::ColumnRef(ColumnRef { fields, location: _ })) = left.node.as_ref() else { return false };
        let expected: Vec<&str> = relation.into_iter().chain([self.column.name.as_str()]).collect();
        *kind == AExprKind::AexprOp as i32
            && parts(name).as_deref() == Some(&["pg_catalog", "="])
            && parts(fields) == Some(expected)
            && self.is_literal(right)
    }

    /// `'<tenant>'::pg_catalog.<type>`.
    pub(super) fn is_literal(&self, node: &Node) -> bool {
        let Some(NodeEnum::TypeCast(cast)) = node.node.as_ref() else { return false };
        let TypeCast { arg: Some(value), type_name: Some(type_name), location: _ } = cast.as_ref() else {
            return false;
        };
        let TypeName { names, type_oid: _, setof, pct_type, typmods, typemod: _, array_bounds, location: _ } =
            type_name;
        let Some(NodeEnum::AConst(AConst { isnull: false, location: _, val: Some(a_const::Val::Sval(text)) })) =
            value.node.as_ref()
        else {
            return false;
        };
        let (schema, name) = self.column.column_type.name();
        !setof
            && !pct_type
            && typmods.is_empty()
            && array_bounds.is_empty()
            && parts(names).as_deref() == Some(&[schema, name])
            && self.literal.as_ref() == Some(&text.sval)
    }

    /// The literal; `COALESCE(<literal>, …)`; `CASE WHEN … THEN <literal> END`, which is the literal or NULL.
    pub(super) fn is_tenant(&self, node: &Node) -> bool {
        match node.node.as_ref() {
            Some(NodeEnum::CoalesceExpr(coalesce)) => coalesce.args.first().is_some_and(|first| self.is_literal(first)),
            Some(NodeEnum::CaseExpr(case)) => {
                let [Node { node: Some(NodeEnum::CaseWhen(when)) }] = case.args.as_slice() else { return false };
                case.defresult.is_none() && when.result.as_deref().is_some_and(|result| self.is_literal(result))
            }
            _ => self.is_literal(node),
        }
    }
}

/// A column, or `*`, without a new name.
fn is_bare_column(node: &Node) -> bool {
    let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else { return false };
    let ResTarget { name, indirection, val: Some(value), location: _ } = target.as_ref() else { return false };
    name.is_empty() && indirection.is_empty() && matches!(value.node, Some(NodeEnum::ColumnRef(_)))
}

fn is_zero(node: &Node) -> bool {
    match node.node.as_ref() {
        Some(NodeEnum::AConst(AConst { isnull: false, location: _, val: Some(a_const::Val::Ival(number)) })) => {
            number.ival == 0
        }
        _ => false,
    }
}

/// The one expression of an output column; `None` for `*`, which is any number of them.
pub(super) fn output(node: &Node) -> Option<&Node> {
    let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else { return None };
    let value = target.val.as_deref()?;
    let is_star = |node: &Node| matches!(node.node, Some(NodeEnum::AStar(_)));
    let expands = match value.node.as_ref() {
        Some(NodeEnum::ColumnRef(column)) => column.fields.last().is_some_and(is_star),
        Some(NodeEnum::AIndirection(access)) => access.indirection.last().is_some_and(is_star),
        _ => false,
    };
    (!expands).then_some(value)
}
