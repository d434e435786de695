//! One text, statement by statement: one arm a kind; what is not listed is refused.

use std::sync::Arc;

use sqlparser::ast::{Query, SetExpr, Statement as Tree};

use crate::guard::acting::{self, ActingEffect};
use crate::guard::agreement::{named_by_the_grammar, second_opinion};
use crate::guard::decision::{CopyIn, Decision, Facts, Forward, GuardedSql, StatementClass, StatementFacts};
use crate::guard::expand::{self, Expanded};
use crate::guard::from::not_allowed;
use crate::guard::naming::Naming;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::Ruleset;
use crate::guard::template::template;
use crate::guard::verify::verify;
use crate::guard::walk::{Outcome, Walk};
use crate::guard::{Protocol, Request, private, setting};
use crate::sql::clauses::ConflictTokens;
use crate::sql::{
    Body, CopyDirection, CreateTemporary, Emitted, ReadError, ReadErrorKind, Script, Statement, TableSource,
    TemporaryStatement, TokenKind, Tokens, normalize, with_script,
};

/// Decides one text of SQL for one identity.
pub fn decide(ruleset: &Ruleset, request: &Request<'_>) -> Decision {
    let round = |request: &Request<'_>| {
        with_script(request.sql, request.limits, |read| match read {
            Ok(script) => decide_script(ruleset, request, script),
            Err(error) => Round::refused(read_error(error), Facts::default()),
        })
    };
    let mut expanded = match round(request) {
        Round::Decided(decision) => return named_by_the_grammar(request, decision),
        Round::Expanded(expanded) => expanded,
    };
    let limits = expand::limits(request.limits);
    for _ in 1..expand::ROUNDS_MAX {
        match round(&Request { sql: &expanded.text, limits: &limits, ..*request }) {
            Round::Decided(decision) => return expanded.decided(decision),
            Round::Expanded(next) => expanded = expanded.then(next),
        }
    }
    expanded.decided(Decision::Reject { rejection: expand::too_large(), facts: Facts::default() })
}

/// What comes of reading a text once.
enum Round {
    Decided(Decision),
    /// The text that is to be decided instead.
    Expanded(Expanded),
}

impl Round {
    fn refused(rejection: Rejection, facts: Facts) -> Self {
        Self::Decided(Decision::Reject { rejection, facts })
    }
}

fn decide_script(ruleset: &Ruleset, request: &Request<'_>, script: &Script<'_>) -> Round {
    let mut facts = Facts { statements: Vec::new(), normalized: normalize(&script.tokens) };
    let private = private::rules(request.private, script);
    let mut walk = Walk::new(ruleset, request, &script.tokens, &private);
    let outcome = several(request, script)
        .and_then(|()| parameter_types(ruleset, request))
        .and_then(|()| operators(ruleset, script))
        .and_then(|()| statements(&mut walk, script, &mut facts));
    if walk.has_substitutions() {
        // What else was decided, a refusal too, holds only once the views are in their places.
        return match Expanded::of(&walk, facts) {
            Ok(expanded) => Round::Expanded(expanded),
            Err(rejection) => Round::refused(rejection, Facts::default()),
        };
    }
    match outcome.and_then(|copy_in| Ok((emitted(&walk, &facts, &copy_in)?, copy_in))) {
        Ok(((emitted, sql), copy_in)) => {
            let facts = Arc::new(facts);
            let template = template(&walk, script, &emitted, &copy_in, &facts).map(Arc::new);
            let parameter_checks = walk.checks;
            Round::Decided(Decision::Forward(Forward { sql, facts, parameter_checks, copy_in, template }))
        }
        Err(rejection) => Round::refused(rejection, facts),
    }
}

/// PostgreSQL's own refusal of several statements in a Parse message.
fn several(request: &Request<'_>, script: &Script<'_>) -> Outcome<()> {
    let count = script.statements.iter().filter(|statement| !matches!(statement.body, Body::Empty)).count();
    if request.protocol == Protocol::Extended && count > 1 {
        return Err(Rejection::new(Code::NotParsed, "cannot insert multiple commands into a prepared statement"));
    }
    Ok(())
}

/// `regclass` and its like, `aclitem`, arrays of them, and rows of PostgreSQL's own relations that hold some: their input
/// looks a name up in the catalogue, hidden ones too.
const NAMING_TYPES: &[u32] = &[
    24, 1008, 2202, 2203, 2204, 2205, 2206, 2207, 2208, 2209, 2210, 2211, 3734, 3735, 3769, 3770, 4089, 4090, 4096,
    4097, 4191, 4192, 1033, 1034, 71, 81, 210, 272,
];

/// Where the server gives numbers to the rows of its own relations, and where those of the database begin.
const UNPINNED: std::ops::Range<u32> = 10_000..16_384;

fn parameter_types(ruleset: &Ruleset, request: &Request<'_>) -> Outcome<()> {
    let looks_up = |oid: &u32| {
        NAMING_TYPES.contains(oid) || UNPINNED.contains(oid) || (*oid >= UNPINNED.end && ruleset.own_types.holds_reg())
    };
    match request.parameter_types.iter().position(looks_up) {
        None => Ok(()),
        Some(at) => {
            let message = format!("the declared type of parameter ${} is not allowed", at + 1);
            Err(Rejection::new(Code::TypeNotAllowed, message)
                .detail("Its input function looks names up in the catalogue.")
                .hint("Declare it as text, or leave its type to the server."))
        }
    }
}

/// Operators that somebody has defined anew could be meant by any use of the symbol.
pub(in crate::guard) fn operators(ruleset: &Ruleset, script: &Script<'_>) -> Outcome<()> {
    let tokens = &script.tokens;
    for at in 0..tokens.len() {
        if let Some(symbol) = meant_by_word(tokens, at).iter().find(|symbol| ruleset.operator_is_redefined(symbol)) {
            let word = tokens.text(at).to_ascii_uppercase();
            return Err(Rejection::new(Code::OperatorNotAllowed, format!("{word} is not allowed here"))
                .detail(format!("It stands for operator {symbol}, of which the database defines one of its own."))
                .hint(format!("Write OPERATOR(pg_catalog.{symbol})."))
                .at(Some(tokens.position(at))));
        }
        if tokens.kind(at) != Some(TokenKind::Operator) {
            continue;
        }
        let symbol = tokens.text(at);
        // `OPERATOR(schema.symbol)`
        let qualified = at >= 2 && tokens.kind(at - 1) == Some(TokenKind::Dot);
        let refused = if qualified {
            let schema = tokens.identifier(at - 2).unwrap_or_default();
            schema != "pg_catalog" && !ruleset.operators.is_of_extension(&schema, symbol)
        } else {
            ruleset.operator_is_redefined(symbol)
        };
        if refused && !(symbol == "*" && tokens.kind(at - 1) == Some(TokenKind::Dot)) {
            return Err(Rejection::new(Code::OperatorNotAllowed, format!("operator {symbol} is not allowed"))
                .detail("The database defines an operator of that name which could be meant.")
                .hint(format!("Write OPERATOR(pg_catalog.{symbol}) if PostgreSQL's own is meant."))
                .at(Some(tokens.position(at))));
        }
    }
    Ok(())
}

/// Operators that the grammar looks up by their bare symbol for a word.
fn meant_by_word(tokens: &Tokens<'_>, at: usize) -> &'static [&'static str] {
    let Some(TokenKind::Word) = tokens.kind(at) else { return &[] };
    if tokens.keyword(at).is_none()
        || at.checked_sub(1).is_some_and(|before| tokens.kind(before) == Some(TokenKind::Dot))
    {
        return &[];
    }
    let is = |word: &str| tokens.is_word(at, word);
    match () {
        () if is("in") && tokens.kind(at + 1) == Some(TokenKind::LeftParen) => &["=", "<>"],
        () if is("between") => &["<", "<=", ">=", ">"],
        () if is("like") => &["~~", "!~~"],
        () if is("ilike") => &["~~*", "!~~*"],
        () if is("similar") => &["~", "!~"],
        () if is("nullif") || (is("case") && !tokens.is_word(at + 1, "when")) => &["="],
        () if is("distinct") && tokens.is_word(at + 1, "from") => &["="],
        () => &[],
    }
}

fn statements(walk: &mut Walk<'_>, script: &Script<'_>, facts: &mut Facts) -> Outcome<CopyIn> {
    let mut copy_in = CopyIn::Unchanged;
    if script.statements.iter().any(|statement| matches!(statement.body, Body::Session(_))) {
        walk.quote_user_setting();
    }
    for statement in &script.statements {
        walk.begin_statement();
        // What was reached is recorded even where it is then refused.
        let outcome = one(walk, statement);
        let (class, naming, acting) = match &outcome {
            Ok(found) => (found.class, found.naming.clone(), found.acting.clone()),
            Err(_) => (refused_class(statement), Naming::Nothing, ActingEffect::None),
        };
        facts.statements.push(StatementFacts {
            command: command(statement),
            class,
            objects: std::mem::take(&mut walk.objects).into_values().collect(),
            naming,
            temporary: std::mem::take(&mut walk.temporary_effect),
            positioned: walk.positioned.take(),
            reads_views: walk.reads_views,
            calls_own_functions: walk.calls_own_functions,
            acting,
        });
        let copied = outcome?.copy_in;
        if copied != CopyIn::Unchanged {
            if script.statements.len() > 1 {
                return Err(not_allowed("COPY FROM beside other statements"));
            }
            copy_in = copied;
        }
    }
    Ok(copy_in)
}

/// What a statement is.
struct Found {
    class: StatementClass,
    naming: Naming,
    acting: ActingEffect,
    copy_in: CopyIn,
}

fn one(walk: &mut Walk<'_>, statement: &Statement) -> Outcome<Found> {
    let (mut naming, mut acting) = (Naming::Nothing, ActingEffect::None);
    let class = match &statement.body {
        Body::Empty => StatementClass::Empty,
        Body::Copy(copy) => {
            let (class, copy_in) = walk.copy(copy)?;
            return Ok(Found { class, naming, acting, copy_in });
        }
        Body::Session(session) => {
            naming = Naming::of_session(session);
            acting = acting::effect(&walk.ruleset.acting, walk.request.identity, session)?;
            setting::session_statement(walk, session)?
        }
        Body::Prepare(prepare) => {
            naming = walk.prepare(prepare)?;
            StatementClass::Setting
        }
        // What it executes is found by its name.
        Body::Execute(execute) => {
            naming = walk.execute(execute)?;
            StatementClass::Read
        }
        Body::Declare(declare) => {
            naming = walk.declare(declare)?;
            StatementClass::Read
        }
        Body::Explain(explain) => {
            let (class, named) = walk.explain(explain)?;
            naming = named;
            class
        }
        Body::Temporary(statement, words) => walk.temporary(statement, words)?,
        Body::Tree(tree) => {
            walk.tree(tree)?;
            if walk.writes { StatementClass::Write } else { StatementClass::Read }
        }
        Body::Other(words) => {
            return Err(other_refused(words));
        }
    };
    Ok(Found { class, naming, acting, copy_in: CopyIn::Unchanged })
}

pub(in crate::guard) fn other_refused(words: &str) -> Rejection {
    Rejection::new(Code::StatementNotAllowed, format!("{words} is not allowed"))
        .detail("Only queries, changes of rows, COPY, transactions and harmless settings pass through Partywall.")
        .hint(instead(words))
}

/// What to do instead of a statement that is not let through.
fn instead(words: &str) -> &'static str {
    match words.split(' ').next().unwrap_or_default() {
        "PREPARE" => "Use COMMIT.",
        "EXPLAIN" => "Explain the query itself.",
        "TRUNCATE" => "Use DELETE.",
        "CALL" | "DO" => "Call a function that the policy lists.",
        "LOCK" => "Use SELECT … FOR UPDATE on the rows concerned.",
        _ => "Connect to the database itself, as its owner, for changes of the schema and for administration.",
    }
}

impl Walk<'_> {
    pub(in crate::guard) fn tree(&mut self, tree: &Tree) -> Outcome<()> {
        self.tree_of_statement(tree)?;
        self.hoist_sets(tree)
    }

    fn tree_of_statement(&mut self, tree: &Tree) -> Outcome<()> {
        match tree {
            Tree::Query(query) => self.query(query).map(drop),
            Tree::Insert(insert) => self.insert(insert).map(drop),
            Tree::Update(update) => self.update(update).map(drop),
            Tree::Delete(delete) => self.delete(delete).map(drop),
            Tree::Merge(merge) => self.merge(merge).map(drop),
            _ => Err(Rejection::new(Code::StatementNotAllowed, "this statement is not allowed")),
        }
    }
}

/// What a refused statement would have been, for the record.
fn refused_class(statement: &Statement) -> StatementClass {
    match &statement.body {
        Body::Empty => StatementClass::Empty,
        Body::Copy(copy) if copy.direction == CopyDirection::FromStdin => StatementClass::CopyIn,
        Body::Copy(_) => StatementClass::CopyOut,
        Body::Session(_) | Body::Prepare(_) | Body::Temporary(..) | Body::Other(_) => StatementClass::Setting,
        Body::Execute(_) | Body::Declare(_) | Body::Explain(_) => StatementClass::Read,
        Body::Tree(tree) => match tree.as_ref() {
            Tree::Query(_) => StatementClass::Read,
            _ => StatementClass::Write,
        },
    }
}

/// The words of the command tag.
fn command(statement: &Statement) -> &'static str {
    match &statement.body {
        Body::Empty => "",
        Body::Copy(_) => "COPY",
        Body::Session(session) => setting::command(session),
        Body::Tree(tree) => match tree.as_ref() {
            Tree::Query(query) => query_command(query),
            Tree::Insert(_) => "INSERT",
            Tree::Update(_) => "UPDATE",
            Tree::Delete(_) => "DELETE",
            Tree::Merge(_) => "MERGE",
            _ => "OTHER",
        },
        Body::Prepare(_) => "PREPARE",
        Body::Execute(_) => "EXECUTE",
        Body::Declare(_) => "DECLARE CURSOR",
        Body::Explain(_) => "EXPLAIN",
        Body::Temporary(statement, _) => match statement.as_ref() {
            TemporaryStatement::Create(CreateTemporary { source: TableSource::Query(_), .. }) => "SELECT",
            TemporaryStatement::Create(_) => "CREATE TABLE",
            TemporaryStatement::Drop { .. } => "DROP TABLE",
            TemporaryStatement::Truncate { .. } => "TRUNCATE TABLE",
            TemporaryStatement::CreateIndex { .. } => "CREATE INDEX",
            TemporaryStatement::Analyze { .. } => "ANALYZE",
        },
        Body::Other(_) => "OTHER",
    }
}

fn emitted(walk: &Walk<'_>, facts: &Facts, copy_in: &CopyIn) -> Outcome<(Emitted, GuardedSql)> {
    let conflicts = (0..walk.tokens.len()).filter(|at| ConflictTokens::read(walk.tokens, *at).is_some()).count();
    if conflicts != walk.conflicts_read {
        return Err(Rejection::new(Code::ReadingsDisagree, "the target of ON CONFLICT is not clear"));
    }
    let emitted = walk.emit().map_err(|error| {
        Rejection::new(Code::ReadingsDisagree, "the statement could not be written safely").detail(error.to_string())
    })?;
    let positions = emitted.kept.iter().map(|kept| (kept.character, kept.client_character)).collect();
    let sql = GuardedSql::new(emitted.text.clone(), positions);
    // What our own parser would find in a second look, PostgreSQL's grammar finds too. Tests ask both.
    if cfg!(any(not(feature = "second-opinion"), debug_assertions)) {
        verify(walk.ruleset, walk.request.identity.tenant.as_ref(), &sql, copy_in)?;
    }
    second_opinion(walk, facts, copy_in, &sql)?;
    Ok((emitted, sql))
}

/// `WITH … UPDATE` is a query to the parser, and an UPDATE to the server.
fn query_command(query: &Query) -> &'static str {
    match query.body.as_ref() {
        SetExpr::Insert(_) => "INSERT",
        SetExpr::Update(_) => "UPDATE",
        SetExpr::Delete(_) => "DELETE",
        SetExpr::Merge(_) => "MERGE",
        SetExpr::Query(inner) => query_command(inner),
        _ => "SELECT",
    }
}

pub(in crate::guard) fn read_error(error: ReadError) -> Rejection {
    let code = match error.kind {
        ReadErrorKind::Token => Code::InvalidToken,
        ReadErrorKind::Grammar | ReadErrorKind::Forbidden => Code::NotParsed,
        ReadErrorKind::TooLarge => Code::StatementTooLarge,
    };
    Rejection::new(code, error.message).at(error.position)
}
