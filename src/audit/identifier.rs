//! A log's name: a UUID of version 7 (RFC 9562), time first, so that logs sort; the rest random.

use crate::audit::json;
use crate::tenant::Timestamp;

/// A new name.
pub fn new(now: Timestamp, random: [u8; 10]) -> [u8; 16] {
    let mut bytes = [0; 16];
    let milliseconds = (now.0 / 1_000).to_be_bytes();
    let parts = milliseconds.iter().skip(2).chain(&random);
    bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = *version & 0x0f | 0x70;
    *variant = *variant & 0x3f | 0x80;
    bytes
}

/// As it is written.
pub fn text(bytes: &[u8; 16]) -> String {
    let mut text = Vec::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        json::hex(&mut text, &[*byte]);
    }
    String::from_utf8(text).unwrap_or_default()
}
