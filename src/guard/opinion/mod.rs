//! The second reader: PostgreSQL's own grammar reads what is to be sent, and must find in it what the guard meant.
//!
//! The guard and `verify` read with one parser; what that parser misreads, both would. Here the statements, relations,
//! calls, operators and types are those of the grammar that the server has. Every node is listed: one that is not is a
//! disagreement, so that a new kind of statement is refused until it has been taught (ARCHITECTURE.md says how).

mod change;
mod expression;
mod lens;
mod merge;
mod query;
mod session;
mod temporary;

use std::collections::BTreeMap;

use pg_query::NodeEnum;
use pg_query::protobuf::{DeclareCursorStmt, ExecuteStmt, ExplainStmt, Node, PrepareStmt, RawStmt};

use crate::catalog::QualifiedName;
use crate::guard::decision::{Access, CopyIn, GuardedSql, StatementFacts};
use crate::guard::naming::Positioned;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{RelationRule, Ruleset};
use crate::guard::walk::Outcome;
use crate::tenant::Identity;

/// How often each relation stands in a text, by what is done to it there.
pub(in crate::guard) type Mentions = BTreeMap<(QualifiedName, Access), usize>;

/// What the guard believes of the text that it has written.
pub(in crate::guard) struct Meant<'m> {
    pub(in crate::guard) ruleset: &'m Ruleset,
    /// The session's temporary tables.
    pub(in crate::guard) private: &'m BTreeMap<String, RelationRule>,
    pub(in crate::guard) identity: &'m Identity,
    pub(in crate::guard) statements: &'m [StatementFacts],
    pub(in crate::guard) mentions: &'m Mentions,
    /// What the session does to the rows of a COPY FROM.
    pub(in crate::guard) copy_in: &'m CopyIn,
    /// How many tokens the text had before the guard's were put in.
    pub(in crate::guard) tokens: usize,
    /// The client's own text.
    pub(in crate::guard) client: &'m str,
}

/// The tree is decoded, walked and dropped by recursion, and each token can be a level of it.
const STACK_BYTES_A_TOKEN: usize = if cfg!(debug_assertions) { 32 * 1024 } else { 8 * 1024 };
const STACK_BYTES_MIN: usize = 512 * 1024;
const STACK_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Fails where PostgreSQL's grammar reads something else in the text than was meant.
pub(in crate::guard) fn agree(meant: &Meant<'_>, sql: &GuardedSql) -> Outcome<()> {
    let needed = (STACK_BYTES_MIN + meant.tokens * STACK_BYTES_A_TOKEN).min(STACK_BYTES_MAX);
    stacker::maybe_grow(needed, needed, || compare(meant, sql))
}

fn compare(meant: &Meant<'_>, sql: &GuardedSql) -> Outcome<()> {
    // Lenses of PostgreSQL's own relations have been found in it to the letter; what they hold is no client's.
    let text = meant.ruleset.system().without_places(sql.as_str())?;
    let read = pg_query::parse(&text, 0).map_err(|error| unread(meant.client, &error.to_string()))?;
    let said: Vec<&StatementFacts> = meant.statements.iter().filter(|facts| !facts.command.is_empty()).collect();
    if said.len() != read.protobuf.stmts.len() {
        return Err(disagree("another number of statements"));
    }
    let mut reader = Reader::new(meant);
    reader.reads_catalog = meant.ruleset.system().shows_structure() && text != sql.as_str();
    for (statement, facts) in read.protobuf.stmts.iter().zip(said) {
        reader.statement(statement, facts)?;
    }
    if reader.mentions != *meant.mentions { Err(disagree("other relations")) } else { Ok(()) }
}

/// One pass over the statements of a text.
struct Reader<'t, 'm> {
    ruleset: &'m Ruleset,
    private: &'m BTreeMap<String, RelationRule>,
    identity: &'m Identity,
    copy_in: &'m CopyIn,
    /// The cursor on whose row the statement at hand is said to stand.
    positioned: Option<&'m Positioned>,
    /// Names of common table expressions in scope, innermost last.
    ctes: Vec<&'t str>,
    mentions: Mentions,
    /// The text holds a lens of the catalogue.
    reads_catalog: bool,
}

impl<'t, 'm> Reader<'t, 'm> {
    fn new(meant: &Meant<'m>) -> Self {
        Self {
            ruleset: meant.ruleset,
            private: meant.private,
            identity: meant.identity,
            copy_in: meant.copy_in,
            positioned: None,
            ctes: Vec::new(),
            mentions: Mentions::new(),
            reads_catalog: false,
        }
    }

    fn statement(&mut self, statement: &'t RawStmt, facts: &'m StatementFacts) -> Outcome<()> {
        let RawStmt { stmt: Some(node), stmt_location: _, stmt_len: _ } = statement else {
            return Err(disagree("an empty statement"));
        };
        self.positioned = facts.positioned.as_ref();
        let tag = match node.node.as_ref() {
            Some(NodeEnum::SelectStmt(_)) => "SELECT",
            Some(NodeEnum::InsertStmt(_)) => "INSERT",
            Some(NodeEnum::UpdateStmt(_)) => "UPDATE",
            Some(NodeEnum::DeleteStmt(_)) => "DELETE",
            Some(NodeEnum::MergeStmt(_)) => "MERGE",
            Some(other) => self.command(other)?,
            None => return Err(disagree("an empty statement")),
        };
        if facts.command != tag {
            return Err(disagree("a statement of another kind"));
        }
        match node.node.as_ref() {
            Some(
                NodeEnum::SelectStmt(_)
                | NodeEnum::InsertStmt(_)
                | NodeEnum::UpdateStmt(_)
                | NodeEnum::DeleteStmt(_)
                | NodeEnum::MergeStmt(_),
            ) => self.query_or_change(node),
            // It was read above.
            _ => Ok(()),
        }
    }

    /// A statement that is no query and no change by itself; gives the words of its tag.
    fn command(&mut self, statement: &'t NodeEnum) -> Outcome<&'static str> {
        match statement {
            NodeEnum::CopyStmt(copy) => {
                self.copy(copy)?;
                Ok("COPY")
            }
            NodeEnum::PrepareStmt(prepare) => {
                let PrepareStmt { name: _, argtypes, query: Some(query) } = prepare.as_ref() else {
                    return Err(disagree("PREPARE of nothing"));
                };
                self.all(argtypes)?;
                self.query_or_change(query)?;
                Ok("PREPARE")
            }
            NodeEnum::ExecuteStmt(ExecuteStmt { name: _, params }) => {
                self.all(params)?;
                Ok("EXECUTE")
            }
            NodeEnum::DeclareCursorStmt(declare) => {
                let DeclareCursorStmt { portalname: _, options: _, query: Some(query) } = declare.as_ref() else {
                    return Err(disagree("a cursor of nothing"));
                };
                self.query_or_change(query)?;
                Ok("DECLARE CURSOR")
            }
            NodeEnum::ExplainStmt(explain) => {
                let ExplainStmt { query: Some(query), options: _ } = explain.as_ref() else {
                    return Err(disagree("EXPLAIN of nothing"));
                };
                match query.node.as_ref() {
                    Some(inner @ (NodeEnum::ExecuteStmt(_) | NodeEnum::DeclareCursorStmt(_))) => {
                        self.command(inner)?;
                    }
                    _ => self.query_or_change(query)?,
                }
                Ok("EXPLAIN")
            }
            NodeEnum::FetchStmt(fetch) => Ok(if fetch.ismove { "MOVE" } else { "FETCH" }),
            other => self.temporary(other),
        }
    }

    /// What can stand in parentheses, in WITH, or as a statement of its own.
    fn query_or_change(&mut self, node: &'t Node) -> Outcome<()> {
        match node.node.as_ref() {
            Some(NodeEnum::SelectStmt(select)) => self.select(select),
            Some(NodeEnum::InsertStmt(insert)) => self.insert(insert),
            Some(NodeEnum::UpdateStmt(update)) => self.update(update),
            Some(NodeEnum::DeleteStmt(delete)) => self.delete(delete),
            Some(NodeEnum::MergeStmt(merge)) => self.merge(merge),
            _ => Err(disagree("a statement of another kind")),
        }
    }

    fn mention(&mut self, name: QualifiedName, access: Access) {
        *self.mentions.entry((name, access)).or_default() += 1;
    }
}

/// The text of a `String` node.
fn text(node: &Node) -> Option<&str> {
    match node.node.as_ref() {
        Some(NodeEnum::String(string)) => Some(&string.sval),
        _ => None,
    }
}

/// The parts of a name, or none if something else stands among them.
fn parts(nodes: &[Node]) -> Option<Vec<&str>> {
    nodes.iter().map(text).collect()
}

fn disagree(found: &str) -> Rejection {
    Rejection::new(Code::ReadingsDisagree, "the statement could not be guarded safely")
        .detail(format!("PostgreSQL's grammar finds in it {found}."))
        .hint("This is a fault of Partywall; please report the statement.")
}

/// The grammar refuses the text. That is the client's own error if it refuses the client's text, and else ours.
fn unread(client: &str, error: &str) -> Rejection {
    const TOO_DEEP: &[&str] = &["stack depth limit exceeded", "nested too deeply"];
    if TOO_DEEP.iter().any(|words| error.contains(words)) {
        return Rejection::new(Code::StatementTooLarge, "stack depth limit exceeded")
            .hint("Split the statement, or nest it less.");
    }
    syntax_error(client).unwrap_or_else(|| disagree("a syntax error"))
}

/// What PostgreSQL's grammar says against a text, if anything.
pub(in crate::guard) fn syntax_error(text: &str) -> Option<Rejection> {
    // It is read and not handed over: the stack that is left is enough.
    match pg_query::split_with_parser(text) {
        Err(pg_query::Error::Split(message)) => Some(Rejection::new(Code::NotParsed, message)),
        _ => None,
    }
}
