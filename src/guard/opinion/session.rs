//! Session statements: PostgreSQL's grammar sees the kind and the setting that our own matcher saw.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, Node, TransactionStmt, TransactionStmtKind, VariableSetKind, VariableSetStmt, VariableShowStmt, a_const,
};

use crate::guard::opinion::{Reader, disagree};
use crate::guard::setting;
use crate::guard::walk::Outcome;
use crate::sql::SettingValue;

impl Reader<'_, '_> {
    /// The words of the command tag.
    pub(super) fn session(&self, statement: &NodeEnum) -> Outcome<&'static str> {
        match statement {
            NodeEnum::TransactionStmt(transaction) => transaction_tag(transaction),
            NodeEnum::VariableSetStmt(set) => self.set(set),
            NodeEnum::VariableShowStmt(VariableShowStmt { name }) => {
                setting::show(&name.to_ascii_lowercase()).map_err(|_| disagree("SHOW of another setting"))?;
                Ok("SHOW")
            }
            NodeEnum::DiscardStmt(_) => Ok("DISCARD"),
            NodeEnum::DeallocateStmt(_) => Ok("DEALLOCATE"),
            NodeEnum::ConstraintsSetStmt(_) => Ok("SET CONSTRAINTS"),
            NodeEnum::UnlistenStmt(_) => Ok("UNLISTEN"),
            NodeEnum::ClosePortalStmt(_) => Ok("CLOSE CURSOR"),
            _ => Err(disagree("a statement of another kind")),
        }
    }

    fn set(&self, set: &VariableSetStmt) -> Outcome<&'static str> {
        let VariableSetStmt { kind, name, args, jumble_args: _, is_local: _, location: _ } = set;
        let (tag, value) = match VariableSetKind::try_from(*kind) {
            Ok(VariableSetKind::VarResetAll) => return Ok("RESET"),
            // SET TRANSACTION and its like: their modes are names of settings that are free.
            Ok(VariableSetKind::VarSetMulti) if matches!(name.as_str(), "TRANSACTION" | "SESSION CHARACTERISTICS") => {
                return Ok("SET");
            }
            Ok(VariableSetKind::VarReset) => ("RESET", SettingValue::Default),
            Ok(VariableSetKind::VarSetDefault) => ("SET", SettingValue::Default),
            Ok(VariableSetKind::VarSetValue) => {
                let values = args.iter().map(value).collect::<Option<Vec<String>>>();
                ("SET", SettingValue::Values(values.unwrap_or_default()))
            }
            _ => return Err(disagree("a form of SET")),
        };
        setting::set(self.ruleset, self.identity, &name.to_ascii_lowercase(), &value)
            .map_err(|_| disagree("SET of another setting"))?;
        Ok(tag)
    }
}

fn transaction_tag(transaction: &TransactionStmt) -> Outcome<&'static str> {
    use TransactionStmtKind as Kind;
    Ok(match Kind::try_from(transaction.kind) {
        Ok(Kind::TransStmtBegin | Kind::TransStmtStart) => "BEGIN",
        Ok(Kind::TransStmtCommit) => "COMMIT",
        Ok(Kind::TransStmtRollback | Kind::TransStmtRollbackTo) => "ROLLBACK",
        Ok(Kind::TransStmtSavepoint) => "SAVEPOINT",
        Ok(Kind::TransStmtRelease) => "RELEASE",
        _ => return Err(disagree("a transaction statement of another kind")),
    })
}

/// A value of SET; an interval for the time zone is a cast, and no text.
fn value(node: &Node) -> Option<String> {
    match node.node.as_ref() {
        Some(NodeEnum::AConst(AConst { isnull: false, location: _, val: Some(value) })) => Some(match value {
            a_const::Val::Sval(text) => text.sval.clone(),
            a_const::Val::Ival(number) => number.ival.to_string(),
            a_const::Val::Fval(number) => number.fval.clone(),
            a_const::Val::Boolval(value) => value.boolval.to_string(),
            a_const::Val::Bsval(_) => return None,
        }),
        _ => None,
    }
}
