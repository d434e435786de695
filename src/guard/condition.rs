//! WHERE, ON and HAVING: what is total stays as it is, the rest runs only on the tenant's own rows.
//!
//! Where the filter stands does not decide when it runs. So a condition that can fail goes into
//! `CASE WHEN <it is the tenant's row> THEN (condition) END`, or, where the tenant column is out of sight, the lenses
//! below get `OFFSET 0`, through which the planner pushes nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use sqlparser::ast::{BinaryOperator, Expr};

use crate::guard::computed::Source;
use crate::guard::from::not_allowed;
use crate::guard::join::JoinKind;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::scope::{Entry, Protection};
use crate::guard::tenant_column;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::clauses;
use crate::sql::{TokenKind, token_range};

impl Walk<'_> {
    /// A WHERE clause: true if all of it is total.
    pub(in crate::guard) fn conditions(
        &mut self,
        tokens: Option<Range<usize>>,
        condition: Option<&Expr>,
    ) -> Outcome<bool> {
        let (tokens, condition) = match (tokens, condition) {
            (None, None) => return Ok(true),
            (Some(tokens), Some(condition)) if !tokens.is_empty() => (tokens, condition),
            _ => return Err(disagree()),
        };
        self.pieces(tokens, condition, JoinKind::Other)
    }

    pub(in crate::guard) fn pieces(&mut self, tokens: Range<usize>, condition: &Expr, kind: JoinKind) -> Outcome<bool> {
        let ranges = clauses::conjuncts(self.tokens, tokens.clone());
        let expressions = conjuncts(condition);
        if ranges.len() != expressions.len() {
            // The two readings cut the condition differently: then it is one piece, which is always right.
            return self.condition(tokens, condition, kind);
        }
        let mut total = true;
        for (range, expression) in ranges.into_iter().zip(expressions) {
            total &= match self.in_brackets(&range, expression) {
                Some((range, inner)) => self.pieces(range, inner, kind)?,
                None => self.condition(range, expression, kind)?,
            };
        }
        Ok(total)
    }

    /// A chain of AND in brackets of its own, as some write the whole of a condition: what is total in it stays as it is.
    fn in_brackets<'e>(&self, tokens: &Range<usize>, condition: &'e Expr) -> Option<(Range<usize>, &'e Expr)> {
        let Expr::Nested(inner) = condition else { return None };
        let is_whole = self.tokens.kind(tokens.start) == Some(TokenKind::LeftParen)
            && self.tokens.matching(tokens.start).is_some_and(|close| close + 1 == tokens.end);
        (is_whole && is_chain(inner)).then(|| (tokens.start + 1..tokens.end - 1, inner.as_ref()))
    }

    /// A join's ON, found on the tokens by something that stands in it.
    pub(in crate::guard) fn on_condition(&mut self, condition: &Expr, kind: JoinKind) -> Outcome<bool> {
        let inside = first_token(condition)
            .ok_or_else(|| Rejection::new(Code::NotParsed, "this form of join condition is not understood"))?;
        let tokens = clauses::on_condition(self.tokens, inside).ok_or_else(disagree)?;
        self.pieces(tokens, condition, kind)
    }

    fn condition(&mut self, tokens: Range<usize>, condition: &Expr, kind: JoinKind) -> Outcome<bool> {
        if tokens.is_empty() || first_token(condition).is_some_and(|token| !tokens.contains(&token)) {
            return Err(disagree());
        }
        let references = self.references.len();
        let touched = self.touched.len();
        self.expression(condition)?;
        if self.measure(condition).total && !self.unsure {
            return Ok(true);
        }
        if kind == JoinKind::Full && is_equality(condition) {
            // FULL JOIN needs an equality as it stands. The planner tries `=` on statistics, which cannot fail, and
            // nothing of the operands.
            for (level, entry) in self.referenced(references) {
                self.fence_entry(level, entry)?;
            }
            let inside = self.touched.get(touched..).unwrap_or_default().to_vec();
            self.fence(&inside);
            return Ok(false);
        }
        let guards = self.guards(references)?;
        if guards.is_empty() {
            // Nothing keeps a subquery inside from being pulled up into the joins around it.
            let inside = self.touched.get(touched..).unwrap_or_default().to_vec();
            self.fence(&inside);
            if self.is_fenced(references) {
                self.out_of_estimates(tokens);
            }
        } else {
            self.before(tokens.start, format!("CASE WHEN {} THEN (", guards.join(" AND ")));
            self.after(tokens.end - 1, ") END");
        }
        Ok(false)
    }

    /// HAVING: a condition without an aggregate is pushed below the grouping, where no CASE could name the column.
    pub(in crate::guard) fn having(&mut self, tokens: Option<Range<usize>>, condition: &Expr) -> Outcome<()> {
        let tokens = tokens.filter(|tokens| !tokens.is_empty()).ok_or_else(disagree)?;
        let mut fenced = false;
        for conjunct in conjuncts(condition) {
            let references = self.references.len();
            let touched = self.touched.len();
            self.expression(conjunct)?;
            if (self.measure(conjunct).total && !self.unsure) || self.holds_aggregate(conjunct) {
                continue;
            }
            fenced = true;
            for (level, entry) in self.referenced(references) {
                self.fence_entry(level, entry)?;
            }
            let inside = self.touched.get(touched..).unwrap_or_default().to_vec();
            self.fence(&inside);
        }
        if fenced {
            self.out_of_estimates(tokens);
        }
        Ok(())
    }

    /// A fence keeps a condition from the rows, but not from the statistics, on whose values the planner tries operators.
    /// Through CASE it does not look.
    fn out_of_estimates(&mut self, tokens: Range<usize>) {
        self.before(tokens.start, "CASE WHEN (");
        self.after(tokens.end - 1, ") THEN true END");
    }

    /// Whether the condition is on columns that come out of a fence.
    fn is_fenced(&self, references: usize) -> bool {
        self.unsettled(references).into_iter().any(|(level, entry)| {
            let entry = self.levels.get(level).and_then(|level| level.entries.get(entry));
            entry.is_some_and(|entry| !matches!(entry.protection, Protection::None))
        })
    }

    /// What must hold of the relations that a condition refers to. Fences those that cannot be named here.
    fn guards(&mut self, references: usize) -> Outcome<Vec<String>> {
        let mut guards = Vec::new();
        for (level, at) in self.unsettled(references) {
            let Some(entry) = self.levels.get(level).and_then(|level| level.entries.get(at)) else { continue };
            let guard = if self.is_beside_join(level, at) { None } else { self.guard(level, entry)? };
            match guard {
                Some(guard) => guards.push(guard),
                None => self.fence_entry(level, at)?,
            }
        }
        Ok(guards)
    }

    /// Those whose rows the condition could be run on before the tenant's filter. In the output of a grouped query a
    /// guard could not even name the tenant column.
    fn unsettled(&self, mark: usize) -> Vec<(usize, usize)> {
        let settled: Vec<bool> = self.levels.iter().map(|level| level.settled).collect();
        self.referenced(mark).into_iter().filter(|(level, _)| settled.get(*level) == Some(&false)).collect()
    }

    /// The relations of the levels in sight that were referred to since `mark`, and those that these stand for.
    pub(in crate::guard) fn referenced(&self, mark: usize) -> BTreeSet<(usize, usize)> {
        let uses = self.references.get(mark..).unwrap_or_default().iter();
        // What an ON condition cannot name it does not mean; what stands behind what it names it does.
        let named = uses.map(|used| (used.level, used.entry)).filter(|(level, at)| !self.is_beside_join(*level, *at));
        self.behind(named.collect())
    }

    /// Entries, and those that their columns come from.
    pub(in crate::guard) fn behind(&self, mut pending: Vec<(usize, usize)>) -> BTreeSet<(usize, usize)> {
        let mut found = BTreeSet::new();
        while let Some((level, at)) = pending.pop() {
            let Some(scope) = self.levels.get(level) else { continue };
            if found.insert((level, at)) {
                pending.extend(scope.entries.get(at).into_iter().flat_map(|entry| &entry.lateral));
            }
        }
        found
    }

    /// An entry of the level whose ON condition is read that is none of what that ON joins.
    fn is_beside_join(&self, level: usize, at: usize) -> bool {
        self.joined.as_ref().is_some_and(|(depth, joined)| *depth == level + 1 && !joined.contains(&at))
    }

    /// `alias.tenant_id = tenant [OR alias.tenant_id IS NULL]`; `None`: there is nothing to guard by, or no way to.
    fn guard(&self, level: usize, entry: &Entry) -> Outcome<Option<String>> {
        let (Protection::Guard { column, tenant_column, .. } | Protection::Target { column, tenant_column }) =
            &entry.protection
        else {
            return Ok(None);
        };
        let behind = match &entry.protection {
            Protection::Guard { table, .. } => self.lenses.get(*table).map(|lens| &lens.relation),
            _ => entry.relation.as_ref(),
        };
        let (Some(name), Some(relation)) = (&entry.name, behind) else { return Ok(None) };
        let shadowed = self.levels.iter().skip(level + 1).any(|inner| inner.entry_named(None, name).is_some());
        if shadowed || (entry.nullable && !tenant_column.not_null) {
            return Ok(None);
        }
        let Some(rule) = self.ruleset.relation(relation) else { return Ok(None) };
        let reference = tenant_column::reference(name, column);
        let predicate = self.predicate(rule, tenant_column, &reference)?;
        // Above an outer join a row may be filled with NULLs: nobody's row, since the column itself is NOT NULL.
        Ok(Some(if entry.nullable { format!("({predicate} OR {reference} IS NULL)") } else { predicate }))
    }

    pub(in crate::guard) fn fence_entry(&mut self, level: usize, at: usize) -> Outcome<()> {
        let entry = self.levels.get(level).and_then(|level| level.entries.get(at));
        match entry.map(|entry| entry.protection.clone()) {
            None | Some(Protection::None) => Ok(()),
            Some(Protection::Guard { table, .. }) => {
                self.fence(&[Source::Lens(table)]);
                Ok(())
            }
            Some(Protection::Fence { sources }) => {
                self.fence(&sources);
                Ok(())
            }
            Some(Protection::Target { .. }) => Err(not_allowed("a condition on a target that an inner alias hides")
                .hint("Give the relation inside the subquery another alias.")),
        }
    }
}

fn is_equality(condition: &Expr) -> bool {
    match condition {
        Expr::Nested(inner) => is_equality(inner),
        Expr::BinaryOp { op, .. } => *op == BinaryOperator::Eq,
        _ => false,
    }
}

fn is_chain(condition: &Expr) -> bool {
    match condition {
        Expr::Nested(inner) => is_chain(inner),
        Expr::BinaryOp { op, .. } => *op == BinaryOperator::And,
        _ => false,
    }
}

/// The operands of a chain of AND, in the order of the text. Not inside parentheses.
fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    let mut rest = condition;
    let mut reversed = Vec::new();
    let mut pending = Vec::new();
    loop {
        match rest {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                pending.push(left.as_ref());
                rest = right;
            }
            other => {
                reversed.push(other);
                match pending.pop() {
                    Some(next) => rest = next,
                    None => break,
                }
            }
        }
    }
    reversed.reverse();
    reversed
}

/// The leftmost token that the parser placed in an expression.
pub(in crate::guard) fn first_token(expression: &Expr) -> Option<usize> {
    struct First(Option<usize>);
    impl First {
        fn see(&mut self, span: sqlparser::tokenizer::Span) {
            if let Some(range) = token_range(span) {
                self.0 = Some(self.0.map_or(range.start, |first| first.min(range.start)));
            }
        }
    }
    impl sqlparser::ast::Visitor for First {
        type Break = ();
        fn pre_visit_expr(&mut self, expression: &Expr) -> std::ops::ControlFlow<()> {
            match expression {
                Expr::Identifier(ident) => self.see(ident.span),
                Expr::CompoundIdentifier(idents) => idents.iter().for_each(|ident| self.see(ident.span)),
                Expr::Value(value) => self.see(value.span),
                Expr::TypedString(typed) => self.see(typed.value.span),
                Expr::Case { case_token, .. } => self.see(case_token.0.span),
                Expr::Function(function) => {
                    function.name.0.iter().filter_map(|part| part.as_ident()).for_each(|ident| self.see(ident.span));
                }
                _ => {}
            }
            std::ops::ControlFlow::Continue(())
        }
    }
    let mut first = First(None);
    match sqlparser::ast::Visit::visit(expression, &mut first) {
        std::ops::ControlFlow::Continue(()) | std::ops::ControlFlow::Break(()) => first.0,
    }
}

fn disagree() -> Rejection {
    Rejection::new(Code::ReadingsDisagree, "the clauses of the statement are not clear")
}
