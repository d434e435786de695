//! The proof that one record is part of a log, as one text (C2SP tlog-proof): the record, its place, hashes, a checkpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::audit::checkpoint::{Checkpoint, NoteError, VerifyingKey};
use crate::audit::tree::{self, Hash};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// More than any tree needs.
const HASHES_MAX: usize = 64;

/// A record and why it is part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The record's line, without its newline.
    pub line: Vec<u8>,
    /// Its place in the log, from 0.
    pub index: u64,
    pub hashes: Vec<Hash>,
    /// The signed checkpoint of a log that has it.
    pub note: String,
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    Form,
    Note(NoteError),
    /// The record is not in the log that was signed, or not at this place.
    Record,
}

impl std::fmt::Display for ProofError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Form => f.write_str("not a proof of this form"),
            Self::Note(error) => write!(f, "the checkpoint in it is not good: {error}"),
            Self::Record => f.write_str("the record is not part of the log that was signed"),
        }
    }
}

impl Proof {
    pub fn text(&self) -> String {
        let hashes: String = self.hashes.iter().map(|hash| format!("{}\n", BASE64.encode(hash))).collect();
        let extra = BASE64.encode(&self.line);
        format!("{FIRST_LINE}\nextra {extra}\nindex {}\n{hashes}\n{}", self.index, self.note)
    }

    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Form)?;
        let mut lines = head.lines();
        let field = |line: Option<&str>, name: &str| line?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        let first = lines.next();
        let extra = field(lines.next(), "extra");
        let index = field(lines.next(), "index").and_then(|index| index.parse().ok());
        let decode = |line: &str| BASE64.decode(line).ok();
        let hashes: Option<Vec<Hash>> =
            lines.map(|line| decode(line).and_then(|hash| hash.try_into().ok())).take(HASHES_MAX + 1).collect();
        match (first, extra.and_then(|extra| decode(&extra)), index, hashes) {
            (Some(FIRST_LINE), Some(line), Some(index), Some(hashes)) if hashes.len() <= HASHES_MAX => {
                Ok(Self { line, index, hashes, note: note.to_owned() })
            }
            _ => Err(ProofError::Form),
        }
    }

    /// The checkpoint of the log that has the record, if it has.
    pub fn check(&self, key: &VerifyingKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = key.open(&self.note).map_err(ProofError::Note)?;
        let leaf = tree::leaf(&self.line);
        if tree::verify_inclusion(leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(ProofError::Record)
        }
    }
}
