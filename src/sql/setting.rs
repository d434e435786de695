//! SET, RESET and SHOW, every form under the name of the setting that it means.

use crate::sql::cursor::Cursor;
use crate::sql::error::ReadError;
use crate::sql::session;
use crate::sql::session::SessionStatement;
use crate::sql::session::SettingScope;
use crate::sql::session::SettingValue;
use crate::sql::session::TransactionScope;
use crate::sql::token::TokenKind;

pub(crate) fn set(cursor: &mut Cursor<'_, '_>) -> Result<SessionStatement, ReadError> {
    if let Some(statement) = set_generic(cursor, SettingScope::Session)? {
        return Ok(statement);
    }
    if cursor.eat("constraints") {
        return session::set_constraints(cursor);
    }
    if cursor.eat_all(&["session", "characteristics", "as", "transaction"]) {
        let modes = session::modes_required(cursor)?;
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
        let modes = session::modes_required(cursor)?;
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
        // PostgreSQL takes no reserved word here. `partywall.user` is ours, and is sent with quotes.
        let part = if name == "partywall." { cursor.label()? } else { cursor.name()? };
        name.push_str(&part.to_ascii_lowercase());
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
pub(crate) fn setting_or_all(cursor: &mut Cursor<'_, '_>) -> Result<Option<String>, ReadError> {
    let name = match () {
        () if cursor.eat("all") => return Ok(None),
        () if cursor.eat_all(&["time", "zone"]) => "timezone".to_owned(),
        () if cursor.eat_all(&["transaction", "isolation", "level"]) => "transaction_isolation".to_owned(),
        () if cursor.eat_all(&["session", "authorization"]) => "session_authorization".to_owned(),
        () => setting_name(cursor)?,
    };
    Ok(Some(name))
}
