//! From a host name to an open stream: TCP or Unix socket, SSLRequest, TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use crate::net::stream::Socket;
use crate::net::stream::Stream;
use crate::upstream::Address;
use crate::upstream::ConnectError;
use crate::upstream::ConnectErrorKind;
use crate::upstream::Target;

/// An open stream, before log-in.
pub(crate) struct Dialled {
    pub(crate) stream: Stream,
    pub(crate) address: Address,
    /// The `tls-server-end-point` hash of the server's certificate.
    pub(crate) end_point: Option<Vec<u8>>,
}

/// Tries each address of the host in turn.
pub(crate) async fn dial(target: &Target) -> Result<Dialled, ConnectError> {
    if target.host.starts_with('/') {
        return dial_address(target, Address::Unix).await;
    }
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|error| ConnectError::new(ConnectErrorKind::Down, format!("cannot resolve the host: {error}")))?
        .collect();
    let mut last = ConnectError::new(ConnectErrorKind::Down, "the host has no address");
    for address in addresses {
        match dial_address(target, Address::Tcp(address)).await {
            Ok(dialled) => return Ok(dialled),
            Err(error) if error.kind() == ConnectErrorKind::Down => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

pub(crate) async fn dial_address(target: &Target, address: Address) -> Result<Dialled, ConnectError> {
    let socket = match address {
        Address::Tcp(address) => TcpStream::connect(address).await.and_then(Socket::tcp),
        Address::Unix => {
            let path = Path::new(&target.host).join(format!(".s.PGSQL.{}", target.port));
            UnixStream::connect(path).await.map(Socket::Unix)
        }
    }
    .map_err(|error| ConnectError::new(ConnectErrorKind::Down, format!("cannot connect: {error}")))?;
    let Some(tls) = &target.tls else {
        return Ok(Dialled { stream: Stream::Plain(socket), address, end_point: None });
    };
    let socket = request_tls(socket).await?;
    let (stream, end_point) = tls.connect(&target.host, socket).await?;
    Ok(Dialled { stream, address, end_point })
}

/// SSLRequest. Exactly one byte is read in plain text: whatever else may already lie in the socket goes to TLS, which
/// does not take it for data (the hole of CVE-2021-23222).
async fn request_tls(mut socket: Socket) -> Result<Socket, ConnectError> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    socket.write_all(&request).await?;
    match socket.read_u8().await {
        Ok(b'S') => Ok(socket),
        Ok(b'N') => Err(ConnectError::new(ConnectErrorKind::TlsUnavailable, "the server does not offer TLS")
            .hint("turn ssl on there; tls = \"disable\" is for loopback and Unix sockets only")),
        // An ErrorResponse in plain text: anybody on the way could have written it, so it is not shown (CVE-2024-10977).
        Ok(b'E') => {
            Err(ConnectError::new(ConnectErrorKind::Refused, "the server answered the request for TLS with an error"))
        }
        Ok(byte) => Err(ConnectError::new(
            ConnectErrorKind::Protocol,
            format!("byte {byte:#04x} in answer to the request for TLS"),
        )),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(ConnectError::new(ConnectErrorKind::Down, "the server closed the connection when asked for TLS"))
        }
        Err(error) => Err(error.into()),
    }
}
