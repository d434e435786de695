//! What many records have in common, written once: the session's ends, and the policy in force.

use std::net::SocketAddr;

use crate::audit::json;
use crate::tenant::{LoginName, TenantId};

/// Characters of an application's name: PostgreSQL keeps as many bytes.
const APPLICATION_CHARACTERS_MAX: usize = 63;

/// What is the same in every record of a session.
#[derive(Clone, Debug)]
pub struct SessionDescription<'a> {
    /// Opaque and unique.
    pub session: &'a str,
    pub tenant: Option<&'a TenantId>,
    /// What keeps its data apart: `column`, `schema`, `database`.
    pub isolation: &'static str,
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
    /// `tenant` and `isolation`.
    pub(super) tenant: Vec<u8>,
    acting: Option<TenantId>,
    isolation: &'static str,
    /// From `actor` to `actor.auth`.
    pub(super) actor: Vec<u8>,
    /// The person behind it, as the application says: in `actor`.
    pub(super) user: Option<String>,
    /// `session`
    pub(super) session: Vec<u8>,
    /// From `src` to `db`.
    pub(super) tail: Vec<u8>,
}

impl SessionTag {
    pub fn new(description: &SessionDescription<'_>) -> Self {
        let mut head = b",\"actor\":{\"user\":".to_vec();
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
        let mut session = b"},\"session\":".to_vec();
        json::string(&mut session, description.session);
        Self {
            tenant: tenant(description.tenant, description.isolation),
            isolation: description.isolation,
            acting: description.tenant.cloned(),
            actor: head,
            user: None,
            session,
            tail: tail(description),
        }
    }

    /// The records that follow are of what is done for this tenant and person.
    pub fn act_for(&mut self, acting: Option<&TenantId>, user: Option<&str>) {
        if self.acting.as_ref() != acting {
            self.tenant = tenant(acting, self.isolation);
            self.acting = acting.cloned();
        }
        if self.user.as_deref() != user {
            self.user = user.map(str::to_owned);
        }
    }
}

fn tenant(tenant: Option<&TenantId>, isolation: &str) -> Vec<u8> {
    let mut text = b"\"tenant\":".to_vec();
    json::string_or_null(&mut text, tenant.map(TenantId::as_str));
    if tenant.is_some() {
        text.extend_from_slice(b",\"isolation\":");
        json::string(&mut text, isolation);
    }
    text
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

/// The policy in force, written once a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTag(pub(super) Vec<u8>);

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

fn cut_characters(text: &str, characters_max: usize) -> &str {
    let end = text.char_indices().nth(characters_max).map_or(text.len(), |(index, _)| index);
    text.get(..end).unwrap_or_default()
}
