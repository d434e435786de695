//! Signed statements of how long a log is and what its root is: C2SP checkpoints, as signed notes with Ed25519.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::audit::tree::Hash;

/// The note format's number for Ed25519.
const ED25519_KIND: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const SEED_BYTES: usize = 32;
/// Longest note that is read. Ours have less than 500 bytes.
const NOTE_BYTES_MAX: usize = 16_384;

/// The secret half: `PRIVATE+KEY+<name>+<id>+<base64>`, one line.
pub struct SigningKey {
    name: String,
    id: [u8; KEY_ID_BYTES],
    pair: Ed25519KeyPair,
}

/// The public half: `<name>+<id>+<base64>`, one line. It can be given to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; KEY_ID_BYTES],
    key: Vec<u8>,
}

/// How long a log was, and its root then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log of whom.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

/// Why a note or key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// It is no key of this form.
    Key,
    /// It is no checkpoint of this form.
    Form,
    /// It has no signature by this key.
    Unsigned,
    /// The signature does not fit the text.
    Signature,
}

impl std::fmt::Display for NoteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key => "not a key for signed notes",
            Self::Form => "not a checkpoint",
            Self::Unsigned => "not signed by this key",
            Self::Signature => "the signature does not fit",
        })
    }
}

fn key_id(name: &str, key: &[u8]) -> [u8; KEY_ID_BYTES] {
    let text = [name.as_bytes(), b"\n", &[ED25519_KIND], key].concat();
    let hash = digest(&SHA256, &text);
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

fn hex(id: [u8; KEY_ID_BYTES]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// No blanks, and no `+`, which parts a key's halves.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '+')
}

impl SigningKey {
    /// `None`: no name, or one with a blank or a plus.
    pub fn generate(name: &str, seed: &[u8; SEED_BYTES]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok().filter(|_| is_name(name))?;
        let id = key_id(name, pair.public_key().as_ref());
        Some(Self { name: name.to_owned(), id, pair })
    }

    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let text = text.trim().strip_prefix("PRIVATE+KEY+").ok_or(NoteError::Key)?;
        let (name, id, bytes) = halves(text)?;
        let seed: [u8; SEED_BYTES] = bytes.try_into().map_err(|_| NoteError::Key)?;
        let key = Self::generate(name, &seed).ok_or(NoteError::Key)?;
        if hex(key.id) == id { Ok(key) } else { Err(NoteError::Key) }
    }

    /// As it is kept in a file. The seed is the secret.
    pub fn text(&self, seed: &[u8; SEED_BYTES]) -> String {
        let bytes = [&[ED25519_KIND], seed.as_slice()].concat();
        format!("PRIVATE+KEY+{}+{}+{}\n", self.name, hex(self.id), BASE64.encode(bytes))
    }

    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey { name: self.name.clone(), id: self.id, key: self.pair.public_key().as_ref().to_vec() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The checkpoint as a signed note.
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.text();
        let signature = [&self.id, self.pair.sign(text.as_bytes()).as_ref()].concat();
        format!("{text}\n\u{2014} {} {}\n", self.name, BASE64.encode(signature))
    }
}

/// `<name>+<id>+<base64>`: name, id, and the bytes behind the kind of the key.
fn halves(text: &str) -> Result<(&str, &str, Vec<u8>), NoteError> {
    let (name, rest) = text.split_once('+').ok_or(NoteError::Key)?;
    let (id, encoded) = rest.split_once('+').ok_or(NoteError::Key)?;
    let bytes = BASE64.decode(encoded).map_err(|_| NoteError::Key)?;
    match bytes.split_first() {
        Some((&ED25519_KIND, key)) if is_name(name) => Ok((name, id, key.to_vec())),
        _ => Err(NoteError::Key),
    }
}

impl VerifyingKey {
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = halves(text.trim())?;
        let made = Self { name: name.to_owned(), id: key_id(name, &key), key };
        if hex(made.id) == id && made.key.len() == 32 { Ok(made) } else { Err(NoteError::Key) }
    }

    pub fn text(&self) -> String {
        let bytes = [&[ED25519_KIND], self.key.as_slice()].concat();
        format!("{}+{}+{}", self.name, hex(self.id), BASE64.encode(bytes))
    }

    /// The checkpoint that a note says, if this key has signed it.
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let (text, signatures) = parts(note)?;
        let mut ours = signatures.lines().filter_map(|line| {
            let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let bytes = BASE64.decode(encoded).ok()?;
            let (id, signature) = bytes.split_first_chunk::<KEY_ID_BYTES>()?;
            (name == self.name && *id == self.id).then(|| signature.to_vec())
        });
        let signature = ours.next().ok_or(NoteError::Unsigned)?;
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        key.verify(text.as_bytes(), &signature).map_err(|_| NoteError::Signature)?;
        Checkpoint::parse(text)
    }
}

/// A note's text with its last newline, and its signatures.
fn parts(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > NOTE_BYTES_MAX || !note.ends_with('\n') {
        return Err(NoteError::Form);
    }
    let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
    match (note.get(..=at), note.get(at + 2..)) {
        (Some(text), Some(signatures)) => Ok((text, signatures)),
        _ => Err(NoteError::Form),
    }
}

impl Checkpoint {
    /// What a note says, whoever has signed it.
    pub fn read_unverified(note: &str) -> Result<Self, NoteError> {
        Self::parse(parts(note)?.0)
    }

    fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Form);
        };
        let root = BASE64.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(NoteError::Form)?;
        let size: u64 = size.parse().map_err(|_| NoteError::Form)?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }
}

#[cfg(test)]
mod tests {
    use super::{Checkpoint, NoteError, SigningKey, VerifyingKey};

    /// The example in the documentation of Go's `golang.org/x/mod/sumdb/note`, made by other code than ours.
    const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

    #[test]
    fn keys_are_those_of_signed_notes() {
        let key = SigningKey::parse(SECRET).unwrap();
        assert_eq!(key.verifying_key().text(), PUBLIC);
        assert_eq!(VerifyingKey::parse(PUBLIC).unwrap(), key.verifying_key());
        for spoilt in ["", "a+b", &PUBLIC.replace("c74f", "c74e"), &PUBLIC.replace("+AR", "+AA"), SECRET] {
            assert_eq!(VerifyingKey::parse(spoilt).err(), Some(NoteError::Key), "{spoilt}");
        }
        assert!(SigningKey::generate("a name", &[1; 32]).is_none() && SigningKey::generate("a+b", &[1; 32]).is_none());
    }

    #[test]
    fn a_checkpoint_is_read_back_and_any_change_is_seen() {
        let key = SigningKey::generate("example.com/prod", &[7; 32]).unwrap();
        let checkpoint = Checkpoint { origin: "example.com/prod/log".to_owned(), size: 42, root: [9; 32] };
        let note = key.sign(&checkpoint);
        assert_eq!(key.verifying_key().open(&note), Ok(checkpoint.clone()));
        assert_eq!(Checkpoint::read_unverified(&note), Ok(checkpoint));
        let other = SigningKey::generate("example.com/prod", &[8; 32]).unwrap().verifying_key();
        assert_eq!(other.open(&note), Err(NoteError::Unsigned));
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(spoilt) = String::from_utf8(bytes) {
                assert!(key.verifying_key().open(&spoilt).is_err(), "{at}: {spoilt}");
            }
        }
    }
}
