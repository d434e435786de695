//! Every reason to say no: a stable code, an SQLSTATE, and words for the person who reads them.

use std::borrow::Cow;

/// A refusal. Not an error of ours: a normal outcome, with what was refused, why, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: Code,
    pub message: Cow<'static, str>,
    pub detail: Option<Cow<'static, str>>,
    pub hint: Option<Cow<'static, str>>,
    /// The character in the client's text, from 1.
    pub position: Option<u32>,
}

impl Rejection {
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), detail: None, hint: None, position: None }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn at(mut self, position: Option<u32>) -> Self {
        self.position = position;
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $sqlstate:literal;)*) => {
        /// The reasons. Stable: audit records, metrics and scripts name them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// In kebab-case, as `explain`, audit records and metrics print it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            pub fn sqlstate(self) -> &'static str {
                match self { $(Self::$variant => $sqlstate,)* }
            }
        }
    };
}

codes! {
    /// The text cannot be cut into PostgreSQL's tokens.
    InvalidToken = "invalid-token", "42601";
    /// The statement is not understood, by PostgreSQL's grammar or by ours.
    NotParsed = "not-parsed", "42601";
    /// A statement of a kind that is not let through.
    StatementNotAllowed = "statement-not-allowed", "0A000";
    /// A clause or form inside an allowed statement that is not let through.
    FeatureNotAllowed = "feature-not-allowed", "0A000";
    /// More bytes, tokens, nesting or operators than the limits allow.
    StatementTooLarge = "statement-too-large", "54000";
    /// A relation that is not in the catalogue or not for clients. Worded as PostgreSQL words a missing one.
    RelationUnknown = "relation-unknown", "42P01";
    /// A type, function, schema or the like, in a string that is read as its name, that is not there or not for clients.
    NameUnknown = "name-unknown", "42704";
    /// A relation that exists but that the policy does not let be written.
    RelationReadOnly = "relation-read-only", "42501";
    /// A column that does not exist, or a system column.
    ColumnUnknown = "column-unknown", "42703";
    /// A function that is not on the list.
    FunctionNotAllowed = "function-not-allowed", "42501";
    /// An operator that could be another than PostgreSQL's own.
    OperatorNotAllowed = "operator-not-allowed", "42501";
    /// A type that is not on the list.
    TypeNotAllowed = "type-not-allowed", "42501";
    /// A setting that a client may not touch, or a value that it may not have.
    SettingNotAllowed = "setting-not-allowed", "42501";
    /// A write that would give a row to another tenant, or that could.
    TenantMismatch = "tenant-mismatch", "42501";
    /// A conflict target through which another tenant's row could be met.
    ConflictTarget = "conflict-target", "42501";
    /// A key through which the client could learn that a value exists elsewhere.
    KeyOracle = "key-oracle", "42501";
    /// The login has no tenant, and the statement needs one.
    NoTenant = "no-tenant", "42501";
    /// What the statement does could not be recorded durably, as the tenant's rules demand.
    AuditUnavailable = "audit-unavailable", "58030";
    /// Our own two readings of the statement differ.
    ReadingsDisagree = "readings-disagree", "XX000";
}
