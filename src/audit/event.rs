//! One audit record as one line of JSON: who, when, what was reached, how it was decided.

use std::net::SocketAddr;

use aws_lc_rs::digest;

use crate::audit::json;
use crate::guard::{Code, Decision, Facts, LensKind, ObjectAccess, StatementClass, StatementFacts};
use crate::session::effect::{Outcome, StatementEvent};
use crate::tenant::{LoginName, TenantId, Timestamp};

/// Bytes of normalised SQL that a record carries; beyond it `sql.cut` is true. The hash is over the whole.
pub const SQL_TEXT_BYTES_MAX: usize = 8_192;
/// Characters of an application's name: PostgreSQL keeps as many bytes.
const APPLICATION_CHARACTERS_MAX: usize = 63;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    Start,
    Stop,
    Config,
    SessionOpen,
    SessionClose,
    AuthOk,
    AuthFail,
    Statement,
    Deny,
    Loss,
}

impl EventType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Config => "config",
            Self::SessionOpen => "session.open",
            Self::SessionClose => "session.close",
            Self::AuthOk => "auth.ok",
            Self::AuthFail => "auth.fail",
            Self::Statement => "statement",
            Self::Deny => "deny",
            Self::Loss => "loss",
        }
    }
}

/// OCSF's scale, as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
    High = 4,
    Critical = 5,
}

/// What is the same in every record of a session.
#[derive(Clone, Debug)]
pub struct SessionDescription<'a> {
    /// Opaque and unique.
    pub session: &'a str,
    pub tenant: Option<&'a TenantId>,
    /// As named at start-up; proved by then or not, the record's type says.
    pub login: Option<&'a LoginName>,
    pub application_name: Option<&'a str>,
    /// `scram-sha-256`, `scram-sha-256-plus`; `None` before authentication.
    pub method: Option<&'a str>,
    /// `None`: a Unix socket.
    pub source: Option<SocketAddr>,
    /// `None`: not connected (yet).
    pub upstream: Option<UpstreamDescription<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub struct UpstreamDescription<'a> {
    pub name: &'a str,
    pub host: &'a str,
    pub port: u16,
    pub encryption: Encryption,
    pub database: &'a str,
    /// The role that Partywall has there.
    pub role: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    Tls,
    Plain,
}

/// A [`SessionDescription`], written once for all records of the session.
#[derive(Clone, Debug)]
pub struct SessionTag {
    /// From `tenant` to `session`.
    head: Vec<u8>,
    /// From `src` to `db`.
    tail: Vec<u8>,
}

impl SessionTag {
    pub fn new(description: &SessionDescription<'_>) -> Self {
        let mut head = b"\"tenant\":".to_vec();
        json::string_or_null(&mut head, description.tenant.map(TenantId::as_str));
        if description.tenant.is_some() {
            head.extend_from_slice(b",\"isolation\":\"column\"");
        }
        head.extend_from_slice(b",\"actor\":{\"user\":");
        json::string_or_null(&mut head, description.login.map(LoginName::as_str));
        head.extend_from_slice(b",\"user_src\":");
        json::string(&mut head, if description.login.is_some() { "startup" } else { "none" });
        head.extend_from_slice(b",\"db_role\":");
        json::string_or_null(&mut head, description.upstream.map(|upstream| upstream.role));
        head.extend_from_slice(b",\"app\":");
        let application = description.application_name.map(|name| cut_characters(name, APPLICATION_CHARACTERS_MAX));
        json::string_or_null(&mut head, application);
        head.extend_from_slice(b",\"auth\":");
        json::string_or_null(&mut head, description.method);
        head.extend_from_slice(b"},\"session\":");
        json::string(&mut head, description.session);
        Self { head, tail: tail(description) }
    }
}

fn tail(description: &SessionDescription<'_>) -> Vec<u8> {
    let mut tail = b"\"src\":{\"ip\":".to_vec();
    let address = description.source.map(|source| source.ip().to_canonical().to_string());
    json::string_or_null(&mut tail, address.as_deref());
    tail.extend_from_slice(b",\"port\":");
    json::number_or_null(&mut tail, description.source.map(|source| u64::from(source.port())));
    tail.push(b'}');
    if let Some(upstream) = description.upstream {
        tail.extend_from_slice(b",\"dst\":{\"name\":");
        json::string(&mut tail, upstream.name);
        tail.extend_from_slice(b",\"host\":");
        json::string(&mut tail, upstream.host);
        tail.extend_from_slice(b",\"port\":");
        json::number(&mut tail, u64::from(upstream.port));
        tail.extend_from_slice(b",\"tls\":");
        json::boolean(&mut tail, upstream.encryption == Encryption::Tls);
        tail.extend_from_slice(b"},\"db\":");
        json::string(&mut tail, upstream.database);
    }
    tail
}

const NO_SESSION_HEAD: &[u8] =
    b"\"tenant\":null,\"actor\":{\"user\":null,\"user_src\":\"none\",\"db_role\":null,\"app\":null,\"auth\":null}";
const NO_SESSION_TAIL: &[u8] = b"\"src\":{\"ip\":null,\"port\":null}";

/// The policy in force, written once a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTag(Vec<u8>);

impl PolicyTag {
    /// `digest` names the policy file; `version` counts the rulesets made in this process.
    pub fn new(digest: &str, version: u64) -> Self {
        let mut text = b",\"policy\":{\"id\":".to_vec();
        json::string(&mut text, digest);
        text.extend_from_slice(b",\"version\":");
        json::number(&mut text, version);
        Self(text)
    }
}

/// Something that happened, to become one record.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub event_type: EventType,
    /// When it began: of a statement, when it arrived.
    pub time: Timestamp,
    pub outcome: Outcome,
    /// A stable word. Never free text: it could carry what a client sent.
    pub reason: Option<&'a str>,
    pub sqlstate: Option<[u8; 5]>,
    pub severity: Severity,
    pub session: Option<&'a SessionTag>,
    pub policy: Option<&'a PolicyTag>,
    pub body: Body<'a>,
}

#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    Nothing,
    Statement(&'a StatementEvent),
    Session(SessionTotals),
    Loss(Loss),
}

/// What a session did in all, for its last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionTotals {
    pub transactions: u64,
    pub statements: u64,
    pub rows: u64,
    pub bytes: u64,
    pub duration_us: u64,
}

/// Records that were not kept. They have no numbers of their own: `seq` goes on without a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u64,
}

impl<'a> Event<'a> {
    /// `start`, `stop`.
    pub fn process(event_type: EventType, time: Timestamp) -> Self {
        Self {
            event_type,
            time,
            outcome: Outcome::Allow,
            reason: None,
            sqlstate: None,
            severity: Severity::Informational,
            session: None,
            policy: None,
            body: Body::Nothing,
        }
    }

    /// Rules or settings were swapped (`policy` is the one now in force), or were refused and the old ones kept.
    pub fn config(policy: Option<&'a PolicyTag>, failed: Option<&'a str>, time: Timestamp) -> Self {
        let mut event = Self::process(EventType::Config, time);
        event.policy = policy;
        if failed.is_some() {
            event.outcome = Outcome::Error;
            event.reason = failed;
            event.severity = Severity::High;
        }
        event
    }

    pub fn auth_ok(session: &'a SessionTag, time: Timestamp) -> Self {
        Self { session: Some(session), ..Self::process(EventType::AuthOk, time) }
    }

    /// `reason` is `session::handshake::Refusal::reason`.
    pub fn auth_failed(session: &'a SessionTag, reason: &'a str, time: Timestamp) -> Self {
        Self {
            session: Some(session),
            outcome: Outcome::Deny,
            reason: Some(reason),
            severity: Severity::Medium,
            ..Self::process(EventType::AuthFail, time)
        }
    }

    pub fn session_opened(session: &'a SessionTag, policy: &'a PolicyTag, time: Timestamp) -> Self {
        Self { session: Some(session), policy: Some(policy), ..Self::process(EventType::SessionOpen, time) }
    }

    /// `fault` is a stable word where the session did not end as the client wished.
    pub fn session_closed(
        session: &'a SessionTag,
        totals: SessionTotals,
        fault: Option<&'a str>,
        time: Timestamp,
    ) -> Self {
        let mut event = Self::process(EventType::SessionClose, time);
        event.session = Some(session);
        event.body = Body::Session(totals);
        if fault.is_some() {
            event.outcome = Outcome::Error;
            event.reason = fault;
            event.severity = Severity::Low;
        }
        event
    }

    pub fn statement(session: &'a SessionTag, policy: &'a PolicyTag, statement: &'a StatementEvent) -> Self {
        let denied = statement.outcome == Outcome::Deny;
        let code = denied.then(|| denial_code(&statement.decision));
        Self {
            event_type: if denied { EventType::Deny } else { EventType::Statement },
            time: statement.started,
            outcome: statement.outcome,
            reason: code.map(Code::as_str),
            sqlstate: statement.sqlstate,
            severity: code.map_or(Severity::Informational, denial_severity),
            session: Some(session),
            policy: Some(policy),
            body: Body::Statement(statement),
        }
    }

    pub fn loss(loss: Loss, time: Timestamp) -> Self {
        Self {
            outcome: Outcome::Error,
            reason: Some("queue_full"),
            severity: Severity::High,
            body: Body::Loss(loss),
            ..Self::process(EventType::Loss, time)
        }
    }

    /// Kept while there is any room at all: refusals, logins, writes' failures are few, and are what is looked for.
    pub fn is_precious(&self) -> bool {
        match self.event_type {
            EventType::Statement => match self.body {
                Body::Statement(event) => reached(event).any(|object| !object.sensitive.is_empty()),
                Body::Nothing | Body::Session(_) | Body::Loss(_) => false,
            },
            _ => true,
        }
    }

    /// Appends the record from `"time"` to the last key before `proxy`, without the braces around it.
    pub fn render(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"time\":");
        json::time(out, self.time);
        out.extend_from_slice(b",\"type\":");
        json::string(out, self.event_type.as_str());
        out.extend_from_slice(b",\"outcome\":");
        json::string(out, self.outcome.as_str());
        if let Some(reason) = self.reason {
            out.extend_from_slice(b",\"reason\":");
            json::string(out, reason);
        }
        out.extend_from_slice(b",\"sqlstate\":");
        let sqlstate = self.sqlstate.as_ref().and_then(|code| std::str::from_utf8(code).ok());
        json::string_or_null(out, sqlstate);
        out.extend_from_slice(b",\"severity\":");
        json::number(out, self.severity as u64);
        out.push(b',');
        out.extend_from_slice(self.session.map_or(NO_SESSION_HEAD, |tag| &tag.head));
        self.render_counters(out);
        out.push(b',');
        out.extend_from_slice(self.session.map_or(NO_SESSION_TAIL, |tag| &tag.tail));
        self.render_body(out);
        if let Some(PolicyTag(policy)) = self.policy {
            out.extend_from_slice(policy);
            if let Body::Statement(event) = self.body {
                out.extend_from_slice(b",\"rewritten\":");
                json::boolean(out, is_rewritten(event));
            }
            out.push(b'}');
        }
    }

    fn render_counters(&self, out: &mut Vec<u8>) {
        let (transaction, statement) = match self.body {
            Body::Statement(event) => (event.transaction_number, event.statement_number),
            Body::Session(totals) => (totals.transactions, totals.statements),
            Body::Nothing | Body::Loss(_) => return,
        };
        out.extend_from_slice(b",\"txn\":");
        json::number(out, transaction);
        out.extend_from_slice(b",\"stmt\":");
        json::number(out, statement);
    }

    fn render_body(&self, out: &mut Vec<u8>) {
        match self.body {
            Body::Nothing => {}
            Body::Statement(event) => render_statement(out, event),
            Body::Session(totals) => render_amounts(out, totals.rows, None, totals.bytes, totals.duration_us),
            Body::Loss(loss) => {
                out.extend_from_slice(b",\"loss\":{\"from\":");
                json::time(out, loss.first);
                out.extend_from_slice(b",\"to\":");
                json::time(out, loss.last);
                out.extend_from_slice(b",\"count\":");
                json::number(out, loss.count);
                out.extend_from_slice(b",\"cause\":\"queue_full\"}");
            }
        }
    }
}

fn render_statement(out: &mut Vec<u8>, event: &StatementEvent) {
    let facts = event.decision.facts();
    out.extend_from_slice(b",\"command\":");
    json::string_or_null(out, concerned(event).next().map(|statement| statement.command));
    out.extend_from_slice(b",\"class\":");
    json::string(out, class(event));
    render_sql(out, facts, event.text_bytes);
    out.extend_from_slice(b",\"objects\":[");
    for (index, object) in reached(event).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        render_object(out, object);
    }
    out.push(b']');
    let duration = event.ended.microseconds_since(event.started);
    render_amounts(out, event.rows, event.rows_affected, event.bytes, duration);
}

fn render_sql(out: &mut Vec<u8>, facts: &Facts, text_bytes: usize) {
    out.extend_from_slice(b",\"sql\":{\"text\":");
    let text = cut_bytes(&facts.normalized, SQL_TEXT_BYTES_MAX);
    json::string_or_null(out, Some(text).filter(|text| !text.is_empty()));
    out.extend_from_slice(b",\"hash\":\"");
    let hash = digest::digest(&digest::SHA256, facts.normalized.as_bytes());
    json::hex(out, hash.as_ref().get(..8).unwrap_or_default());
    out.extend_from_slice(b"\",\"len\":");
    json::number(out, text_bytes as u64);
    out.extend_from_slice(b",\"cut\":");
    json::boolean(out, text.len() < facts.normalized.len());
    out.push(b'}');
}

fn render_object(out: &mut Vec<u8>, object: &ObjectAccess) {
    out.extend_from_slice(b"{\"schema\":");
    json::string(out, &object.relation.schema);
    out.extend_from_slice(b",\"name\":");
    json::string(out, &object.relation.name);
    out.extend_from_slice(b",\"kind\":");
    json::string(out, object.lens.as_str());
    out.extend_from_slice(b",\"access\":");
    list(out, object.access.iter().map(|access| access.as_str()));
    out.extend_from_slice(b",\"columns\":");
    list(out, object.columns.iter().map(String::as_str));
    out.extend_from_slice(b",\"sensitive\":{");
    for (index, (column, class)) in object.sensitive.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(out, column);
        out.push(b':');
        json::string(out, class.as_str());
    }
    out.extend_from_slice(b"}}");
}

fn list<'a>(out: &mut Vec<u8>, words: impl Iterator<Item = &'a str>) {
    out.push(b'[');
    for (index, word) in words.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(out, word);
    }
    out.push(b']');
}

fn render_amounts(out: &mut Vec<u8>, rows: u64, affected: Option<u64>, bytes: u64, duration_us: u64) {
    out.extend_from_slice(b",\"rows\":");
    json::number(out, rows);
    out.extend_from_slice(b",\"affected\":");
    json::number_or_null(out, affected);
    out.extend_from_slice(b",\"bytes\":");
    json::number(out, bytes);
    out.extend_from_slice(b",\"dur_us\":");
    json::number(out, duration_us);
}

/// The statements of the text that a record is about: one, or all where the text was refused.
fn concerned(event: &StatementEvent) -> impl Iterator<Item = &StatementFacts> {
    let all = event.outcome == Outcome::Deny;
    let statements = event.decision.facts().statements.iter().enumerate();
    statements.filter(move |(index, _)| all || *index == event.statement).map(|(_, statement)| statement)
}

pub(super) fn reached(event: &StatementEvent) -> impl Iterator<Item = &ObjectAccess> {
    concerned(event).flat_map(|statement| &statement.objects)
}

/// The record's word for what a statement does.
pub(super) fn class(event: &StatementEvent) -> &'static str {
    match concerned(event).next().map(|statement| statement.class) {
        Some(StatementClass::Read | StatementClass::CopyOut) => "read",
        Some(StatementClass::Write | StatementClass::CopyIn) => "write",
        Some(
            StatementClass::Transaction | StatementClass::Setting | StatementClass::Discard | StatementClass::Empty,
        )
        | None => "misc",
    }
}

/// A tenant's filter was put in, or a view was opened to put one in.
fn is_rewritten(event: &StatementEvent) -> bool {
    event.outcome != Outcome::Deny
        && reached(event).any(|object| matches!(object.lens, LensKind::Scoped | LensKind::View))
}

/// Why a text was refused; where the guard had let it pass, the values bound to its parameters were wrong.
pub(super) fn denial_code(decision: &Decision) -> Code {
    match decision {
        Decision::Reject { rejection, .. } => rejection.code,
        Decision::Forward(_) => Code::TenantMismatch,
    }
}

fn denial_severity(code: Code) -> Severity {
    match code {
        Code::ReadingsDisagree => Severity::Critical,
        Code::TenantMismatch => Severity::High,
        _ => Severity::Medium,
    }
}

fn cut_bytes(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

fn cut_characters(text: &str, characters_max: usize) -> &str {
    let end = text.char_indices().nth(characters_max).map_or(text.len(), |(index, _)| index);
    text.get(..end).unwrap_or_default()
}
