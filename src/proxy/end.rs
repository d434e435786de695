//! Why a session is over, and the word for it in its last record.

use std::io;

use crate::session::SessionError;

#[derive(Debug)]
pub(crate) enum End {
    /// The client left.
    Client,
    /// The client's connection broke.
    ClientLost(io::Error),
    UpstreamClosed,
    Shutdown,
    /// A record could not be made durable.
    AuditUnavailable,
    Fault(SessionError),
}

impl End {
    /// `None` where it ended as the client wished.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Client | Self::Fault(SessionError::Terminated) => None,
            Self::ClientLost(_) => Some("client_lost"),
            Self::UpstreamClosed => Some("upstream_closed"),
            Self::Shutdown => Some("shutdown"),
            Self::AuditUnavailable => Some("audit_unavailable"),
            Self::Fault(SessionError::Client(_)) => Some("client_protocol"),
            Self::Fault(SessionError::Upstream(_)) => Some("upstream_protocol"),
            Self::Fault(SessionError::Disagreement(_)) => Some("disagreement"),
        }
    }
}
