//! The fixed words that metrics have as labels.

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    Idle,
    Active,
    InTransaction,
}

/// How an attempt to open a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionResult {
    Ok,
    AuthFailed,
    /// Turned away before or after authentication for another reason: protocol, TLS, parameters, draining.
    Refused,
    /// Too many clients.
    Limit,
    /// The upstream could not be had.
    Upstream,
}

/// What a statement does, in the words of the audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Read,
    Write,
    Misc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Allow,
    Deny,
    Error,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    Ok,
    Failed,
}

/// Whose certificate is about to expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRole {
    /// The one that clients see.
    Server,
    /// The one that we show the upstream.
    Client,
    /// The authority by which the upstream is verified.
    Authority,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// From the first packet to ReadyForQuery.
    Connecting,
    /// Serving a session.
    Active,
}

/// What went wrong with an upstream connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamError {
    /// No connection: refused, unreachable, name not found.
    Connect,
    Timeout,
    /// Certificate or handshake.
    Tls,
    /// Our credential was not accepted.
    Auth,
    /// It answered what PostgreSQL's protocol does not allow.
    Protocol,
    /// It ended the connection while a session used it.
    Closed,
    /// It refused the session with an error of its own (too many connections, starting up, …).
    Refused,
}
