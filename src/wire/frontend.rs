//! What a client's messages say, borrowed from their bytes and never read beyond them.

use crate::wire::Malformed;
use crate::wire::reader::Reader;

/// A Query message's text, still bytes.
pub fn query(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(body);
    let sql = reader.string()?;
    reader.end()?;
    Ok(sql)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse<'a> {
    pub statement: &'a [u8],
    pub sql: &'a [u8],
    parameter_types: &'a [u8],
}

impl<'a> Parse<'a> {
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let statement = reader.string()?;
        let sql = reader.string()?;
        let count = reader.u16()?;
        let parameter_types = reader.bytes(usize::from(count) * 4)?;
        reader.end()?;
        Ok(Self { statement, sql, parameter_types })
    }

    /// Declared types, as OIDs; 0: left to the server.
    pub fn parameter_types(&self) -> impl Iterator<Item = u32> + 'a {
        self.parameter_types.as_chunks().0.iter().map(|oid| u32::from_be_bytes(*oid))
    }
}

/// A Bind message, of which only what a proxy has to know is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    pub portal: &'a [u8],
    pub statement: &'a [u8],
    formats: &'a [[u8; 2]],
    pub parameter_count: u16,
    /// Lengths and values, all within their bounds.
    values: &'a [u8],
}

/// How a parameter's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Binary,
}

impl<'a> Bind<'a> {
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let portal = reader.string()?;
        let statement = reader.string()?;
        let format_count = reader.u16()?;
        let formats = reader.bytes(usize::from(format_count) * 2)?.as_chunks().0;
        let parameter_count = reader.u16()?;
        let begin = reader.rest();
        for _ in 0..parameter_count {
            value(&mut reader)?;
        }
        let values = begin.get(..begin.len() - reader.rest().len()).ok_or(Malformed)?;
        let result_formats = reader.u16()?;
        reader.bytes(usize::from(result_formats) * 2)?;
        reader.end()?;
        Ok(Self { portal, statement, formats, parameter_count, values })
    }

    /// The format of parameter `number`, from 1. `None` where the codes do not fit the parameters, or are unknown.
    pub fn format(&self, number: u16) -> Option<Format> {
        let code = match self.formats {
            [] => [0, 0],
            [one] => *one,
            many if many.len() == usize::from(self.parameter_count) => {
                *many.get(usize::from(number).checked_sub(1)?)?
            }
            _ => return None,
        };
        match u16::from_be_bytes(code) {
            0 => Some(Format::Text),
            1 => Some(Format::Binary),
            _ => None,
        }
    }

    /// The parameters' values in their order; `None` is NULL.
    pub fn values(&self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let mut reader = Reader::new(self.values);
        std::iter::from_fn(move || value(&mut reader).ok())
    }
}

/// One value behind its length; -1 is NULL, less is malformed.
fn value<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    let length = reader.u32()?;
    if length == u32::MAX {
        return Ok(None);
    }
    let length = i32::try_from(length).map_err(|_| Malformed)?;
    reader.bytes(usize::try_from(length).map_err(|_| Malformed)?).map(Some)
}

/// What Describe and Close point at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    Statement(&'a [u8]),
    Portal(&'a [u8]),
}

/// The body of Describe or Close.
pub fn target(body: &[u8]) -> Result<Target<'_>, Malformed> {
    let mut reader = Reader::new(body);
    let kind = reader.byte()?;
    let name = reader.string()?;
    reader.end()?;
    match kind {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        _ => Err(Malformed),
    }
}

/// The portal of an Execute message.
pub fn execute(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(body);
    let portal = reader.string()?;
    reader.u32()?;
    reader.end()?;
    Ok(portal)
}

/// CopyFail's reason; only its form matters.
pub fn copy_fail(body: &[u8]) -> Result<(), Malformed> {
    query(body).map(|_| ())
}

/// SASLInitialResponse: the mechanism, and the first message where there is one.
pub fn sasl_initial(body: &[u8]) -> Result<(&[u8], Option<&[u8]>), Malformed> {
    let mut reader = Reader::new(body);
    let mechanism = reader.string()?;
    let data = value(&mut reader)?;
    reader.end()?;
    Ok((mechanism, data))
}
