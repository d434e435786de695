//! Messages that Partywall writes itself: to clients through pgwire's types, to the upstream by hand.

use bytes::{BufMut, Bytes, BytesMut};
use pgwire::messages::copy::CopyInResponse;
use pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey};

use crate::wire::backend::{CopyFormat, Status};
use crate::wire::report::append;

pub fn authentication_ok(out: &mut BytesMut) {
    append(&Authentication::Ok, out);
}

pub fn authentication_sasl(mechanisms: &[&str], out: &mut BytesMut) {
    append(&Authentication::SASL(mechanisms.iter().map(|name| (*name).to_owned()).collect()), out);
}

pub fn authentication_sasl_continue(data: &str, out: &mut BytesMut) {
    append(&Authentication::SASLContinue(Bytes::copy_from_slice(data.as_bytes())), out);
}

pub fn authentication_sasl_final(data: &str, out: &mut BytesMut) {
    append(&Authentication::SASLFinal(Bytes::copy_from_slice(data.as_bytes())), out);
}

pub fn parameter_status(name: &str, value: &str, out: &mut BytesMut) {
    append(&ParameterStatus::new(name.to_owned(), value.to_owned()), out);
}

/// `secret` has 4 bytes for protocol 3.0, and up to 256 for 3.2.
pub fn backend_key_data(process_id: u32, secret: &[u8], out: &mut BytesMut) {
    let secret_key = SecretKey::Bytes(Bytes::copy_from_slice(secret));
    append(&BackendKeyData::new(process_id.cast_signed(), secret_key), out);
}

/// PostgreSQL 18's form: the whole version number, not only the minor one.
pub fn negotiate_protocol_version(minor: u16, options: Vec<String>, out: &mut BytesMut) {
    append(&NegotiateProtocolVersion::new((3 << 16) | i32::from(minor), options), out);
}

pub fn ready_for_query(status: Status, out: &mut BytesMut) {
    let status = match status {
        Status::Idle => TransactionStatus::Idle,
        Status::Transaction => TransactionStatus::Transaction,
        Status::Failed => TransactionStatus::Error,
    };
    append(&ReadyForQuery::new(status), out);
}

pub fn copy_in_response(format: CopyFormat, columns: u16, out: &mut BytesMut) {
    let code = match format {
        CopyFormat::Text => 0,
        CopyFormat::Binary => 1,
    };
    append(&CopyInResponse::new(code, columns.cast_signed(), vec![i16::from(code); usize::from(columns)]), out);
}

/// A message to the upstream: its type, and a body that `write` appends.
pub fn frontend(kind: u8, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    let at = out.len();
    out.put_u32(0);
    write(out);
    // A body is bounded by what a client may send and the guard may write, far below 4 GiB.
    let length = u32::try_from(out.len().saturating_sub(at)).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(at..at.saturating_add(4)) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

pub fn put_string(text: &[u8], out: &mut BytesMut) {
    out.put_slice(text);
    out.put_u8(0);
}
