//! Records as newline-delimited JSON to an HTTP server on this host: Vector, Fluent Bit, a collector of one's own.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};

use crate::audit::sink::{Batch, Sink};
use crate::config;

/// Of an answer, no more is read.
const ANSWER_BYTES_MAX: u64 = 65_536;

/// One POST for each batch, and a connection for each: on loopback that costs little, and nothing is left half read.
/// Acknowledged by a status from 200 to 299.
pub(super) struct HttpSink {
    settings: config::AuditHttp,
}

impl HttpSink {
    pub(super) fn new(settings: &config::AuditHttp) -> Self {
        Self { settings: settings.clone() }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let config::AuditHttp { host, port, timeout, .. } = &self.settings;
        let addresses: Vec<SocketAddr> = (host.as_str(), *port).to_socket_addrs()?.collect();
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, *timeout) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(*timeout))?;
                    stream.set_write_timeout(Some(*timeout))?;
                    return Ok(stream);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn head(&self, batch: &Batch) -> String {
        let config::AuditHttp { host, port, path, .. } = &self.settings;
        let Batch { log, first_seq, last_seq, lines, .. } = batch;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/x-ndjson\r\n\
             Content-Length: {}\r\nIdempotency-Key: \"{log}/{first_seq}-{last_seq}\"\r\nConnection: close\r\n\r\n",
            lines.len()
        )
    }
}

impl Sink for HttpSink {
    fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
        let mut stream = self.connect()?;
        stream.write_all(self.head(batch).as_bytes())?;
        stream.write_all(&batch.lines)?;
        stream.flush()?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        match status(&answer) {
            Some(200..=299) => Ok(()),
            Some(status) => Err(io::Error::other(format!("the server answered with status {status}"))),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "the server's answer is not HTTP")),
        }
    }
}

/// `HTTP/1.1 204 No Content`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    line.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_status_is_read_and_nothing_else_taken_for_one() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 200\r\nX: HTTP/1.1 500\r\n\r\n"), Some(200));
        for answer in ["", "HTTP/1.1", "SSH-2.0-OpenSSH", "HTTP/1.1 abc\r\n", "HTTP/2 200\r\n"] {
            assert_eq!(status(answer.as_bytes()), None, "{answer}");
        }
    }
}
