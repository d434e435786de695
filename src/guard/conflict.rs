//! ON CONFLICT: only where the row that is met can be no other tenant's.

use sqlparser::ast::{Expr, OnConflict, OnConflictAction, OnInsert};

use crate::guard::from::not_allowed;
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
        name_end: usize,
    ) -> Outcome<()> {
        let OnInsert::OnConflict(OnConflict { conflict_target, action }) = on else {
            return Err(not_allowed("a clause that PostgreSQL does not have"));
        };
        let target = self.conflict_tokens(rule, conflict_target.as_ref(), name_end)?;
        if let Some(column) = rule.target_column() {
            self.arbiter(rule, column, &target, supplied)?;
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
            let assigned = self.assigned(rule, assignment)?;
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
}
