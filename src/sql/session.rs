//! Statements about the session: transactions, settings, prepared statements, channels. Matched to their last token.

use crate::sql::cursor::Cursor;
use crate::sql::error::ReadError;
use crate::sql::token::TokenKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStatement {
    Begin { modes: Vec<TransactionMode> },
    Commit { chain: Chain },
    Rollback { chain: Chain },
    Savepoint { name: String },
    ReleaseSavepoint { name: String },
    RollbackToSavepoint { name: String },
    SetTransaction { scope: TransactionScope, modes: Vec<TransactionMode> },
    SetTransactionSnapshot { snapshot: String },
    /// Every form of SET, under the name of the setting that it changes.
    Set { scope: SettingScope, name: String, value: SettingValue },
    Reset { name: String },
    ResetAll,
    Show { name: String },
    ShowAll,
    Discard(DiscardKind),
    Deallocate { name: String },
    DeallocateAll,
    SetConstraints { constraints: Constraints, timing: ConstraintTiming },
    Listen { channel: String },
    Unlisten { channel: String },
    UnlistenAll,
    Notify { channel: String, payload: Option<String> },
    CloseCursor { name: String },
    CloseAllCursors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionMode {
    Isolation(IsolationLevel),
    ReadOnly,
    ReadWrite,
    Deferrable,
    NotDeferrable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// Whether the next transaction begins at once, with the same modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    No,
    Yes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionScope {
    Transaction,
    SessionCharacteristics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingScope {
    Session,
    /// Until the transaction ends.
    Local,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    Default,
    Values(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardKind {
    All,
    Plans,
    Sequences,
    Temp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraints {
    All,
    /// Each with its schema, if the text has one.
    Named(Vec<Vec<String>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintTiming {
    Deferred,
    Immediate,
}

type Matched = Result<Option<SessionStatement>, ReadError>;

/// The session statement that the tokens are; none if they begin another kind of statement.
pub(crate) fn session(mut cursor: Cursor<'_, '_>) -> Matched {
    let Some(statement) = begin(&mut cursor)? else { return Ok(None) };
    cursor.finish()?;
    Ok(Some(statement))
}

fn begin(cursor: &mut Cursor<'_, '_>) -> Matched {
    let statement = match () {
        () if cursor.are(&["prepare", "transaction"]) => return Ok(None),
        () if cursor.are(&["commit", "prepared"]) || cursor.are(&["rollback", "prepared"]) => return Ok(None),
        () if cursor.eat("begin") => {
            eat_work(cursor);
            SessionStatement::Begin { modes: modes(cursor)? }
        }
        () if cursor.eat_all(&["start", "transaction"]) => SessionStatement::Begin { modes: modes(cursor)? },
        () if cursor.eat("commit") || cursor.eat("end") => {
            eat_work(cursor);
            SessionStatement::Commit { chain: chain(cursor)? }
        }
        () if cursor.eat("abort") => {
            eat_work(cursor);
            SessionStatement::Rollback { chain: chain(cursor)? }
        }
        () if cursor.eat("rollback") => {
            eat_work(cursor);
            rollback(cursor)?
        }
        () if cursor.eat("savepoint") => SessionStatement::Savepoint { name: cursor.name()? },
        () if cursor.eat("release") => {
            eat_savepoint(cursor);
            SessionStatement::ReleaseSavepoint { name: cursor.name()? }
        }
        () if cursor.eat("set") => set(cursor)?,
        () if cursor.eat("reset") => match setting_or_all(cursor)? {
            Some(name) => SessionStatement::Reset { name },
            None => SessionStatement::ResetAll,
        },
        () if cursor.eat("show") => match setting_or_all(cursor)? {
            Some(name) => SessionStatement::Show { name },
            None => SessionStatement::ShowAll,
        },
        () => return other(cursor),
    };
    Ok(Some(statement))
}

fn other(cursor: &mut Cursor<'_, '_>) -> Matched {
    let statement = match () {
        () if cursor.eat("discard") => SessionStatement::Discard(discard(cursor)?),
        () if cursor.eat("deallocate") => {
            // PREPARE may be noise, or the name itself.
            let mut named = cursor.clone();
            if named.eat("prepare") && !named.is_done() {
                *cursor = named;
            }
            if cursor.eat("all") {
                SessionStatement::DeallocateAll
            } else {
                SessionStatement::Deallocate { name: cursor.name()? }
            }
        }
        () if cursor.eat("listen") => SessionStatement::Listen { channel: cursor.name()? },
        () if cursor.eat("unlisten") => {
            if cursor.eat_operator("*") {
                SessionStatement::UnlistenAll
            } else {
                SessionStatement::Unlisten { channel: cursor.name()? }
            }
        }
        () if cursor.eat("notify") => {
            let channel = cursor.name()?;
            let payload = if cursor.eat_kind(TokenKind::Comma) { Some(cursor.string()?) } else { None };
            SessionStatement::Notify { channel, payload }
        }
        () if cursor.eat("close") => {
            if cursor.eat("all") {
                SessionStatement::CloseAllCursors
            } else {
                SessionStatement::CloseCursor { name: cursor.name()? }
            }
        }
        () => return Ok(None),
    };
    Ok(Some(statement))
}

fn eat_work(cursor: &mut Cursor<'_, '_>) {
    if !cursor.eat("work") {
        cursor.eat("transaction");
    }
}

/// SAVEPOINT may be noise, or the name itself.
fn eat_savepoint(cursor: &mut Cursor<'_, '_>) {
    let mut named = cursor.clone();
    if named.eat("savepoint") && !named.is_done() {
        *cursor = named;
    }
}

fn rollback(cursor: &mut Cursor<'_, '_>) -> Result<SessionStatement, ReadError> {
    if cursor.eat("to") {
        eat_savepoint(cursor);
        return Ok(SessionStatement::RollbackToSavepoint { name: cursor.name()? });
    }
    Ok(SessionStatement::Rollback { chain: chain(cursor)? })
}

fn chain(cursor: &mut Cursor<'_, '_>) -> Result<Chain, ReadError> {
    if !cursor.eat("and") {
        return Ok(Chain::No);
    }
    let chain = if cursor.eat("no") { Chain::No } else { Chain::Yes };
    cursor.expect("chain")?;
    Ok(chain)
}

fn modes(cursor: &mut Cursor<'_, '_>) -> Result<Vec<TransactionMode>, ReadError> {
    let mut modes = Vec::new();
    while !cursor.is_done() {
        if !modes.is_empty() {
            cursor.eat_kind(TokenKind::Comma);
        }
        modes.push(mode(cursor)?);
    }
    Ok(modes)
}

fn mode(cursor: &mut Cursor<'_, '_>) -> Result<TransactionMode, ReadError> {
    let known: [(&[&str], TransactionMode); 8] = [
        (&["isolation", "level", "read", "uncommitted"], TransactionMode::Isolation(IsolationLevel::ReadUncommitted)),
        (&["isolation", "level", "read", "committed"], TransactionMode::Isolation(IsolationLevel::ReadCommitted)),
        (&["isolation", "level", "repeatable", "read"], TransactionMode::Isolation(IsolationLevel::RepeatableRead)),
        (&["isolation", "level", "serializable"], TransactionMode::Isolation(IsolationLevel::Serializable)),
        (&["read", "only"], TransactionMode::ReadOnly),
        (&["read", "write"], TransactionMode::ReadWrite),
        (&["deferrable"], TransactionMode::Deferrable),
        (&["not", "deferrable"], TransactionMode::NotDeferrable),
    ];
    let found = known.into_iter().find(|(words, _)| cursor.eat_all(words));
    found.map(|(_, mode)| mode).ok_or_else(|| cursor.error())
}

fn modes_required(cursor: &mut Cursor<'_, '_>) -> Result<Vec<TransactionMode>, ReadError> {
    let modes = modes(cursor)?;
    if modes.is_empty() { Err(cursor.error()) } else { Ok(modes) }
}

fn set(cursor: &mut Cursor<'_, '_>) -> Result<SessionStatement, ReadError> {
    if let Some(statement) = set_generic(cursor, SettingScope::Session)? {
        return Ok(statement);
    }
    if cursor.eat("constraints") {
        return set_constraints(cursor);
    }
    if cursor.eat_all(&["session", "characteristics", "as", "transaction"]) {
        let modes = modes_required(cursor)?;
        return Ok(SessionStatement::SetTransaction { scope: TransactionScope::SessionCharacteristics, modes });
    }
    let scope = match () {
        () if cursor.eat("local") => SettingScope::Local,
        () if cursor.are(&["session", "authorization"]) => SettingScope::Session,
        () => {
            cursor.eat("session");
            SettingScope::Session
        }
    };
    if cursor.eat("transaction") {
        if cursor.eat("snapshot") {
            return Ok(SessionStatement::SetTransactionSnapshot { snapshot: cursor.string()? });
        }
        let modes = modes_required(cursor)?;
        return Ok(SessionStatement::SetTransaction { scope: TransactionScope::Transaction, modes });
    }
    match set_generic(cursor, scope)? {
        Some(statement) => Ok(statement),
        None => set_special(cursor, scope),
    }
}

/// `name TO value, …`
fn set_generic(cursor: &mut Cursor<'_, '_>, scope: SettingScope) -> Result<Option<SessionStatement>, ReadError> {
    let mut ahead = cursor.clone();
    let Ok(name) = setting_name(&mut ahead) else { return Ok(None) };
    if !ahead.eat("to") && !ahead.eat_operator("=") {
        return Ok(None);
    }
    *cursor = ahead;
    if cursor.eat("default") {
        return Ok(Some(SessionStatement::Set { scope, name, value: SettingValue::Default }));
    }
    let mut values = vec![setting_value(cursor)?];
    while cursor.eat_kind(TokenKind::Comma) {
        values.push(setting_value(cursor)?);
    }
    Ok(Some(SessionStatement::Set { scope, name, value: SettingValue::Values(values) }))
}

fn setting_name(cursor: &mut Cursor<'_, '_>) -> Result<String, ReadError> {
    let mut name = cursor.name()?.to_ascii_lowercase();
    while cursor.eat_kind(TokenKind::Dot) {
        name.push('.');
        name.push_str(&cursor.name()?.to_ascii_lowercase());
    }
    Ok(name)
}

fn setting_value(cursor: &mut Cursor<'_, '_>) -> Result<String, ReadError> {
    let is_number = matches!(cursor.kind(), Some(TokenKind::Integer | TokenKind::Number | TokenKind::Operator));
    if is_number { cursor.number() } else { cursor.word_or_string() }
}

/// The forms of SET that do not name the setting.
fn set_special(cursor: &mut Cursor<'_, '_>, scope: SettingScope) -> Result<SessionStatement, ReadError> {
    let (name, value) = match () {
        () if cursor.eat_all(&["time", "zone"]) => {
            let is_number = matches!(cursor.kind(), Some(TokenKind::Integer | TokenKind::Number | TokenKind::Operator));
            let value = match () {
                () if cursor.eat("default") || cursor.eat("local") => None,
                () if is_number => Some(cursor.number()?),
                () if cursor.kind() == Some(TokenKind::String) => Some(cursor.string()?),
                () if cursor.is("interval") => return Err(cursor.error()),
                () => Some(cursor.name()?),
            };
            ("timezone", value)
        }
        () if cursor.eat("names") => {
            let is_default = cursor.eat("default") || cursor.is_done();
            ("client_encoding", if is_default { None } else { Some(cursor.string()?) })
        }
        () if cursor.eat("schema") => ("search_path", Some(cursor.string()?)),
        () if cursor.eat("role") => ("role", Some(role(cursor)?)),
        () if cursor.eat_all(&["session", "authorization"]) => {
            let value = if cursor.eat("default") { None } else { Some(role(cursor)?) };
            ("session_authorization", value)
        }
        () if cursor.eat_all(&["xml", "option"]) => {
            if !cursor.is("document") && !cursor.is("content") {
                return Err(cursor.error());
            }
            ("xmloption", Some(cursor.name()?))
        }
        () => return Err(cursor.error()),
    };
    let value = value.map_or(SettingValue::Default, |value| SettingValue::Values(vec![value]));
    Ok(SessionStatement::Set { scope, name: name.to_owned(), value })
}

fn role(cursor: &mut Cursor<'_, '_>) -> Result<String, ReadError> {
    if cursor.kind() == Some(TokenKind::String) { cursor.string() } else { cursor.unreserved() }
}

/// What RESET and SHOW name; nothing for ALL.
fn setting_or_all(cursor: &mut Cursor<'_, '_>) -> Result<Option<String>, ReadError> {
    let name = match () {
        () if cursor.eat("all") => return Ok(None),
        () if cursor.eat_all(&["time", "zone"]) => "timezone".to_owned(),
        () if cursor.eat_all(&["transaction", "isolation", "level"]) => "transaction_isolation".to_owned(),
        () if cursor.eat_all(&["session", "authorization"]) => "session_authorization".to_owned(),
        () => setting_name(cursor)?,
    };
    Ok(Some(name))
}

fn set_constraints(cursor: &mut Cursor<'_, '_>) -> Result<SessionStatement, ReadError> {
    let constraints = if cursor.eat("all") {
        Constraints::All
    } else {
        let mut names = Vec::new();
        loop {
            let mut parts = vec![cursor.name()?];
            while cursor.eat_kind(TokenKind::Dot) {
                parts.push(cursor.label()?);
            }
            names.push(parts);
            if !cursor.eat_kind(TokenKind::Comma) {
                break;
            }
        }
        Constraints::Named(names)
    };
    let timing = if cursor.eat("deferred") {
        ConstraintTiming::Deferred
    } else {
        cursor.expect("immediate")?;
        ConstraintTiming::Immediate
    };
    Ok(SessionStatement::SetConstraints { constraints, timing })
}

fn discard(cursor: &mut Cursor<'_, '_>) -> Result<DiscardKind, ReadError> {
    match () {
        () if cursor.eat("all") => Ok(DiscardKind::All),
        () if cursor.eat("plans") => Ok(DiscardKind::Plans),
        () if cursor.eat("sequences") => Ok(DiscardKind::Sequences),
        () if cursor.eat("temp") || cursor.eat("temporary") => Ok(DiscardKind::Temp),
        () => Err(cursor.error()),
    }
}
