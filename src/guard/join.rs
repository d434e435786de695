//! Joins: their conditions, read once all names beside them are known, and the columns that USING and NATURAL merge.

use std::collections::BTreeSet;
use std::ops::Range;

use sqlparser::ast::{Join, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};

use crate::guard::from::not_allowed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::relation::{NameUse, Named};
use crate::guard::scope::{Entry, Protection};
use crate::guard::walk::{Outcome, Walk};
use crate::sql::ident_value;

/// What kind of join a condition belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum JoinKind {
    Full,
    Other,
}

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
        match constraint {
            JoinConstraint::Using(names) => {
                let parts = names.iter().map(|name| name.0.last().and_then(|part| part.as_ident()).map(ident_value));
                let names: Vec<String> = parts.flatten().collect();
                self.merged_columns(begin..end, &|name| names.iter().any(|merged| merged == name))?;
            }
            JoinConstraint::Natural => {
                let names = self.shared_names(begin..middle, middle..end);
                let is_shared = |name: &str| names.as_ref().is_none_or(|names| names.contains(name));
                self.merged_columns(begin..end, &is_shared)?;
            }
            JoinConstraint::On(_) | JoinConstraint::None => {}
        }
        if let (Some(level), Some(nullable)) = (self.levels.last_mut(), nullable) {
            for entry in level.entries.get_mut(nullable).unwrap_or_default() {
                entry.nullable = true;
            }
        }
        Ok(())
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
    /// compares must be columns that are there, not expressions that the planner could run on other tenants' rows.
    fn merged_columns(&self, entries: Range<usize>, is_merged: &dyn Fn(&str) -> bool) -> Outcome<()> {
        let refused = |detail: &'static str| {
            Err(Rejection::new(Code::OperatorNotAllowed, "JOIN … USING and NATURAL JOIN are not allowed here")
                .detail(detail)
                .hint("Write the join condition with ON."))
        };
        if self.ruleset.operator_is_redefined("=") {
            return refused("The database defines an operator = of its own, which they might use.");
        }
        let joined = self.levels.last().and_then(|level| level.entries.get(entries)).unwrap_or_default();
        let computed = |entry: &&Entry| {
            let is_hidden = !matches!(entry.protection, Protection::None) || !entry.lateral.is_empty();
            let all_total = entry
                .columns
                .as_ref()
                .is_some_and(|columns| columns.iter().all(|column| column.total || !is_merged(&column.name)));
            is_hidden && !all_total
        };
        if joined.iter().any(|entry| computed(&entry)) {
            return refused("A merged column is computed from a table's columns.");
        }
        Ok(())
    }

    /// Reads the ON conditions, once all the names beside them are known. `first`: the place of the first item's entry
    /// in the level. True: all of them are total.
    pub(in crate::guard) fn join_conditions(&mut self, items: &[TableWithJoins], first: usize) -> Outcome<bool> {
        let mut total = true;
        let mut next = first;
        for item in items {
            let begin = next;
            next += entries_of(&item.relation);
            total &= self.conditions_inside(&item.relation, begin)?;
            for join in &item.joins {
                let right = next;
                next += entries_of(&join.relation);
                total &= self.conditions_inside(&join.relation, right)?;
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

/// How many entries of the scope a FROM item makes.
fn entries_of(factor: &TableFactor) -> usize {
    match factor {
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            let joined = table_with_joins.joins.iter().map(|join| entries_of(&join.relation));
            entries_of(&table_with_joins.relation) + joined.sum::<usize>()
        }
        _ => 1,
    }
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
