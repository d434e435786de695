//! Everything that `partywall demo` needs, and the live tests with it: a throw-away PostgreSQL, its certificates, its data.

pub mod agency;
pub mod certificates;
pub mod client;
pub mod postgres;
pub mod proxy_process;
pub mod stand;

pub(crate) mod terminal;
pub(crate) mod tour;

mod cluster;
mod guide;
mod installation;
mod watchdog;

use std::fmt;

/// What went wrong, as a sentence for the person at the terminal.
#[derive(Debug)]
pub struct DemoError(String);

impl DemoError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// For `map_err`: what was tried, and why it failed.
    pub(crate) fn because<E: fmt::Display>(what: &str) -> impl FnOnce(E) -> Self {
        move |cause| Self(format!("{what}: {cause}"))
    }
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DemoError {}

/// Random text of `length` letters and digits that are hard to confuse when read aloud.
pub fn random_word(length: usize) -> Result<String, DemoError> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = vec![0_u8; length];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| DemoError::new("the system gives no random bytes"))?;
    Ok(bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32))).map(|byte| char::from(*byte)).collect())
}
