//! A second look at statements about temporary tables as they go out: nothing but the session's own schema.

use std::ops::Range;

use crate::guard::private;
use crate::guard::ruleset::Ruleset;
use crate::guard::verify::{disagree, verify_tree};
use crate::guard::walk::Outcome;
use crate::sql::{TableSource, TemporaryStatement, Tokens};
use crate::tenant::TenantId;

/// Every name is one of the session's own schema; a query is one like any other.
pub(in crate::guard) fn verify_temporary(
    ruleset: &Ruleset,
    tenant: Option<&TenantId>,
    tokens: &Tokens<'_>,
    statement: &TemporaryStatement,
) -> Outcome<()> {
    let names = match statement {
        TemporaryStatement::Create(create) => {
            if let TableSource::Query(tree) = &create.source {
                verify_tree(ruleset, tenant, tokens, tree)?;
            }
            std::slice::from_ref(&create.name)
        }
        TemporaryStatement::Drop { names, .. } | TemporaryStatement::Truncate { names } => names,
        TemporaryStatement::CreateIndex { table: name, .. } | TemporaryStatement::Analyze { name } => {
            std::slice::from_ref(name)
        }
    };
    if names.iter().all(|name| is_private(tokens, name)) { Ok(()) } else { Err(disagree("a table of another schema")) }
}

pub(in crate::guard) fn is_private(tokens: &Tokens<'_>, name: &Range<usize>) -> bool {
    name.len() == 3 && tokens.identifier(name.start).as_deref() == Some(private::SCHEMA)
}
