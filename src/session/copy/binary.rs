//! COPY's binary format: a header, tuples of counted fields, a trailer.

use bytes::{BufMut, BytesMut};

use crate::guard::{CopyTenant, TenantSource};
use crate::session::copy::{malformed, mismatch};
use crate::wire::report::Report;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of what follows.
const HEADER_BYTES: usize = 19;
/// Flags that a reader must know: the lower half may be ignored.
const CRITICAL_FLAGS: u32 = 0xffff_0000;
const FLAG_OIDS: u32 = 1 << 16;
const TRAILER: i16 = -1;

#[derive(Debug)]
pub(crate) struct BinaryRows {
    source: TenantSource,
    /// Fields of a tuple of the client's.
    fields: u16,
    place: u16,
    field: Box<[u8]>,
    column: Box<str>,
    state: State,
    /// The beginning of a number, of the header, or of the tenant's field.
    held: Vec<u8>,
    rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    /// Bytes left of the header's extension.
    Extension(usize),
    /// Before a tuple's count of fields.
    Tuple,
    /// Before the length of this field.
    Field(u16),
    /// In this field, with bytes left.
    Data(u16, usize),
    /// In the tenant's field as the client supplies it.
    Tenant,
    Ended,
}

impl BinaryRows {
    pub(crate) fn new(tenant: &CopyTenant) -> Self {
        Self {
            source: tenant.source,
            fields: match tenant.source {
                TenantSource::Added => tenant.columns.saturating_sub(1),
                TenantSource::Supplied => tenant.columns,
            },
            place: tenant.place,
            field: tenant.field.as_slice().into(),
            column: tenant.column.as_str().into(),
            state: State::Header,
            held: Vec::new(),
            rows: 0,
        }
    }

    pub(crate) fn handle_data(&mut self, mut input: &[u8], out: &mut BytesMut) -> Result<(), Report> {
        while !input.is_empty() {
            self.state = match self.state {
                State::Header => {
                    let Some(header) = self.take::<HEADER_BYTES>(&mut input) else { break };
                    let extension = check_header(&header)?;
                    out.put_slice(&header);
                    if extension == 0 { State::Tuple } else { State::Extension(extension) }
                }
                State::Extension(left) => match pass(left, &mut input, out) {
                    0 => State::Tuple,
                    left => State::Extension(left),
                },
                State::Tuple => {
                    let Some(count) = self.take::<2>(&mut input) else { break };
                    self.tuple(i16::from_be_bytes(count), out)?
                }
                State::Field(at) => {
                    let Some(length) = self.take::<4>(&mut input) else { break };
                    self.length(at, i32::from_be_bytes(length), out)?
                }
                State::Data(at, left) => match pass(left, &mut input, out) {
                    0 => self.next(at, out),
                    left => State::Data(at, left),
                },
                State::Tenant => {
                    let count = self.field.len().saturating_sub(self.held.len()).min(input.len());
                    let (value, rest) = input.split_at(count);
                    self.held.extend_from_slice(value);
                    input = rest;
                    if self.held.len() < self.field.len() {
                        break;
                    }
                    if self.held != *self.field {
                        return Err(self.mismatch());
                    }
                    self.held.clear();
                    out.put_slice(&self.field);
                    self.next(self.place, out)
                }
                State::Ended => return Err(malformed("received copy data after EOF marker")),
            };
        }
        Ok(())
    }

    /// The next `N` bytes, once they are all there.
    fn take<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        if self.held.is_empty()
            && let Some((whole, rest)) = input.split_first_chunk::<N>()
        {
            *input = rest;
            return Some(*whole);
        }
        let count = N.saturating_sub(self.held.len()).min(input.len());
        let (bytes, rest) = input.split_at(count);
        self.held.extend_from_slice(bytes);
        *input = rest;
        let whole = self.held.as_slice().try_into().ok()?;
        self.held.clear();
        Some(whole)
    }

    fn tuple(&self, count: i16, out: &mut BytesMut) -> Result<State, Report> {
        if count == TRAILER {
            out.put_i16(count);
            return Ok(State::Ended);
        }
        if u16::try_from(count) != Ok(self.fields) {
            let message = format!("row field count is {count}, expected {}", self.fields);
            return Err(Report::new("22P04", message));
        }
        out.put_i16(match self.source {
            TenantSource::Added => count.saturating_add(1),
            TenantSource::Supplied => count,
        });
        Ok(State::Field(0))
    }

    fn length(&mut self, at: u16, length: i32, out: &mut BytesMut) -> Result<State, Report> {
        let bytes = usize::try_from(length).ok();
        if self.source == TenantSource::Supplied && at == self.place {
            if bytes != Some(self.field.len()) {
                return Err(self.mismatch());
            }
            out.put_i32(length);
            return Ok(State::Tenant);
        }
        match (bytes, length) {
            (Some(bytes), _) => {
                out.put_i32(length);
                Ok(if bytes == 0 { self.next(at, out) } else { State::Data(at, bytes) })
            }
            // NULL.
            (None, -1) => {
                out.put_i32(length);
                Ok(self.next(at, out))
            }
            (None, _) => Err(malformed("invalid field size")),
        }
    }

    /// A field has ended.
    fn next(&mut self, at: u16, out: &mut BytesMut) -> State {
        let next = at.saturating_add(1);
        if next < self.fields {
            return State::Field(next);
        }
        if self.source == TenantSource::Added {
            // A tenant's identifier is short.
            out.put_i32(i32::try_from(self.field.len()).unwrap_or(i32::MAX));
            out.put_slice(&self.field);
        }
        self.rows += 1;
        State::Tuple
    }

    fn mismatch(&self) -> Report {
        mismatch(&self.column, self.rows + 1)
    }

    /// The trailer may be missing.
    pub(crate) fn handle_done(&self) -> Result<(), Report> {
        match self.state {
            State::Tuple | State::Ended => Ok(()),
            State::Header => Err(malformed("COPY file signature not recognized")),
            State::Extension(_) => Err(malformed("invalid COPY file header (wrong length)")),
            State::Field(_) | State::Data(..) | State::Tenant => Err(malformed("unexpected EOF in COPY data")),
        }
    }
}

/// Passes what is there of the next `left` bytes; returns how many are still to come.
fn pass(left: usize, input: &mut &[u8], out: &mut BytesMut) -> usize {
    let (bytes, rest) = input.split_at(left.min(input.len()));
    out.put_slice(bytes);
    *input = rest;
    left.saturating_sub(bytes.len())
}

/// The length of the extension behind the header.
fn check_header(header: &[u8; HEADER_BYTES]) -> Result<usize, Report> {
    let number = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let (Some(flags), Some(extension), true) = (number(11), number(15), header.starts_with(SIGNATURE)) else {
        return Err(malformed("COPY file signature not recognized"));
    };
    match flags & CRITICAL_FLAGS {
        0 => {}
        flag if flag & FLAG_OIDS != 0 => return Err(malformed("invalid COPY file header (WITH OIDS)")),
        _ => return Err(malformed("unrecognized critical flags in COPY file header")),
    }
    i32::try_from(extension)
        .ok()
        .and_then(|extension| usize::try_from(extension).ok())
        .ok_or_else(|| malformed("invalid COPY file header (missing length)"))
}
