//! Session statements: transactions pass, settings pass by a list, whatever reaches beyond the session does not.

use crate::guard::acting::{TENANT_SETTING, USER_SETTING};
use crate::guard::decision::StatementClass;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::Ruleset;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::{DiscardKind, Fetched, SessionStatement, SettingValue};
use crate::tenant::Identity;

/// Settings that change the form of answers, or only this session's own transactions.
const FREE: &[&str] = &[
    "application_name",
    "bytea_output",
    "check_function_bodies",
    "datestyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "jit",
    "lock_timeout",
    "statement_timeout",
    "synchronous_commit",
    "timezone",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "xmloption",
];

/// Settings that may be shown beside those: they say what server this is.
const SHOWN: &[&str] = &[
    "client_encoding",
    "client_min_messages",
    "default_table_access_method",
    "default_text_search_config",
    "integer_datetimes",
    "lc_collate",
    "lc_ctype",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "max_identifier_length",
    "search_path",
    "server_encoding",
    "server_version",
    "server_version_num",
    "standard_conforming_strings",
];

pub(in crate::guard) fn is_shown(name: &str) -> bool {
    shown_names().any(|shown| shown.eq_ignore_ascii_case(name))
}

/// Whether any value will do.
pub(in crate::guard) fn is_free(name: &str) -> bool {
    FREE.iter().any(|free| free.eq_ignore_ascii_case(name))
}

/// Settings that a client may see.
pub(in crate::guard) fn shown_names() -> impl Iterator<Item = &'static str> {
    FREE.iter().chain(SHOWN).copied()
}

pub(in crate::guard) fn session_statement(walk: &Walk<'_>, statement: &SessionStatement) -> Outcome<StatementClass> {
    use SessionStatement as S;
    match statement {
        S::Begin { .. } | S::Commit { .. } | S::Rollback { .. } => Ok(StatementClass::Transaction),
        S::Savepoint { .. } | S::ReleaseSavepoint { .. } | S::RollbackToSavepoint { .. } => {
            Ok(StatementClass::Transaction)
        }
        S::SetTransaction { .. } | S::SetConstraints { .. } => Ok(StatementClass::Transaction),
        S::SetTransactionSnapshot { .. } => Err(statement_refused("SET TRANSACTION SNAPSHOT")),
        S::Set { name, value, scope: _ } => set(walk.ruleset, walk.request.identity, name, value),
        S::Reset { name } => set(walk.ruleset, walk.request.identity, name, &SettingValue::Default),
        // Back to what the session began with, which Partywall has set.
        S::ResetAll => Ok(StatementClass::Setting),
        S::Show { name } => show(name),
        S::ShowAll => Err(setting_refused("all").hint("Show one setting by its name.")),
        S::Discard(DiscardKind::All) => Ok(StatementClass::Discard),
        S::Discard(DiscardKind::Plans | DiscardKind::Sequences | DiscardKind::Temp) => Ok(StatementClass::Setting),
        S::DeallocateAll => Ok(StatementClass::Discard),
        S::Deallocate { .. } | S::UnlistenAll => Ok(StatementClass::Setting),
        S::CloseCursor { .. } | S::CloseAllCursors => Ok(StatementClass::Setting),
        S::Fetch { .. } => Ok(StatementClass::Read),
        S::Listen { .. } | S::Unlisten { .. } | S::Notify { .. } => {
            Err(statement_refused(command(statement)).detail("Channels are shared by all tenants of the server."))
        }
    }
}

pub(in crate::guard) fn command(statement: &SessionStatement) -> &'static str {
    use SessionStatement as S;
    match statement {
        S::Begin { .. } => "BEGIN",
        S::Commit { .. } => "COMMIT",
        S::Rollback { .. } | S::RollbackToSavepoint { .. } => "ROLLBACK",
        S::Savepoint { .. } => "SAVEPOINT",
        S::ReleaseSavepoint { .. } => "RELEASE",
        S::SetTransaction { .. } | S::SetTransactionSnapshot { .. } | S::Set { .. } => "SET",
        S::SetConstraints { .. } => "SET CONSTRAINTS",
        S::Reset { .. } | S::ResetAll => "RESET",
        S::Show { .. } | S::ShowAll => "SHOW",
        S::Discard(_) => "DISCARD",
        S::Deallocate { .. } | S::DeallocateAll => "DEALLOCATE",
        S::Listen { .. } => "LISTEN",
        S::Unlisten { .. } | S::UnlistenAll => "UNLISTEN",
        S::Notify { .. } => "NOTIFY",
        S::Fetch { what: Fetched::Rows, .. } => "FETCH",
        S::Fetch { what: Fetched::Nothing, .. } => "MOVE",
        S::CloseCursor { .. } | S::CloseAllCursors => "CLOSE CURSOR",
    }
}

pub(in crate::guard) fn set(
    ruleset: &Ruleset,
    identity: &Identity,
    name: &str,
    value: &SettingValue,
) -> Outcome<StatementClass> {
    if FREE.contains(&name) || ruleset.acting.assigned(identity, name, value)?.is_some() {
        return Ok(StatementClass::Setting);
    }
    let values: Vec<String> = match value {
        // The value that the session began with, which Partywall has set.
        SettingValue::Default if SHOWN.contains(&name) => return Ok(StatementClass::Setting),
        SettingValue::Default => return Err(setting_refused(name)),
        // Names of schemas differ by case.
        SettingValue::Values(values) if name == "search_path" => values.clone(),
        SettingValue::Values(values) => values.iter().map(|value| value.to_ascii_lowercase()).collect(),
    };
    let one = match values.as_slice() {
        [value] => value.as_str(),
        _ => "",
    };
    let allowed = match name {
        // Both sides read text as UTF-8, and strings by the standard; another reading would be a way past the guard.
        "client_encoding" => matches!(one, "utf8" | "utf-8" | "unicode"),
        "standard_conforming_strings" => matches!(one, "on" | "true" | "1" | "yes"),
        // Below NOTICE the server speaks of plans.
        "client_min_messages" => matches!(one, "notice" | "warning" | "error"),
        // It is pinned: names are resolved here before the server sees them.
        "search_path" => {
            // PostgreSQL's own schema comes first, said or unsaid; behind another it would lose to it.
            let own = values.strip_prefix(&["pg_catalog".to_owned()]).unwrap_or(&values);
            let own = own.iter().map(String::as_str).filter(|schema| *schema != "$user");
            ruleset.search_path().iter().map(String::as_str).eq(own)
        }
        _ => return Err(setting_refused(name)),
    };
    if allowed {
        return Ok(StatementClass::Setting);
    }
    Err(Rejection::new(Code::SettingNotAllowed, format!("setting \"{name}\" cannot have this value"))
        .detail("Partywall relies on the value that it set when the session began.")
        .hint("Leave the setting as it is."))
}

pub(in crate::guard) fn show(name: &str) -> Outcome<StatementClass> {
    if FREE.contains(&name) || SHOWN.contains(&name) || [TENANT_SETTING, USER_SETTING].contains(&name) {
        return Ok(StatementClass::Setting);
    }
    Err(setting_refused(name))
}

fn setting_refused(name: &str) -> Rejection {
    Rejection::new(Code::SettingNotAllowed, format!("setting \"{name}\" is not accessible"))
        .detail("Only settings that concern the session's own answers can be shown and changed.")
}

fn statement_refused(words: &str) -> Rejection {
    Rejection::new(Code::StatementNotAllowed, format!("{words} is not allowed"))
}
