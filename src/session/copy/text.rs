//! COPY's text format: rows cut as `CopyReadLineText` does, fields as `CopyReadAttributesText`.

use bytes::BytesMut;

use crate::session::copy::line::{CarriageReturn, Line};
use crate::session::copy::malformed;
use crate::wire::report::Report;

#[derive(Debug)]
pub(crate) struct TextRows {
    line: Line,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    InLine,
    /// Behind a backslash that begins a line: a dot makes it the end of the data.
    EscapeAtStart,
    Escape,
    /// Behind a carriage return that a newline may follow.
    CarriageReturn,
    /// Behind `\.` at the start of a line, which must be all of it.
    EndMark,
    EndMarkCarriageReturn,
    /// Behind the end mark: PostgreSQL reads and ignores the rest.
    Ended,
}

/// Whether the byte is done with.
enum Step {
    To(State),
    /// The byte is looked at again in this state.
    Again(State),
}

const MARK_NOT_ALONE: &str = "end-of-copy marker is not alone on its line";

impl TextRows {
    pub(crate) fn new(line: Line) -> Self {
        Self { line, state: State::LineStart }
    }

    pub(crate) fn handle_data(&mut self, mut input: &[u8], out: &mut BytesMut) -> Result<(), Report> {
        while let Some((byte, rest)) = input.split_first() {
            if matches!(self.state, State::LineStart | State::InLine) {
                // All that has no meaning goes in one piece.
                let (text, behind) = input.split_at(plain(input, self.line.delimiter()));
                if !text.is_empty() {
                    self.line.put(text, out);
                    self.state = State::InLine;
                    input = behind;
                    continue;
                }
            }
            match self.step(*byte, out)? {
                Step::To(state) => {
                    self.state = state;
                    input = rest;
                }
                Step::Again(state) => self.state = state,
            }
            if self.state == State::Ended {
                break;
            }
        }
        Ok(())
    }

    fn step(&mut self, byte: u8, out: &mut BytesMut) -> Result<Step, Report> {
        let line = &mut self.line;
        let next = match (self.state, byte) {
            (State::Ended, _) => State::Ended,
            (State::LineStart | State::InLine, b'\n') => {
                line.line_feed()?;
                line.end_row(b"\n", &decode, out)?;
                State::LineStart
            }
            (State::LineStart | State::InLine, b'\r') => match line.carriage_return()? {
                CarriageReturn::Open => State::CarriageReturn,
                CarriageReturn::EndsLine => {
                    line.end_row(b"\r", &decode, out)?;
                    State::LineStart
                }
            },
            (State::LineStart, b'\\') => State::EscapeAtStart,
            (State::InLine, b'\\') => State::Escape,
            // Everything else was passed in one piece.
            (State::LineStart | State::InLine, _) => {
                line.end_field(&decode, out)?;
                State::InLine
            }
            (State::EscapeAtStart, b'.') => State::EndMark,
            // PostgreSQL before version 18 ends the data here too, behind a last row without the tenant.
            (State::Escape, b'.') => return Err(malformed(MARK_NOT_ALONE)),
            (State::EscapeAtStart | State::Escape, _) => {
                line.put(&[b'\\', byte], out);
                State::InLine
            }
            (State::CarriageReturn, _) => {
                let newline = line.settle(Some(byte))?;
                line.end_row(newline, &decode, out)?;
                if byte != b'\n' {
                    return Ok(Step::Again(State::LineStart));
                }
                State::LineStart
            }
            (State::EndMark, b'\n' | b'\r') => match line.ends_mark(byte)? {
                Some(()) => State::Ended,
                None => State::EndMarkCarriageReturn,
            },
            (State::EndMarkCarriageReturn, b'\n') => State::Ended,
            (State::EndMark | State::EndMarkCarriageReturn, _) => return Err(malformed(MARK_NOT_ALONE)),
        };
        Ok(Step::To(next))
    }

    /// A last row needs no newline.
    pub(crate) fn handle_done(&mut self, out: &mut BytesMut) -> Result<(), Report> {
        match self.state {
            State::LineStart | State::Ended => Ok(()),
            State::InLine => self.line.end_row(b"", &decode, out),
            State::EscapeAtStart | State::Escape => Err(malformed("the data ends within an escape sequence")),
            State::CarriageReturn => {
                let newline = self.line.settle(None)?;
                self.line.end_row(newline, &decode, out)
            }
            State::EndMark | State::EndMarkCarriageReturn => Err(malformed("end-of-copy marker corrupt")),
        }
    }
}

/// Bytes before the next one that means something.
fn plain(input: &[u8], delimiter: Option<u8>) -> usize {
    let found = match delimiter {
        None => memchr::memchr3(b'\n', b'\r', b'\\', input),
        Some(delimiter) => input.iter().position(|byte| matches!(byte, b'\n' | b'\r' | b'\\') || *byte == delimiter),
    };
    found.unwrap_or(input.len())
}

/// As `CopyReadAttributesText`: NULL is told before the escapes are read.
fn decode(raw: &[u8], null: &[u8], out: &mut Vec<u8>) -> bool {
    if raw == null {
        return false;
    }
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let Some(escaped) = (if byte == b'\\' { bytes.next() } else { None }) else {
            out.push(byte);
            continue;
        };
        let mut number = |first: Option<u8>, digits: usize, radix: u32| {
            let digit = |byte: &u8| char::from(*byte).to_digit(radix);
            let mut value = first.and_then(|byte| digit(&byte));
            for _ in 0..digits {
                let Some(next) = bytes.peek().and_then(digit) else { break };
                value = Some(value.unwrap_or_default() * radix + next);
                bytes.next();
            }
            value.map(|value| u8::try_from(value & 0xff).unwrap_or_default())
        };
        out.push(match escaped {
            b'0'..=b'7' => number(Some(escaped), 2, 8).unwrap_or(escaped),
            b'x' => number(None, 2, 16).unwrap_or(escaped),
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            other => other,
        });
    }
    true
}
