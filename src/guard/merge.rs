//! MERGE: only the tenant's rows can match or be left unmatched, and every row that it inserts is the tenant's.
//!
//! The tenant's condition stands in ON, so that another tenant's row is no match. What that row would then collide with
//! on insertion is a key that all tenants share: the table's grade, as for INSERT.

use std::ops::Range;

use sqlparser::ast::{
    Merge, MergeAction, MergeClause, MergeClauseKind, MergeInsertExpr, MergeInsertKind, MergeUpdateExpr,
    MergeUpdateKind, OutputClause,
};

use crate::guard::change::Target;
use crate::guard::decision::Access;
use crate::guard::from::{not_allowed, plain_entry};
use crate::guard::join::JoinKind;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::scope::{Entry, Level, Protection};
use crate::guard::tenant_column::{literal, reference};
use crate::guard::walk::{Outcome, QueryShape, Walk};
use crate::sql::clauses::{self, MergeClauses, MergeWhen};
use crate::sql::{quote_identifier, token_range};

impl Walk<'_> {
    pub(in crate::guard) fn merge(&mut self, merge: &Merge) -> Outcome<QueryShape> {
        let Merge { merge_token, optimizer_hints, into, table, source, on, clauses, output } = merge;
        let returning = match output {
            None => None,
            Some(OutputClause::Returning { returning_token: _, select_items }) => Some(select_items.as_slice()),
            Some(OutputClause::Output { .. }) => return Err(not_allowed("a clause that PostgreSQL does not have")),
        };
        if !into || !optimizer_hints.is_empty() {
            return Err(not_allowed("a clause that PostgreSQL does not have"));
        }
        if clauses.is_empty() {
            return Err(Rejection::new(Code::NotParsed, "syntax error at end of input"));
        }
        let keyword = token_range(merge_token.0.span).map(|range| range.start).ok_or_else(disagree)?;
        let read = MergeClauses::read(self.tokens, keyword).ok_or_else(disagree)?;
        if read.whens.len() != clauses.len() {
            return Err(disagree());
        }
        let target = self.target(table, &accesses(clauses))?;
        // A view can be the target from version 17 on only.
        self.writable(target.rule, &(keyword + 2..read.on.start))?;
        self.levels.push(Level::default());
        self.table_factor(source)?;
        self.add_target(&target);
        self.conditions_inside(source, 1)?;
        let by_source = clauses.iter().any(|clause| clause.clause_kind == MergeClauseKind::NotMatchedBySource);
        let kind = if by_source { JoinKind::Full } else { JoinKind::Other };
        self.pieces(read.on.clone(), on, kind)?;
        let tenant = self.target_predicate(&target)?;
        if let Some(tenant) = &tenant {
            self.before(read.on.start, format!("{tenant} AND ("));
            self.after(read.on.end - 1, ")");
        }
        // What follows runs on the rows of the join, one by one: a condition here may fail as it may alone.
        if let Some(level) = self.levels.last_mut() {
            level.settled = true;
        }
        for (clause, when) in clauses.iter().zip(&read.whens) {
            self.merge_clause(&target, clause, when, tenant.as_deref())?;
        }
        self.close_target(returning)
    }

    /// `target.tenant_id = tenant`; `None`: the target is shared.
    fn target_predicate(&self, target: &Target<'_>) -> Outcome<Option<String>> {
        let Some(column) = target.rule.target_column() else { return Ok(None) };
        self.predicate(target.rule, column, &reference(&target.name, &column.name)).map(Some)
    }

    fn merge_clause(
        &mut self,
        target: &Target<'_>,
        clause: &MergeClause,
        when: &MergeWhen,
        tenant: Option<&str>,
    ) -> Outcome<()> {
        let MergeClause { when_token: _, clause_kind, predicate, action } = clause;
        // Only one of the two rows is there where they do not match.
        let hidden = match clause_kind {
            MergeClauseKind::Matched => 0..0,
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => 0..1,
            MergeClauseKind::NotMatchedBySource => 1..self.entry_count(),
        };
        let kept = self.hide_entries(hidden.clone());
        match (predicate, &when.condition) {
            (None, None) => {}
            (Some(predicate), Some(_)) => self.expression(predicate)?,
            _ => return Err(disagree()),
        }
        if *clause_kind == MergeClauseKind::NotMatchedBySource
            && let Some(tenant) = tenant
        {
            // All rows of others are without a match.
            match &when.condition {
                Some(tokens) => {
                    self.before(tokens.start, format!("CASE WHEN {tenant} THEN ("));
                    self.after(tokens.end - 1, ") END");
                }
                None => self.before(when.then, format!("AND {tenant}")),
            }
        }
        match action {
            MergeAction::Insert(insert) => self.merge_insert(target, insert)?,
            MergeAction::Update(update) => self.merge_update(target, update, when.action.clone())?,
            MergeAction::Delete { delete_token: _ } | MergeAction::DoNothing { do_token: _, nothing_token: _ } => {}
        }
        self.show_entries(hidden, kept);
        Ok(())
    }

    /// Takes entries of the innermost level out of sight; the others keep their places.
    fn hide_entries(&mut self, hidden: Range<usize>) -> Vec<Entry> {
        let entries = self.levels.last_mut().and_then(|level| level.entries.get_mut(hidden)).unwrap_or_default();
        let nothing = || plain_entry(None, Some(Vec::new()), Protection::None);
        entries.iter_mut().map(|entry| std::mem::replace(entry, nothing())).collect()
    }

    fn show_entries(&mut self, hidden: Range<usize>, kept: Vec<Entry>) {
        let entries = self.levels.last_mut().and_then(|level| level.entries.get_mut(hidden)).unwrap_or_default();
        for (entry, kept) in entries.iter_mut().zip(kept) {
            *entry = kept;
        }
    }

    fn merge_update(&mut self, target: &Target<'_>, update: &MergeUpdateExpr, action: Range<usize>) -> Outcome<()> {
        let MergeUpdateExpr { update_token, kind, update_predicate, delete_predicate } = update;
        let (MergeUpdateKind::Set(assignments), None, None) = (kind, update_predicate, delete_predicate) else {
            return Err(not_allowed("a clause that PostgreSQL does not have"));
        };
        let keyword = token_range(update_token.0.span).map(|range| range.start).ok_or_else(disagree)?;
        if keyword != action.start || !self.tokens.is_word(keyword + 1, "set") {
            return Err(disagree());
        }
        self.assignments(target, assignments, Some(keyword + 2..action.end))
    }

    fn merge_insert(&mut self, target: &Target<'_>, insert: &MergeInsertExpr) -> Outcome<()> {
        let MergeInsertExpr { insert_token, columns, kind_token, kind, insert_predicate } = insert;
        let (MergeInsertKind::Values(values), None) = (kind, insert_predicate) else {
            return Err(not_allowed("a clause that PostgreSQL does not have"));
        };
        let keyword = token_range(insert_token.0.span).map(|range| range.start).ok_or_else(disagree)?;
        self.overriding(target.rule)?;
        if self.tokens.is_word(keyword + 1, "default") {
            let Some(column) = target.rule.target_column() else { return Ok(()) };
            let value = self.tenant_value(target.rule, column)?;
            return self.default_values(keyword + 1, column, &value);
        }
        let [row] = values.rows.as_slice() else { return Err(disagree()) };
        let at = token_range(kind_token.0.span).map(|range| range.start).ok_or_else(disagree)?;
        let rows = clauses::value_rows(self.tokens, at);
        let [tokens] = rows.as_slice() else { return Err(disagree()) };
        let cells = clauses::split_at_commas(self.tokens, tokens.start + 1..tokens.end - 1);
        if cells.len() != row.content.len() {
            return Err(disagree());
        }
        let names = match columns.is_empty() {
            true => target.rule.relation.columns.iter().take(cells.len()).map(|column| column.name.clone()).collect(),
            false => {
                columns.iter().map(|column| self.column_or_part(target.rule, column)).collect::<Outcome<Vec<_>>>()?
            }
        };
        for cell in &row.content {
            if !self.is_default(cell) {
                self.expression(cell)?;
            }
        }
        for name in &names {
            self.record_column(&target.rule.relation.qualified_name(), name);
        }
        let chosen = names.iter().zip(&row.content).filter(|(_, cell)| !self.is_default(cell));
        let chosen: Vec<String> = chosen.map(|(name, _)| name.clone()).collect();
        self.key_oracles(target.rule, &chosen)?;
        let Some(column) = target.rule.target_column() else { return Ok(()) };
        let value = self.tenant_value(target.rule, column)?;
        let place = names.iter().position(|name| *name == column.name);
        match place {
            Some(place) => match (row.content.get(place), cells.get(place)) {
                (Some(cell), Some(tokens)) => self.tenant_expression(cell, tokens.clone(), column, &value)?,
                _ => return Err(disagree()),
            },
            None => self.after(tokens.end - 2, format!(", {}", literal(column, &value))),
        }
        let own = place.is_none().then(|| quote_identifier(&column.name));
        if columns.is_empty() {
            let list: Vec<String> = names.iter().map(|name| quote_identifier(name)).chain(own).collect();
            self.after(keyword, format!("({})", list.join(", ")));
        } else if let Some(own) = own {
            let close = self.tokens.matching(keyword + 1).ok_or_else(disagree)?;
            self.before(close, format!(", {own}"));
        }
        Ok(())
    }
}

fn accesses(clauses: &[MergeClause]) -> Vec<Access> {
    let mut accesses = vec![Access::Read];
    accesses.extend(clauses.iter().filter_map(|clause| match &clause.action {
        MergeAction::Insert(_) => Some(Access::Insert),
        MergeAction::Update(_) => Some(Access::Update),
        MergeAction::Delete { .. } => Some(Access::Delete),
        MergeAction::DoNothing { .. } => None,
    }));
    accesses
}

fn disagree() -> Rejection {
    Rejection::new(Code::ReadingsDisagree, "the clauses of the statement are not clear")
}
