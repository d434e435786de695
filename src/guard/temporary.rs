//! Temporary tables: made, indexed, emptied and dropped under names that can be nobody else's.

use std::ops::Range;

use sqlparser::ast::Statement as Tree;

use crate::guard::decision::StatementClass;
use crate::guard::from::{not_allowed, plain_entry};
use crate::guard::private::{TemporaryEffect, private_name, qualified};
use crate::guard::rejection::{Code, Rejection};
use crate::guard::relation::unknown;
use crate::guard::scope::{Level, Protection};
use crate::guard::statement::other_refused;
use crate::guard::types;
use crate::guard::walk::{Outcome, Walk, quote_name};
use crate::sql::{CreateTemporary, Existence, Lifetime, TableSource, TemporaryStatement};

impl Walk<'_> {
    /// `words`: what the statement would be called if it were about no temporary table.
    pub(in crate::guard) fn temporary(
        &mut self,
        statement: &TemporaryStatement,
        words: &str,
    ) -> Outcome<StatementClass> {
        self.writes = true;
        match statement {
            TemporaryStatement::Create(create) => self.create_temporary(create)?,
            TemporaryStatement::Drop { names, existence } => {
                let mut dropped = Vec::new();
                for name in names {
                    dropped.push(self.dropped(name, *existence, words)?);
                }
                self.temporary_effect = TemporaryEffect::Drops(dropped);
            }
            TemporaryStatement::Truncate { names } => {
                for name in names {
                    self.own(name, words)?;
                }
            }
            TemporaryStatement::Analyze { name } => drop(self.own(name, words)?),
            TemporaryStatement::CreateIndex { table, expressions } => {
                let name = self.own(table, words)?;
                self.own_expressions(name, expressions)?;
            }
        }
        Ok(StatementClass::Write)
    }

    fn create_temporary(&mut self, create: &CreateTemporary) -> Outcome<()> {
        let position = self.position(create.name.start);
        let name = private_name(self.tokens, &create.name)
            .ok_or_else(|| not_allowed("a temporary table in another schema than pg_temp").at(position))?;
        self.check_free(&name).map_err(|refused| refused.at(position))?;
        self.replace(create.name.clone(), quote_name(&qualified(&name)));
        match &create.source {
            TableSource::Columns { types, expressions } => {
                types.iter().try_for_each(|data_type| self.data_type(data_type))?;
                self.own_expressions(name.clone(), expressions)?;
            }
            TableSource::Query(tree) => match tree.as_ref() {
                Tree::Query(query) => {
                    let columns = self.query(query)?.columns;
                    self.keeps_no_reg(columns.as_deref())?;
                }
                _ => return Err(not_allowed("a table of anything but a query")),
            },
        }
        self.temporary_effect = match create.lifetime {
            Lifetime::Session => TemporaryEffect::Creates(name),
            Lifetime::Transaction => TemporaryEffect::CreatesUntilCommit(name),
        };
        Ok(())
    }

    /// A name that hides nothing: neither a relation, which the session could then not reach, nor a type, since the
    /// table's row type comes first on every search path.
    fn check_free(&self, name: &str) -> Outcome<()> {
        let refused = |detail: &'static str| {
            Rejection::new(Code::FeatureNotAllowed, format!("a temporary table cannot be called \"{name}\" here"))
                .detail(detail)
                .hint("Give it another name.")
        };
        if name.starts_with("pg_") || self.ruleset.relation_on_path(name).is_some() {
            return Err(refused("It would hide a relation of that name."));
        }
        if types::is_type(self.ruleset, name) || types::is_type(self.ruleset, &format!("_{name}")) {
            return Err(refused("It would hide a type of that name."));
        }
        Ok(())
    }

    /// Defaults, checks and keys: of the session's own values alone.
    fn own_expressions(&mut self, name: String, expressions: &[sqlparser::ast::Expr]) -> Outcome<()> {
        let entry = plain_entry(Some(name), None, Protection::None);
        self.levels.push(Level { entries: vec![entry], ..Level::default() });
        self.each(expressions)?;
        self.levels.pop();
        Ok(())
    }

    /// One of the session's own, under its whole name. Any other is refused as the statement always is.
    fn own(&mut self, range: &Range<usize>, words: &str) -> Outcome<String> {
        let name = private_name(self.tokens, range).filter(|name| self.private.contains_key(name));
        let name = name.ok_or_else(|| other_refused(words))?;
        self.replace(range.clone(), quote_name(&qualified(&name)));
        Ok(name)
    }

    /// `DROP TABLE IF EXISTS` of what the session has not made yet does nothing, in its own schema too.
    fn dropped(&mut self, range: &Range<usize>, existence: Existence, words: &str) -> Outcome<String> {
        let name = private_name(self.tokens, range).ok_or_else(|| other_refused(words))?;
        if !self.private.contains_key(&name) {
            if name.starts_with("pg_") || self.ruleset.relation_on_path(&name).is_some() {
                return Err(other_refused(words));
            }
            if existence == Existence::Required {
                return Err(unknown(&name).at(self.position(range.start)));
            }
        }
        self.replace(range.clone(), quote_name(&qualified(&name)));
        Ok(name)
    }
}
