//! Where each tenant's data is: in tables that all share, in a schema of its own, or on an upstream of its own.

use std::collections::HashMap;
use std::fmt;

use crate::policy::tenant_set::matches;
use crate::tenant::TenantId;

/// Stands for the tenant's identifier in the name of its schema.
const ID: &str = "{id}";
/// PostgreSQL's NAMEDATALEN less one. It would cut a longer name off, so that two tenants' schemas become one.
const SCHEMA_BYTES_MAX: usize = 63;

/// The tenants that have rules of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenants {
    named: HashMap<String, TenantRule>,
    /// By pattern, those that say most of a name first.
    patterns: Vec<(String, TenantRule)>,
    /// Schemas that are named outright, by upstream and name, and whose they are.
    owners: HashMap<(Option<String>, String), String>,
    unlisted: Unlisted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRule {
    /// `None`: the config's default.
    pub upstream: Option<String>,
    pub isolation: Isolation<String>,
}

/// What keeps a tenant's data apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation<S> {
    /// A column of tables that all share.
    #[default]
    Column,
    /// A schema of its own, by its name; in a rule it may hold [`ID`].
    Schema(S),
    /// A database of its own.
    Database,
}

impl<S> Isolation<S> {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Column => "column",
            Self::Schema(_) => "schema",
            Self::Database => "database",
        }
    }
}

/// What becomes of a tenant for which there is no rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlisted {
    /// It shares the tables of the default upstream.
    #[default]
    Column,
    /// There is no such tenant.
    Refuse,
}

/// Where a tenant's data is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// `None`: the config's default.
    pub upstream: Option<String>,
    pub isolation: Isolation<String>,
}

impl Place {
    /// The tables that all share, on the default upstream.
    pub fn is_common(&self) -> bool {
        *self == Self::default()
    }
}

/// Why there is no place for a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceError {
    Unknown,
    /// Its name does not make a schema's that could be its own.
    Schema(&'static str),
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the policy has no such tenant"),
            Self::Schema(why) => write!(f, "the tenant has no schema: {why}"),
        }
    }
}

impl Tenants {
    /// Fails with the key and the reason of each rule that would put two tenants in one place.
    pub fn new(
        rules: impl IntoIterator<Item = (String, TenantRule)>,
        unlisted: Unlisted,
    ) -> Result<Self, Vec<(String, String)>> {
        let mut tenants = Self { unlisted, ..Self::default() };
        let mut faults = Vec::new();
        let mut databases: HashMap<Option<String>, String> = HashMap::new();
        for (name, rule) in rules {
            let is_pattern = name.contains('*');
            match &rule.isolation {
                Isolation::Column => {}
                Isolation::Schema(schema) if schema.contains(ID) => {}
                Isolation::Schema(_) if is_pattern => {
                    faults.push((
                        name.clone(),
                        format!("all tenants of this pattern would share one schema: put {ID} into its name"),
                    ));
                }
                Isolation::Schema(schema) => {
                    let owner = tenants.owners.insert((rule.upstream.clone(), schema.clone()), name.clone());
                    faults.extend(owner.map(|other| (name.clone(), format!("its schema is that of tenant {other:?}"))));
                }
                Isolation::Database if is_pattern => {
                    faults.push((name.clone(), "all tenants of this pattern would share one database".to_owned()));
                }
                Isolation::Database => {
                    let owner = databases.insert(rule.upstream.clone(), name.clone());
                    faults
                        .extend(owner.map(|other| (name.clone(), format!("its upstream is that of tenant {other:?}"))));
                }
            }
            if is_pattern {
                tenants.patterns.push((name, rule));
            } else {
                tenants.named.insert(name, rule);
            }
        }
        for (name, rule) in tenants.named.iter().chain(tenants.patterns.iter().map(|(name, rule)| (name, rule))) {
            if rule.isolation != Isolation::Database
                && let Some(owner) = databases.get(&rule.upstream)
            {
                faults.push((name.clone(), format!("its upstream is tenant {owner:?}'s own")));
            }
        }
        let said = |pattern: &str| pattern.chars().filter(|character| *character != '*').count();
        tenants.patterns.sort_by(|(a, _), (b, _)| said(b).cmp(&said(a)).then_with(|| a.cmp(b)));
        faults.sort();
        if faults.is_empty() { Ok(tenants) } else { Err(faults) }
    }

    /// Where a tenant's data is. `shared` are schemas that are nobody's own.
    pub fn place(&self, tenant: &TenantId, shared: &[String]) -> Result<Place, PlaceError> {
        let name = tenant.as_str();
        let by_pattern = || self.patterns.iter().find(|(pattern, _)| matches(pattern, name)).map(|(_, rule)| rule);
        let Some(rule) = self.named.get(name).or_else(by_pattern) else {
            return match self.unlisted {
                Unlisted::Column => Ok(Place::default()),
                Unlisted::Refuse => Err(PlaceError::Unknown),
            };
        };
        let isolation = match &rule.isolation {
            Isolation::Column => Isolation::Column,
            Isolation::Database => Isolation::Database,
            Isolation::Schema(pattern) => {
                let schema = pattern.replace(ID, name);
                check_schema(&schema, shared).map_err(PlaceError::Schema)?;
                let owner = self.owners.get(&(rule.upstream.clone(), schema.clone()));
                if owner.is_some_and(|owner| owner != name) {
                    return Err(PlaceError::Schema("one of that name belongs to another tenant"));
                }
                Isolation::Schema(schema)
            }
        };
        Ok(Place { upstream: rule.upstream.clone(), isolation })
    }

    /// All rules, each with its key.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &TenantRule)> {
        self.named
            .iter()
            .chain(self.patterns.iter().map(|(name, rule)| (name, rule)))
            .map(|(name, rule)| (name.as_str(), rule))
    }

    /// The names of tenants' own schemas on an upstream, as patterns of LIKE.
    pub fn schema_patterns(&self, upstream: Option<&str>) -> Vec<String> {
        let mut patterns: Vec<String> = self
            .rules()
            .filter(|(_, rule)| rule.upstream.as_deref() == upstream)
            .filter_map(|(_, rule)| match &rule.isolation {
                Isolation::Schema(pattern) => {
                    let parts: Vec<String> = pattern.split(ID).map(escape_like).collect();
                    Some(parts.join("%"))
                }
                Isolation::Column | Isolation::Database => None,
            })
            .collect();
        patterns.sort();
        patterns.dedup();
        patterns
    }
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Whether a schema of that name can be one tenant's own.
fn check_schema(schema: &str, shared: &[String]) -> Result<(), &'static str> {
    if schema.len() > SCHEMA_BYTES_MAX {
        return Err("its name would be too long, and PostgreSQL would cut it off");
    }
    if schema.starts_with("pg_") || schema == "information_schema" {
        return Err("one of that name is the server's");
    }
    if shared.iter().any(|shared| shared == schema) {
        return Err("one of that name is shared by all");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(schema: &str) -> TenantRule {
        TenantRule { upstream: None, isolation: Isolation::Schema(schema.to_owned()) }
    }

    fn tenants(rules: &[(&str, TenantRule)], unlisted: Unlisted) -> Result<Tenants, Vec<(String, String)>> {
        Tenants::new(rules.iter().map(|(name, rule)| ((*name).to_owned(), rule.clone())), unlisted)
    }

    fn schema(tenants: &Tenants, tenant: &str) -> Result<String, PlaceError> {
        match tenants.place(&TenantId::parse(tenant).unwrap(), &["public".to_owned()])?.isolation {
            Isolation::Schema(schema) => Ok(schema),
            other => Ok(other.as_str().to_owned()),
        }
    }

    #[test]
    fn the_rule_that_says_most_decides() {
        let rules = [("*", rule("t_{id}")), ("eu-*", rule("eu_{id}")), ("eu-acme", rule("acme"))];
        let tenants = tenants(&rules, Unlisted::Column).unwrap();
        assert_eq!(schema(&tenants, "globex").unwrap(), "t_globex");
        assert_eq!(schema(&tenants, "eu-globex").unwrap(), "eu_eu-globex");
        assert_eq!(schema(&tenants, "eu-acme").unwrap(), "acme");
    }

    #[test]
    fn a_name_is_never_another_schema() {
        let tenants = tenants(&[("*", rule("{id}")), ("acme", rule("globex"))], Unlisted::Refuse).unwrap();
        for tenant in ["public", "pg_catalog", "pg_temp_1", "information_schema", "globex", &"x".repeat(64)] {
            assert!(matches!(schema(&tenants, tenant), Err(PlaceError::Schema(_))), "{tenant}");
        }
        assert_eq!(schema(&tenants, "a\"; DROP SCHEMA b; --").unwrap(), "a\"; DROP SCHEMA b; --");
    }

    #[test]
    fn two_tenants_have_no_place_in_common() {
        let own = |upstream: &str| TenantRule { upstream: Some(upstream.to_owned()), isolation: Isolation::Database };
        let fault = |rules: &[(&str, TenantRule)]| tenants(rules, Unlisted::Column).unwrap_err().len();
        assert_eq!(fault(&[("a", rule("s")), ("b", rule("s"))]), 1);
        assert_eq!(fault(&[("a*", rule("s"))]), 1);
        assert_eq!(fault(&[("a", own("bank")), ("b", own("bank"))]), 1);
        assert_eq!(fault(&[("a*", own("bank"))]), 1);
        let column = TenantRule { upstream: Some("bank".to_owned()), isolation: Isolation::Column };
        assert_eq!(fault(&[("a", own("bank")), ("b", column)]), 1);
    }

    #[test]
    fn who_is_not_listed_shares_or_does_not_exist() {
        let unlisted = |unlisted| schema(&tenants(&[("acme", rule("a"))], unlisted).unwrap(), "globex");
        assert_eq!(unlisted(Unlisted::Column).unwrap(), "column");
        assert_eq!(unlisted(Unlisted::Refuse), Err(PlaceError::Unknown));
    }
}
