//! ON CONFLICT: only where the row that is met can be no other tenant's.

use std::collections::BTreeSet;

use sqlparser::ast::{ConflictTarget, Expr, OnConflict, OnConflictAction, OnInsert};

use crate::catalog::{Key, KeyKind};
use crate::guard::from::not_allowed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::rows::mismatch;
use crate::guard::ruleset::{RelationRule, TenantColumn};
use crate::guard::scope::Protection;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::ident_value;

impl Walk<'_> {
    /// The target is the only entry of the innermost level; EXCLUDED joins it here.
    pub(in crate::guard) fn on_conflict(
        &mut self,
        rule: &RelationRule,
        on: &OnInsert,
        supplied: &[String],
    ) -> Outcome<()> {
        let OnInsert::OnConflict(OnConflict { conflict_target, action }) = on else {
            return Err(not_allowed("a clause that PostgreSQL does not have"));
        };
        if let Some(column) = rule.target_column() {
            self.arbiter(rule, column, conflict_target.as_ref(), supplied)?;
        }
        let OnConflictAction::DoUpdate(update) = action else { return Ok(()) };
        let mut excluded = self.target_entry(rule, "excluded".to_owned());
        excluded.unaliased = None;
        excluded.protection = Protection::None;
        if let Some(level) = self.levels.last_mut() {
            level.entries.push(excluded);
        }
        let mut names = Vec::new();
        for assignment in &update.assignments {
            self.expression(&assignment.value)?;
            let assigned = self.assigned(assignment)?;
            if let Some(column) = rule.target_column()
                && assigned.contains(&column.name)
            {
                self.conflict_tenant(rule, column, &assigned, &assignment.value)?;
            }
            names.extend(assigned);
        }
        self.key_oracles(rule, &names)?;
        // The row that is met is the tenant's own, so its condition may fail on it as it may.
        if let Some(condition) = &update.selection {
            self.expression(condition)?;
        }
        if let Some(level) = self.levels.last_mut() {
            level.entries.truncate(1);
        }
        Ok(())
    }

    /// `SET tenant_id = EXCLUDED.tenant_id`, as upserts of whole rows have it, changes nothing.
    fn conflict_tenant(
        &mut self,
        rule: &RelationRule,
        column: &TenantColumn,
        assigned: &[String],
        value: &Expr,
    ) -> Outcome<()> {
        let is_excluded = match value {
            Expr::CompoundIdentifier(idents) => {
                let parts: Vec<String> = idents.iter().map(ident_value).collect();
                matches!(parts.as_slice(), [relation, name] if relation == "excluded" && *name == column.name)
            }
            _ => false,
        };
        match assigned {
            [_] if is_excluded => Ok(()),
            [_] => {
                let tenant = self.tenant_value(rule, column)?;
                let token = crate::guard::condition::first_token(value).ok_or_else(|| mismatch(column))?;
                match value {
                    Expr::Value(_) => self.tenant_expression(value, token..token + 1, column, &tenant),
                    _ => Err(mismatch(column)),
                }
            }
            _ => Err(mismatch(column)),
        }
    }

    /// The keys that ON CONFLICT may act on all carry the tenant column, or cannot be met by what is supplied.
    fn arbiter(
        &self,
        rule: &RelationRule,
        column: &TenantColumn,
        target: Option<&ConflictTarget>,
        supplied: &[String],
    ) -> Outcome<()> {
        let sound = |key: &Key| {
            (key.columns.contains(&column.name) && key.kind != KeyKind::Exclusion)
                || (!key.has_expressions && key.columns.iter().all(|name| !supplied.contains(name)))
        };
        let keys = || rule.relation.keys.iter().filter(|key| key.kind != KeyKind::Foreign);
        match target {
            None => match keys().find(|key| !sound(key)) {
                None => Ok(()),
                Some(key) => Err(refused(key, column)),
            },
            Some(ConflictTarget::OnConstraint(name)) => {
                let parts = self.name_parts(name)?;
                let found = keys().find(|key| parts.last() == Some(&key.name));
                match found {
                    Some(key) if key.kind != KeyKind::Exclusion && key.columns.contains(&column.name) => Ok(()),
                    Some(key) => Err(refused(key, column)),
                    None => Err(Rejection::new(Code::ConflictTarget, "the constraint of ON CONFLICT does not exist")
                        .hint("Name the columns of a unique key that includes the tenant column.")),
                }
            }
            Some(ConflictTarget::Columns(columns)) => {
                let named: BTreeSet<String> = columns.iter().map(ident_value).collect();
                if named.contains(&column.name) {
                    return Ok(());
                }
                let matched = keys().find(|key| key.columns.iter().cloned().collect::<BTreeSet<_>>() == named);
                match matched {
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
