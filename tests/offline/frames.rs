//! Messages as bytes, for tests: written and read independently of the code under test.

use std::fmt::Write;

/// A message with a type byte.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn body(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(crate) fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', &body(&[sql.as_bytes(), b"\0"]))
}

pub(crate) fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let mut bytes = body(&[name.as_bytes(), b"\0", sql.as_bytes(), b"\0"]);
    bytes.extend(u16::try_from(types.len()).unwrap().to_be_bytes());
    types.iter().for_each(|oid| bytes.extend(oid.to_be_bytes()));
    frame(b'P', &bytes)
}

/// A Bind with these format codes and values, and no result formats.
pub(crate) fn bind(portal: &str, statement: &str, formats: &[u16], values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut bytes = body(&[portal.as_bytes(), b"\0", statement.as_bytes(), b"\0"]);
    bytes.extend(u16::try_from(formats.len()).unwrap().to_be_bytes());
    formats.iter().for_each(|code| bytes.extend(code.to_be_bytes()));
    bytes.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        match value {
            None => bytes.extend((-1i32).to_be_bytes()),
            Some(value) => {
                bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                bytes.extend(*value);
            }
        }
    }
    bytes.extend(0u16.to_be_bytes());
    frame(b'B', &bytes)
}

pub(crate) fn describe(kind: u8, name: &str) -> Vec<u8> {
    frame(b'D', &body(&[&[kind], name.as_bytes(), b"\0"]))
}

pub(crate) fn close(kind: u8, name: &str) -> Vec<u8> {
    frame(b'C', &body(&[&[kind], name.as_bytes(), b"\0"]))
}

pub(crate) fn execute(portal: &str) -> Vec<u8> {
    frame(b'E', &body(&[portal.as_bytes(), b"\0\0\0\0\0"]))
}

pub(crate) fn sync() -> Vec<u8> {
    frame(b'S', b"")
}

pub(crate) fn flush() -> Vec<u8> {
    frame(b'H', b"")
}

pub(crate) fn ready(status: u8) -> Vec<u8> {
    frame(b'Z', &[status])
}

pub(crate) fn complete(tag: &str) -> Vec<u8> {
    frame(b'C', &body(&[tag.as_bytes(), b"\0"]))
}

pub(crate) fn row(text: &str) -> Vec<u8> {
    let mut bytes = vec![0, 1];
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
    frame(b'D', &bytes)
}

pub(crate) fn error(sqlstate: &str, message: &str) -> Vec<u8> {
    error_fields(&[('S', "ERROR"), ('V', "ERROR"), ('C', sqlstate), ('M', message), ('F', "scan.l"), ('R', "yyerror")])
}

pub(crate) fn error_fields(fields: &[(char, &str)]) -> Vec<u8> {
    report(b'E', fields)
}

pub(crate) fn notice(fields: &[(char, &str)]) -> Vec<u8> {
    report(b'N', fields)
}

fn report(kind: u8, fields: &[(char, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, value) in fields {
        bytes.push(u8::try_from(*code).unwrap());
        bytes.extend(value.as_bytes());
        bytes.push(0);
    }
    bytes.push(0);
    frame(kind, &bytes)
}

/// Cuts whole messages; panics on anything else.
pub(crate) fn cut(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        assert!(length >= 4 && bytes.len() > length, "not a whole message: {bytes:?}");
        frames.push((bytes[0], bytes[5..=length].to_vec()));
        bytes = &bytes[1 + length..];
    }
    frames
}

/// A server's messages in short: the type, and for some of them what they say.
pub(crate) fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (kind, body) in cut(bytes) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push(char::from(kind));
        match kind {
            b'E' | b'N' => write!(text, "({})", fields(&body)).unwrap(),
            b'Z' => write!(text, "({})", char::from(body[0])).unwrap(),
            b'C' | b'Q' => {
                write!(text, "({})", String::from_utf8_lossy(body.split(|byte| *byte == 0).next().unwrap())).unwrap()
            }
            _ => {}
        }
    }
    text
}

fn fields(body: &[u8]) -> String {
    body.split(|byte| *byte == 0)
        .filter(|field| !field.is_empty() && !b"SV".contains(&field[0]))
        .map(String::from_utf8_lossy)
        .collect::<Vec<_>>()
        .join(",")
}
