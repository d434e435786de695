//! Refusals inside a conversation: what is sent upstream in place of what was refused, and whose error it then is.

use std::borrow::Cow;
use std::fmt::Write;

use crate::auth::hmac_sha256;
use crate::guard::Rejection;
use crate::wire::backend::Fields;
use crate::wire::report::Report;

/// The mark of one refusal, by which its error is known when it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    identifier: String,
}

/// Makes marks that nobody can guess who does not know the seed.
pub(crate) struct Marks {
    seed: [u8; 16],
    count: u64,
}

impl Marks {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Self { seed, count: 0 }
    }

    pub(crate) fn next(&mut self) -> Mark {
        self.count = self.count.wrapping_add(1);
        let code = hmac_sha256(&self.seed, &[&self.count.to_be_bytes()]);
        // Below the 63 bytes to which PostgreSQL cuts an identifier.
        let mut identifier = "PARTYWALL_REFUSED_".to_owned();
        code.iter().take(16).for_each(|byte| write!(identifier, "{byte:02x}").unwrap_or_default());
        Mark { identifier }
    }
}

impl Mark {
    pub(crate) fn identifier(&self) -> &str {
        &self.identifier
    }
}

/// A request that was replaced by one that fails, and what the client is told in its place.
#[derive(Debug)]
pub(crate) struct Poison {
    pub(crate) form: PoisonForm,
    pub(crate) report: Report,
}

#[derive(Debug)]
pub(crate) enum PoisonForm {
    /// Query or Parse of one identifier.
    Syntax(Mark),
    /// Execute of a portal that does not exist.
    Portal(Mark),
    /// Bind with a format that does not exist.
    Format,
    /// CopyFail.
    Copy(Mark),
}

impl Poison {
    /// Whether an error is the one that the poison was to raise. Any other is the server's own business.
    pub(crate) fn raised(&self, fields: &Fields<'_>) -> bool {
        let (sqlstate, word) = match &self.form {
            PoisonForm::Syntax(mark) => (b"42601", mark.identifier()),
            PoisonForm::Portal(mark) => (b"34000", mark.identifier()),
            PoisonForm::Format => (b"22023", "31354"),
            PoisonForm::Copy(mark) => (b"57014", mark.identifier()),
        };
        fields.value(b'C') == Some(sqlstate)
            && fields.value(b'M').is_some_and(|text| memchr::memmem::find(text, word.as_bytes()).is_some())
    }
}

/// A rejection in the words of an ErrorResponse.
pub(crate) fn report_of(rejection: &Rejection) -> Report {
    Report {
        sqlstate: Cow::Borrowed(rejection.code.sqlstate()),
        message: rejection.message.clone(),
        detail: rejection.detail.clone(),
        hint: hint(rejection),
        position: rejection.position,
    }
}

/// The way out, and where there is more to read.
fn hint(rejection: &Rejection) -> Option<Cow<'static, str>> {
    if !rejection.code.is_of_partywall() {
        return rejection.hint.clone();
    }
    let link = rejection.code.link();
    Some(match &rejection.hint {
        Some(hint) => format!("{hint}\nMore: {link}").into(),
        None => format!("More: {link}").into(),
    })
}
