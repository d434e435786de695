//! Where clients knock: a TCP address, a Unix socket, or both.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::UnixListener;

use crate::config::Listen;
use crate::net::stream::Socket;

/// Connections that the kernel completes for us before we accept them.
const BACKLOG: u32 = 1024;

/// Bound sockets. The Unix socket's file goes away with it.
#[derive(Debug)]
pub struct Listener {
    tcp: Option<TcpListener>,
    unix: Option<(UnixListener, PathBuf)>,
}

impl Listener {
    pub fn bind(listen: &Listen) -> io::Result<Self> {
        let tcp = listen.address.map(bind_tcp).transpose()?;
        let unix = listen.unix_socket.as_deref().map(bind_unix).transpose()?;
        if tcp.is_none() && unix.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "neither an address nor a Unix socket to listen on",
            ));
        }
        Ok(Self { tcp, unix })
    }

    /// The TCP address in truth, where port 0 was asked for.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// The next client. An error is ours (no file descriptors left), not one client's.
    pub async fn accept(&self) -> io::Result<Socket> {
        let tcp = async {
            let Some(listener) = &self.tcp else { return pending().await };
            loop {
                match listener.accept().await.and_then(|(stream, _)| Socket::tcp(stream)) {
                    Err(error) if is_of_one_client(&error) => {}
                    accepted => return accepted,
                }
            }
        };
        let unix = async {
            match &self.unix {
                Some((listener, _)) => listener.accept().await.map(|(stream, _)| Socket::Unix(stream)),
                None => pending().await,
            }
        };
        tokio::select! {
            accepted = tcp => accepted,
            accepted = unix => accepted,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.unix
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::debug!(path = %path.display(), %error, "cannot remove the Unix socket");
        }
    }
}

/// A client that is gone before we could look at it.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotConnected
    )
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).map_err(explain)?;
    socket.listen(BACKLOG).map_err(explain)
}

fn bind_unix(path: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let explain =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", path.display()));
    remove_stale(path).map_err(explain)?;
    Ok((UnixListener::bind(path).map_err(explain)?, path.to_owned()))
}

/// A socket file that a killed process left behind is in the way of `bind`; one with somebody behind it is not ours.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name that is not a socket"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it")),
        Err(_) => std::fs::remove_file(path),
    }
}
