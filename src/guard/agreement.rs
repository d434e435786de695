//! What the second reader is asked, where it is built in.

use crate::guard::Request;
use crate::guard::decision::{CopyIn, Decision, Facts, GuardedSql};
use crate::guard::rejection::Code;
use crate::guard::walk::{Outcome, Walk};

/// Where two of our own readings disagree, the text may be none that PostgreSQL takes: then its words for that are right.
#[cfg(feature = "second-opinion")]
pub(in crate::guard) fn named_by_the_grammar(request: &Request<'_>, decision: Decision) -> Decision {
    match decision {
        Decision::Reject { rejection, facts } if rejection.code == Code::ReadingsDisagree => {
            let rejection = crate::guard::opinion::syntax_error(request.sql).unwrap_or(rejection);
            Decision::Reject { rejection, facts }
        }
        decision => decision,
    }
}

#[cfg(not(feature = "second-opinion"))]
pub(in crate::guard) fn named_by_the_grammar(_: &Request<'_>, decision: Decision) -> Decision {
    decision
}

#[cfg(feature = "second-opinion")]
pub(in crate::guard) fn second_opinion(
    walk: &Walk<'_>,
    facts: &Facts,
    copy_in: &CopyIn,
    sql: &GuardedSql,
) -> Outcome<()> {
    use crate::guard::opinion::{Meant, agree};
    let meant = Meant {
        ruleset: walk.ruleset,
        private: walk.private,
        identity: walk.request.identity,
        statements: &facts.statements,
        mentions: &walk.mentions,
        copy_in,
        tokens: walk.tokens.len(),
        client: walk.request.sql,
    };
    agree(&meant, sql)
}

#[cfg(not(feature = "second-opinion"))]
pub(in crate::guard) fn second_opinion(_: &Walk<'_>, _: &Facts, _: &CopyIn, _: &GuardedSql) -> Outcome<()> {
    Ok(())
}
