//! Whole messages from an upstream, each under a limit: for log-in and our own queries, never for a client's data.

use std::io;

use bytes::Buf;
use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use crate::net::stream::Stream;

/// A message of a log-in. PostgreSQL's own are far smaller.
pub(crate) const LOGIN_MESSAGE_BYTES_MAX: usize = 65_536;

pub(crate) struct Messages {
    stream: Stream,
    buffer: BytesMut,
    message_bytes_max: usize,
}

impl Messages {
    pub(crate) fn new(stream: Stream, buffer: BytesMut, message_bytes_max: usize) -> Self {
        Self { stream, buffer, message_bytes_max }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    pub(crate) async fn receive(&mut self) -> io::Result<Message> {
        loop {
            self.check_length()?;
            if let Some(message) = Message::parse(&mut self.buffer)? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
        }
    }

    pub(crate) fn into_parts(self) -> (Stream, BytesMut) {
        (self.stream, self.buffer)
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// Before anything is reserved for it: a header can announce two gigabytes.
    fn check_length(&self) -> io::Result<()> {
        let Some(mut header) = self.buffer.get(1..5) else {
            return Ok(());
        };
        if header.get_u32() as usize > self.message_bytes_max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message of the server is too long"));
        }
        Ok(())
    }
}
