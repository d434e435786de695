//! MERGE: only the tenant's rows match, only they are changed where nothing does, and what is inserted is the tenant's.

use pg_query::NodeEnum;
use pg_query::protobuf::{CmdType, MergeMatchKind, MergeStmt, MergeWhenClause, Node};

use crate::guard::decision::Access;
use crate::guard::opinion::change::{assigned, is_target, restricted};
use crate::guard::opinion::lens::Tenancy;
use crate::guard::opinion::{Reader, disagree};
use crate::guard::walk::Outcome;

impl<'t> Reader<'t, '_> {
    pub(super) fn merge(&mut self, merge: &'t MergeStmt) -> Outcome<()> {
        let MergeStmt {
            relation,
            source_relation: Some(source),
            join_condition,
            merge_when_clauses,
            returning_clause,
            with_clause,
        } = merge
        else {
            return Err(disagree("a MERGE without a source"));
        };
        let outer = self.ctes.len();
        self.with(with_clause.as_ref())?;
        let (relation, rule) = self.target(relation.as_ref(), Access::Read)?;
        let tenancy = self.target_tenancy(rule);
        if let Some(tenancy) = &tenancy {
            restricted(tenancy, join_condition.as_deref(), relation)?;
        }
        self.read_from(source)?;
        self.maybe(join_condition)?;
        let name = relation.alias.as_ref().map_or(&relation.relname, |alias| &alias.aliasname);
        for node in merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(clause)) = node.node.as_ref() else {
                return Err(disagree("a clause of MERGE of another kind"));
            };
            let MergeWhenClause { match_kind, command_type, r#override: _, condition, target_list, values } =
                clause.as_ref();
            let access = match CmdType::try_from(*command_type) {
                Ok(CmdType::CmdInsert) => Some(Access::Insert),
                Ok(CmdType::CmdUpdate) => Some(Access::Update),
                Ok(CmdType::CmdDelete) => Some(Access::Delete),
                Ok(CmdType::CmdNothing) => None,
                _ => return Err(disagree("a clause of MERGE of another kind")),
            };
            if let Some(tenancy) = &tenancy {
                let by_source = *match_kind == MergeMatchKind::MergeWhenNotMatchedBySource as i32;
                if by_source && !is_guarded(tenancy, condition.as_deref(), name) {
                    return Err(disagree("a clause of MERGE that reaches the rows of others"));
                }
                match access {
                    Some(Access::Insert) => gives_tenant(tenancy, target_list, values)?,
                    _ => assigned(tenancy, target_list, None)?,
                }
            }
            if let Some(access) = access {
                self.mention(rule.relation.qualified_name(), access);
            }
            self.maybe(condition)?;
            self.all(target_list)?;
            self.all(values)?;
        }
        self.returning(returning_clause.as_ref())?;
        self.ctes.truncate(outer);
        Ok(())
    }
}

/// The tenant's predicate, or `CASE WHEN <it> THEN … END`.
fn is_guarded(tenancy: &Tenancy<'_>, condition: Option<&Node>, relation: &str) -> bool {
    match condition.and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::CaseExpr(case)) => {
            let [Node { node: Some(NodeEnum::CaseWhen(when)) }] = case.args.as_slice() else { return false };
            case.arg.is_none() && case.defresult.is_none() && tenancy.restricts(when.expr.as_deref(), relation)
        }
        _ => tenancy.restricts(condition, relation),
    }
}

fn gives_tenant(tenancy: &Tenancy<'_>, columns: &[Node], values: &[Node]) -> Outcome<()> {
    let place = columns.iter().position(|node| is_target(node, &tenancy.column.name));
    let value = place.and_then(|place| values.get(place));
    match value {
        Some(value) if tenancy.is_tenant(value) => Ok(()),
        _ => Err(disagree("an INSERT of a row that may not be the tenant's")),
    }
}
