//! A second look at EXECUTE as it goes out: each argument is an expression like any other.

use crate::guard::ruleset::Ruleset;
use crate::guard::verify::verify_tree;
use crate::guard::walk::Outcome;
use crate::sql::{ExecuteStatement, Tokens};
use crate::tenant::TenantId;

pub(in crate::guard) fn verify_execute(
    ruleset: &Ruleset,
    tenant: Option<&TenantId>,
    tokens: &Tokens<'_>,
    execute: &ExecuteStatement,
) -> Outcome<()> {
    execute.arguments.iter().try_for_each(|tree| verify_tree(ruleset, tenant, tokens, tree))
}
