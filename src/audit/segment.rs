//! The spool's bytes: a segment is a header and frames, each frame one record with its number and a checksum.

use crate::audit::tree::{Frontier, HASH_BYTES};
use crate::tenant::Timestamp;

/// Bytes of a frame beside its payload.
pub const FRAME_HEAD_BYTES: usize = 16;
/// No record is longer. Whatever claims to be is not a frame.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"PWAUDIT1";
const HEADER_FIXED_BYTES: usize = 8 + 4 + 4 + 16 + 8 + 8 + 8 + 8;

/// No header is longer.
pub const HEADER_BYTES_MAX: usize = HEADER_FIXED_BYTES + 64 * HASH_BYTES;

/// What stands at the beginning of a segment. With the tree before its first record, it can be continued and checked
/// without those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub log: [u8; 16],
    pub number: u64,
    /// The number of its first record.
    pub first_seq: u64,
    pub created: Timestamp,
    pub tree: Frontier,
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(HEADER_FIXED_BYTES);
        body.extend_from_slice(&self.log);
        for number in [self.number, self.first_seq, self.created.0, self.tree.size()] {
            body.extend_from_slice(&number.to_le_bytes());
        }
        self.tree.hashes().for_each(|hash| body.extend_from_slice(hash));
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&length(body.len()));
        bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The header, and where the frames begin. `None`: there is no whole header.
    pub fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut reader = Reader(bytes.strip_prefix(MAGIC)?);
        let length = reader.u32()? as usize;
        let checksum = reader.u32()?;
        let body = reader.0.get(..length)?;
        if crc32c::crc32c(body) != checksum {
            return None;
        }
        let mut reader = Reader(body);
        let log = reader.array()?;
        let (number, first_seq, created) = (reader.u64()?, reader.u64()?, Timestamp(reader.u64()?));
        let size = reader.u64()?;
        let hashes = reader.0.chunks_exact(HASH_BYTES).filter_map(|hash| hash.try_into().ok());
        let tree = Frontier::from_parts(size, hashes.collect())?;
        Some((Self { log, number, first_seq, created, tree }, MAGIC.len() + 8 + length))
    }
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// Appends a frame. The payload must not be empty: a length of zero ends a segment.
pub fn put_frame(out: &mut Vec<u8>, seq: u64, payload: &[u8]) {
    out.extend_from_slice(&length(payload.len()));
    out.extend_from_slice(&checksum(seq, payload).to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(seq: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&seq.to_le_bytes()), payload)
}

/// What stands at one place of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    Frame {
        seq: u64,
        payload: &'a [u8],
    },
    /// Nothing, or zeros only.
    End,
    /// No frame that is whole.
    Broken,
}

/// Looks at the place where `bytes` begin.
pub fn frame(bytes: &[u8]) -> Found<'_> {
    match whole_frame(bytes) {
        Some((seq, payload)) => Found::Frame { seq, payload },
        None if bytes.iter().all(|byte| *byte == 0) => Found::End,
        None => Found::Broken,
    }
}

fn whole_frame(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut reader = Reader(bytes);
    let length = reader.u32()? as usize;
    let expected = reader.u32()?;
    let seq = reader.u64()?;
    if length == 0 || length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let payload = reader.0.get(..length)?;
    (checksum(seq, payload) == expected).then_some((seq, payload))
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    Whole,
    /// Something that no frame follows: the last write did not get through.
    Torn,
    /// Something that frames follow: not from a write of ours.
    Corrupt,
}

/// The valid beginning of a segment's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    pub next_seq: u64,
    /// Bytes of the frames that are whole and in order.
    pub bytes: usize,
    pub tail: Tail,
}

/// Walks over the frames behind a header, as far as they are whole and in order.
pub fn scan<'a>(frames: &'a [u8], first_seq: u64, mut visit: impl FnMut(u64, &'a [u8])) -> Scan {
    let mut next_seq = first_seq;
    let mut at = 0;
    loop {
        let rest = frames.get(at..).unwrap_or_default();
        let tail = match frame(rest) {
            Found::Frame { seq, payload } if seq == next_seq => {
                visit(seq, payload);
                at += FRAME_HEAD_BYTES + payload.len();
                next_seq += 1;
                continue;
            }
            // A frame, and not the next: what was between is gone.
            Found::Frame { .. } => Tail::Corrupt,
            Found::End => Tail::Whole,
            Found::Broken if frame_follows(rest, next_seq) => Tail::Corrupt,
            Found::Broken => Tail::Torn,
        };
        return Scan { next_seq, bytes: at, tail };
    }
}

/// Whether a whole frame of a later record stands anywhere behind a broken one.
fn frame_follows(bytes: &[u8], broken_seq: u64) -> bool {
    next_frame(bytes, broken_seq).is_some()
}

/// Where the next whole frame of a record after `broken_seq` begins.
pub fn next_frame(bytes: &[u8], broken_seq: u64) -> Option<usize> {
    let seq_max = broken_seq.saturating_add((bytes.len() / FRAME_HEAD_BYTES) as u64);
    (1..bytes.len()).find(|at| {
        let rest = bytes.get(*at..).unwrap_or_default();
        // The number first: it is cheap, and hardly ever right by chance.
        let seq = rest.get(8..FRAME_HEAD_BYTES).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        seq.is_some_and(|seq| seq > broken_seq && seq <= seq_max) && whole_frame(rest).is_some()
    })
}
