//! From the first byte to ReadyForQuery: TLS request, start-up packet, authentication, tenant binding.

use bytes::BytesMut;

use crate::auth::ScramVerifier;
use crate::auth::scram::Binding;
use crate::session::login::{Login, Proved, Step};
use crate::session::startup_parameters::{self, Accepted};
use crate::tenant::{Identity, LoginName};
use crate::wire::backend::Status;
use crate::wire::report::{Report, Severity};
use crate::wire::startup::{Packet, PacketError, Startup};
use crate::wire::{encode, startup};

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
    fn login(&self, name: &str) -> Option<(ScramVerifier, Identity)>;
    /// Makes mock verifiers: the same for the same name as long as the process lives.
    fn mock_secret(&self) -> &[u8; 32];
    /// The iteration count that mock verifiers claim: that of most logins, or it would tell them apart.
    fn mock_iterations(&self) -> u32;
}

/// What the shell must do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing but to send `output`. Call again with the rest of the input if some was consumed, else read on.
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
    /// The database that the client names, for the shell to compare; `None`: it names none.
    pub database: Option<String>,
    /// Allow-listed start-up parameters to be set upstream, in the client's order (TimeZone, DateStyle, …).
    pub parameters: Vec<(String, String)>,
    /// 3.0 or 3.2, negotiated.
    pub protocol: ProtocolVersion,
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
    /// A stable word: `auth_failed`, `tls_required`, `protocol`, `parameter`, `too_large`, `unsupported`, `database`,
    /// `timeout`.
    pub reason: &'static str,
    pub login: Option<LoginName>,
    pub message: String,
}

/// The state machine. Its `output` is drained by the shell after each call.
pub struct Handshake {
    connection: Connection,
    output: BytesMut,
    tls: Tls,
    state: State,
    /// What the client has asked for already: PostgreSQL takes each request once.
    requests: Requests,
    protocol: ProtocolVersion,
}

enum Tls {
    Plain,
    Established { end_point: Option<Vec<u8>> },
}

#[derive(Default)]
struct Requests {
    ssl: Asked,
    gssenc: Asked,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Asked {
    #[default]
    Not,
    Once,
}

/// Named after what is awaited.
enum State {
    ExpectStartup,
    ExpectTls,
    ExpectLogin(Box<Login>),
    /// Authenticated, refused or cancelled: nothing more is taken.
    Done,
}

impl Handshake {
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            output: BytesMut::new(),
            tls: Tls::Plain,
            state: State::ExpectStartup,
            requests: Requests::default(),
            protocol: ProtocolVersion::V3_0,
        }
    }

    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Takes bytes from the client: how many were consumed, and what to do.
    ///
    /// `nonce` is fresh and random for each call.
    pub fn handle_client(&mut self, input: &[u8], logins: &dyn Logins, nonce: &[u8; 18]) -> (usize, Effect) {
        match std::mem::replace(&mut self.state, State::Done) {
            State::ExpectStartup => self.expect_startup(input, logins),
            State::ExpectLogin(login) => self.expect_login(input, login, nonce),
            // Plain bytes while the shell is to begin TLS: whoever put them there, they are not the client's.
            State::ExpectTls => (input.len(), self.unencrypted_data()),
            State::Done => (0, Effect::Continue),
        }
    }

    /// TLS stands. `end_point` is the `tls-server-end-point` hash of the certificate that was presented (RFC 5929);
    /// `None` where its signature algorithm defines none.
    pub fn handle_tls(&mut self, end_point: Option<Vec<u8>>) {
        self.tls = Tls::Established { end_point };
        self.state = State::ExpectStartup;
    }

    /// The authentication time-out passed.
    pub fn handle_timeout(&mut self) -> Effect {
        let login = match std::mem::replace(&mut self.state, State::Done) {
            State::ExpectLogin(login) => login.name(),
            State::ExpectStartup | State::ExpectTls | State::Done => None,
        };
        let report = Report::new("57014", "canceling authentication due to timeout");
        // A client in the middle of its TLS handshake would take the text for a part of it; one that has said nothing
        // is not told anything either.
        if login.is_some() {
            report.encode(Severity::Fatal, &mut self.output);
        }
        Effect::Close(Refusal { reason: "timeout", login, message: report.message.into_owned() })
    }

    /// Everything from AuthenticationOk to ReadyForQuery, into `output`.
    ///
    /// `secret` is cut to 4 bytes for a client of protocol 3.0, whose key has no more.
    pub fn welcome(&mut self, parameters: &[(String, String)], process_id: u32, secret: &[u8]) {
        encode::authentication_ok(&mut self.output);
        for (name, value) in parameters {
            encode::parameter_status(name, value, &mut self.output);
        }
        let secret = match self.protocol {
            ProtocolVersion::V3_0 => secret.get(..4).unwrap_or(secret),
            ProtocolVersion::V3_2 => secret,
        };
        encode::backend_key_data(process_id, secret, &mut self.output);
        encode::ready_for_query(Status::Idle, &mut self.output);
    }

    /// The upstream cannot be had: an ErrorResponse (FATAL) into `output`.
    pub fn refuse(&mut self, sqlstate: &str, message: &str, detail: Option<&str>, hint: Option<&str>) {
        let mut report = Report::new(sqlstate.to_owned(), message.to_owned());
        report.detail = detail.map(|text| text.to_owned().into());
        report.hint = hint.map(|text| text.to_owned().into());
        report.encode(Severity::Fatal, &mut self.output);
    }

    fn expect_startup(&mut self, input: &[u8], logins: &dyn Logins) -> (usize, Effect) {
        let (packet, consumed) = match startup::read(input, self.connection.startup_bytes_max) {
            Ok(Some(read)) => read,
            Ok(None) => {
                self.state = State::ExpectStartup;
                return (0, Effect::Continue);
            }
            Err(error) => return (input.len(), self.refuse_packet(error)),
        };
        let effect = match packet {
            Packet::SslRequest if self.requests.ssl == Asked::Once => self.refuse_packet(PacketError::Malformed),
            Packet::SslRequest => {
                self.requests.ssl = Asked::Once;
                return self.answer_ssl_request(input, consumed);
            }
            Packet::GssEncRequest if self.requests.gssenc == Asked::Once => self.refuse_packet(PacketError::Malformed),
            Packet::GssEncRequest => {
                self.requests.gssenc = Asked::Once;
                self.output.extend_from_slice(b"N");
                self.state = State::ExpectStartup;
                Effect::Continue
            }
            Packet::Cancel { process_id, secret } => Effect::Cancel { process_id, secret: secret.to_vec() },
            Packet::Startup(startup) => self.handle_startup(&startup, logins),
        };
        (consumed, effect)
    }

    fn answer_ssl_request(&mut self, input: &[u8], consumed: usize) -> (usize, Effect) {
        let offered = self.connection.tls != TlsOffer::Unavailable
            && self.connection.transport != Transport::UnixSocket
            && matches!(self.tls, Tls::Plain);
        if !offered {
            self.output.extend_from_slice(b"N");
            self.state = State::ExpectStartup;
            return (consumed, Effect::Continue);
        }
        // Bytes that came in clear must never be taken for bytes that came through TLS (CVE-2021-23214).
        if input.len() > consumed {
            return (input.len(), self.unencrypted_data());
        }
        self.output.extend_from_slice(b"S");
        self.state = State::ExpectTls;
        (consumed, Effect::StartTls)
    }

    fn unencrypted_data(&mut self) -> Effect {
        let report = Report::new("08P01", "received unencrypted data after SSL request")
            .detail("This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.");
        self.close("protocol", None, &report)
    }

    fn refuse_packet(&mut self, error: PacketError) -> Effect {
        let (reason, report) = match error {
            PacketError::InvalidLength => ("too_large", Report::new("08P01", "invalid length of startup packet")),
            PacketError::Malformed => ("protocol", Report::new("08P01", "invalid startup packet layout")),
            PacketError::UnsupportedVersion { major, minor } => (
                "unsupported",
                Report::new(
                    "0A000",
                    format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2"),
                ),
            ),
        };
        self.close(reason, None, &report)
    }

    fn handle_startup(&mut self, packet: &Startup<'_>, logins: &dyn Logins) -> Effect {
        self.negotiate(packet);
        let accepted = match startup_parameters::read(&packet.parameters) {
            Ok(accepted) => accepted,
            Err(refused) => {
                return self.close(refused.reason, refused.login, &refused.report);
            }
        };
        let name = accepted.user.clone();
        let plain = matches!(self.tls, Tls::Plain) && self.connection.transport != Transport::UnixSocket;
        if plain && self.connection.tls == TlsOffer::Required {
            let report = Report::new("28000", "connection requires TLS")
                .detail("This address takes no plain-text connections.")
                .hint("Connect with sslmode=require or, better, sslmode=verify-full.");
            return self.close("tls_required", LoginName::parse(&name).ok(), &report);
        }
        let (verifier, identity) = match logins.login(&name) {
            Some((verifier, identity)) => (verifier, Some(identity)),
            None => {
                let iterations = logins.mock_iterations();
                (ScramVerifier { iterations, ..ScramVerifier::mock(logins.mock_secret(), &name) }, None)
            }
        };
        encode::authentication_sasl(self.binding().mechanisms(), &mut self.output);
        self.state = State::ExpectLogin(Box::new(Login::new(accepted, verifier, identity)));
        Effect::Continue
    }

    /// As PostgreSQL 18: a version we do not speak, or an option we do not know, is answered with what we do speak.
    fn negotiate(&mut self, packet: &Startup<'_>) {
        let options: Vec<String> = packet
            .parameters
            .iter()
            .filter(|(name, _)| name.starts_with(b"_pq_."))
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect();
        let minor = if packet.minor >= 2 { 2 } else { 0 };
        self.protocol = if minor == 2 { ProtocolVersion::V3_2 } else { ProtocolVersion::V3_0 };
        if minor != packet.minor || !options.is_empty() {
            encode::negotiate_protocol_version(minor, options, &mut self.output);
        }
    }

    fn binding(&self) -> Binding<'_> {
        match &self.tls {
            Tls::Established { end_point: Some(end_point) } => Binding::EndPoint(end_point),
            Tls::Established { end_point: None } | Tls::Plain => Binding::Unavailable,
        }
    }

    fn expect_login(&mut self, input: &[u8], login: Box<Login>, nonce: &[u8; 18]) -> (usize, Effect) {
        let mut output = std::mem::take(&mut self.output);
        let (consumed, step) = login.handle(input, self.binding(), nonce, &mut output);
        self.output = output;
        let effect = match step {
            Step::Expect(login) => {
                self.state = State::ExpectLogin(login);
                Effect::Continue
            }
            Step::Refused(refused) => self.close(refused.reason, refused.login, &refused.report),
            Step::Proved(proved) => {
                let Proved { identity, accepted, method } = *proved;
                let Accepted { application_name, database, parameters, .. } = accepted;
                let protocol = self.protocol;
                Effect::Authenticated(Authenticated {
                    identity,
                    application_name,
                    database,
                    parameters,
                    protocol,
                    method,
                })
            }
        };
        (consumed, effect)
    }

    fn close(&mut self, reason: &'static str, login: Option<LoginName>, report: &Report) -> Effect {
        report.encode(Severity::Fatal, &mut self.output);
        Effect::Close(Refusal { reason, login, message: report.message.clone().into_owned() })
    }
}
