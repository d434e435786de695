//! What the parser accepts and PostgreSQL reads otherwise: found in the tree and in the tokens, and refused.

use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::keyword::KeywordCategory;
use crate::sql::parse;
use crate::sql::prepared::current_of;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use sqlparser::ast;
use sqlparser::ast::Visit;
use sqlparser::ast::Visitor;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::ops::Range;

/// Refuses a tree that may not be PostgreSQL's.
pub(crate) fn check(tokens: &Tokens<'_>, range: Range<usize>, tree: &ast::Statement) -> Result<(), ReadError> {
    let starts = vec![false; tokens.len()];
    let mut walk = Walk { tokens, starts, positioned: HashSet::new(), end: range.end };
    if let ControlFlow::Break(error) = tree.visit(&mut walk) {
        return Err(error);
    }
    walk.check_clauses(range)
}

struct Walk<'t, 'a> {
    tokens: &'t Tokens<'a>,
    /// Of each token, whether a name, a query or a list of rows begins at it in the tree.
    starts: Vec<bool>,
    /// Where CURRENT OF may stand: as the whole condition of an UPDATE or DELETE.
    positioned: HashSet<usize>,
    end: usize,
}

/// Words and brackets that may stand before a relation.
const OPENINGS_MAX: usize = 64;

type Flow = ControlFlow<ReadError>;

impl Walk<'_, '_> {
    fn near(&self, i: usize) -> ReadError {
        ReadError::new(ReadErrorKind::Forbidden, self.tokens.misplaced(i), Some(self.tokens.position(i)))
    }

    fn unsupported(&self, what: &str) -> Flow {
        ControlFlow::Break(ReadError::new(ReadErrorKind::Forbidden, format!("{what} is not supported"), None))
    }

    fn is_before(&self, i: usize, words: &[&str]) -> bool {
        let is_word = |at: usize, words: &[&str]| words.iter().any(|word| self.tokens.is_word(at, word));
        let Some(before) = i.checked_sub(1).filter(|before| is_word(*before, words)) else { return false };
        let first = before.checked_sub(1);
        !first.is_some_and(|first| self.tokens.kind(first) == Some(TokenKind::Dot) || is_word(first, &["as"]))
    }

    /// Reserved words that are names all the same: they stand for a value or for a call.
    fn is_value_word(&self, i: usize) -> bool {
        let word = self.tokens.text(i).to_ascii_lowercase();
        match word.as_str() {
            "current_catalog" | "current_date" | "current_role" | "current_schema" | "current_time"
            | "current_timestamp" | "current_user" | "localtime" | "localtimestamp" | "session_user" | "user" => {
                !self.is_before(i, &["from", "join", "into", "update", "using"])
            }
            "any" | "some" | "all" | "array" => self.tokens.kind(i + 1) == Some(TokenKind::LeftParen),
            "default" => {
                i + 1 >= self.end
                    || matches!(self.tokens.kind(i + 1), Some(TokenKind::Comma | TokenKind::RightParen))
                    || ["where", "from", "returning", "on", "when"].iter().any(|next| self.tokens.is_word(i + 1, next))
            }
            _ => false,
        }
    }

    fn check_ident(&mut self, ident: &ast::Ident) -> Flow {
        if ident.quote_style == Some('\'') {
            return self.unsupported("a string as a name");
        }
        let Some(range) = parse::token_range(ident.span) else {
            return ControlFlow::Continue(());
        };
        let i = range.start;
        if let Some(starts) = self.starts.get_mut(i) {
            *starts = true;
        }
        let follows_dot = i.checked_sub(1).is_some_and(|before| self.tokens.kind(before) == Some(TokenKind::Dot));
        let is_call = self.tokens.kind(i + 1) == Some(TokenKind::LeftParen);
        // Before an operand, OPERATOR(…) is an operator.
        let is_operator = is_call && !follows_dot && self.tokens.is_word(i, "operator");
        let refused = is_operator
            || match (self.tokens.kind(i), self.tokens.keyword(i)) {
                (Some(TokenKind::QuotedIdentifier), _) | (Some(TokenKind::Word), None) => false,
                (Some(TokenKind::Word), _) if follows_dot || self.is_before(i, &["as"]) => false,
                (Some(TokenKind::Word), Some(KeywordCategory::Reserved)) => !self.is_value_word(i),
                (Some(TokenKind::Word), Some(KeywordCategory::TypeFunctionName)) => !is_call && !self.is_value_word(i),
                (Some(TokenKind::Word), Some(_)) => false,
                _ => true,
            };
        if refused { ControlFlow::Break(self.near(i)) } else { ControlFlow::Continue(()) }
    }

    /// Only a string makes a type's name before it a literal; before anything else it is a column.
    fn check_string(&self, value: &ast::ValueWithSpan) -> Flow {
        let at = parse::token_range(value.span).map(|range| range.start);
        match at {
            Some(i) if self.tokens.kind(i) != Some(TokenKind::String) => ControlFlow::Break(self.near(i)),
            Some(_) => ControlFlow::Continue(()),
            None => self.unsupported("this literal"),
        }
    }

    /// Every clause word of the tokens that names a relation must have been one in the tree.
    fn check_clauses(&self, range: Range<usize>) -> Result<(), ReadError> {
        let mut functions = Vec::new();
        for i in range.clone() {
            match self.tokens.kind(i) {
                Some(TokenKind::LeftParen) => {
                    functions.push(self.is_before(i, &["extract", "substring", "overlay", "trim"]));
                }
                Some(TokenKind::RightParen) => {
                    functions.pop();
                }
                Some(TokenKind::Word) => {
                    let in_function = functions.last().copied().unwrap_or_default();
                    if self.opens_clause(i, in_function) && !self.is_consumed(i + 1, range.end) {
                        return Err(self.near(i));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn opens_clause(&self, i: usize, in_function: bool) -> bool {
        let before = i.checked_sub(1);
        let is_name =
            before.is_some_and(|before| self.tokens.kind(before) == Some(TokenKind::Dot)) || self.is_before(i, &["as"]);
        if is_name {
            return false;
        }
        match self.tokens.text(i).to_ascii_lowercase().as_str() {
            "from" => !in_function && !self.is_before(i, &["distinct", "rows"]),
            "join" => true,
            "into" => true,
            "update" => !self.is_before(i, &["do", "for", "key", "then"]),
            "using" if self.is_cycle_using(i) => false,
            "using" => self.tokens.kind(i + 1) != Some(TokenKind::Operator) && !self.tokens.is_word(i + 1, "operator"),
            _ => false,
        }
    }

    /// `CYCLE a SET b [TO c DEFAULT d] USING e` behind a CTE.
    fn is_cycle_using(&self, i: usize) -> bool {
        let is = |back: usize, word: &str| i.checked_sub(back).is_some_and(|at| self.tokens.is_word(at, word));
        let is_target = |back: usize| is(back, "into") || is(back, "from") || is(back, "update");
        (is(2, "set") && !is_target(3)) || (is(2, "default") && is(4, "to") && is(6, "set"))
    }

    fn is_consumed(&self, start: usize, end: usize) -> bool {
        let is_lateral = self.tokens.is_word(start, "lateral");
        let start = start + usize::from(is_lateral);
        let is_rows_from = self.tokens.is_word(start, "rows") && self.tokens.is_word(start + 1, "from");
        let mut i = if is_rows_from { start + 2 } else { start };
        while i < end.min(start + OPENINGS_MAX)
            && (self.tokens.kind(i) == Some(TokenKind::LeftParen)
                || ["only", "lateral"].iter().any(|word| self.tokens.is_word(i, word)))
        {
            i += 1;
        }
        const STARTS: &[&str] = &["select", "values", "with", "table", "xmltable", "json_table"];
        self.starts.get(i).is_some_and(|starts| *starts) || STARTS.iter().any(|word| self.tokens.is_word(i, word))
    }
}

fn is_foreign_insert(insert: &ast::Insert) -> bool {
    insert.or.is_some()
        || insert.ignore
        || !insert.into
        || insert.overwrite
        || !insert.assignments.is_empty()
        || insert.partitioned.is_some()
        || !insert.after_columns.is_empty()
        || insert.has_table_keyword
        || insert.output.is_some()
        || insert.replace_into
        || insert.insert_alias.is_some()
        || insert.settings.is_some()
        || insert.format_clause.is_some()
        || insert.multi_table_insert_type.is_some()
        || !matches!(insert.table, ast::TableObject::TableName(_))
        || matches!(insert.on, Some(ast::OnInsert::DuplicateKeyUpdate(_)))
}

impl Visitor for Walk<'_, '_> {
    type Break = ReadError;

    fn pre_visit_ident(&mut self, ident: &ast::Ident) -> Flow {
        self.check_ident(ident)
    }

    fn pre_visit_expr(&mut self, expression: &ast::Expr) -> Flow {
        match expression {
            ast::Expr::TypedString(typed) => self.check_string(&typed.value),
            ast::Expr::Identifier(ident) if current_of(self.tokens, expression).is_some() => {
                match parse::token_range(ident.span).map(|range| range.start) {
                    Some(i) if self.positioned.contains(&i) => ControlFlow::Continue(()),
                    Some(i) => ControlFlow::Break(self.near(i + 1)),
                    None => self.unsupported("this form of CURRENT OF"),
                }
            }
            ast::Expr::Interval(interval) => match &*interval.value {
                ast::Expr::Value(value) => self.check_string(value),
                _ => self.unsupported("this form of INTERVAL"),
            },
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, name: &ast::ObjectName) -> Flow {
        let first = name.0.first().and_then(|part| part.as_ident());
        let Some(i) = first.and_then(|ident| parse::token_range(ident.span)).map(|range| range.start) else {
            return self.unsupported("this relation");
        };
        let is_call = self.tokens.kind(i + 1) == Some(TokenKind::LeftParen);
        match self.tokens.keyword(i) {
            Some(KeywordCategory::Reserved) => ControlFlow::Break(self.near(i)),
            Some(KeywordCategory::TypeFunctionName) if !is_call => ControlFlow::Break(self.near(i)),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &ast::TableFactor) -> Flow {
        use ast::TableFactor;
        let is_known = match factor {
            TableFactor::Table { with_hints, version, partitions, json_path, index_hints, .. } => {
                with_hints.is_empty()
                    && version.is_none()
                    && partitions.is_empty()
                    && json_path.is_none()
                    && index_hints.is_empty()
            }
            TableFactor::Derived { sample, .. } => sample.is_none(),
            TableFactor::Function { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::XmlTable { .. } => true,
            _ => false,
        };
        if is_known { ControlFlow::Continue(()) } else { self.unsupported("a table of another database's kind") }
    }

    fn pre_visit_query(&mut self, query: &ast::Query) -> Flow {
        if matches!(*query.body, ast::SetExpr::Table(_)) {
            return self.unsupported("this form of TABLE");
        }
        if query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return self.unsupported("this clause");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &ast::Select) -> Flow {
        if select.into.is_some() {
            return self.unsupported("SELECT INTO");
        }
        let is_foreign = select.top.is_some()
            || select.exclude.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || !select.optimizer_hints.is_empty()
            || !matches!(select.flavor, ast::SelectFlavor::Standard)
            || matches!(select.group_by, ast::GroupByExpr::All(_));
        if is_foreign { self.unsupported("a clause of another database") } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_statement(&mut self, statement: &ast::Statement) -> Flow {
        let condition = match statement {
            ast::Statement::Update(update) => update.selection.as_ref(),
            ast::Statement::Delete(delete) => delete.selection.as_ref(),
            _ => None,
        };
        if let Some(ast::Expr::Identifier(ident)) = condition {
            self.positioned.extend(parse::token_range(ident.span).map(|range| range.start));
        }
        match statement {
            ast::Statement::Update(update)
                if update.or.is_some()
                    || update.limit.is_some()
                    || !update.order_by.is_empty()
                    || update.output.is_some() =>
            {
                self.unsupported("a clause of another database")
            }
            ast::Statement::Delete(delete)
                if !delete.tables.is_empty()
                    || delete.limit.is_some()
                    || !delete.order_by.is_empty()
                    || delete.output.is_some() =>
            {
                self.unsupported("a clause of another database")
            }
            ast::Statement::Insert(insert) if is_foreign_insert(insert) => {
                self.unsupported("a clause of another database")
            }
            ast::Statement::Query(_)
            | ast::Statement::Insert(_)
            | ast::Statement::Update(_)
            | ast::Statement::Delete(_)
            | ast::Statement::Merge(_) => ControlFlow::Continue(()),
            _ => self.unsupported("this statement"),
        }
    }
}
