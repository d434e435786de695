//! From the first byte to ReadyForQuery: TLS request, start-up packet, authentication, tenant binding.

use bytes::BytesMut;

use crate::tenant::{Identity, LoginName};

/// What is known of the connection before it says a word.
#[derive(Debug, Clone)]
pub struct Connection {
    pub transport: Transport,
    pub tls: TlsOffer,
    pub startup_bytes_max: usize,
}

/// How the client's bytes reach us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    UnixSocket,
    Loopback,
    Network,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsOffer {
    /// No certificate is configured: `N` to an SSLRequest.
    Unavailable,
    /// TLS is there for who asks.
    Available,
    /// A start-up packet in plain text is refused.
    Required,
}

/// The credentials of logins, by name. The shell's is swapped whole at a reload.
pub trait Logins {
    /// The verifier and identity of a login; `None`: no such login (the exchange goes on with a mock verifier).
    fn login(&self, name: &str) -> Option<(crate::auth::ScramVerifier, Identity)>;
    /// Makes mock verifiers: the same for the same name as long as the process lives.
    fn mock_secret(&self) -> &[u8; 32];
}

/// What the shell must do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing but to send `output` and read on.
    Continue,
    /// Send `output`, then begin the TLS handshake. No byte may be left over in the plain buffer.
    StartTls,
    /// The client is who it says. Connect upstream; then call [`Handshake::welcome`].
    Authenticated(Authenticated),
    /// A CancelRequest with one of our keys. Pass it on and close without a word.
    Cancel { process_id: u32, secret: Vec<u8> },
    /// Send `output` and close. Why, for the log, the audit record and the metric.
    Close(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    pub identity: Identity,
    pub application_name: String,
    /// Allow-listed start-up parameters to be set upstream, in the client's order (TimeZone, DateStyle, …).
    pub parameters: Vec<(String, String)>,
    /// 3.0 or 3.2, negotiated.
    pub protocol: ProtocolVersion,
    /// The database that the client asked for.
    pub database: Option<String>,
    /// `scram-sha-256` or `scram-sha-256-plus`.
    pub method: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolVersion {
    V3_0,
    V3_2,
}

/// Why a connection ended before it became a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word: `auth_failed`, `tls_required`, `protocol`, `parameter`, `too_large`, `unsupported`, `database`.
    pub reason: &'static str,
    pub login: Option<LoginName>,
    pub message: String,
}

/// The state machine. Its `output` is drained by the shell after each call.
pub struct Handshake {
    output: BytesMut,
}

impl Handshake {
    pub fn new(_connection: Connection) -> Self {
        Self { output: BytesMut::new() }
    }

    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Takes bytes from the client: how many were consumed, and what to do.
    ///
    /// `nonce` is fresh random text for each call.
    pub fn handle_client(&mut self, _input: &[u8], _logins: &dyn Logins, _nonce: &[u8; 18]) -> (usize, Effect) {
        (0, Effect::Continue)
    }

    /// TLS stands. `end_point` is the `tls-server-end-point` hash of the certificate that was presented (RFC 5929);
    /// `None` where its signature algorithm defines none.
    pub fn handle_tls(&mut self, _end_point: Option<Vec<u8>>) {}

    /// The authentication time-out passed.
    pub fn handle_timeout(&mut self) -> Effect {
        Effect::Continue
    }

    /// Everything from AuthenticationOk to ReadyForQuery, into `output`.
    pub fn welcome(&mut self, _parameters: &[(String, String)], _process_id: u32, _secret: &[u8]) {}

    /// The upstream cannot be had: an ErrorResponse (FATAL) into `output`.
    pub fn refuse(&mut self, _sqlstate: &str, _message: &str, _detail: Option<&str>, _hint: Option<&str>) {}
}
