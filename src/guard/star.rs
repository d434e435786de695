//! Stars in the list of a query whose rows are inserted, column by column: the tenant's may be one of them.

use std::collections::HashSet;

use sqlparser::ast::{ObjectName, WildcardAdditionalOptions};

use crate::guard::tenant_column::reference;
use crate::guard::walk::Walk;
use crate::sql::{ident_value, token_range};

impl Walk<'_> {
    /// Notes what a star means where that can be written out: each column once, by a name that means nothing else.
    ///
    /// To be asked while its level is on the stack.
    pub(in crate::guard) fn spell_star(&mut self, star: &WildcardAdditionalOptions, of: Option<&ObjectName>) {
        let Some(token) = token_range(star.wildcard_token.0.span).map(|range| range.start) else { return };
        if !self.writes || self.merges_columns || self.expands_rows {
            return;
        }
        if let Some(columns) = self.spelled(of) {
            self.stars.insert(token, columns);
        }
    }

    fn spelled(&self, of: Option<&ObjectName>) -> Option<Vec<String>> {
        let entries = self.levels.last()?.entries.iter();
        let mut names = HashSet::new();
        if !entries.clone().all(|entry| entry.name.as_ref().is_some_and(|name| names.insert(name.clone()))) {
            return None;
        }
        let wanted = match of.map(|name| name.0.as_slice()) {
            None => None,
            Some([only]) => Some(only.as_ident().map(ident_value)?),
            Some(_) => return None,
        };
        let mut spelled = Vec::new();
        let mut taken = HashSet::new();
        for entry in entries {
            let name = entry.name.as_ref()?;
            if wanted.as_ref().is_some_and(|wanted| wanted != name) {
                continue;
            }
            for column in entry.columns.as_ref()? {
                // What PostgreSQL calls a column that has no name of its own is not always known.
                if column.name == "?column?" {
                    return None;
                }
                let column = reference(name, &column.name);
                if !taken.insert(column.clone()) {
                    return None;
                }
                spelled.push(column);
            }
        }
        (!spelled.is_empty()).then_some(spelled)
    }
}
