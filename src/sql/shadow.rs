//! The parser's copy of a statement: PostgreSQL's tokens as the parser's own, changed where the two grammars differ.
//!
//! No change here may add or hide a relation, a function or a type. What is sent comes from the original tokens.

use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::keyword::KeywordCategory;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use crate::sql::vocabulary;
use sqlparser::tokenizer::Location;
use sqlparser::tokenizer::Span;
use sqlparser::tokenizer::Token;
use sqlparser::tokenizer::TokenWithSpan;
use std::ops::Range;

pub(crate) struct Shadow<'t, 'a> {
    pub(crate) tokens: &'t Tokens<'a>,
    pub(crate) end: usize,
    start: usize,
    out: Vec<TokenWithSpan>,
    /// Brackets that only the parser sees, before these tokens.
    opens: Vec<usize>,
    closes: Vec<usize>,
    /// Whether assignments are being read, for each open bracket and outside of all.
    in_set: Vec<bool>,
}

/// PostgreSQL's arrays have no more.
const DIMENSIONS_MAX: usize = 6;

type Step = Result<Option<usize>, ReadError>;

/// The parser's tokens for a statement.
pub(crate) fn shadow(tokens: &Tokens<'_>, range: Range<usize>) -> Result<Vec<TokenWithSpan>, ReadError> {
    let mut shadow = Shadow::new(tokens, range.clone());
    shadow.out.reserve(range.len() + 8);
    let mut i = range.start;
    while i < range.end {
        i = shadow.step(i)?;
    }
    Ok(shadow.out)
}

/// The span that stands for a token.
fn span(i: usize) -> Span {
    let location = Location::new(1, i as u64 + 1);
    Span::new(location, location)
}

impl<'t, 'a> Shadow<'t, 'a> {
    fn new(tokens: &'t Tokens<'a>, range: Range<usize>) -> Self {
        let (out, opens, closes) = (Vec::new(), Vec::new(), Vec::new());
        Self { tokens, start: range.start, end: range.end, out, opens, closes, in_set: vec![false] }
    }
}

impl Shadow<'_, '_> {
    pub(crate) fn push(&mut self, i: usize, token: Token) {
        self.out.push(TokenWithSpan::new(token, span(i)));
    }

    /// An unquoted word of the statement.
    pub(crate) fn is(&self, i: usize, word: &str) -> bool {
        i < self.end && self.tokens.is_word(i, word)
    }

    pub(crate) fn is_one_of(&self, i: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(i, word))
    }

    pub(crate) fn kind(&self, i: usize) -> Option<TokenKind> {
        if i < self.end { self.tokens.kind(i) } else { None }
    }

    pub(crate) fn before(&self, i: usize) -> Option<usize> {
        if i > self.start { i.checked_sub(1) } else { None }
    }

    pub(crate) fn is_before(&self, i: usize, words: &[&str]) -> bool {
        self.before(i).is_some_and(|before| self.is_one_of(before, words))
    }

    fn kind_before(&self, i: usize) -> Option<TokenKind> {
        self.before(i).and_then(|before| self.kind(before))
    }

    /// A word that follows a dot or AS is a name, whatever it is elsewhere.
    fn is_name_by_place(&self, i: usize) -> bool {
        self.kind_before(i) == Some(TokenKind::Dot)
            || (self.is_before(i, &["as"]) && !self.is_one_of(i, &["materialized", "not"]))
    }

    /// Where the relation's name ends that begins here.
    pub(crate) fn name_end(&self, start: usize) -> Option<usize> {
        let is_part = |i| matches!(self.kind(i), Some(TokenKind::Word | TokenKind::QuotedIdentifier));
        if !is_part(start) {
            return None;
        }
        let mut end = start + 1;
        while self.kind(end) == Some(TokenKind::Dot) && is_part(end + 1) {
            end += 2;
        }
        Some(end)
    }

    pub(crate) fn refused(&self, i: usize, message: impl Into<String>) -> ReadError {
        ReadError::new(ReadErrorKind::Forbidden, message, Some(self.tokens.position(i)))
    }

    /// Copies a token, or what stands in its place, and says where to go on.
    fn step(&mut self, i: usize) -> Result<usize, ReadError> {
        while self.closes.last() == Some(&i) {
            self.closes.pop();
            self.push(i, Token::RParen);
        }
        while self.opens.last() == Some(&i) {
            self.opens.pop();
            self.push(i, Token::LParen);
        }
        self.enter(i);
        let next = match self.kind(i) {
            Some(TokenKind::Word) if self.is_name_by_place(i) => self.typed_literal(i)?,
            Some(TokenKind::Word) => match self.clause(i)? {
                Some(next) => Some(next),
                None => self.typed_literal(i)?,
            },
            Some(TokenKind::QuotedIdentifier) => self.typed_literal(i)?,
            Some(TokenKind::RightParen) => self.closing(i),
            Some(TokenKind::LeftBracket) => self.target_subscript(i),
            _ => None,
        };
        if let Some(next) = next {
            return Ok(next);
        }
        let token = self.token(i)?;
        self.push(i, token);
        Ok(i + 1)
    }

    /// The parser's token for one of ours.
    fn token(&self, i: usize) -> Result<Token, ReadError> {
        let text = self.tokens.text(i);
        let token = match self.kind(i) {
            Some(TokenKind::Word) => return Ok(self.word(i)),
            Some(TokenKind::QuotedIdentifier) => {
                Token::make_word(&self.tokens.identifier(i).unwrap_or_default(), Some('"'))
            }
            Some(TokenKind::String) => {
                if self.kind(i + 1) == Some(TokenKind::String) {
                    return Err(self.refused(i + 1, "syntax error: two strings without an operator between them"));
                }
                let value = self.tokens.string(i).unwrap_or_default();
                if text.starts_with(['n', 'N']) {
                    Token::NationalStringLiteral(value)
                } else {
                    Token::SingleQuotedString(value)
                }
            }
            Some(TokenKind::BitString) => bit_string(&self.tokens.emitted(i)),
            Some(TokenKind::Integer | TokenKind::Number) => Token::Number(text.to_owned(), false),
            Some(TokenKind::Parameter) => {
                Token::Placeholder(format!("${}", self.tokens.parameter(i).unwrap_or_default()))
            }
            Some(TokenKind::Operator) => vocabulary::operator(text),
            Some(TokenKind::Comma) => Token::Comma,
            Some(TokenKind::Semicolon) => Token::SemiColon,
            Some(TokenKind::Dot) => Token::Period,
            Some(TokenKind::LeftParen) => Token::LParen,
            Some(TokenKind::RightParen) => Token::RParen,
            Some(TokenKind::LeftBracket) => Token::LBracket,
            Some(TokenKind::RightBracket) => Token::RBracket,
            Some(TokenKind::Colon) => Token::Colon,
            Some(TokenKind::Typecast) => Token::DoubleColon,
            Some(TokenKind::ColonEquals) => Token::Assignment,
            Some(TokenKind::EqualsGreater) => Token::RArrow,
            Some(TokenKind::DotDot) | None => {
                return Err(self.refused(i, format!("syntax error at or near \"{text}\"")));
            }
        };
        Ok(token)
    }

    /// An unquoted word, which the parser may take for a keyword only where PostgreSQL does.
    fn word(&self, i: usize) -> Token {
        let name = self.tokens.text(i).to_ascii_lowercase();
        if self.kind_before(i) != Some(TokenKind::Dot) && self.is_keyword(i, &name) {
            Token::make_word(&name, None)
        } else {
            vocabulary::plain_word(name)
        }
    }

    fn is_keyword(&self, i: usize, name: &str) -> bool {
        let opens = self.kind(i + 1) == Some(TokenKind::LeftParen);
        match name {
            "extract" | "position" | "substring" | "overlay" | "trim" | "exists" | "xmltable" | "json_table" => opens,
            "values" => opens || self.is_before(i, &["default"]),
            "array" => opens || self.kind(i + 1) == Some(TokenKind::LeftBracket) || self.is_json_or_type(i),
            "interval" => {
                opens || self.kind(i + 1) == Some(TokenKind::String) || self.is_before(i, &["as"])
                    || self.kind_before(i) == Some(TokenKind::Typecast)
            }
            "partition" => self.is(i + 1, "by"),
            "over" => self.kind_before(i) == Some(TokenKind::RightParen),
            "filter" => opens && self.kind_before(i) == Some(TokenKind::RightParen),
            "within" => self.is(i + 1, "group"),
            "grouping" => self.is(i + 1, "sets"),
            "rollup" | "cube" => opens && (self.is_before(i, &["by", "distinct", "all"])
                || matches!(self.kind_before(i), Some(TokenKind::Comma | TokenKind::LeftParen))),
            "first" => self.is_before(i, &["fetch", "nulls"]),
            "next" => self.is_before(i, &["fetch"]),
            "last" => self.is_before(i, &["nulls"]),
            "nulls" => self.is_one_of(i + 1, &["first", "last"]),
            "at" => self.is(i + 1, "time"),
            "current" => self.is(i + 1, "row"),
            "operator" => opens,
            "materialized" => self.is_before(i, &["as", "not"]),
            "source" | "target" => self.is_before(i, &["by"]),
            "nothing" => self.is_before(i, &["do"]),
            "any" | "some" | "all" if opens => self.is_plain_comparison(i) || name == "all" && self.is_set_all(i),
            _ => vocabulary::is_keyword(name),
        }
    }

    fn is_json_or_type(&self, i: usize) -> bool {
        self.is_before(i, &["json", "is"])
    }

    /// Whether ANY, SOME or ALL follows an operator that the parser takes before it.
    fn is_plain_comparison(&self, i: usize) -> bool {
        let Some(before) = self.before(i) else { return false };
        match self.kind(before) {
            Some(TokenKind::Operator) => vocabulary::compares_with_any(self.tokens.text(before)),
            _ => self.is_one_of(before, &["like", "ilike"]) && !self.is(i, "all") && !self.is(i, "some"),
        }
    }

    /// A subquery behind ANY or ALL that is a call to the parser needs its own brackets.
    fn quantified(&mut self, i: usize) -> Option<usize> {
        let open = i + 1;
        let is_query = self.kind(open) == Some(TokenKind::LeftParen)
            && self.is_one_of(open + 1, &["select", "values", "with", "table"]);
        if !is_query || self.is_plain_comparison(i) || self.is_set_all(i) {
            return None;
        }
        self.opens.push(open);
        self.closes.push(self.tokens.matching(open)?);
        None
    }

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

    fn is_set_all(&self, i: usize) -> bool {
        self.is_before(i, &["union", "intersect", "except", "select", "by"])
    }

    /// `(…).*` keeps its columns, and names no relation.
    fn closing(&mut self, i: usize) -> Option<usize> {
        let is_star = self.kind(i + 1) == Some(TokenKind::Dot) && self.tokens.is_operator(i + 2, "*");
        if !is_star || i + 2 >= self.end {
            return None;
        }
        self.push(i, Token::RParen);
        Some(i + 3)
    }

    /// A part of an array or document as the target of SET: the whole column, to the parser.
    fn target_subscript(&self, i: usize) -> Option<usize> {
        if self.in_set.last() != Some(&true) {
            return None;
        }
        let mut column = self.before(i)?;
        for _ in 0..DIMENSIONS_MAX {
            if self.kind(column) != Some(TokenKind::RightBracket) {
                break;
            }
            column = self.before(self.tokens.matching(column)?)?;
        }
        let is_column = matches!(self.kind(column), Some(TokenKind::Word | TokenKind::QuotedIdentifier));
        let begins = self.before(column)?;
        let is_target = is_column && (self.is(begins, "set") || self.kind(begins) == Some(TokenKind::Comma));
        let close = self.tokens.matching(i)?;
        let is_plain = (i + 1..close).all(|part| match self.kind(part) {
            Some(TokenKind::String | TokenKind::Integer | TokenKind::Parameter | TokenKind::Colon) => true,
            Some(TokenKind::Operator) => self.tokens.text(part) == "-",
            _ => false,
        });
        let follows = self.kind(close + 1) == Some(TokenKind::LeftBracket) || self.tokens.is_operator(close + 1, "=");
        (is_target && is_plain && follows).then_some(close + 1)
    }

    /// Keeps track of whether the tokens here are assignments of SET.
    fn enter(&mut self, i: usize) {
        const OTHER_CLAUSES: &[&str] = &["where", "from", "returning", "select", "values", "order", "group", "when"];
        match self.kind(i) {
            Some(TokenKind::LeftParen) => self.in_set.push(false),
            Some(TokenKind::RightParen) => drop(self.in_set.pop()),
            Some(TokenKind::Word) if self.is(i, "set") || self.is_one_of(i, OTHER_CLAUSES) => {
                self.in_set.pop();
                self.in_set.push(self.is(i, "set"));
            }
            _ => {}
        }
    }

    /// `type 'value'` as `'value'::type`, which says the same.
    fn typed_literal(&mut self, i: usize) -> Step {
        if self.kind_before(i) == Some(TokenKind::Dot) {
            return Ok(None);
        }
        let Some(end) = self.name_end(i) else { return Ok(None) };
        let last = end - 1;
        if self.kind(end) != Some(TokenKind::String) {
            return Ok(None);
        }
        let is_type = match self.tokens.keyword(last) {
            None => true,
            Some(_) if last > i => true,
            Some(_) => self.is_one_of(i, &["text", "json", "xml", "name"]),
        };
        if !is_type {
            return Ok(None);
        }
        let is_operand_before = matches!(
            self.kind_before(i),
            Some(
                TokenKind::QuotedIdentifier | TokenKind::String | TokenKind::Integer | TokenKind::Number
                | TokenKind::Parameter | TokenKind::RightParen | TokenKind::RightBracket | TokenKind::BitString
            )
        );
        if is_operand_before || self.kind(end + 1) == Some(TokenKind::String) {
            return Err(self.refused(end, format!("syntax error at or near {}", self.tokens.text(end))));
        }
        let value = self.token(end)?;
        self.push(end, value);
        self.push(i, Token::DoubleColon);
        for part in i..end {
            let token = self.token(part)?;
            self.push(part, token);
        }
        Ok(Some(end + 1))
    }

    /// Words that begin something which the parser does not know.
    fn clause(&mut self, i: usize) -> Step {
        match self.tokens.keyword(i) {
            None => return Ok(None),
            Some(_) => {}
        }
        match self.tokens.text(i).to_ascii_lowercase().as_str() {
            "only" => Ok(self.only(i)),
            "table" => self.table(i),
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
            "fetch" if self.is_one_of(i + 1, &["first", "next"]) => Ok(self.fetch(i)),
            "any" | "some" | "all" => Ok(self.quantified(i)),
            "as" => Ok(self.column_definitions(i)),
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

    /// `TABLE t` as `SELECT * FROM t`.
    fn table(&mut self, i: usize) -> Step {
        let name = if self.is(i + 1, "only") { i + 2 } else { i + 1 };
        let is_relation = self.name_end(name).is_some()
            || (name > i + 1 && self.kind(name) == Some(TokenKind::LeftParen));
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

    /// A word that PostgreSQL cannot take for a name would mean something else to it.
    pub(crate) fn check_name(&self, i: usize) -> Result<(), ReadError> {
        let follows_dot = self.kind_before(i) == Some(TokenKind::Dot);
        match self.tokens.keyword(i) {
            Some(KeywordCategory::Reserved | KeywordCategory::TypeFunctionName) if !follows_dot => {
                Err(self.refused(i, format!("syntax error at or near \"{}\"", self.tokens.text(i))))
            }
            _ => Ok(()),
        }
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

    fn collation(&self, i: usize) -> Step {
        let Some(end) = self.name_end(i + 1) else { return Ok(None) };
        self.check_name(i + 1)?;
        Ok(Some(end))
    }

    fn frame_exclusion(&self, i: usize) -> Option<usize> {
        let end = match () {
            () if self.is(i + 1, "current") && self.is(i + 2, "row") => i + 3,
            () if self.is(i + 1, "no") && self.is(i + 2, "others") => i + 3,
            () if self.is_one_of(i + 1, &["group", "ties"]) => i + 2,
            () => return None,
        };
        let is_frame = self.is_before(i, &["preceding", "following", "row"])
            && self.kind(end) == Some(TokenKind::RightParen);
        is_frame.then_some(end)
    }

    /// `x ISNULL` as `x IS NULL`.
    fn null_test(&mut self, i: usize) -> Option<usize> {
        self.before(i)?;
        self.push(i, Token::make_keyword("IS"));
        if self.is(i, "notnull") {
            self.push(i, Token::make_keyword("NOT"));
        }
        self.push(i, Token::make_keyword("NULL"));
        Some(i + 1)
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

    /// The condition of an ON CONFLICT target is only compared with those of indexes, never run.
    fn conflict_target(&mut self, i: usize) -> Step {
        let open = i + 1;
        if self.kind(open) != Some(TokenKind::LeftParen) {
            return Ok(None);
        }
        let Some(close) = self.tokens.matching(open) else { return Ok(None) };
        let token = self.token(i)?;
        self.push(i, token);
        for part in open..=close {
            let token = self.token(part)?;
            self.push(part, token);
        }
        if !self.is(close + 1, "where") {
            return Ok(Some(close + 1));
        }
        let mut end = close + 2;
        while end < self.end && !self.is(end, "do") {
            if !self.is_plain(end) {
                return Err(self.refused(end, "this condition of an ON CONFLICT target is not supported"));
            }
            end += 1;
        }
        Ok(Some(end))
    }

    /// A token that calls nothing and converts nothing.
    fn is_plain(&self, i: usize) -> bool {
        match self.kind(i) {
            Some(TokenKind::Word) => {
                let calls = self.kind(i + 1) == Some(TokenKind::LeftParen) && !self.is_one_of(i, &["and", "or", "not", "in"]);
                let is_operator_word = self.is_one_of(i, &["and", "or", "not", "in", "is", "null", "true", "false"]);
                !calls && (is_operator_word || !matches!(self.tokens.keyword(i), Some(KeywordCategory::Reserved)))
                    && self.kind(i + 1) != Some(TokenKind::String)
            }
            Some(TokenKind::QuotedIdentifier) => {
                !matches!(self.kind(i + 1), Some(TokenKind::LeftParen | TokenKind::String))
            }
            Some(TokenKind::Operator) => matches!(self.tokens.text(i), "=" | "<>" | "!=" | "<" | ">" | "<=" | ">="),
            Some(
                TokenKind::String | TokenKind::Integer | TokenKind::Number | TokenKind::Parameter | TokenKind::LeftParen
                | TokenKind::RightParen | TokenKind::Comma | TokenKind::Dot,
            ) => true,
            _ => false,
        }
    }
}

fn bit_string(text: &str) -> Token {
    let digits = text.split('\'').nth(1).unwrap_or_default().to_owned();
    if text.starts_with(['x', 'X']) { Token::HexStringLiteral(digits) } else { Token::SingleQuotedByteStringLiteral(digits) }
}
