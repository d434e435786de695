//! The target of ON CONFLICT, read on its tokens: which keys it can act on, and that looking for them reads nothing else.
//!
//! Its expressions and its condition are compared with those of indexes. PostgreSQL resolves their names and computes
//! what is constant in them, so every function, type and name is looked at, though no row is.

use std::collections::BTreeSet;
use std::ops::Range;

use sqlparser::ast::ConflictTarget;

use crate::catalog::{Key, KeyKind};
use crate::guard::from::not_allowed;
use crate::guard::function::{is_grammar_form, listed};
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{RelationRule, TenantColumn};
use crate::guard::types::is_built_in;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::clauses::{self, ConflictTokens};
use crate::sql::{KeywordCategory, TokenKind};

/// What ON CONFLICT names.
pub(in crate::guard) enum Arbiter {
    Any,
    Constraint(String),
    Columns { named: BTreeSet<String>, has_expressions: bool },
}

/// Reserved words that stand in conditions. No other does: neither a query nor a clause.
const CONDITION_WORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "in",
    "is",
    "null",
    "true",
    "false",
    "like",
    "ilike",
    "similar",
    "to",
    "between",
    "symmetric",
    "case",
    "when",
    "then",
    "else",
    "end",
    "collate",
    "array",
    "any",
    "all",
    "isnull",
    "notnull",
    "distinct",
    "from",
    "current_date",
    "current_timestamp",
    "localtimestamp",
    "asc",
    "desc",
];

/// Words of the grammar's own types.
const TYPE_WORDS: &[&str] = &[
    "int",
    "integer",
    "smallint",
    "bigint",
    "boolean",
    "real",
    "double",
    "precision",
    "decimal",
    "dec",
    "numeric",
    "character",
    "varying",
    "char",
    "varchar",
    "timestamp",
    "time",
    "date",
    "interval",
];

impl Walk<'_> {
    /// Where the target stands, each of its tokens accounted for.
    pub(in crate::guard) fn conflict_tokens(
        &mut self,
        rule: &RelationRule,
        target: Option<&ConflictTarget>,
        name_end: usize,
    ) -> Outcome<Arbiter> {
        match (target, ConflictTokens::of_insert(self.tokens, name_end)) {
            (Some(ConflictTarget::OnConstraint(name)), None) => {
                let parts = self.name_parts(name)?;
                parts.last().cloned().map(Arbiter::Constraint).ok_or_else(disagree)
            }
            (None, None) => Ok(Arbiter::Any),
            (None, Some(ConflictTokens { elements, condition })) => {
                self.conflicts_read += 1;
                let mut named = BTreeSet::new();
                let mut has_expressions = false;
                for element in clauses::split_at_commas(self.tokens, elements) {
                    let is_name = !matches!(
                        self.tokens.kind(element.start + 1).filter(|_| element.len() > 1),
                        Some(TokenKind::LeftParen | TokenKind::Dot)
                    );
                    match self.tokens.identifier(element.start).filter(|_| is_name) {
                        Some(name) => {
                            self.is_operator_class(element.start + 1..element.end)?;
                            named.insert(name);
                        }
                        None => {
                            has_expressions = true;
                            self.compared(rule, element)?;
                        }
                    }
                }
                if let Some(condition) = condition {
                    self.compared(rule, condition)?;
                }
                Ok(Arbiter::Columns { named, has_expressions })
            }
            _ => Err(disagree()),
        }
    }

    /// `COLLATE name` and the name of an operator class behind a column: they are looked up, and nothing else.
    fn is_operator_class(&self, tokens: Range<usize>) -> Outcome<()> {
        let is_name = |at: usize| match self.tokens.kind(at) {
            Some(TokenKind::QuotedIdentifier | TokenKind::Dot) => true,
            Some(TokenKind::Word) => {
                self.tokens.is_word(at, "collate") || self.tokens.keyword(at) != Some(KeywordCategory::Reserved)
            }
            _ => false,
        };
        if tokens.clone().all(is_name) { Ok(()) } else { Err(not_understood().at(self.position(tokens.start))) }
    }

    /// An expression or a condition that is compared with those of indexes.
    fn compared(&mut self, rule: &RelationRule, tokens: Range<usize>) -> Outcome<()> {
        for at in tokens.clone() {
            let next = self.tokens.kind(at + 1).filter(|_| at + 1 < tokens.end);
            let before = at.checked_sub(1).filter(|before| *before >= tokens.start);
            let follows = |kind: TokenKind| before.is_some_and(|before| self.tokens.kind(before) == Some(kind));
            let is_type = follows(TokenKind::Typecast) || next == Some(TokenKind::String);
            let is_member = follows(TokenKind::Dot) && next != Some(TokenKind::LeftParen);
            let understood = match self.tokens.kind(at) {
                // Anything but a column behind a dot could be a function.
                Some(TokenKind::Word | TokenKind::QuotedIdentifier) if is_member => {
                    let is_relation = |dot: usize| self.tokens.identifier(dot.saturating_sub(1)).is_some();
                    let is_column = |name: String| rule.relation.column(&name).is_some();
                    before.is_some_and(is_relation) && self.tokens.identifier(at).is_some_and(is_column)
                }
                Some(TokenKind::Word) if is_type => self.is_plain_type(at),
                Some(TokenKind::Word) if next == Some(TokenKind::LeftParen) && !self.is_condition_word(at) => {
                    self.compared_call(at, follows(TokenKind::Dot))
                }
                Some(TokenKind::Word) => {
                    self.is_condition_word(at) || self.tokens.keyword(at) != Some(KeywordCategory::Reserved)
                }
                Some(TokenKind::QuotedIdentifier) => {
                    let names_else = follows(TokenKind::Typecast)
                        || matches!(next, Some(TokenKind::LeftParen | TokenKind::String | TokenKind::Dot));
                    !names_else
                }
                Some(
                    TokenKind::String
                    | TokenKind::Integer
                    | TokenKind::Number
                    | TokenKind::BitString
                    | TokenKind::Parameter
                    | TokenKind::Operator
                    | TokenKind::Typecast
                    | TokenKind::LeftParen
                    | TokenKind::RightParen
                    | TokenKind::LeftBracket
                    | TokenKind::RightBracket
                    | TokenKind::Comma
                    | TokenKind::Dot,
                ) => true,
                _ => false,
            };
            if !understood {
                return Err(not_understood().at(self.position(at)));
            }
        }
        Ok(())
    }

    fn is_condition_word(&self, at: usize) -> bool {
        CONDITION_WORDS.iter().any(|word| self.tokens.is_word(at, word))
    }

    fn is_plain_type(&self, at: usize) -> bool {
        self.tokens.identifier(at).is_some_and(|name| is_built_in(&name) || TYPE_WORDS.contains(&name.as_str()))
    }

    /// A call of a listed function, pinned as everywhere.
    fn compared_call(&mut self, at: usize, is_qualified: bool) -> bool {
        let Some(name) = self.tokens.identifier(at) else { return false };
        if TYPE_WORDS.contains(&name.as_str()) {
            return true;
        }
        if is_grammar_form(&name) && self.tokens.keyword(at).is_some() {
            return !is_qualified;
        }
        if listed(&name).is_none() || self.tokens.keyword(at) == Some(KeywordCategory::ColumnName) {
            return false;
        }
        if !is_qualified {
            self.before(at, "pg_catalog.");
            return true;
        }
        at.checked_sub(2).is_some_and(|schema| self.tokens.is_word(schema, "pg_catalog"))
    }

    /// The keys that ON CONFLICT may act on all carry the tenant column, or cannot be met by what is supplied.
    ///
    /// An index is taken only if its plain columns are exactly those that are named, so that it carries the tenant
    /// column if that is among them, whatever expressions and condition it has beside.
    pub(in crate::guard) fn arbiter(
        &self,
        rule: &RelationRule,
        column: &TenantColumn,
        target: &Arbiter,
        supplied: &[String],
    ) -> Outcome<()> {
        let sound = |key: &Key| {
            (key.columns.contains(&column.name) && key.kind != KeyKind::Exclusion)
                || (!key.has_expressions && key.columns.iter().all(|name| !supplied.contains(name)))
        };
        let keys = || rule.relation.keys.iter().filter(|key| key.kind != KeyKind::Foreign);
        match target {
            Arbiter::Any => match keys().find(|key| !sound(key)) {
                None => Ok(()),
                Some(key) => Err(refused(key, column)),
            },
            Arbiter::Constraint(name) => match keys().find(|key| key.name == *name) {
                Some(key) if key.kind != KeyKind::Exclusion && key.columns.contains(&column.name) => Ok(()),
                Some(key) => Err(refused(key, column)),
                None => Err(Rejection::new(Code::ConflictTarget, "the constraint of ON CONFLICT does not exist")
                    .hint("Name the columns of a unique key that includes the tenant column.")),
            },
            Arbiter::Columns { named, has_expressions } => {
                if named.contains(&column.name) {
                    return Ok(());
                }
                let is_meant = |key: &&Key| {
                    key.columns.iter().cloned().collect::<BTreeSet<_>>() == *named
                        && key.has_expressions == *has_expressions
                };
                match keys().find(is_meant) {
                    Some(key) => Err(refused(key, column)),
                    None => Err(Rejection::new(
                        Code::ConflictTarget,
                        format!("the conflict target must include column \"{}\"", column.name),
                    )
                    .hint("Name the columns of a unique key that includes the tenant column.")),
                }
            }
        }
    }
}

fn refused(key: &Key, column: &TenantColumn) -> Rejection {
    Rejection::new(Code::ConflictTarget, format!("key \"{}\" cannot be a conflict target", key.name))
        .detail(format!(
            "It does not include column \"{}\", so that the row it meets could be another tenant's.",
            column.name
        ))
        .hint("Use a unique key that includes the tenant column.")
}

fn not_understood() -> Rejection {
    not_allowed("this form of a conflict target").hint("Name columns, listed functions and built-in types only.")
}

fn disagree() -> Rejection {
    Rejection::new(Code::ReadingsDisagree, "the target of ON CONFLICT is not clear")
}
