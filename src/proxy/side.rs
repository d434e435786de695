//! One side of a session: its stream, and what of its bytes waits.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::stream::Stream;

/// A client or an upstream.
pub(crate) struct Side {
    stream: Stream,
    /// Bytes that were read and not taken yet: the beginning of a frame. Allocated only while there are any.
    unread: BytesMut,
    /// TLS may hold back bytes that it has taken from us.
    flush: Flush,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    Done,
    Due,
}

/// What a read has brought, with what was left of the reads before.
pub(crate) enum Input<'s> {
    /// The stream has ended.
    End,
    Scratch(&'s [u8]),
    /// It has grown too large for the scratch buffer. To be given back by [`Side::keep`].
    Own(BytesMut),
}

impl Side {
    pub(crate) fn new(stream: Stream, unread: BytesMut) -> Self {
        Self { stream, unread, flush: Flush::Done }
    }

    pub(crate) fn unread_bytes(&self) -> usize {
        self.unread.len()
    }

    /// Takes out what waits.
    pub(crate) fn take_unread(&mut self) -> BytesMut {
        std::mem::take(&mut self.unread)
    }

    /// Keeps what was not taken of the input.
    pub(crate) fn keep(&mut self, rest: BytesMut) {
        self.unread = rest;
    }

    /// Reads once, behind what waits. A short beginning is copied into the scratch buffer, so that a connection has a
    /// buffer of its own only between two reads, and only as large as what waits; a long one grows where it is.
    pub(crate) fn poll_read<'s>(
        &mut self,
        scratch: &'s mut [u8],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Input<'s>>> {
        let waiting = if self.unread.len() <= scratch.len() / 2 { self.unread.len() } else { 0 };
        let (head, tail) = scratch.split_at_mut(waiting);
        let mut buffer = ReadBuf::new(tail);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            return Poll::Ready(Ok(Input::End));
        }
        if waiting == self.unread.len() {
            head.copy_from_slice(&self.unread);
            self.unread = BytesMut::new();
            return Poll::Ready(Ok(Input::Scratch(scratch.get(..waiting + read).unwrap_or_default())));
        }
        let mut whole = self.take_unread();
        whole.extend_from_slice(tail.get(..read).unwrap_or_default());
        Poll::Ready(Ok(Input::Own(whole)))
    }

    /// Ready when nothing of `output` is left and all of it is on its way. The buffer is then given back.
    pub(crate) fn poll_drain(&mut self, output: &mut BytesMut, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !output.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            output.advance(written);
            self.flush = Flush::Due;
            if output.is_empty() {
                *output = BytesMut::new();
            }
        }
        if self.flush == Flush::Due {
            ready!(self.stream.poll_flush(context))?;
            self.flush = Flush::Done;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes `bytes` from where they are; what the socket does not take goes into `output`, which must be empty.
    pub(crate) fn write_through(
        &mut self,
        mut bytes: &[u8],
        output: &mut BytesMut,
        context: &mut Context<'_>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, bytes) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.flush = Flush::Due;
                    bytes = bytes.get(written..).unwrap_or_default();
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    output.extend_from_slice(bytes);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Closes our half.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }
}
