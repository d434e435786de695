//! COPY's CSV: rows cut as `CopyReadLineText` does, fields as `CopyReadAttributesCSV`.

use bytes::BytesMut;

use crate::guard::EndMark;
use crate::session::copy::line::{CarriageReturn, Line};
use crate::session::copy::malformed;
use crate::wire::report::Report;

#[derive(Debug)]
pub(crate) struct CsvRows {
    line: Line,
    quotes: Quotes,
    end_mark: EndMark,
    state: State,
}

#[derive(Debug, Clone, Copy)]
struct Quotes {
    quote: u8,
    /// The same byte, or another.
    escape: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    Unquoted,
    Quoted,
    /// Behind an escape in quotes that is no quote itself.
    Escape,
    /// Behind a carriage return that a newline may follow.
    CarriageReturn,
    /// Behind a backslash that begins a line.
    MarkBegins,
    /// Behind `\.` that begins a line.
    Mark,
    MarkCarriageReturn,
    /// Behind the end mark: PostgreSQL reads and ignores the rest.
    Ended,
}

/// Whether the byte is done with.
enum Step {
    To(State),
    /// The byte is looked at again in this state.
    Again(State),
}

impl CsvRows {
    pub(crate) fn new(line: Line, quote: u8, escape: u8, end_mark: EndMark) -> Self {
        Self { line, quotes: Quotes { quote, escape }, end_mark, state: State::LineStart }
    }

    pub(crate) fn handle_data(&mut self, mut input: &[u8], out: &mut BytesMut) -> Result<(), Report> {
        while let Some((byte, rest)) = input.split_first() {
            if let Some(count) = self.plain(input) {
                // All that has no meaning goes in one piece.
                let (text, behind) = input.split_at(count);
                self.line.put(text, out);
                if self.state == State::LineStart {
                    self.state = State::Unquoted;
                }
                input = behind;
                continue;
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

    /// Bytes before the next one that means something; `None`: it is the next.
    fn plain(&self, input: &[u8]) -> Option<usize> {
        let Quotes { quote, escape } = self.quotes;
        let found = match (self.state, self.line.delimiter()) {
            (State::LineStart, _) if input.first() == Some(&b'\\') => Some(0),
            (State::LineStart | State::Unquoted, None) => memchr::memchr3(b'\n', b'\r', quote, input),
            (State::LineStart | State::Unquoted, Some(delimiter)) => {
                input.iter().position(|byte| matches!(byte, b'\n' | b'\r') || *byte == quote || *byte == delimiter)
            }
            (State::Quoted, _) => memchr::memchr2(quote, escape, input),
            _ => Some(0),
        };
        Some(found.unwrap_or(input.len())).filter(|count| *count > 0)
    }

    fn step(&mut self, byte: u8, out: &mut BytesMut) -> Result<Step, Report> {
        let quotes = self.quotes;
        let decode = |raw: &[u8], null: &[u8], out: &mut Vec<u8>| quotes.decode(raw, null, out);
        let line = &mut self.line;
        let next = match (self.state, byte) {
            (State::Ended, _) => State::Ended,
            (State::LineStart, b'\\') if self.end_mark == EndMark::EndsData => State::MarkBegins,
            (State::LineStart | State::Unquoted, b'\n') => {
                line.line_feed()?;
                line.end_row(b"\n", &decode, out)?;
                State::LineStart
            }
            (State::LineStart | State::Unquoted, b'\r') => match line.carriage_return()? {
                CarriageReturn::Open => State::CarriageReturn,
                CarriageReturn::EndsLine => {
                    line.end_row(b"\r", &decode, out)?;
                    State::LineStart
                }
            },
            (State::LineStart | State::Unquoted, _) if byte == quotes.quote => {
                line.put(&[byte], out);
                State::Quoted
            }
            (State::LineStart | State::Unquoted, _) if line.delimiter() == Some(byte) => {
                line.end_field(&decode, out)?;
                State::Unquoted
            }
            (State::LineStart | State::Unquoted, _) => {
                line.put(&[byte], out);
                State::Unquoted
            }
            (State::Quoted, _) => {
                line.put(&[byte], out);
                // A quote that is its own escape: two of them are an end and a beginning.
                if byte == quotes.quote { State::Unquoted } else { State::Escape }
            }
            (State::Escape, _) if byte == quotes.quote || byte == quotes.escape => {
                line.put(&[byte], out);
                State::Quoted
            }
            (State::Escape, _) => return Ok(Step::Again(State::Quoted)),
            (State::CarriageReturn, _) => {
                let newline = line.settle(Some(byte))?;
                line.end_row(newline, &decode, out)?;
                if byte != b'\n' {
                    return Ok(Step::Again(State::LineStart));
                }
                State::LineStart
            }
            (State::MarkBegins | State::Mark | State::MarkCarriageReturn, _) => return self.mark(byte, out),
        };
        Ok(Step::To(next))
    }

    /// `\.` alone on a line ends the data; with more behind it, it is data.
    fn mark(&mut self, byte: u8, out: &mut BytesMut) -> Result<Step, Report> {
        let next = match (self.state, byte) {
            (State::MarkBegins, b'.') => State::Mark,
            (State::Mark, b'\n' | b'\r') => match self.line.ends_mark(byte)? {
                Some(()) => State::Ended,
                None => State::MarkCarriageReturn,
            },
            (State::MarkCarriageReturn, b'\n') => State::Ended,
            (State::MarkCarriageReturn, _) => return Err(malformed("end-of-copy marker corrupt")),
            _ => {
                self.put_mark(out);
                return Ok(Step::Again(State::Unquoted));
            }
        };
        Ok(Step::To(next))
    }

    /// What looked like an end mark is data.
    fn put_mark(&mut self, out: &mut BytesMut) {
        let bytes: &[u8] = if self.state == State::Mark { b"\\." } else { b"\\" };
        self.line.put(bytes, out);
    }

    /// A last row needs no newline.
    pub(crate) fn handle_done(&mut self, out: &mut BytesMut) -> Result<(), Report> {
        let quotes = self.quotes;
        let decode = |raw: &[u8], null: &[u8], out: &mut Vec<u8>| quotes.decode(raw, null, out);
        match self.state {
            State::LineStart | State::Ended => Ok(()),
            State::Unquoted => self.line.end_row(b"", &decode, out),
            State::MarkBegins | State::Mark => {
                self.put_mark(out);
                self.line.end_row(b"", &decode, out)
            }
            State::Quoted | State::Escape => Err(malformed("unterminated CSV quoted field")),
            State::CarriageReturn => {
                let newline = self.line.settle(None)?;
                self.line.end_row(newline, &decode, out)
            }
            State::MarkCarriageReturn => Err(malformed("end-of-copy marker corrupt")),
        }
    }
}

impl Quotes {
    /// As `CopyReadAttributesCSV`: only what has no quotes at all can be NULL.
    fn decode(self, raw: &[u8], null: &[u8], out: &mut Vec<u8>) -> bool {
        if raw == null && !raw.contains(&self.quote) {
            return false;
        }
        let mut bytes = raw.iter().copied().peekable();
        let mut quoted = false;
        while let Some(byte) = bytes.next() {
            if quoted && byte == self.escape {
                let escaped = bytes.next_if(|next| *next == self.escape || *next == self.quote);
                if let Some(escaped) = escaped {
                    out.push(escaped);
                    continue;
                }
            }
            if byte == self.quote {
                quoted = !quoted;
            } else {
                out.push(byte);
            }
        }
        true
    }
}
