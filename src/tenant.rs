//! Who is asking: the login, the tenant that it speaks for, and the moment at which it does.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A tenant's identifier, as it stands in the tenant column.
///
/// At most [`TenantId::LENGTH_MAX`] bytes, not empty, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

impl TenantId {
    pub const LENGTH_MAX: usize = 128;

    /// Fails on an empty, overlong or unprintable identifier.
    pub fn parse(text: &str) -> Result<Self, InvalidNameError> {
        check_name("tenant", text, Self::LENGTH_MAX)?;
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The role that a client names at start-up. It exists at Partywall, not at the upstream.
///
/// At most [`LoginName::LENGTH_MAX`] bytes, PostgreSQL's own limit for a role's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoginName(String);

impl LoginName {
    pub const LENGTH_MAX: usize = 63;

    /// Fails on an empty, overlong or unprintable name.
    pub fn parse(text: &str) -> Result<Self, InvalidNameError> {
        check_name("login", text, Self::LENGTH_MAX)?;
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who a session acts for: fixed at login, never taken from SQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    pub login: LoginName,
    /// `None`: only shared tables and session statements are reachable.
    pub tenant: Option<TenantId>,
}

/// Microseconds since 1970-01-01 UTC. Enters as an argument: the core never asks a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub fn microseconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNameError {
    what: &'static str,
    why: &'static str,
}

impl fmt::Display for InvalidNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} name {}", self.what, self.why)
    }
}

impl std::error::Error for InvalidNameError {}

fn check_name(what: &'static str, text: &str, length_max: usize) -> Result<(), InvalidNameError> {
    let why = if text.is_empty() {
        "is empty"
    } else if text.len() > length_max {
        "is too long"
    } else if text.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Ok(());
    };
    Err(InvalidNameError { what, why })
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidNameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_newtype!(TenantId);
text_newtype!(LoginName);
