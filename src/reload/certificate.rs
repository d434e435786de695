//! When a certificate file expires.

use x509_parser::pem::Pem;

/// The earliest end of validity among the certificates of a PEM text, in Unix time.
pub(super) fn not_after(text: &str) -> Option<i64> {
    let blocks = Pem::iter_from_buffer(text.as_bytes()).filter_map(Result::ok);
    let ends = blocks.filter_map(|block| Some(block.parse_x509().ok()?.validity().not_after.timestamp()));
    ends.min()
}
