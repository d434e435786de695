//! The outcome of a decision: forward exactly this text, or refuse; and what was learnt on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::QualifiedName;
use crate::guard::acting::ActingEffect;
use crate::guard::naming::{Naming, Positioned};
use crate::guard::private::TemporaryEffect;
use crate::guard::rejection::Rejection;
use crate::guard::template::Template;
use crate::policy::SensitiveClass;

/// What is to happen with one text of SQL (one Query or Parse message, of one or several statements).
#[derive(Debug)]
pub enum Decision {
    Forward(Forward),
    Reject { rejection: Rejection, facts: Facts },
}

impl Decision {
    pub fn facts(&self) -> &Facts {
        match self {
            Self::Forward(forward) => &forward.facts,
            Self::Reject { facts, .. } => facts,
        }
    }
}

/// A text that may run, and what has to be watched while it does.
#[derive(Debug)]
pub struct Forward {
    pub sql: GuardedSql,
    pub facts: Arc<Facts>,
    /// Values that the bound parameters must have. Checked by the session at Bind.
    pub parameter_checks: Vec<ParameterCheck>,
    /// What becomes of the data that a `COPY … FROM STDIN` in the text reads.
    pub copy_in: CopyIn,
    /// The same for texts that differ in their literals alone; `None` where it depends on more, or came from one itself.
    pub template: Option<Arc<Template>>,
}

/// What the session does to the rows of a `COPY … FROM STDIN`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CopyIn {
    /// The client's bytes go on as they are.
    #[default]
    Unchanged,
    /// Each row gets the tenant. Only for a text of one statement.
    Tenant(Box<CopyTenant>),
}

/// The tenant column in the rows of a `COPY … FROM STDIN`, as the statement that is sent has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyTenant {
    pub source: TenantSource,
    pub form: CopyForm,
    /// Columns that the server reads, the tenant's among them.
    pub columns: u16,
    /// Where among them the tenant's stands, from 0.
    pub place: u16,
    /// The value, as a field of that form.
    pub field: Vec<u8>,
    /// The value, to be compared with what the client supplies.
    pub value: TenantValue,
    /// The column's name, for errors.
    pub column: String,
}

/// Where the tenant's value in a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantSource {
    /// The client leaves the column out: it is added behind the others.
    Added,
    /// The client's rows hold it, and each must be the tenant.
    Supplied,
}

/// How COPY's data is written. Delimiters and quotes are one ASCII byte each, that has no other meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyForm {
    Text {
        delimiter: u8,
        /// What stands for NULL.
        null: Vec<u8>,
        header: Header,
    },
    Csv {
        delimiter: u8,
        quote: u8,
        escape: u8,
        null: Vec<u8>,
        header: Header,
        end_mark: EndMark,
    },
    Binary,
}

/// The line before the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    Absent,
    /// What the added column is called in it, as a field.
    Present(Vec<u8>),
}

/// What `\.` alone on a line is in CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndMark {
    EndsData,
    /// From PostgreSQL 18 on.
    IsData,
}

/// SQL that the guard has decided may run, as it must run. Nothing else may go upstream.
///
/// INVARIANT: only `crate::guard` can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedSql {
    text: String,
    /// Where the client's tokens begin, in characters from 1: (in `text`, in the client's text), ascending.
    positions: Vec<(u32, u32)>,
}

impl GuardedSql {
    pub(in crate::guard) fn new(text: String, positions: Vec<(u32, u32)>) -> Self {
        Self { text, positions }
    }

    /// As the guarding of another text than the client's own: positions in that are mapped on to the client's.
    pub(in crate::guard) fn through(self, client_position: &dyn Fn(u32) -> Option<u32>) -> Self {
        let positions = self.positions.into_iter().filter_map(|(at, here)| Some((at, client_position(here)?)));
        Self { text: self.text, positions: positions.collect() }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The character in the client's text, from 1, that a server's error position points at.
    ///
    /// `None` where the position lies in text that the guard has put in.
    pub fn client_position(&self, position: u32) -> Option<u32> {
        let at = self.positions.binary_search_by_key(&position, |pair| pair.0).ok()?;
        self.positions.get(at).map(|pair| pair.1)
    }
}

/// What a text does, as far as the guard could see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub statements: Vec<StatementFacts>,
    /// The text with its literals replaced by `$n`; empty where the text could not be cut into tokens.
    pub normalized: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementFacts {
    /// The command tag's words: `SELECT`, `INSERT`, `COPY`.
    pub command: &'static str,
    pub class: StatementClass,
    pub objects: Vec<ObjectAccess>,
    pub naming: Naming,
    pub temporary: TemporaryEffect,
    pub acting: ActingEffect,
    /// The cursor whose row it changes.
    pub positioned: Option<Positioned>,
    /// A view is read whose rows come past the lenses: no row of such a cursor may be changed through it.
    pub reads_views: bool,
    /// It calls a function of the database's own, which may do more than its class says.
    pub calls_own_functions: bool,
}

impl StatementFacts {
    /// A query or a change of rows: nothing that the session would have to follow while it runs.
    pub fn is_plain(&self) -> bool {
        self.naming == Naming::Nothing && matches!(self.class, StatementClass::Read | StatementClass::Write)
    }
}

/// What a session has to know of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementClass {
    Read,
    Write,
    /// `COPY … FROM STDIN`: the server will ask for data.
    CopyIn,
    CopyOut,
    /// BEGIN, COMMIT, SAVEPOINT, …
    Transaction,
    /// SET, SHOW, RESET.
    Setting,
    /// `DISCARD ALL`, `DEALLOCATE ALL`: prepared statements and portals are gone after it.
    Discard,
    /// Nothing but blanks and comments.
    Empty,
}

/// One relation that a statement reaches, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAccess {
    pub relation: QualifiedName,
    pub lens: LensKind,
    pub access: BTreeSet<Access>,
    pub columns: BTreeSet<String>,
    pub sensitive: BTreeMap<String, SensitiveClass>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Read,
    Insert,
    Update,
    Delete,
}

impl Access {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// How a relation is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LensKind {
    Scoped,
    Shared,
    /// The session's own.
    Private,
    View,
    Catalog,
}

impl LensKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scoped => "scoped",
            Self::Shared => "shared",
            Self::Private => "private",
            Self::View => "view",
            Self::Catalog => "catalog",
        }
    }
}

/// A parameter whose bound value must be the tenant's identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterCheck {
    /// From 1, as in `$1`.
    pub parameter: u16,
    pub value: TenantValue,
    /// The column that it goes into, for the error's text.
    pub column: String,
}

/// A tenant's identifier in the type of its column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TenantValue {
    Text(String),
    Integer(i64),
    Uuid([u8; 16]),
}
