//! Statements about the session: transactions, settings, prepared statements, channels. Matched to their last token.

use crate::sql::cursor::Cursor;
use crate::sql::error::ReadError;
use crate::sql::setting;
use crate::sql::token::TokenKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStatement {
    Begin {
        modes: Vec<TransactionMode>,
    },
    Commit {
        chain: Chain,
    },
    Rollback {
        chain: Chain,
    },
    Savepoint {
        name: String,
    },
    ReleaseSavepoint {
        name: String,
    },
    RollbackToSavepoint {
        name: String,
    },
    SetTransaction {
        scope: TransactionScope,
        modes: Vec<TransactionMode>,
    },
    SetTransactionSnapshot {
        snapshot: String,
    },
    /// Every form of SET, under the name of the setting that it changes.
    Set {
        scope: SettingScope,
        name: String,
        value: SettingValue,
    },
    Reset {
        name: String,
    },
    ResetAll,
    Show {
        name: String,
    },
    ShowAll,
    Discard(DiscardKind),
    Deallocate {
        name: String,
    },
    DeallocateAll,
    SetConstraints {
        constraints: Constraints,
        timing: ConstraintTiming,
    },
    Listen {
        channel: String,
    },
    Unlisten {
        channel: String,
    },
    UnlistenAll,
    Notify {
        channel: String,
        payload: Option<String>,
    },
    /// FETCH and MOVE, in any direction.
    Fetch {
        cursor: String,
        what: Fetched,
    },
    CloseCursor {
        name: String,
    },
    CloseAllCursors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    Rows,
    /// MOVE: only their number.
    Nothing,
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
        () if cursor.eat("set") => setting::set(cursor)?,
        () if cursor.eat("reset") => match setting::setting_or_all(cursor)? {
            Some(name) => SessionStatement::Reset { name },
            None => SessionStatement::ResetAll,
        },
        () if cursor.eat("show") => match setting::setting_or_all(cursor)? {
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
        () if cursor.eat("fetch") => SessionStatement::Fetch { cursor: fetched_cursor(cursor)?, what: Fetched::Rows },
        () if cursor.eat("move") => SessionStatement::Fetch { cursor: fetched_cursor(cursor)?, what: Fetched::Nothing },
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

/// `[direction] [FROM | IN] cursor`
fn fetched_cursor(cursor: &mut Cursor<'_, '_>) -> Result<String, ReadError> {
    // Words of directions are names too, where nothing follows.
    let mut named = cursor.clone();
    if let Ok(name) = named.name()
        && named.is_done()
    {
        *cursor = named;
        return Ok(name);
    }
    match () {
        () if ["next", "prior", "first", "last", "all"].into_iter().any(|word| cursor.eat(word)) => {}
        () if cursor.eat("absolute") || cursor.eat("relative") => whole_number(cursor)?,
        () if cursor.eat("forward") || cursor.eat("backward") => {
            if !cursor.eat("all") && is_number(cursor) {
                whole_number(cursor)?;
            }
        }
        () if is_number(cursor) => whole_number(cursor)?,
        () => {}
    }
    if !cursor.eat("from") {
        cursor.eat("in");
    }
    cursor.name()
}

fn is_number(cursor: &Cursor<'_, '_>) -> bool {
    cursor.kind() == Some(TokenKind::Integer) || cursor.is_operator("-") || cursor.is_operator("+")
}

/// PostgreSQL takes what fits 32 bits here, and calls any other number a syntax error.
fn whole_number(cursor: &mut Cursor<'_, '_>) -> Result<(), ReadError> {
    if !cursor.eat_operator("-") {
        cursor.eat_operator("+");
    }
    cursor.expect_kind(TokenKind::Integer)
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

pub(crate) fn modes_required(cursor: &mut Cursor<'_, '_>) -> Result<Vec<TransactionMode>, ReadError> {
    let modes = modes(cursor)?;
    if modes.is_empty() { Err(cursor.error()) } else { Ok(modes) }
}

pub(crate) fn set_constraints(cursor: &mut Cursor<'_, '_>) -> Result<SessionStatement, ReadError> {
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
