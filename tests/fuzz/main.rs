//! Fuzzing in the process: mutants of the corpora, each put to one property. `make fuzz` runs it for `FUZZ_MINUTES`;
//! without it every property sees the corpora and a few hundred mutants of a fixed seed, as `make test` does, for some
//! seconds at most.
//!
//! A find is written to `tests/fuzz/finds`, and tried first from then on.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../offline/sql/corpus.rs"]
mod corpus;
mod grow;
mod long;
#[path = "../offline/sql/mutate.rs"]
mod mutate;
#[path = "../offline/sql/oracle.rs"]
mod oracle;
mod run;
mod worlds;

use std::collections::BTreeSet;

use partywall::guard::Code;
use partywall::guard::Decision;
use partywall::sql;

use crate::run::Find;
use crate::run::fuzz;
use crate::run::fuzz_on_large_stack;
use crate::worlds::World;

/// Our scanner cuts a text as PostgreSQL's does, or refuses it.
#[test]
fn tokens_are_postgresqls() {
    fuzz_on_large_stack("tokens", |input| oracle::lexer_difference(&input.sql).map_or(Ok("same"), Err));
}

/// Our parser finds the relations, calls and columns that PostgreSQL's grammar finds, or refuses.
#[test]
fn trees_are_postgresqls() {
    fuzz_on_large_stack("trees", |input| {
        oracle::parser_difference(&input.sql).map(|was| if was { "same" } else { "refused" })
    });
}

/// Every text is decided: no panic, in bounded time, with words for a refusal, and never with two readings that differ.
#[test]
fn every_text_is_decided() {
    fuzz("decide", |input| {
        let world = World::of(input);
        match world.decide(&input.sql) {
            Decision::Forward(_) => Ok("forwarded"),
            // What a function of the name `conflict` is taken for, which nobody has.
            Decision::Reject { rejection, .. }
                if rejection.message == "the clauses of the statement are not clear"
                    && input.sql.to_lowercase().contains("conflict") =>
            {
                Ok("not clear")
            }
            Decision::Reject { rejection, .. } if rejection.code == Code::ReadingsDisagree => {
                Err(format!("readings disagree: {} {:?}", rejection.message, rejection.detail))
            }
            Decision::Reject { rejection, .. } if rejection.message.trim().is_empty() => {
                Err("a refusal without words".to_owned())
            }
            Decision::Reject { rejection, .. } => {
                let said = format!("{rejection:?}").to_lowercase();
                // Another tenant's name is in a message only where the client's text has it.
                let leaks = said.contains("globex") && !input.sql.to_lowercase().contains("globex");
                if leaks { Err(format!("a refusal that names another tenant: {said}")) } else { Ok("refused") }
            }
        }
    });
}

/// However long a text is, or deep: its decision takes about as long as its reading.
#[test]
fn long_texts_are_decided_soon() {
    run::each_in_time(long::all(), |input| World::of(input).decide(&input.sql));
}

/// What is sent, decided again as if all tables were open to the client, is left as it is.
#[test]
fn what_is_sent_is_a_fixed_point() {
    fuzz("fixed point", |input| {
        let world = World::of(input);
        let Decision::Forward(first) = world.decide(&input.sql) else { return Ok("refused") };
        match world.decide_as_owner(first.sql.as_str()) {
            Decision::Forward(second) if worlds::tokens(second.sql.as_str()) == worlds::tokens(first.sql.as_str()) => {
                Ok("same")
            }
            // A condition that is kept from the planner's statistics is hidden once more.
            Decision::Forward(second) if cases(second.sql.as_str()) > cases(first.sql.as_str()) => Ok("hidden again"),
            // The catalogue shows everybody only a part of itself.
            Decision::Forward(_) if first.sql.as_str().contains(" FROM pg_catalog.") => Ok("the catalogue"),
            Decision::Forward(second) => Err(format!("{}\nbecame\n{}", first.sql.as_str(), second.sql.as_str())),
            // Of shared tables a little less may be done: their rows are not locked.
            Decision::Reject { .. } => Ok("refused the second time"),
        }
    });
}

fn cases(text: &str) -> usize {
    worlds::tokens(text).iter().filter(|token| **token == "CASE").count()
}

/// By a walk of the crate's own, not ours: the tables of what is sent are those of the record, whatever
/// place they stand in.
#[test]
fn what_is_sent_reaches_what_is_recorded() {
    fuzz_on_large_stack("reach", |input| {
        let world = World::of(input);
        let Decision::Forward(forward) = world.decide(&input.sql) else { return Ok("refused") };
        let text = forward.sql.as_str();
        let read = pg_query::parse(text, 0).map_err(|error| format!("{error} in {text}"))?;
        let objects = forward.facts.statements.iter().flat_map(|statement| &statement.objects);
        let recorded: BTreeSet<String> =
            objects.map(|object| format!("{}.{}", object.relation.schema, object.relation.name)).collect();
        // What is the session's own is in no record of shared data.
        let is_own = |table: &str| ["pg_catalog.", "pg_temp."].iter().any(|schema| table.starts_with(schema));
        let strange =
            read.tables.iter().find(|(table, _)| table.contains('.') && !is_own(table) && !recorded.contains(table));
        match strange {
            Some((table, _)) => Err(format!("{table} is not in the record {recorded:?} of {text}")),
            None => Ok("same"),
        }
    });
}

/// A decision's template, filled with other literals, is what would have been decided.
#[test]
fn templates_are_decisions() {
    fuzz("templates", |input| {
        let world = World::of(input);
        let Decision::Forward(forward) = world.decide(&input.sql) else { return Ok("refused") };
        let Some(template) = &forward.template else { return Ok("none") };
        let other = grow::other_literals(input.seed, &input.sql);
        let Ok(text) = sql::cut(&other, &input.limits) else { return Ok("no tokens") };
        if text.shape() != *template.shape() {
            return Ok("another shape");
        }
        let Some(Decision::Forward(answer)) = template.answer(&text) else { return Ok("the long way") };
        match world.decide(&other) {
            Decision::Forward(decided) if decided.sql == answer.sql && decided.facts == answer.facts => Ok("same"),
            decided => Err(format!("{other}\nis answered with\n{}\nbut is decided\n{decided:?}", answer.sql.as_str())),
        }
    });
}

/// Finds of old, which all the properties see first, hold their form.
#[test]
fn finds_can_be_read() {
    for find in Find::all() {
        assert!(!find.sql.is_empty(), "{}", find.path.display());
    }
}
