//! The config file as it is typed. Doc comments here become the descriptions in its JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::RawSecret;

/// Partywall's own settings: where it listens, which servers it stands in front of, what it records, its limits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Partywall config")]
pub(super) struct RawConfig {
    pub(super) listen: RawListen,
    pub(super) admin: Option<RawAdmin>,
    /// The PostgreSQL servers behind, by a name of your choice. A tenant has the one that the policy names for it, else that
    /// called "main", else the first by name.
    pub(super) upstream: BTreeMap<String, RawUpstream>,
    pub(super) policy: RawPolicyFile,
    #[serde(default)]
    pub(super) audit: RawAudit,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) log: RawLog,
}

/// Where clients connect: an address, a Unix socket, or both.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Listen")]
pub(super) struct RawListen {
    /// IP address and port.
    pub(super) address: Option<String>,
    /// A Unix socket's full path, such as /run/partywall/.s.PGSQL.6432.
    pub(super) unix_socket: Option<String>,
    /// The certificate chain for TLS, PEM. Needs tls_key_file.
    pub(super) tls_certificate_file: Option<String>,
    /// The certificate's private key, PEM. Needs tls_certificate_file.
    pub(super) tls_key_file: Option<String>,
    /// From where a connection without TLS is accepted. Default: "loopback".
    pub(super) plain: Option<RawPlain>,
    /// Worker threads. Default: one a core.
    #[schemars(range(min = 1, max = 1024))]
    pub(super) threads: Option<usize>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Plain")]
pub(super) enum RawPlain {
    /// From loopback addresses and the Unix socket.
    Loopback,
    /// From anywhere. Passwords stay safe (SCRAM); data does not.
    Allow,
    /// From the Unix socket only.
    Refuse,
}

/// The operator's HTTP port: /metrics, /live, /ready, /startup.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Admin")]
pub(super) struct RawAdmin {
    /// IP address and port. It has no login: keep it on loopback or inside the pod.
    pub(super) address: String,
}

/// One PostgreSQL server and database.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Upstream")]
pub(super) struct RawUpstream {
    /// A host name, an IP address, or the folder of a Unix socket (begins with /).
    pub(super) host: String,
    /// Default: 5432.
    #[schemars(range(min = 1))]
    pub(super) port: Option<u16>,
    pub(super) database: String,
    /// The role that Partywall logs in as: not a superuser, not BYPASSRLS.
    pub(super) user: String,
    /// Its password.
    pub(super) password: Option<RawSecret>,
    /// How the connection is protected. Default: "verify-full"; over a Unix socket none is needed.
    pub(super) tls: Option<RawUpstreamTls>,
    /// The certificate authorities to trust, PEM. Default: those of the system.
    pub(super) tls_ca_file: Option<String>,
    /// The longest wait for a connection, login included. Default: "10s".
    pub(super) connect_timeout: Option<RawDuration>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "UpstreamTls")]
pub(super) enum RawUpstreamTls {
    /// TLS, with the certificate's chain and the host name verified.
    VerifyFull,
    /// No TLS: loopback and Unix sockets only.
    Disable,
}

/// Where the policy is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyFile")]
pub(super) struct RawPolicyFile {
    /// The policy file; relative to this file's folder.
    pub(super) file: String,
}

/// The audit trail.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Audit")]
pub(super) struct RawAudit {
    /// Events waiting to be written; beyond it events are dropped and counted. Default: "16MiB".
    pub(super) queue_bytes_max: Option<RawSize>,
    /// What has to become of a record before the answer may leave. "local" and "remote" need a spool. Default: "async".
    pub(super) durability: Option<RawDurability>,
    /// How long an answer may wait for that before the session is ended. Default: "5s".
    pub(super) wait_max: Option<RawDuration>,
    pub(super) spool: Option<RawSpool>,
    pub(super) file: Option<RawAuditFile>,
    /// Records go to standard output as well, for whoever ships it. Needs a spool. Default: false.
    #[serde(default)]
    pub(super) stdout: bool,
    pub(super) http: Option<RawAuditHttp>,
    pub(super) checkpoint: Option<RawCheckpoint>,
    /// Rules of single tenants, by identifier.
    #[serde(default)]
    pub(super) tenant: BTreeMap<String, RawAuditTenant>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Durability")]
pub(super) enum RawDurability {
    /// It is in memory.
    Async,
    /// It is on the disk of the spool.
    Local,
    /// All sinks have acknowledged it, too.
    Remote,
}

/// A folder in which records are durable until all sinks have them. A crash loses nothing that was promised.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Spool")]
pub(super) struct RawSpool {
    /// The folder, for one process alone; relative to this file's folder.
    pub(super) folder: String,
    /// Records that the sinks do not have yet. Beyond it, "async" drops and the others refuse. Default: "1GiB".
    pub(super) bytes_max: Option<RawSize>,
    /// A file of the spool. Default: "16MiB".
    pub(super) segment_bytes: Option<RawSize>,
    /// Whether the folder's volume outlives the pod. Default: false.
    #[serde(default)]
    pub(super) persistent: bool,
}

/// Records are posted to an HTTP server on this host, such as Vector or Fluent Bit, as newline-delimited JSON. A status
/// from 200 to 299 acknowledges them. Needs a spool.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuditHttp")]
pub(super) struct RawAuditHttp {
    /// As in "http://127.0.0.1:8080/audit". The host must be loopback.
    pub(super) url: String,
    /// The longest wait for the server. Default: "10s".
    pub(super) timeout: Option<RawDuration>,
}

/// Every second, how long the log is and the root of its tree, signed: in the log, and beside it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Checkpoint")]
pub(super) struct RawCheckpoint {
    /// The key, as "partywall audit key" makes it.
    pub(super) key_file: String,
    /// A file with the last one. On another volume, or one that somebody else copies, it shows if the log was cut.
    pub(super) file: Option<String>,
}

/// What the audit trail keeps of a tenant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuditTenant")]
pub(super) struct RawAuditTenant {
    /// Default: as in [audit].
    pub(super) durability: Option<RawDurability>,
    /// The rules that it is under, such as "hipaa", "gdpr", "soc2", "pci". "hipaa" asks for "remote", or "local" on a
    /// persistent volume.
    #[serde(default)]
    pub(super) regimes: Vec<String>,
    /// For "hipaa" on a volume that ends with the pod: that records may end with it is accepted. Default: false.
    #[serde(default)]
    pub(super) accept_pod_loss: bool,
}

/// One line of JSON for each login and statement, appended to a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuditFile")]
pub(super) struct RawAuditFile {
    /// The file; relative to this file's folder.
    pub(super) path: String,
}

/// What a client may make Partywall hold.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(super) struct RawLimits {
    /// Client connections at a time. Default: 10000.
    #[schemars(range(min = 1))]
    pub(super) clients_max: Option<u32>,
    /// A start-up packet. Default: 10000, PostgreSQL's own limit.
    pub(super) startup_bytes_max: Option<RawSize>,
    /// One Query or Parse message: the text of the SQL. Default: "1MiB".
    pub(super) statement_bytes_max: Option<RawSize>,
    /// One Bind message: the values of a statement's parameters. Default: "64MiB".
    pub(super) bind_bytes_max: Option<RawSize>,
    /// Tokens of one statement text. Default: 200000.
    #[schemars(range(min = 1))]
    pub(super) statement_tokens_max: Option<u32>,
    /// Depth of nesting of one statement. Default: 50.
    #[schemars(range(min = 1, max = 100))]
    pub(super) nesting_max: Option<u32>,
    /// Prepared statements of one session. Default: 1000.
    #[schemars(range(min = 1))]
    pub(super) statements_per_session_max: Option<u32>,
    /// Portals of one session. Default: 1000.
    #[schemars(range(min = 1))]
    pub(super) portals_per_session_max: Option<u32>,
    /// Temporary tables of one session. Default: 100.
    #[schemars(range(min = 1))]
    pub(super) temporary_tables_per_session_max: Option<u32>,
    /// Requests of one session that the upstream has not answered yet. Default: 10000.
    #[schemars(range(min = 1))]
    pub(super) pipeline_max: Option<u32>,
    /// From accept to the end of authentication. Default: "60s".
    pub(super) authentication_timeout: Option<RawDuration>,
    /// From SIGTERM to the end of the last session. Default: "30s".
    pub(super) drain_timeout: Option<RawDuration>,
    /// Decisions kept by each worker thread. 0 keeps none. Default: 4096.
    pub(super) decision_cache_entries_max: Option<u32>,
    /// Memory for them. Default: "32MiB".
    pub(super) decision_cache_bytes_max: Option<RawSize>,
}

/// Partywall's own log, on standard error.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Log")]
pub(super) struct RawLog {
    /// Default: "text".
    pub(super) format: Option<RawLogFormat>,
    /// What is logged, as a tracing filter: "info", "partywall=debug". Default: "info".
    pub(super) filter: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "LogFormat")]
pub(super) enum RawLogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// A whole number and a unit: ms, s, min or h.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Duration", extend("pattern" = "^[0-9]+ *(ms|s|min|h)$"), extend("x-hint" = "write it with its unit, as in \"30s\""))]
pub(super) struct RawDuration(pub(super) String);

/// A number of bytes, or a whole number and a unit: B, KiB, MiB or GiB.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(
    rename = "Size",
    transform = integer_or_text,
    extend("pattern" = "^[0-9]+ *(B|KiB|MiB|GiB)$"),
    extend("x-hint" = "write it as in \"16MiB\"")
)]
pub(super) enum RawSize {
    Bytes(u64),
    Text(String),
}

/// One schema of two types, in place of a choice of two schemas: simpler to read, and to check against.
fn integer_or_text(schema: &mut schemars::Schema) {
    schema.remove("anyOf");
    schema.insert("type".to_owned(), serde_json::json!(["integer", "string"]));
    schema.insert("minimum".to_owned(), serde_json::json!(0));
}
