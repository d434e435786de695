//! Which schemas of a database are read: all, one tenant's with those that all share, or all but tenants' own.

use crate::upstream::introspect::SYSTEM;

/// What part of a database's schema is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Schemas {
    #[default]
    All,
    /// A tenant's own schema, and those that all share.
    Of { own: String, shared: Vec<String> },
    /// Those that all share, and all others but those whose names are like one of these patterns.
    NotLike { patterns: Vec<String>, shared: Vec<String> },
}

impl Schemas {
    /// A query of the catalogue, for these schemas alone. `n` is the namespace in it.
    pub(crate) fn narrow(&self, sql: &str) -> String {
        self.narrow_by(sql, &|condition| condition.to_owned())
    }

    /// Likewise for relations, `c`: also those out of reach that show in one that is in reach, or are bound to one.
    pub(crate) fn narrow_relations(&self, sql: &str) -> String {
        self.narrow_by(sql, &|condition| {
            let parents = condition.replace("n.nspname", "pn.nspname");
            let bound = match self {
                Self::Of { own, .. } => format!(
                    " OR EXISTS (SELECT FROM pg_catalog.pg_constraint fk JOIN pg_catalog.pg_class fc ON fc.oid = fk.confrelid
                        JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
                        WHERE fk.contype = 'f' AND fk.conrelid = c.oid AND fn.nspname = {})",
                    literal(own)
                ),
                Self::All | Self::NotLike { .. } => String::new(),
            };
            format!(
                "{condition} OR EXISTS (SELECT FROM pg_catalog.pg_inherits oh JOIN pg_catalog.pg_class op ON op.oid = oh.inhparent
                    JOIN pg_catalog.pg_namespace pn ON pn.oid = op.relnamespace WHERE oh.inhrelid = c.oid AND ({parents})){bound}"
            )
        })
    }

    fn narrow_by(&self, sql: &str, extended: &dyn Fn(&str) -> String) -> String {
        match self.condition("n.nspname") {
            None => sql.to_owned(),
            Some(condition) => sql.replacen(SYSTEM, &format!("{SYSTEM} AND ({})", extended(&condition)), 1),
        }
    }

    /// `None`: there is none.
    pub(crate) fn condition(&self, name: &str) -> Option<String> {
        match self {
            Self::All => None,
            Self::Of { own, shared } => {
                let names: Vec<String> = std::iter::once(own).chain(shared).map(|schema| literal(schema)).collect();
                Some(format!("{name} IN ({})", names.join(", ")))
            }
            Self::NotLike { patterns, .. } if patterns.is_empty() => None,
            Self::NotLike { patterns, shared } => {
                let is_own: Vec<String> =
                    patterns.iter().map(|pattern| format!("{name} LIKE {}", literal(pattern))).collect();
                let shared: Vec<String> = shared.iter().map(|schema| literal(schema)).collect();
                Some(format!("({name} IN ({}) OR NOT ({}))", shared.join(", "), is_own.join(" OR ")))
            }
        }
    }
}

/// A string as SQL has it, whatever is in it.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schemas_name_is_data() {
        let schemas = Schemas::Of { own: "a'; DROP TABLE b; --\\".to_owned(), shared: vec!["public".to_owned()] };
        assert_eq!(schemas.condition("n").unwrap(), r"n IN (E'a''; DROP TABLE b; --\\', E'public')");
        let schemas = Schemas::NotLike { patterns: vec!["t\\_%".to_owned()], shared: vec!["public".to_owned()] };
        assert_eq!(schemas.condition("n").unwrap(), r"(n IN (E'public') OR NOT (n LIKE E't\\_%'))");
    }
}
