//! The decision: SQL text in, guarded SQL or a refusal out. No socket, clock, file or global.

mod acting;
mod aggregate;
mod agreement;
mod arbiter;
mod calls;
mod array;
mod change;
mod claims;
mod clock;
mod column;
mod computed;
mod condition;
mod conflict;
mod copy;
mod copy_form;
mod cte_names;
mod decision;
mod entries;
mod expand;
mod explain;
mod expression;
mod extension_entries;
mod extensions;
mod family;
mod field;
mod fit;
mod foreign;
mod form;
mod from;
mod function;
mod grade;
mod group;
mod insert;
mod join;
mod key;
mod kind;
mod lock;
mod literal;
mod manual;
mod merge;
mod naming;
#[cfg(feature = "second-opinion")]
mod opinion;
mod operators;
mod own_types;
mod prepared;
mod private;
mod query;
mod reg;
mod rejection;
mod relation;
mod render;
mod rows;
mod ruleset;
mod scope;
mod setting;
mod shown;
mod star;
mod statement;
mod system;
mod tail;
mod template;
mod temporary;
mod tenant_column;
mod total;
mod types;
mod verify;
mod verify_copy;
mod verify_execute;
mod verify_temporary;
mod view;
mod walk;
mod window;

pub use acting::{ActingEffect, Assigned, TENANT_SETTING, USER_SETTING};
pub use claims::{Claim, Sample, claims};
pub use decision::{
    Access, CopyForm, CopyIn, CopyTenant, Decision, EndMark, Facts, Forward, GuardedSql, Header, LensKind,
    ObjectAccess, ParameterCheck, StatementClass, StatementFacts, TenantSource, TenantValue,
};
pub use grade::{Grade, Standing, Surveyed, Target, grade, survey};
pub use naming::{Argument, Hold, Naming, Positioned};
pub use private::{PrivateRelations, TemporaryEffect};
pub use rejection::{Code, Rejection};
pub use render::{render_json, render_text};
pub use ruleset::{Diagnostic, Ruleset};
pub use statement::decide;
pub use template::Template;

use crate::tenant::Identity;

pub use crate::sql::{SettingScope, TextLimits};

/// What is asked of the guard.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub identity: &'a Identity,
    /// Valid UTF-8 without NUL.
    pub sql: &'a str,
    pub protocol: Protocol,
    /// The parameter types that a Parse message declares, as OIDs; 0 or absent: left to the server.
    pub parameter_types: &'a [u32],
    pub limits: &'a TextLimits,
    /// The session's temporary tables.
    pub private: &'a PrivateRelations,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A Query message: several statements, no parameters.
    Simple,
    /// A Parse message: one statement.
    Extended,
}
