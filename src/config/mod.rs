//! The proxy's own settings: one TOML file, read once into typed values.

mod audit;
mod file;
mod raw;
mod unit;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::policy::SecretSource;
use crate::tenant::TenantId;

/// `config/partywall.toml`, validated. Relative paths in it are relative to the file's folder, and are resolved here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub listen: Listen,
    pub admin: Option<Admin>,
    /// By name.
    pub upstreams: BTreeMap<String, Upstream>,
    pub policy_file: PathBuf,
    pub audit: Audit,
    pub limits: Limits,
    pub log: Log,
}

impl Config {
    /// The upstream of every tenant for which the policy names no other: that called `main`, else the first by name.
    pub fn default_upstream(&self) -> Option<&Upstream> {
        self.upstreams.get("main").or_else(|| self.upstreams.values().next())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub address: Option<SocketAddr>,
    /// A Unix socket's full path, `/run/partywall/.s.PGSQL.6432`.
    pub unix_socket: Option<PathBuf>,
    pub tls: Option<ListenTls>,
    /// Plain connections from other addresses than loopback: refused unless this is `Allow`.
    pub plain: Plain,
    /// Worker threads; `None`: one a core.
    pub threads: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// Plain text on loopback and on the Unix socket only. The default.
    LoopbackOnly,
    /// Plain text from anywhere.
    Allow,
    /// Plain text from nowhere but the Unix socket.
    Refuse,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    pub address: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub name: String,
    /// A host name, an address, or a Unix socket's folder (begins with `/`).
    pub host: String,
    pub port: u16,
    pub database: String,
    pub user: String,
    pub password: Option<SecretSource>,
    pub tls: UpstreamTls,
    pub connect_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamTls {
    /// TLS, certificate chain and host name verified. `None`: the public authorities of the system.
    VerifyFull { ca_file: Option<PathBuf> },
    /// No TLS: loopback and Unix sockets only.
    Disable,
}

/// A loopback address, or the name that stands for one: nobody stands between us and the host.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    pub file: Option<AuditFile>,
    /// Bytes of events waiting for the writer; beyond it events are dropped and counted.
    pub queue_bytes_max: usize,
    /// Where records are durable before they go to the file.
    pub spool: Option<Spool>,
    /// Of tenants that have no rule of their own, and of logins without a tenant.
    pub durability: Durability,
    /// How long an answer may wait for its record to be durable, before the session is ended.
    pub wait_max: Duration,
    pub tenants: BTreeMap<TenantId, AuditTenant>,
    /// Records go to standard output as well.
    pub stdout: bool,
    pub http: Option<AuditHttp>,
    /// With which key the log's length and root are signed.
    pub checkpoints: Option<Checkpoints>,
}

/// No audit trail.
impl Default for Audit {
    fn default() -> Self {
        Self {
            file: None,
            queue_bytes_max: audit::QUEUE_BYTES_MAX,
            spool: None,
            durability: Durability::Async,
            wait_max: audit::WAIT_MAX,
            tenants: BTreeMap::new(),
            checkpoints: None,
            stdout: false,
            http: None,
        }
    }
}

impl Audit {
    /// What has to be kept of a tenant's record before an answer may leave. Without a tenant, of any's: a login that
    /// chooses among several may come to act for each of them.
    pub fn durability_of(&self, tenant: Option<&TenantId>) -> Durability {
        match tenant {
            Some(tenant) => self.tenants.get(tenant).and_then(|rule| rule.durability).unwrap_or(self.durability),
            None => self.tenants.values().filter_map(|rule| rule.durability).fold(self.durability, Durability::max),
        }
    }
}

/// An HTTP server on this host that takes records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHttp {
    pub host: String,
    pub port: u16,
    /// With the query, where there is one.
    pub path: String,
    /// For each step: connecting, sending, the answer.
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    pub key_file: PathBuf,
    /// Where the last one is left beside the log.
    pub file: Option<PathBuf>,
}

/// When an answer may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// As soon as its record is in memory.
    #[default]
    Async,
    /// When it is on the disk of the spool.
    Local,
    /// When the sinks have it, too.
    Remote,
}

impl Durability {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    pub folder: PathBuf,
    pub bytes_max: u64,
    pub segment_bytes: u64,
    /// Whether the folder outlives the pod.
    pub volume: Volume,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volume {
    Ephemeral,
    Persistent,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditTenant {
    pub durability: Option<Durability>,
    pub regimes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFile {
    pub path: PathBuf,
}

/// What a client may make us hold. Each has a default, a metric (`partywall_limit_reached_total{limit}`) and a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub clients_max: usize,
    /// Bytes of a start-up packet. PostgreSQL's own limit: 10,000.
    pub startup_bytes_max: usize,
    /// Bytes of one Query or Parse message.
    pub statement_bytes_max: usize,
    /// Bytes of one Bind message.
    pub bind_bytes_max: usize,
    /// Tokens of one statement text.
    pub statement_tokens_max: usize,
    /// Depth of nesting of one statement.
    pub nesting_max: usize,
    /// Prepared statements of one session.
    pub statements_per_session_max: usize,
    /// Portals of one session.
    pub portals_per_session_max: usize,
    pub temporary_tables_per_session_max: usize,
    /// Requests of one session that the upstream has not answered yet.
    pub pipeline_max: usize,
    /// From accept to the end of authentication.
    pub authentication_timeout: Duration,
    /// From SIGTERM to the end of the last session.
    pub drain_timeout: Duration,
    /// Decisions kept by each worker thread, in entries and bytes.
    pub decision_cache_entries_max: usize,
    pub decision_cache_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients_max: 10_000,
            startup_bytes_max: 10_000,
            statement_bytes_max: 1_048_576,
            bind_bytes_max: 67_108_864,
            statement_tokens_max: 200_000,
            nesting_max: 50,
            statements_per_session_max: 1_000,
            portals_per_session_max: 1_000,
            temporary_tables_per_session_max: 100,
            pipeline_max: 10_000,
            authentication_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            decision_cache_entries_max: 4_096,
            decision_cache_bytes_max: 33_554_432,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    /// A `tracing` filter: `info`, `partywall=debug`.
    pub filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}
