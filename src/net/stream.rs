//! One byte stream, whatever carries it: TCP or a Unix socket, plain or under TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio_rustls::client;
use tokio_rustls::server;

/// How long a TCP connection may be silent before the kernel asks whether the other side lives.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 4;

/// A socket without TLS.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// A TCP connection with the options that every connection of ours has: no delay for small segments (a request is
    /// written in one piece, there is nothing to wait for), and keep-alive, so that a dead peer is noticed.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new()
            .with_time(KEEPALIVE_TIME)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self::Tcp(stream))
    }

    /// `None` for a Unix socket.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// The first byte that waits to be read, left where it is. `None` at the end of the stream, and for a Unix socket,
    /// where nobody begins with TLS.
    pub async fn peek_first(&self) -> io::Result<Option<u8>> {
        match self {
            Self::Tcp(stream) => {
                let mut first = [0];
                let read = stream.peek(&mut first).await?;
                Ok(first.first().copied().filter(|_| read > 0))
            }
            Self::Unix(_) => Ok(None),
        }
    }
}

/// A connection, to a client or to an upstream.
#[derive(Debug)]
pub enum Stream {
    Plain(Socket),
    /// We are the server.
    ServerTls(Box<server::TlsStream<Socket>>),
    /// We are the client.
    ClientTls(Box<client::TlsStream<Socket>>),
}

impl Stream {
    pub fn peer_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(socket) => socket.peer_address(),
            Self::ServerTls(stream) => stream.get_ref().0.peer_address(),
            Self::ClientTls(stream) => stream.get_ref().0.peer_address(),
        }
    }

    pub fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// TLS keeps sealed bytes back when the socket would block: a write that was taken is then not yet sent.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::ServerTls(stream) => Pin::new(stream).poll_flush(context),
            Self::ClientTls(stream) => Pin::new(stream).poll_flush(context),
        }
    }
}

/// Passes the calls of a stream on to whichever variant it is.
macro_rules! delegate {
    ($type:ident: $($variant:ident)|+) => {
        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_read(context, buffer),)+
                }
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_write(context, bytes),)+
                }
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_flush(context),)+
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_shutdown(context),)+
                }
            }
        }
    };
}

delegate!(Socket: Tcp | Unix);
delegate!(Stream: Plain | ServerTls | ClientTls);
