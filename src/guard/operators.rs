//! Whose operator a symbol means: PostgreSQL's, an extension's, or one that the database defines anew.
//!
//! An operator is found by its operands' types on the whole search path. What takes other types than those at hand is not
//! meant; what could be meant beside PostgreSQL's own makes nothing known of the expression.

use std::collections::{HashMap, HashSet};

use crate::catalog::{Catalog, Operator, QualifiedName};
use crate::guard::extensions::OwnType;
use crate::guard::kind::Kind;

#[derive(Debug)]
pub(in crate::guard) struct Operators {
    /// Symbols of the database's own: they could be meant by any use.
    redefined: HashSet<String>,
    /// Those of extensions.
    extended: HashMap<String, Vec<Extended>>,
    /// Those of extensions, with their schemas.
    qualified: HashSet<QualifiedName>,
}

#[derive(Debug)]
struct Extended {
    extension: String,
    /// As many as the operator takes.
    takes: Vec<Takes>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Takes {
    /// Of `pg_catalog`, where it is known.
    BuiltIn(Kind),
    Own(Option<OwnType>),
    /// Of many types, or of one that nobody noted.
    Any,
}

/// Who has defined the operator that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Owner<'a> {
    PostgreSql,
    Extension(&'a str),
    Unclear,
}

/// What comparisons, IN, BETWEEN, CASE and LIKE look up, of any types: they are never another's for PostgreSQL's own types.
const COMPARISONS: &[&str] = &["=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*"];

impl Operators {
    pub(in crate::guard) fn of(catalog: &Catalog) -> Self {
        let mut operators = Self { redefined: HashSet::new(), extended: HashMap::new(), qualified: HashSet::new() };
        for operator in &catalog.operators {
            let takes: Vec<Takes> = takes(catalog, operator);
            let for_others = takes.iter().any(|takes| matches!(takes, Takes::Own(_)));
            match &operator.extension {
                Some(extension) if for_others || !COMPARISONS.contains(&operator.name.as_str()) => {
                    operators.qualified.insert(QualifiedName::new(&operator.schema, &operator.name));
                    let extended = Extended { extension: extension.clone(), takes };
                    operators.extended.entry(operator.name.clone()).or_default().push(extended);
                }
                _ => {
                    operators.redefined.insert(operator.name.clone());
                }
            }
        }
        operators
    }

    pub(in crate::guard) fn is_redefined(&self, symbol: &str) -> bool {
        self.redefined.contains(symbol)
    }

    /// `OPERATOR(schema.symbol)` of an extension.
    pub(in crate::guard) fn is_of_extension(&self, schema: &str, symbol: &str) -> bool {
        !self.redefined.contains(symbol) && self.qualified.contains(&QualifiedName::new(schema, symbol))
    }

    /// Whose operator it is that takes these.
    pub(in crate::guard) fn owner(&self, symbol: &str, kinds: &[Kind]) -> Owner<'_> {
        let Some(extended) = self.extended.get(symbol) else { return Owner::PostgreSql };
        // A literal beside a text is a text.
        let text = kinds.contains(&Kind::Text);
        let kinds: Vec<&Kind> =
            kinds.iter().map(|kind| if text && *kind == Kind::Untyped { &Kind::Text } else { kind }).collect();
        let fits = |operator: &&Extended| {
            operator.takes.len() == kinds.len()
                && operator.takes.iter().zip(&kinds).all(|(takes, kind)| takes.could_be(kind))
        };
        let mut owners = extended.iter().filter(fits).map(|operator| operator.extension.as_str());
        match owners.next() {
            None => Owner::PostgreSql,
            Some(first) if owners.all(|owner| owner == first) => Owner::Extension(first),
            Some(_) => Owner::Unclear,
        }
    }
}

impl Takes {
    fn could_be(&self, kind: &Kind) -> bool {
        match self {
            Self::Any => true,
            _ if matches!(kind, Kind::Unknown | Kind::Untyped) => true,
            Self::BuiltIn(own) => own == kind,
            Self::Own(Some(own)) => *kind == Kind::Own(*own),
            Self::Own(None) => false,
        }
    }
}

fn takes(catalog: &Catalog, operator: &Operator) -> Vec<Takes> {
    // A snapshot of an earlier version does not say.
    let Some(right) = &operator.right else { return vec![Takes::Any, Takes::Any] };
    let left = operator.left.iter().map(|name| of_type(catalog, name));
    left.chain([of_type(catalog, right)]).collect()
}

fn of_type(catalog: &Catalog, name: &QualifiedName) -> Takes {
    if name.schema != "pg_catalog" {
        return Takes::Own(OwnType::of(catalog, name));
    }
    if name.name.starts_with("any") || name.name == "record" {
        return Takes::Any;
    }
    Takes::BuiltIn(Kind::of_internal_name(&name.name))
}
