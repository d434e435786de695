//! Why an upstream cannot be had: in full for the log, without hosts and roles for the client.

use std::fmt;

use crate::net::tls::TlsFault;
use crate::upstream::Target;

/// A failed attempt to connect and log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    kind: ConnectErrorKind,
    /// `main (db.internal:5432)`; for the log only.
    upstream: String,
    /// What happened in detail; for the log only.
    detail: String,
    hint: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectErrorKind {
    /// Nobody listens, no route, no such host, or the connection broke.
    Down,
    /// The server is there and says no.
    Refused,
    Timeout,
    /// The server does not speak TLS.
    TlsUnavailable,
    /// Its certificate is for another name.
    TlsName,
    /// Its certificate is signed by an authority that we do not trust.
    TlsAuthority,
    /// Its certificate is expired or otherwise bad, or the handshake failed.
    Tls,
    /// The role or its password is wrong.
    Authentication,
    TooManyConnections,
    /// A server or role that Partywall must not be used with.
    Unsuitable,
    /// Not PostgreSQL, or not as we know it.
    Protocol,
}

impl ConnectErrorKind {
    /// As the metric's label `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::TlsUnavailable => "tls_unavailable",
            Self::TlsName => "tls_name",
            Self::TlsAuthority => "tls_authority",
            Self::Tls => "tls",
            Self::Authentication => "auth",
            Self::TooManyConnections => "too_many_connections",
            Self::Unsuitable => "unsuitable",
            Self::Protocol => "protocol",
        }
    }
}

impl ConnectError {
    pub(crate) fn new(kind: ConnectErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, upstream: String::new(), detail: detail.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(crate) fn at(mut self, target: &Target) -> Self {
        self.upstream = format!("{} ({}:{})", target.name, target.host, target.port);
        self
    }

    pub fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// For the client. `57P03` where trying again may help, as PostgreSQL says while it starts up.
    pub fn sqlstate(&self) -> &'static str {
        match self.kind {
            ConnectErrorKind::Down | ConnectErrorKind::Timeout => "57P03",
            ConnectErrorKind::TooManyConnections => "53300",
            ConnectErrorKind::Refused | ConnectErrorKind::Authentication | ConnectErrorKind::Unsuitable => "08004",
            ConnectErrorKind::TlsUnavailable
            | ConnectErrorKind::TlsName
            | ConnectErrorKind::TlsAuthority
            | ConnectErrorKind::Tls
            | ConnectErrorKind::Protocol => "08001",
        }
    }

    /// For the client: no host, no role, no text of the server's.
    pub fn client_message(&self) -> &'static str {
        match self.kind {
            ConnectErrorKind::Down => "the database cannot be reached",
            ConnectErrorKind::Refused => "the database refused the connection",
            ConnectErrorKind::Timeout => "the database did not answer in time",
            ConnectErrorKind::TlsUnavailable => "the database does not offer an encrypted connection",
            ConnectErrorKind::TlsName => "the database's certificate is for another host",
            ConnectErrorKind::TlsAuthority => "the database's certificate is signed by an unknown authority",
            ConnectErrorKind::Tls => "no encrypted connection to the database could be made",
            ConnectErrorKind::Authentication => "the database did not accept Partywall's credentials",
            ConnectErrorKind::TooManyConnections => "the database has no connection left",
            ConnectErrorKind::Unsuitable => "the database is not set up for use through Partywall",
            ConnectErrorKind::Protocol => "the database's answer was not understood",
        }
    }

    pub fn client_hint(&self) -> &'static str {
        match self.kind {
            ConnectErrorKind::Down | ConnectErrorKind::Timeout | ConnectErrorKind::TooManyConnections => {
                "Try again later. Partywall's log has the details."
            }
            _ => "This needs a change of Partywall's or the database's settings. Partywall's log has the details.",
        }
    }
}

/// In full, for the log.
impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upstream {}: {}", self.upstream, self.detail)?;
        match self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<std::io::Error> for ConnectError {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => ConnectErrorKind::Protocol,
            _ => ConnectErrorKind::Down,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<TlsFault> for ConnectError {
    fn from(fault: TlsFault) -> Self {
        match fault {
            TlsFault::Name => Self::new(ConnectErrorKind::TlsName, "its certificate is for another name")
                .hint("set host to a name that the certificate holds"),
            TlsFault::Authority => {
                Self::new(ConnectErrorKind::TlsAuthority, "its certificate is signed by an unknown authority")
                    .hint("set tls_ca_file to the authority's certificate")
            }
            TlsFault::Certificate(error) => Self::new(ConnectErrorKind::Tls, format!("bad certificate: {error}")),
            TlsFault::Io(error) => Self::new(ConnectErrorKind::Tls, format!("TLS handshake failed: {error}")),
        }
    }
}
