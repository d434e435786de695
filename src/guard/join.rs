//! Joins: their conditions, read once all names beside them are known, and the columns that USING and NATURAL merge.

use std::collections::BTreeSet;
use std::ops::Range;

use sqlparser::ast::{Join, JoinConstraint, JoinOperator, ObjectName, TableFactor, TableWithJoins};

use crate::guard::from::{not_allowed, plain_entry};
use crate::guard::kind::Kind;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::relation::{NameUse, Named};
use crate::guard::scope::{Entry, OutputColumn, Protection};
use crate::guard::walk::{Outcome, Walk};
use crate::sql::{TokenKind, ident_value};

/// What kind of join a condition belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum JoinKind {
    Full,
    Other,
}

/// Relations that the USING and NATURAL JOIN of a text look at: some two hundred of these in a chain.
const MERGED_MAX: usize = 20_000;

impl Walk<'_> {
    pub(in crate::guard) fn join(&mut self, join: &Join, begin: usize) -> Outcome<()> {
        if join.global {
            return Err(not_allowed("GLOBAL JOIN"));
        }
        let middle = self.entry_count();
        self.table_factor(&join.relation)?;
        let end = self.entry_count();
        use JoinOperator as J;
        let Some(constraint) = constraint(&join.join_operator) else {
            return Err(not_allowed("this kind of join"));
        };
        let nullable = match &join.join_operator {
            J::Left(_) | J::LeftOuter(_) => Some(middle..end),
            J::Right(_) | J::RightOuter(_) => Some(begin..middle),
            J::FullOuter(_) => Some(begin..end),
            _ => None,
        };
        if let Some(names) = self.merged_names(constraint, begin..middle, middle..end) {
            self.merged_columns(begin..end, &names)?;
        }
        if let (Some(level), Some(nullable)) = (self.levels.last_mut(), nullable) {
            for entry in level.entries.get_mut(nullable).unwrap_or_default() {
                entry.nullable = true;
            }
        }
        if let (Some(alias), JoinConstraint::Using(names)) = (self.merge_alias(join), constraint) {
            let names: Vec<String> = names.iter().filter_map(merged_name).collect();
            let entry = self.merged_entry(alias, &names, begin..end);
            self.push_entry(entry)?;
        }
        Ok(())
    }

    /// The name in `USING (a) AS name`, which is not in the tree.
    fn merge_alias(&self, join: &Join) -> Option<String> {
        let Some(JoinConstraint::Using(names)) = constraint(&join.join_operator) else { return None };
        let close = self.name_tokens(names.last()?).ok()?.end;
        let is_alias = self.tokens.kind(close) == Some(TokenKind::RightParen) && self.tokens.is_word(close + 1, "as");
        if is_alias { self.tokens.identifier(close + 2) } else { None }
    }

    /// The columns that USING merges, under their own name: a condition on them is one on both sides.
    fn merged_entry(&self, alias: String, names: &[String], sides: Range<usize>) -> Entry {
        let level = self.levels.len().saturating_sub(1);
        let joined = self.levels.last().and_then(|level| level.entries.get(sides.clone())).unwrap_or_default();
        let column = |name: &String| {
            let mut found = joined.iter().filter_map(|entry| entry.column(name));
            let first = found.next().cloned();
            let kind = first.filter(|first| found.all(|other| other.kind == first.kind)).map(|first| first.kind);
            let reg = joined.iter().filter_map(|entry| entry.column(name)).find_map(|column| column.kind.reg());
            let kind = reg.map(Kind::Reg).or(kind);
            let total = joined.iter().filter_map(|entry| entry.column(name)).all(|column| column.total);
            OutputColumn { name: name.clone(), total: total && kind.is_some(), kind: kind.unwrap_or(Kind::Unknown) }
        };
        let columns = names.iter().map(column).collect();
        let lateral = sides.map(|at| (level, at)).collect();
        Entry { lateral, ..plain_entry(Some(alias), Some(columns), Protection::None) }
    }

    /// The columns that a join merges; `None`: it merges none. Inside, `None`: it may be any.
    fn merged_names(
        &self,
        constraint: &JoinConstraint,
        left: Range<usize>,
        right: Range<usize>,
    ) -> Option<Option<BTreeSet<String>>> {
        match constraint {
            JoinConstraint::Using(names) => Some(Some(names.iter().filter_map(merged_name).collect())),
            JoinConstraint::Natural => Some(self.shared_names(left, right)),
            JoinConstraint::On(_) | JoinConstraint::None => None,
        }
    }

    /// The names that both sides of a NATURAL JOIN have; `None`: not known.
    fn shared_names(&self, left: Range<usize>, right: Range<usize>) -> Option<BTreeSet<String>> {
        let names = |side: Range<usize>| {
            let entries = self.levels.last().and_then(|level| level.entries.get(side)).unwrap_or_default();
            let columns = entries.iter().map(|entry| entry.columns.as_ref()).collect::<Option<Vec<_>>>()?;
            Some(columns.into_iter().flatten().map(|column| column.name.clone()).collect::<BTreeSet<_>>())
        };
        let (left, right) = (names(left)?, names(right)?);
        Some(left.intersection(&right).cloned().collect())
    }

    /// USING and NATURAL compare by `=`, around which no CASE can be put. So it has to be PostgreSQL's own, and what it
    /// compares and is computed from other tenants' rows as well gets a fence, as the operands of FULL JOIN do.
    fn merged_columns(&mut self, entries: Range<usize>, names: &Option<BTreeSet<String>>) -> Outcome<()> {
        if self.ruleset.operator_is_redefined("=") {
            return Err(Rejection::new(Code::OperatorNotAllowed, "JOIN … USING and NATURAL JOIN are not allowed here")
                .detail("The database defines an operator = of its own, which they might use.")
                .hint("Write the join condition with ON."));
        }
        self.merged += entries.len();
        if self.merged > MERGED_MAX {
            return Err(Rejection::new(Code::StatementTooLarge, "the statement joins too many relations")
                .detail("Each USING and NATURAL JOIN looks at the columns of all relations that it joins.")
                .hint("Write the join conditions with ON, or split the statement."));
        }
        for (level, entry) in self.behind(self.computed(entries, names)) {
            self.fence_entry(level, entry)?;
        }
        Ok(())
    }

    /// The entries of which a merged column is computed.
    fn computed(&self, entries: Range<usize>, names: &Option<BTreeSet<String>>) -> Vec<(usize, usize)> {
        let Some(level) = self.levels.len().checked_sub(1) else { return Vec::new() };
        let joined = self.levels.last().and_then(|level| level.entries.get(entries.clone())).unwrap_or_default();
        let is_merged = |name: &String| names.as_ref().is_none_or(|names| names.contains(name));
        let is_computed = |entry: &Entry| {
            let is_hidden = !matches!(entry.protection, Protection::None) || !entry.lateral.is_empty();
            let all_total = entry
                .columns
                .as_ref()
                .is_some_and(|columns| columns.iter().all(|column| column.total || !is_merged(&column.name)));
            is_hidden && !all_total
        };
        let found = entries.zip(joined).filter(|(_, entry)| is_computed(entry));
        found.map(|(at, _)| (level, at)).collect()
    }

    /// Reads the ON conditions, once all the names beside them are known. `first`: the place of the first item's entry
    /// in the level. True: all of them are total.
    pub(in crate::guard) fn join_conditions(&mut self, items: &[TableWithJoins], first: usize) -> Outcome<bool> {
        let mut total = true;
        let mut next = first;
        for item in items {
            let begin = next;
            next += self.entries_of(&item.relation);
            total &= self.conditions_inside(&item.relation, begin)?;
            for join in &item.joins {
                let right = next;
                next += self.entries_of(&join.relation);
                total &= self.conditions_inside(&join.relation, right)?;
                let constrained = constraint(&join.join_operator);
                let names = constrained.and_then(|names| self.merged_names(names, begin..right, right..next));
                total &= names.is_none_or(|names| self.computed(begin..next, &names).is_empty());
                let kind = match &join.join_operator {
                    JoinOperator::FullOuter(_) => JoinKind::Full,
                    _ => JoinKind::Other,
                };
                if let Some(JoinConstraint::On(condition)) = constraint(&join.join_operator) {
                    // It sees what it joins, and nothing that comes later.
                    let outer = self.joined.replace((self.levels.len(), begin..next));
                    let read = self.on_condition(condition, kind);
                    self.joined = outer;
                    total &= read?;
                }
                next += usize::from(self.merge_alias(join).is_some());
            }
        }
        Ok(total)
    }

    pub(in crate::guard) fn conditions_inside(&mut self, factor: &TableFactor, first: usize) -> Outcome<bool> {
        match factor {
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.join_conditions(std::slice::from_ref(table_with_joins), first)
            }
            // Those under an alias were read where their names were in sight; whether they were total is not kept.
            TableFactor::NestedJoin { alias: Some(_), .. } => Ok(false),
            // What a CTE does was read elsewhere.
            TableFactor::Table { name, args: None, .. } => {
                Ok(!matches!(self.named(name, NameUse::Read)?, Named::Cte(_)))
            }
            TableFactor::Derived { subquery, .. } => Ok(self.shape(subquery).is_some_and(|shape| shape.total)),
            _ => Ok(false),
        }
    }
}

impl Walk<'_> {
    /// How many entries of the scope a FROM item makes.
    fn entries_of(&self, factor: &TableFactor) -> usize {
        match factor {
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let joined = table_with_joins.joins.iter();
                let joined =
                    joined.map(|join| self.entries_of(&join.relation) + usize::from(self.merge_alias(join).is_some()));
                self.entries_of(&table_with_joins.relation) + joined.sum::<usize>()
            }
            _ => 1,
        }
    }
}

fn merged_name(name: &ObjectName) -> Option<String> {
    name.0.last().and_then(|part| part.as_ident()).map(ident_value)
}

/// The constraint of the joins that PostgreSQL knows; `None` for other dialects' joins.
pub(in crate::guard) fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    use JoinOperator as J;
    match operator {
        J::Join(constraint)
        | J::Inner(constraint)
        | J::CrossJoin(constraint)
        | J::Left(constraint)
        | J::LeftOuter(constraint)
        | J::Right(constraint)
        | J::RightOuter(constraint)
        | J::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}
