//! What a server's messages say, as far as a proxy has to know it.

use crate::wire::Malformed;
use crate::wire::reader::Reader;

/// The fields of an ErrorResponse or NoticeResponse, in their order.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

pub fn fields(body: &[u8]) -> Fields<'_> {
    Fields { rest: body }
}

impl<'a> Fields<'a> {
    pub fn value(&self, code: u8) -> Option<&'a [u8]> {
        self.clone().find(|field| field.0 == code).map(|field| field.1)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (code, rest) = self.rest.split_first()?;
        if *code == 0 {
            self.rest = &[];
            return None;
        }
        // A value without its end is one that was cut off because it is too long to hold.
        let end = memchr::memchr(0, rest).unwrap_or(rest.len());
        let (value, rest) = rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Some((*code, value))
    }
}

/// The transaction status in a ReadyForQuery message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Idle,
    Transaction,
    Failed,
}

pub fn ready_for_query(body: &[u8]) -> Result<Status, Malformed> {
    match body {
        b"I" => Ok(Status::Idle),
        b"T" => Ok(Status::Transaction),
        b"E" => Ok(Status::Failed),
        _ => Err(Malformed),
    }
}

/// Name and value of a ParameterStatus message.
pub fn parameter_status(body: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut reader = Reader::new(body);
    let name = reader.string()?;
    let setting = reader.string()?;
    reader.end()?;
    Ok((name, setting))
}

/// A command tag's words and its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandTag<'a> {
    pub text: &'a [u8],
}

pub fn command_complete(body: &[u8]) -> Result<CommandTag<'_>, Malformed> {
    let mut reader = Reader::new(body);
    let text = reader.string()?;
    reader.end()?;
    Ok(CommandTag { text })
}

impl CommandTag<'_> {
    /// Rows written: the count of INSERT, UPDATE, DELETE and MERGE. COPY's goes both ways: see [`Self::rows_copied`].
    pub fn rows_written(self) -> Option<u64> {
        let written = [&b"INSERT "[..], b"UPDATE ", b"DELETE ", b"MERGE "];
        written.iter().any(|command| self.text.starts_with(command)).then(|| self.count())?
    }

    pub fn rows_copied(self) -> Option<u64> {
        self.text.starts_with(b"COPY ").then(|| self.count())?
    }

    fn count(self) -> Option<u64> {
        let digits = self.text.rsplit(|byte| *byte == b' ').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

/// CopyInResponse, CopyOutResponse: the overall format, and how many columns.
pub fn copy_response(body: &[u8]) -> Result<(CopyFormat, u16), Malformed> {
    let mut reader = Reader::new(body);
    let format = match reader.byte()? {
        0 => CopyFormat::Text,
        1 => CopyFormat::Binary,
        _ => return Err(Malformed),
    };
    let columns = reader.u16()?;
    reader.bytes(usize::from(columns) * 2)?;
    reader.end()?;
    Ok((format, columns))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    /// Text or CSV.
    Text,
    Binary,
}
