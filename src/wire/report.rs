//! An error as PostgreSQL words it, on its way to a client.

use std::borrow::Cow;

use bytes::BytesMut;
use pgwire::messages::Message;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};

/// What an ErrorResponse of ours says. SQLSTATE, message, detail and hint; nothing of where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub sqlstate: Cow<'static, str>,
    pub message: Cow<'static, str>,
    pub detail: Option<Cow<'static, str>>,
    pub hint: Option<Cow<'static, str>>,
    pub position: Option<u32>,
}

/// Whether the connection outlives the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Fatal,
}

impl Report {
    pub fn new(sqlstate: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { sqlstate: sqlstate.into(), message: message.into(), detail: None, hint: None, position: None }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn sqlstate_bytes(&self) -> [u8; 5] {
        self.sqlstate.as_bytes().try_into().unwrap_or(*b"XX000")
    }

    pub fn encode(&self, severity: Severity, out: &mut BytesMut) {
        let word = match severity {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
        };
        let mut fields = vec![(b'S', word.to_owned()), (b'V', word.to_owned())];
        fields.push((b'C', self.sqlstate.clone().into_owned()));
        fields.push((b'M', self.message.clone().into_owned()));
        fields.extend(self.detail.as_ref().map(|text| (b'D', text.clone().into_owned())));
        fields.extend(self.hint.as_ref().map(|text| (b'H', text.clone().into_owned())));
        fields.extend(self.position.map(|position| (b'P', position.to_string())));
        error_response(fields, out);
    }
}

/// An ErrorResponse of these fields.
pub fn error_response(fields: Vec<(u8, String)>, out: &mut BytesMut) {
    append(&ErrorResponse::new(without_nul(fields)), out);
}

pub fn notice_response(fields: Vec<(u8, String)>, out: &mut BytesMut) {
    append(&NoticeResponse::new(without_nul(fields)), out);
}

/// A NUL inside a value would end the field, and what follows it would be read as another.
fn without_nul(mut fields: Vec<(u8, String)>) -> Vec<(u8, String)> {
    for (_, value) in &mut fields {
        if value.contains('\0') {
            *value = value.replace('\0', "?");
        }
    }
    fields
}

/// Encodes a message, or nothing where it is longer than its type may be.
pub(crate) fn append(message: &impl Message, out: &mut BytesMut) {
    let begin = out.len();
    if message.encode(out).is_err() {
        out.truncate(begin);
    }
}
