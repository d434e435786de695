//! What text and CSV share: lines as rows, how they end, and the tenant's field among the others.

use bytes::{BufMut, BytesMut};

use crate::guard::{CopyTenant, Header, TenantSource, TenantValue};
use crate::session::copy::{malformed, mismatch};
use crate::wire::report::Report;

/// A field that is longer can be no spelling of a tenant: each byte takes four characters at most, and a number may
/// stand among blanks.
const RAW_BYTES_MAX: usize = 1_024;

/// One row as it goes by.
#[derive(Debug)]
pub(crate) struct Line {
    source: TenantSource,
    delimiter: u8,
    place: u16,
    field: Box<[u8]>,
    value: TenantValue,
    null: Box<[u8]>,
    column: Box<str>,
    /// While the first line is under way, if it is a header: the column's name as a field.
    header: Option<Box<[u8]>>,
    cursor: Cursor,
    /// The client's field in the tenant's place, as far as it has come.
    raw: Vec<u8>,
    decoded: Vec<u8>,
    newline: Newline,
    rows: u64,
}

/// Where in a row the reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    /// So many delimiters before the tenant's field.
    Before(u16),
    Tenant,
    Behind,
}

/// How lines end: the first one says it for all, as in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newline {
    Unknown,
    Lf,
    Cr,
    CrLf,
}

/// What a carriage return is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CarriageReturn {
    EndsLine,
    /// It depends on the next byte.
    Open,
}

/// How a field is taken out of its quotes and escapes. False: it is NULL.
pub(crate) type Decode<'a> = &'a dyn Fn(&[u8], &[u8], &mut Vec<u8>) -> bool;

impl Line {
    pub(crate) fn new(tenant: &CopyTenant, delimiter: u8, null: &[u8], header: &Header) -> Self {
        let mut line = Self {
            source: tenant.source,
            delimiter,
            place: tenant.place,
            field: tenant.field.as_slice().into(),
            value: tenant.value.clone(),
            null: null.into(),
            column: tenant.column.as_str().into(),
            header: match header {
                Header::Absent => None,
                Header::Present(name) => Some(name.as_slice().into()),
            },
            cursor: Cursor::Behind,
            raw: Vec::new(),
            decoded: Vec::new(),
            newline: Newline::Unknown,
            rows: 0,
        };
        line.begin();
        line
    }

    fn begin(&mut self) {
        self.cursor = match (self.source, self.place) {
            _ if self.header.is_some() => Cursor::Behind,
            (TenantSource::Added, _) => Cursor::Behind,
            (TenantSource::Supplied, 0) => Cursor::Tenant,
            (TenantSource::Supplied, place) => Cursor::Before(place),
        };
        self.raw.clear();
    }

    /// The byte that parts fields, where it still matters in this row.
    pub(crate) fn delimiter(&self) -> Option<u8> {
        if self.cursor == Cursor::Behind { None } else { Some(self.delimiter) }
    }

    /// Bytes inside a field.
    pub(crate) fn put(&mut self, bytes: &[u8], out: &mut BytesMut) {
        if self.cursor != Cursor::Tenant {
            out.put_slice(bytes);
        } else if self.raw.len() <= RAW_BYTES_MAX {
            let room = RAW_BYTES_MAX + 1 - self.raw.len();
            self.raw.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    pub(crate) fn end_field(&mut self, decode: Decode<'_>, out: &mut BytesMut) -> Result<(), Report> {
        self.cursor = match self.cursor {
            Cursor::Before(1) => Cursor::Tenant,
            Cursor::Before(left) => Cursor::Before(left.saturating_sub(1)),
            Cursor::Tenant => {
                self.put_tenant(decode, out)?;
                Cursor::Behind
            }
            Cursor::Behind => Cursor::Behind,
        };
        out.put_u8(self.delimiter);
        Ok(())
    }

    pub(crate) fn end_row(&mut self, newline: &[u8], decode: Decode<'_>, out: &mut BytesMut) -> Result<(), Report> {
        match (self.header.take(), self.source, self.cursor) {
            (Some(name), TenantSource::Added, _) => {
                out.put_u8(self.delimiter);
                out.put_slice(&name);
            }
            (Some(_), TenantSource::Supplied, _) => {}
            (None, TenantSource::Added, _) => {
                out.put_u8(self.delimiter);
                out.put_slice(&self.field);
            }
            (None, TenantSource::Supplied, Cursor::Tenant) => self.put_tenant(decode, out)?,
            (None, TenantSource::Supplied, Cursor::Behind) => {}
            (None, TenantSource::Supplied, Cursor::Before(_)) => {
                return Err(Report::new("22P04", format!("missing data for column \"{}\"", self.column))
                    .detail(format!("Row {} of the data is too short.", self.rows + 1)));
            }
        }
        out.put_slice(newline);
        self.rows += 1;
        self.begin();
        Ok(())
    }

    /// The value is written anew, so that no other reading of the client's can count.
    fn put_tenant(&mut self, decode: Decode<'_>, out: &mut BytesMut) -> Result<(), Report> {
        if self.raw != *self.field && !self.is_tenant(decode) {
            return Err(mismatch(&self.column, self.rows + 1));
        }
        out.put_slice(&self.field);
        Ok(())
    }

    fn is_tenant(&mut self, decode: Decode<'_>) -> bool {
        self.decoded.clear();
        self.raw.len() <= RAW_BYTES_MAX
            && decode(&self.raw, &self.null, &mut self.decoded)
            && std::str::from_utf8(&self.decoded).is_ok_and(|text| self.value.equals_literal(text))
    }

    /// A newline that ends a line.
    pub(crate) fn line_feed(&mut self) -> Result<(), Report> {
        match self.newline {
            Newline::Unknown | Newline::Lf => {
                self.newline = Newline::Lf;
                Ok(())
            }
            Newline::Cr | Newline::CrLf => Err(malformed("literal newline found in data")),
        }
    }

    /// A carriage return outside of quotes and escapes.
    pub(crate) fn carriage_return(&self) -> Result<CarriageReturn, Report> {
        match self.newline {
            Newline::Unknown | Newline::CrLf => Ok(CarriageReturn::Open),
            Newline::Cr => Ok(CarriageReturn::EndsLine),
            Newline::Lf => Err(malformed("literal carriage return found in data")),
        }
    }

    /// What ends the line whose carriage return is open, now that it is known what follows it.
    pub(crate) fn settle(&mut self, next: Option<u8>) -> Result<&'static [u8], Report> {
        match (next, self.newline) {
            (Some(b'\n'), _) => {
                self.newline = Newline::CrLf;
                Ok(b"\r\n")
            }
            (_, Newline::CrLf) => Err(malformed("literal carriage return found in data")),
            _ => {
                self.newline = Newline::Cr;
                Ok(b"\r")
            }
        }
    }

    /// Whether the end mark ends as lines do, given the byte behind it. `None`: a newline must follow the return.
    pub(crate) fn ends_mark(&self, byte: u8) -> Result<Option<()>, Report> {
        match (byte, self.newline) {
            (b'\n', Newline::Unknown | Newline::Lf) | (b'\r', Newline::Unknown | Newline::Cr) => Ok(Some(())),
            (b'\r', Newline::CrLf) => Ok(None),
            _ => Err(malformed("end-of-copy marker does not match previous newline style")),
        }
    }
}
