//! Edits on tokens, and the text that comes of them, proved by reading it again.

use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// What is to change in a text. Every fragment is whole tokens.
#[derive(Debug, Default, Clone)]
pub struct Edits {
    slots: BTreeMap<usize, Slot>,
    replaced_twice: bool,
}

#[derive(Debug, Default, Clone)]
struct Slot {
    before: Vec<String>,
    /// First come stands last.
    after: Vec<String>,
    /// End of the range that the fragment replaces.
    replace: Option<(usize, String)>,
}

impl Edits {
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Of several at one token, the first stands leftmost.
    pub fn insert_before(&mut self, token: usize, fragment: impl Into<String>) {
        self.slots.entry(token).or_default().before.push(fragment.into());
    }

    /// Of several at one token, the first stands rightmost.
    pub fn insert_after(&mut self, token: usize, fragment: impl Into<String>) {
        self.slots.entry(token).or_default().after.push(fragment.into());
    }

    /// An empty fragment deletes. What is inserted at the borders of the range stays; an insertion inside it, and a
    /// second replacement of one token, are errors on emission.
    pub fn replace(&mut self, tokens: Range<usize>, fragment: impl Into<String>) {
        let slot = self.slots.entry(tokens.start).or_default();
        self.replaced_twice |= slot.replace.is_some();
        slot.replace = Some((tokens.end, fragment.into()));
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    pub text: String,
    /// The client's tokens that were kept, in their order.
    pub kept: Vec<Kept>,
}

/// A token of the client's in the emitted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the client's text.
    pub token: u32,
    /// Where it stands in the emitted text: in bytes from 0, and where it begins in characters from 1.
    pub start_byte: u32,
    pub end_byte: u32,
    pub character: u32,
    /// Where it begins in the client's text: in characters from 1.
    pub client_character: u32,
}

/// The edits do not fit the tokens, or the text does not read as it was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmitError {
    pub message: String,
}

impl fmt::Display for EmitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for EmitError {}

fn wrong(message: &str) -> EmitError {
    EmitError { message: message.to_owned() }
}

/// Writes the tokens with the edits in, without comments, and reads the outcome again: it must have the tokens that
/// were meant, no others.
pub fn emit(tokens: &Tokens<'_>, edits: &Edits) -> Result<Emitted, EmitError> {
    let mut writer = Writer::default();
    if edits.replaced_twice {
        return Err(wrong("a token is replaced twice"));
    }
    if edits.slots.keys().next_back().is_some_and(|last| *last >= tokens.len()) {
        return Err(wrong("an edit is outside of the text"));
    }
    let mut i = 0;
    while i < tokens.len() {
        let slot = edits.slots.get(&i);
        writer.fragments(slot.map(|slot| slot.before.as_slice()).unwrap_or_default().iter())?;
        match slot.and_then(|slot| slot.replace.as_ref()) {
            None => writer.original(tokens, i)?,
            Some((end, fragment)) => {
                check_replaced(tokens, edits, i..*end)?;
                writer.fragment(fragment)?;
                i = *end - 1;
            }
        }
        let slot = edits.slots.get(&i);
        writer.fragments(slot.map(|slot| slot.after.as_slice()).unwrap_or_default().iter().rev())?;
        i += 1;
    }
    writer.prove()
}

/// A replaced range lies in the text, and nothing is edited inside it.
fn check_replaced(tokens: &Tokens<'_>, edits: &Edits, range: Range<usize>) -> Result<(), EmitError> {
    if range.is_empty() || range.end > tokens.len() {
        return Err(wrong("a replaced range is outside of the text"));
    }
    let last = range.end - 1;
    let is_clean = edits.slots.range(range.clone()).all(|(at, slot)| {
        (*at == range.start || (slot.before.is_empty() && slot.replace.is_none()))
            && (*at == last || slot.after.is_empty())
    });
    if is_clean { Ok(()) } else { Err(wrong("an edit is inside of a replaced range")) }
}

#[derive(Default)]
struct Writer {
    text: String,
    characters: u32,
    kept: Vec<Kept>,
    /// The tokens that were meant, and the bytes at which they must be read.
    expected: Vec<(TokenKind, Range<usize>)>,
    /// The client's token that was written last, with nothing behind it.
    last: Option<usize>,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.characters += text.chars().count() as u32;
        self.text.push_str(text);
    }

    fn original(&mut self, tokens: &Tokens<'_>, i: usize) -> Result<(), EmitError> {
        let (Some(kind), text) = (tokens.kind(i), tokens.emitted(i)) else {
            return Err(wrong("an edit is outside of the text"));
        };
        // Only what touched in the client's text may touch here.
        let touches = i.checked_sub(1).is_some_and(|before| self.last == Some(before)) && !tokens.is_apart(i);
        if !touches {
            self.separate(&text);
        }
        self.last = Some(i);
        self.kept.push(Kept {
            token: i as u32,
            start_byte: self.text.len() as u32,
            end_byte: (self.text.len() + text.len()) as u32,
            character: self.characters + 1,
            client_character: tokens.position(i),
        });
        self.expected.push((kind, self.text.len()..self.text.len() + text.len()));
        self.push(&text);
        Ok(())
    }

    fn fragments<'f>(&mut self, fragments: impl Iterator<Item = &'f String>) -> Result<(), EmitError> {
        fragments.into_iter().try_for_each(|fragment| self.fragment(fragment))
    }

    fn fragment(&mut self, fragment: &str) -> Result<(), EmitError> {
        let tokens = Tokens::of_fragment(fragment)
            .map_err(|error| wrong(&format!("an inserted fragment is not whole tokens: {error}")))?;
        if tokens.is_empty() {
            return Ok(());
        }
        self.separate(fragment);
        let before = self.text.len();
        self.push(fragment);
        self.last = None;
        for i in 0..tokens.len() {
            if let (Some(kind), Some(bytes)) = (tokens.kind(i), tokens.bytes(i)) {
                self.expected.push((kind, before + bytes.start..before + bytes.end));
            }
        }
        Ok(())
    }

    /// A blank, unless a bracket or comma makes it needless.
    fn separate(&mut self, next: &str) {
        let is_needless =
            self.text.is_empty() || self.text.ends_with(['(', '[']) || next.starts_with([')', ']', ',', ';']);
        if !is_needless {
            self.push(" ");
        }
    }

    fn prove(self) -> Result<Emitted, EmitError> {
        let read = Tokens::of_fragment(&self.text)
            .map_err(|error| wrong(&format!("the edited text does not read: {error}")))?;
        let is_meant = read.len() == self.expected.len()
            && self
                .expected
                .iter()
                .enumerate()
                .all(|(i, (kind, bytes))| read.kind(i) == Some(*kind) && read.bytes(i).as_ref() == Some(bytes));
        if !is_meant {
            return Err(wrong("the edited text does not read as it was meant"));
        }
        Ok(Emitted { text: self.text, kept: self.kept })
    }
}
