//! The tenant's column at the end of every row of COPY's text format, while the rows stream by.

use bytes::{BufMut, BytesMut};

/// Reads rows as PostgreSQL's `CopyReadLineText` does, and writes them with one column more.
///
/// What PostgreSQL could read as another row, or another end of the data, than is read here is refused: such bytes
/// would carry a row past us without our column, or with one of the client's choice.
#[derive(Debug)]
pub(crate) struct AppendColumn {
    /// The delimiter and the value.
    suffix: Box<[u8]>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    InLine,
    /// Behind a backslash that begins a line: a dot makes it the end of the data.
    EscapeAtStart,
    Escape,
    /// Behind a carriage return that a newline must follow.
    CarriageReturn,
    /// Behind `\.` at the start of a line, which must be all of it.
    EndMark,
    EndMarkCarriageReturn,
    /// Behind the end mark: PostgreSQL reads and ignores the rest.
    Ended,
}

/// Data that will not be copied, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CopyError(pub(crate) &'static str);

const LONE_CARRIAGE_RETURN: CopyError =
    CopyError("rows that end with a carriage return alone are not supported: end them with newlines");
const MARK_NOT_ALONE: CopyError = CopyError("end-of-copy marker is not alone on its line");
const ESCAPE_AT_END: CopyError = CopyError("the data ends within an escape sequence");

impl AppendColumn {
    pub(crate) fn new(delimiter: u8, value: &[u8]) -> Self {
        let mut suffix = vec![delimiter];
        suffix.extend_from_slice(value);
        Self { suffix: suffix.into(), state: State::LineStart }
    }

    /// Takes the next bytes of the data and writes what is to be copied of them.
    pub(crate) fn handle_data(&mut self, mut input: &[u8], out: &mut BytesMut) -> Result<(), CopyError> {
        while let Some((byte, rest)) = input.split_first() {
            if self.state == State::InLine {
                // All that has no meaning goes in one piece.
                let plain = memchr::memchr3(b'\n', b'\r', b'\\', input).unwrap_or(input.len());
                if plain > 0 {
                    let (text, behind) = input.split_at(plain);
                    out.put_slice(text);
                    input = behind;
                    continue;
                }
            }
            self.state = self.step(*byte, out)?;
            input = rest;
        }
        Ok(())
    }

    fn step(&self, byte: u8, out: &mut BytesMut) -> Result<State, CopyError> {
        let next = match (self.state, byte) {
            (State::Ended, _) => State::Ended,
            (State::LineStart | State::InLine, b'\n') => {
                self.end_row(b"\n", out);
                State::LineStart
            }
            (State::LineStart | State::InLine, b'\r') => State::CarriageReturn,
            (State::LineStart, b'\\') => State::EscapeAtStart,
            (State::InLine, b'\\') => State::Escape,
            (State::LineStart | State::InLine, _) => {
                out.put_u8(byte);
                State::InLine
            }
            (State::EscapeAtStart, b'.') => State::EndMark,
            // PostgreSQL before version 18 ends the data here too, behind a last row without our column.
            (State::Escape, b'.') => return Err(MARK_NOT_ALONE),
            (State::EscapeAtStart | State::Escape, _) => {
                out.put_slice(&[b'\\', byte]);
                State::InLine
            }
            (State::CarriageReturn, b'\n') => {
                self.end_row(b"\r\n", out);
                State::LineStart
            }
            (State::CarriageReturn, _) => return Err(LONE_CARRIAGE_RETURN),
            (State::EndMark | State::EndMarkCarriageReturn, b'\n') => State::Ended,
            (State::EndMark, b'\r') => State::EndMarkCarriageReturn,
            (State::EndMark | State::EndMarkCarriageReturn, _) => return Err(MARK_NOT_ALONE),
        };
        Ok(next)
    }

    fn end_row(&self, newline: &[u8], out: &mut BytesMut) {
        out.put_slice(&self.suffix);
        out.put_slice(newline);
    }

    /// The client says that this was all: a last row needs no newline.
    pub(crate) fn handle_done(&mut self, out: &mut BytesMut) -> Result<(), CopyError> {
        match self.state {
            State::LineStart | State::Ended => Ok(()),
            State::InLine => {
                out.put_slice(&self.suffix);
                Ok(())
            }
            State::EscapeAtStart | State::Escape => Err(ESCAPE_AT_END),
            State::CarriageReturn => Err(LONE_CARRIAGE_RETURN),
            State::EndMark | State::EndMarkCarriageReturn => Err(MARK_NOT_ALONE),
        }
    }
}
