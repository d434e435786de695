//! From an accepted socket to a client that is who it says: TLS, start-up, authentication, under one time limit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::config::Plain;
use crate::net::stream::{Socket, Stream};
use crate::net::tls::{HANDSHAKE_RECORD, Negotiation, ServerTls};
use crate::proxy::worker::Admission;
use crate::reload::Snapshot;
use crate::session::handshake::{Authenticated, Connection, Effect, Handshake, Logins, Refusal, TlsOffer, Transport};

/// Unread bytes of a client that is not in yet. Its longest message may have 65,535.
const UNREAD_BYTES_MAX: usize = 131_072;

/// A connection before it is a session.
pub(crate) struct Entry {
    /// `None` while TLS begins, and for ever if it fails.
    stream: Option<Stream>,
    pub(crate) handshake: Handshake,
    unread: BytesMut,
    pub(crate) source: Option<SocketAddr>,
}

/// How it went. What the client has to be told is in the handshake's output.
pub(crate) enum Entered {
    Client(Authenticated),
    Cancel {
        process_id: u32,
        secret: Vec<u8>,
    },
    Refused(Refusal),
    /// There are too many clients.
    TooMany,
    /// It left, or its connection broke, or it could not do TLS with us.
    Gone(Option<io::Error>),
}

impl Entry {
    pub(crate) fn new(socket: Socket, snapshot: &Snapshot) -> Self {
        let source = socket.peer_address();
        let transport = match (&socket, source) {
            (Socket::Unix(_), _) => Transport::UnixSocket,
            (Socket::Tcp(_), Some(address)) if address.ip().to_canonical().is_loopback() => Transport::Loopback,
            (Socket::Tcp(_), _) => Transport::Network,
        };
        let plain_allowed = match (snapshot.config.listen.plain, transport) {
            (_, Transport::UnixSocket) | (Plain::Allow, _) | (Plain::LoopbackOnly, Transport::Loopback) => true,
            (Plain::LoopbackOnly, Transport::Network) | (Plain::Refuse, _) => false,
        };
        let tls = match (&snapshot.listener_tls, plain_allowed) {
            (_, false) => TlsOffer::Required,
            (Some(_), true) => TlsOffer::Available,
            (None, true) => TlsOffer::Unavailable,
        };
        let startup_bytes_max = snapshot.config.limits.startup_bytes_max;
        let handshake = Handshake::new(Connection { transport, tls, startup_bytes_max });
        Self { stream: Some(Stream::Plain(socket)), handshake, unread: BytesMut::new(), source }
    }

    /// Until the client is in, or will never be.
    pub(crate) async fn enter(&mut self, snapshot: &Snapshot, admission: Admission) -> Entered {
        let limit = snapshot.config.limits.authentication_timeout;
        match tokio::time::timeout(limit, self.negotiate(snapshot, admission)).await {
            Ok(Ok(entered)) => entered,
            Ok(Err(error)) => Entered::Gone(Some(error)),
            Err(_) => match self.handshake.handle_timeout() {
                Effect::Close(refusal) => Entered::Refused(refusal),
                _ => Entered::Gone(None),
            },
        }
    }

    /// The stream, and what the client sent behind its last message.
    pub(crate) fn into_parts(self) -> Option<(Stream, BytesMut)> {
        self.stream.map(|stream| (stream, self.unread))
    }

    /// Sends what the handshake has to say.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let output = std::mem::take(self.handshake.output());
        stream.write_all(&output).await?;
        AsyncWriteExt::flush(stream).await
    }

    async fn negotiate(&mut self, snapshot: &Snapshot, admission: Admission) -> io::Result<Entered> {
        self.begin_direct_tls(snapshot.listener_tls.as_ref()).await?;
        loop {
            if !self.read().await? {
                return Ok(Entered::Gone(None));
            }
            if let Some(entered) = self.handle(snapshot, admission).await? {
                return Ok(entered);
            }
        }
    }

    /// As much as there is to do with what has been read.
    async fn handle(&mut self, snapshot: &Snapshot, admission: Admission) -> io::Result<Option<Entered>> {
        loop {
            let logins: &dyn Logins = &snapshot.logins;
            let (consumed, effect) = self.handshake.handle_client(&self.unread, logins, &random()?);
            self.unread.advance(consumed);
            match effect {
                Effect::Continue if admission == Admission::CancelOnly && self.asks_for_authentication() => {
                    self.handshake.output().clear();
                    self.handshake.refuse("53300", "sorry, too many clients already", None, None);
                    return Ok(Some(Entered::TooMany));
                }
                Effect::Continue => {
                    self.flush().await?;
                    if consumed == 0 || self.unread.is_empty() {
                        return Ok(None);
                    }
                }
                Effect::StartTls => {
                    self.flush().await?;
                    self.begin_tls(snapshot.listener_tls.as_ref(), Negotiation::Requested).await?;
                    return Ok(None);
                }
                Effect::Authenticated(authenticated) => return Ok(Some(Entered::Client(authenticated))),
                Effect::Cancel { process_id, secret } => return Ok(Some(Entered::Cancel { process_id, secret })),
                Effect::Close(refusal) => return Ok(Some(Entered::Refused(refusal))),
            }
        }
    }

    /// The start-up packet has been read and was no cancel request: the answer begins with an Authentication message,
    /// or with NegotiateProtocolVersion.
    fn asks_for_authentication(&mut self) -> bool {
        matches!(self.handshake.output().first(), Some(b'R' | b'v'))
    }

    /// False at the end of the stream.
    async fn read(&mut self) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        if self.unread.len() >= UNREAD_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too much before authentication"));
        }
        Ok(stream.read_buf(&mut self.unread).await? > 0)
    }

    /// A client may begin with TLS instead of asking for it (`sslnegotiation=direct`).
    async fn begin_direct_tls(&mut self, tls: Option<&Arc<ServerTls>>) -> io::Result<()> {
        match &self.stream {
            Some(Stream::Plain(socket)) if tls.is_some() && socket.peek_first().await? == Some(HANDSHAKE_RECORD) => {}
            _ => return Ok(()),
        }
        self.begin_tls(tls, Negotiation::Direct).await
    }

    async fn begin_tls(&mut self, tls: Option<&Arc<ServerTls>>, negotiation: Negotiation) -> io::Result<()> {
        let (Some(tls), Some(Stream::Plain(socket))) = (tls, self.stream.take()) else {
            return Err(io::Error::other("TLS is required and no certificate is configured"));
        };
        if !self.unread.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "unencrypted data behind the request for TLS"));
        }
        self.stream = Some(tls.accept(socket, negotiation).await?);
        self.handshake.handle_tls(tls.end_point().map(<[u8]>::to_vec));
        Ok(())
    }
}

/// Fresh from the system's generator.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no random bytes"))?;
    Ok(bytes)
}
