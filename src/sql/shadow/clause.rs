//! Clauses that the parser does not know, as the nearest that it does.

use crate::sql::clauses::MergeClauses;
use crate::sql::prepared::CURRENT_OF;
use crate::sql::shadow::Place;
use crate::sql::shadow::Shadow;
use crate::sql::shadow::Step;
use crate::sql::token::TokenKind;
use sqlparser::tokenizer::Token;

impl Shadow<'_, '_> {
    /// Without FROM the parser takes the ON of ON CONFLICT for a column's name: brackets around the query prevent it.
    fn inserted_query(&mut self, i: usize) {
        let (mut query, mut at) = (None, i + 2);
        while at < self.end {
            match self.kind(at) {
                Some(TokenKind::LeftParen | TokenKind::LeftBracket) => at = self.tokens.matching(at).unwrap_or(at),
                Some(TokenKind::RightParen) => return,
                _ if self.is_one_of(at, &["from", "returning", "insert"]) => return,
                _ if self.is(at, "select") => query = query.or(Some(at)),
                _ if self.is(at, "on") && self.is(at + 1, "conflict") => {
                    if let Some(query) = query {
                        self.opens.push(query);
                        self.closes.push(at);
                    }
                    return;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// The parser takes one relation for the source of a MERGE: brackets make one of a join.
    fn merged_join(&mut self, i: usize) {
        let Some(MergeClauses { on, .. }) = MergeClauses::read(self.tokens, i) else { return };
        let (mut using, mut is_join, mut at) = (None, false, i + 2);
        while at < on.start {
            match self.kind(at) {
                Some(TokenKind::LeftParen | TokenKind::LeftBracket) => at = self.tokens.matching(at).unwrap_or(at),
                Some(TokenKind::Word) if using.is_none() && self.is(at, "using") => using = Some(at),
                Some(TokenKind::Word) if !self.is_name_by_place(at) => is_join |= self.is(at, "join"),
                _ => {}
            }
            at += 1;
        }
        if let Some(using) = using.filter(|_| is_join) {
            self.opens.push(using + 1);
            self.closes.push(on.start - 1);
        }
    }

    /// `THEN INSERT DEFAULT VALUES`.
    fn is_merge_insert(&self, i: usize) -> bool {
        self.is_before(i, &["insert"]) && self.before(i).is_some_and(|insert| self.is_before(insert, &["then"]))
    }

    /// Words that begin something which the parser does not know.
    pub(crate) fn clause(&mut self, i: usize) -> Step {
        if self.tokens.keyword(i).is_none() {
            return Ok(None);
        }
        match self.tokens.text(i).to_ascii_lowercase().as_str() {
            "only" => Ok(self.only(i)),
            "table" => self.table(i),
            "rows" if self.is(i + 1, "from") => self.rows_from(i),
            "for" => self.locking(i),
            "conflict" if self.is_before(i, &["on"]) => self.conflict_target(i),
            "variadic" if matches!(self.kind_before(i), Some(TokenKind::LeftParen | TokenKind::Comma)) => {
                Ok(Some(i + 1))
            }
            "symmetric" | "asymmetric" if self.is_before(i, &["between"]) => Ok(Some(i + 1)),
            "collate" => self.collation(i),
            "exclude" => Ok(self.frame_exclusion(i)),
            "overriding" if self.is_one_of(i + 1, &["system", "user"]) && self.is(i + 2, "value") => Ok(Some(i + 3)),
            "isnull" | "notnull" if self.kind(i + 1) != Some(TokenKind::LeftParen) => Ok(self.null_test(i)),
            "current" if self.is_before(i, &["where"]) && self.is(i + 1, "of") => self.current_of(i),
            "from" if self.is_before(i, &["both", "leading", "trailing"]) => Ok(self.trimmed(i)),
            "fetch" if self.is_one_of(i + 1, &["first", "next"]) => Ok(self.fetch(i)),
            "as" if self.is_merge_alias(i) => Ok(Some(i + 2)),
            "as" => Ok(self.column_definitions(i)),
            "all" | "distinct"
                if self.is_before(i, &["by"]) && self.before(i).is_some_and(|by| self.is_before(by, &["group"])) =>
            {
                Ok(Some(i + 1))
            }
            "any" | "some" | "all" => Ok(self.quantified(i)),
            "grouping" if self.is(i + 1, "sets") && self.is_in_grouping_sets() => Ok(self.nested_sets(i)),
            "search" | "cycle" if self.is_behind_cte(i) => self.search_or_cycle(i),
            "similar" | "escape" => Ok(self.similar_part(i)),
            "returning" => Ok(self.returning_with(i)),
            "merge" if self.is(i + 1, "into") => {
                self.merged_join(i);
                Ok(None)
            }
            "default" if self.is(i + 1, "values") && self.is_merge_insert(i) => {
                self.push(i, Token::make_keyword("VALUES"));
                self.push(i, Token::LParen);
                self.push(i, Token::make_keyword("NULL"));
                self.push(i, Token::RParen);
                Ok(Some(i + 2))
            }
            "insert" if self.is(i + 1, "into") => {
                self.inserted_query(i);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// ONLY says nothing about which relation is read.
    fn only(&mut self, i: usize) -> Option<usize> {
        let is_relation_next = self.is_before(i, &["from", "join", "update", "into", "using", "table"])
            || self.kind_before(i) == Some(TokenKind::Comma);
        if !is_relation_next {
            return None;
        }
        if self.kind(i + 1) != Some(TokenKind::LeftParen) {
            return self.name_end(i + 1).map(|_| i + 1);
        }
        let close = self.tokens.matching(i + 1)?;
        if self.name_end(i + 2) != Some(close) {
            return None;
        }
        for part in i + 2..close {
            let token = self.token(part).ok()?;
            self.push(part, token);
        }
        Some(close + 1)
    }

    /// What is open last are the brackets of GROUPING SETS.
    pub(crate) fn is_in_grouping_sets(&self) -> bool {
        let sets = self.brackets.last().and_then(|open| self.before(*open)).filter(|sets| self.is(*sets, "sets"));
        sets.is_some_and(|sets| self.is_before(sets, &["grouping"]))
    }

    /// Sets of sets are all of their sets.
    fn nested_sets(&mut self, i: usize) -> Option<usize> {
        let close = self.tokens.matching(i + 2)?;
        self.hidden.push(close);
        Some(i + 3)
    }

    /// `TABLE t` as `SELECT * FROM t`.
    fn table(&mut self, i: usize) -> Step {
        let name = if self.is(i + 1, "only") { i + 2 } else { i + 1 };
        let is_relation =
            self.name_end(name).is_some() || (name > i + 1 && self.kind(name) == Some(TokenKind::LeftParen));
        if !is_relation {
            return Ok(None);
        }
        self.push(i, Token::make_keyword("SELECT"));
        self.push(i, Token::Mul);
        self.push(i, Token::make_keyword("FROM"));
        Ok(Some(i + 1))
    }

    /// FOR NO KEY UPDATE and FOR KEY SHARE as the nearest that the parser knows; of the names after OF, the first.
    fn locking(&mut self, i: usize) -> Step {
        let strength = match () {
            () if self.is(i + 1, "no") && self.is(i + 2, "key") && self.is(i + 3, "update") => i + 3,
            () if self.is(i + 1, "key") && self.is(i + 2, "share") => i + 2,
            () if self.is_one_of(i + 1, &["update", "share"]) => i + 1,
            () => return Ok(None),
        };
        // Without FROM the parser takes FOR for a label.
        let is_locking_nothing = self.is_at(Place::List);
        if is_locking_nothing {
            return Ok(Some(self.locked(strength)));
        }
        self.push(i, Token::make_keyword("FOR"));
        self.push(strength, Token::make_keyword(if self.is(strength, "update") { "UPDATE" } else { "SHARE" }));
        if !self.is(strength + 1, "of") {
            return Ok(Some(strength + 1));
        }
        let Some(mut end) = self.name_end(strength + 2) else { return Ok(Some(strength + 1)) };
        self.push(strength + 1, Token::make_keyword("OF"));
        for part in strength + 2..end {
            self.check_name(part)?;
            let token = self.token(part)?;
            self.push(part, token);
        }
        while self.kind(end) == Some(TokenKind::Comma) {
            let Some(next) = self.name_end(end + 1) else { break };
            self.check_name(end + 1)?;
            end = next;
        }
        Ok(Some(end))
    }

    /// Where the names end that a locking clause may have.
    fn locked(&self, strength: usize) -> usize {
        let mut end = strength + 1;
        let mut separator = self.is(end, "of");
        while separator {
            let Some(next) = self.name_end(end + 1) else { break };
            end = next;
            separator = self.kind(end) == Some(TokenKind::Comma);
        }
        match () {
            () if self.is(end, "nowait") => end + 1,
            () if self.is(end, "skip") && self.is(end + 1, "locked") => end + 2,
            () => end,
        }
    }

    /// `ROWS FROM (f(), g())` as a join of the functions, `ROWS FROM (f())` as the function.
    fn rows_from(&mut self, i: usize) -> Step {
        let open = i + 2;
        let is_relation = self.is_before(i, &["from", "join", "lateral", "using"])
            || matches!(self.kind_before(i), Some(TokenKind::Comma | TokenKind::LeftParen));
        let close = self.tokens.matching(open).filter(|_| self.kind(open) == Some(TokenKind::LeftParen));
        let Some(close) = close.filter(|_| is_relation) else { return Ok(None) };
        let mut commas = Vec::new();
        let mut definitions = close;
        let mut part = open + 1;
        while part < close {
            match self.kind(part) {
                Some(TokenKind::Comma) => commas.push(part),
                Some(TokenKind::LeftParen | TokenKind::LeftBracket) => {
                    part = self.tokens.matching(part).unwrap_or(part)
                }
                Some(TokenKind::Word) if self.is(part, "as") => definitions = part,
                _ => {}
            }
            part += 1;
        }
        if commas.is_empty() {
            return self.rows_from_one(open, definitions, close);
        }
        self.push(open, Token::LParen);
        let mut part = open + 1;
        while part < close {
            if commas.contains(&part) {
                self.push(part, Token::make_keyword("CROSS"));
                self.push(part, Token::make_keyword("JOIN"));
                part += 1;
            } else {
                part = self.step(part)?;
            }
        }
        self.push(close, Token::RParen);
        let is_numbered = self.is(close + 1, "with") && self.is(close + 2, "ordinality");
        Ok(Some(if is_numbered { close + 3 } else { close + 1 }))
    }

    /// The columns that are defined inside go to the alias outside.
    fn rows_from_one(&mut self, open: usize, definitions: usize, close: usize) -> Step {
        let mut part = open + 1;
        while part < definitions {
            part = self.step(part)?;
        }
        let mut next = close + 1;
        if definitions == close {
            return Ok(Some(next));
        }
        if self.is(next, "with") && self.is(next + 1, "ordinality") {
            self.push(next, Token::make_keyword("WITH"));
            self.push(next + 1, Token::make_keyword("ORDINALITY"));
            next += 2;
        }
        let name = if self.is(next, "as") { next + 1 } else { next };
        let is_plain = self.kind(definitions + 1) == Some(TokenKind::LeftParen)
            && self.name_end(name) == Some(name + 1)
            && self.kind(name + 1) != Some(TokenKind::LeftParen);
        if !is_plain {
            return Err(self.refused(definitions, "this form of ROWS FROM is not supported"));
        }
        self.check_name(name)?;
        self.push(definitions, Token::make_keyword("AS"));
        let alias = self.token(name)?;
        self.push(name, alias);
        let mut part = definitions + 1;
        while part < close {
            part = self.step(part)?;
        }
        Ok(Some(name + 1))
    }

    /// `f() AS (a int)` as `f() AS f (a int)`.
    fn column_definitions(&mut self, i: usize) -> Option<usize> {
        let is_definition = self.kind_before(i) == Some(TokenKind::RightParen)
            && self.kind(i + 1) == Some(TokenKind::LeftParen)
            && self.name_end(i + 2) == Some(i + 3)
            && self.name_end(i + 3).is_some()
            && !self.is_one_of(
                i + 2,
                &["select", "values", "with", "table", "insert", "update", "delete", "merge", "partition", "order"],
            );
        let open = self.tokens.matching(self.before(i)?)?;
        let name = self.before(open)?;
        let function = self.tokens.identifier(name).filter(|_| is_definition)?;
        self.push(i, Token::make_keyword("AS"));
        self.push(name, Token::make_word(&function, Some('"')));
        Some(i + 1)
    }

    /// `CURRENT OF cursor` as a column of a name that only a quoted one could have.
    fn current_of(&mut self, i: usize) -> Step {
        let cursor = i + 2;
        if self.name_end(cursor) != Some(cursor + 1) {
            return Err(self.refused(i + 1, self.tokens.misplaced(i + 1)));
        }
        self.check_name(cursor)?;
        let next = cursor + 1;
        let ends = next >= self.end || self.kind(next) == Some(TokenKind::RightParen) || self.is(next, "returning");
        if !ends {
            return Err(self.refused(next, self.tokens.misplaced(next)));
        }
        self.push(i, Token::make_word(CURRENT_OF, Some('"')));
        Ok(Some(next))
    }

    /// `FETCH FIRST (count) ROWS ONLY` as `LIMIT (count)`.
    fn fetch(&mut self, i: usize) -> Option<usize> {
        let open = i + 2;
        if self.kind(open) != Some(TokenKind::LeftParen) {
            return None;
        }
        let close = self.tokens.matching(open)?;
        if !self.is_one_of(close + 1, &["row", "rows"]) {
            return None;
        }
        let end = match () {
            () if self.is(close + 2, "only") => close + 3,
            () if self.is(close + 2, "with") && self.is(close + 3, "ties") => close + 4,
            () => return None,
        };
        let mut inside = Shadow::new(self.tokens, self.start..close + 1);
        let mut part = open;
        while part <= close {
            part = inside.step(part).ok()?;
        }
        self.push(i, Token::make_keyword("LIMIT"));
        self.out.append(&mut inside.out);
        Some(end)
    }
}
