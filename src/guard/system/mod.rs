//! PostgreSQL's own relations: structure of what is in reach, nothing of the rows and names of others.
//!
//! Each is read through a lens of a fixed text, made once for a ruleset. Functions that take an OID or a name get it
//! only if the thing is in reach, and NULL otherwise, so that what is hidden does not differ from what is not there.

mod argument;
mod call;
mod cast;
mod function;
mod hoist;
mod identifier;
mod information;
mod known;
mod lens;
mod reach;
mod relation;
mod view;
mod visible;

#[cfg(feature = "second-opinion")]
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use sqlparser::ast::ObjectName;

use crate::catalog::{Catalog, QualifiedName, TypeKind};
#[cfg(feature = "second-opinion")]
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, RelationRule};
use crate::guard::system::call::{Naming, keeps_its_name};
use crate::guard::system::information::INFORMATION;
use crate::guard::system::lens::SystemRelation;
use crate::guard::system::reach::{PREFIX, SETS};
use crate::guard::system::relation::{OWN_ALONE, RELATIONS};
use crate::guard::system::view::{EMPTY, VIEWS};
use crate::guard::system::visible::Visible;
#[cfg(feature = "second-opinion")]
use crate::guard::walk::Outcome;
use crate::policy::{CatalogAccess, Tenancy};
#[cfg(feature = "second-opinion")]
use crate::sql::{TextLimits, lex};
use crate::sql::{TokenKind, Tokens, token_range};

pub(in crate::guard) use crate::guard::system::call::looks_up;
#[cfg(feature = "second-opinion")]
pub(in crate::guard) use crate::guard::system::cast::named_catalog;
pub(in crate::guard) use crate::guard::system::cast::naming_type;
pub(in crate::guard) use crate::guard::system::function::{output_columns, partition_tree_columns, takes_no_type};
pub(in crate::guard) use crate::guard::system::lens::SystemLens;

/// PostgreSQL's own relations as a ruleset shows them.
#[derive(Debug)]
pub(in crate::guard) struct System {
    access: CatalogAccess,
    lenses: HashMap<QualifiedName, SystemLens>,
    /// Queries for the OIDs in reach, in the order in which they stand before a statement, and those with names.
    sets: Vec<(&'static str, String)>,
    names: BTreeMap<&'static str, String>,
    /// How long these texts are: a quick way to see that a text is none of them.
    lengths: HashSet<usize>,
    visible: Visible,
}

impl System {
    pub(in crate::guard) fn compile<'a>(
        catalog: &Catalog,
        relations: &HashMap<QualifiedName, RelationRule>,
        functions: impl Iterator<Item = &'a QualifiedName> + Clone,
        tenancy: &Tenancy,
    ) -> Self {
        let mut visible = Visible::default();
        for (name, rule) in relations {
            if let Lens::Scoped(column) = &rule.lens {
                let columns = visible.tenant_columns.entry((name.schema.clone(), column.name.clone())).or_default();
                columns.insert(name.name.clone());
            }
        }
        visible.schemas.extend(["pg_catalog", "information_schema"].map(str::to_owned));
        visible.schemas.extend(tenancy.search_path.iter().cloned());
        let of_extensions = catalog.types.iter().filter(|entry| entry.extension.is_some());
        visible.schemas.extend(of_extensions.map(|entry| entry.schema.clone()));
        for (name, rule) in relations.iter().filter(|(_, rule)| is_visible(rule)) {
            visible.schemas.insert(name.schema.clone());
            visible.schemas.extend(rule.relation.columns.iter().map(|column| column.type_schema.clone()));
        }
        for name in functions.clone() {
            visible.schemas.insert(name.schema.clone());
        }
        if tenancy.catalog == CatalogAccess::Off {
            return Self::off(catalog, visible);
        }
        let named = relations.iter().filter(|(_, rule)| is_visible(rule)).map(|(name, _)| name);
        for QualifiedName { schema, name } in named {
            visible.relations.entry(schema.clone()).or_default().insert(name.clone());
        }
        for QualifiedName { schema, name } in functions {
            visible.functions.entry(schema.clone()).or_default().insert(name.clone());
        }
        let names: BTreeSet<&str> = visible.tenant_columns.keys().map(|(_, column)| column.as_str()).collect();
        // A tenant can be named where a tenant column and a literal stand in it.
        let is_plain = |definition: &str| {
            let holds_literal = definition.contains(|sign: char| sign == '\'' || sign.is_ascii_digit());
            !holds_literal || !names.iter().any(|name| definition.contains(name))
        };
        let views = relations.iter().filter(|(_, rule)| is_visible(rule));
        let views = views.filter(|(_, rule)| rule.relation.definition.as_deref().is_some_and(is_plain));
        for (QualifiedName { schema, name }, _) in views.collect::<Vec<_>>() {
            visible.plain_views.entry(schema.clone()).or_default().insert(name.clone());
        }
        let composite = catalog.types.iter().filter(|entry| entry.kind == TypeKind::Composite);
        for entry in composite.filter(|entry| visible.schemas.contains(&entry.schema)).collect::<Vec<_>>() {
            visible.relations.entry(entry.schema.clone()).or_default().insert(entry.name.clone());
        }
        let own = RELATIONS.iter().chain(VIEWS).chain(EMPTY).map(|relation| ("pg_catalog", relation));
        let all = own.chain(INFORMATION.iter().map(|relation| ("information_schema", relation)));
        let lenses = all.map(|(schema, relation)| {
            let lens = lens::lens(relation, schema, &visible, catalog.server_version);
            (QualifiedName::new(schema, relation.name), lens)
        });
        let lenses: HashMap<QualifiedName, SystemLens> = lenses.collect();
        let (sets, names) = (reach::sets(&visible), reach::names(&visible));
        let queries = sets.iter().map(|(_, query)| query).chain(names.values()).map(String::len);
        let lengths = lenses.values().map(|lens| lens.text.len()).chain(queries).collect();
        Self { access: CatalogAccess::Structure, lenses, sets, names, lengths, visible }
    }

    /// PostgreSQL's own types and operators, and no look-ups.
    fn off(catalog: &Catalog, visible: Visible) -> Self {
        let own = OWN_ALONE.iter().filter_map(|(name, rows)| {
            let columns = relation_named("pg_catalog", name)?.columns;
            let relation = SystemRelation { name, rows, columns };
            let lens = lens::lens(&relation, "pg_catalog", &visible, catalog.server_version);
            Some((QualifiedName::new("pg_catalog", *name), lens))
        });
        let lenses: HashMap<QualifiedName, SystemLens> = own.collect();
        let lengths = lenses.values().map(|lens| lens.text.len()).collect();
        Self { access: CatalogAccess::Off, lenses, sets: Vec::new(), names: BTreeMap::new(), lengths, visible }
    }

    /// Whether clients see structure and may look things up.
    pub(in crate::guard) fn shows_structure(&self) -> bool {
        self.access == CatalogAccess::Structure
    }

    /// `None`: no function that looks the catalogue up. Whether its name is to be kept.
    pub(in crate::guard) fn keeps_its_name(&self, name: &str) -> Option<bool> {
        keeps_its_name(name).filter(|_| self.shows_structure())
    }

    /// PostgreSQL's own outside of `pg_catalog`, which JDBC calls: it takes an array apart.
    pub(in crate::guard) fn is_own_function(&self, schema: &str, name: &str) -> bool {
        self.shows_structure() && schema == "information_schema" && name == "_pg_expandarray"
    }

    pub(in crate::guard) fn lens(&self, name: &QualifiedName) -> Option<&SystemLens> {
        self.lenses.get(name)
    }

    /// Of a relation of the database, whether the catalogue shows it.
    pub(in crate::guard) fn shows(&self, relation: &QualifiedName) -> bool {
        self.visible.holds(relation)
    }

    /// The sets that texts need, with those that these need, as a list of CTEs. `None`: they need none.
    fn ctes(&self, texts: &[String]) -> Option<String> {
        let mut needed: BTreeSet<&str> = texts.iter().flat_map(|text| reach::sets_in(text)).collect();
        // Each uses only those before it.
        for (set, query) in self.sets.iter().rev() {
            if needed.contains(set) {
                needed.extend(reach::sets_in(query));
            }
        }
        let ctes = self.sets.iter().filter(|(set, _)| needed.contains(set));
        let ctes: Vec<String> =
            ctes.map(|(set, query)| format!("{} AS MATERIALIZED {query}", reach::set_name(set))).collect();
        (!ctes.is_empty()).then(|| ctes.join(", "))
    }

    /// The places in a text that are ours to the letter, brackets included. Fails where one of our names means another
    /// query than ours.
    pub(in crate::guard) fn places_in(&self, tokens: &Tokens<'_>) -> Result<Vec<Range<usize>>, &'static str> {
        let mut places: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let close = tokens.matching(at).filter(|_| tokens.kind(at) == Some(TokenKind::LeftParen));
            let text = close.map(|close| tokens.span_text(at..close + 1));
            if let (Some(close), true) = (close, text.is_some_and(|text| self.is_own(text))) {
                places.push(at..close + 1);
                at = close + 1;
                continue;
            }
            let name = tokens.identifier(at).filter(|name| name.starts_with(PREFIX));
            if let Some(name) = name
                && !self.is_set(&name, at, tokens)
                && !tokens.is_word(at.saturating_sub(1), "from")
            {
                return Err("a name of ours for something else");
            }
            at += 1;
        }
        Ok(places)
    }

    /// A text with `(SELECT)` in each of these places.
    #[cfg(feature = "second-opinion")]
    pub(in crate::guard) fn without_places<'t>(&self, sql: &'t str) -> Outcome<Cow<'t, str>> {
        let marks = ["pg_catalog.pg_", "information_schema.", PREFIX];
        if !marks.iter().any(|mark| sql.contains(mark)) {
            return Ok(sql.into());
        }
        let limits = TextLimits { bytes_max: usize::MAX, tokens_max: usize::MAX, nesting_max: usize::MAX };
        let unclear = |fault: &str| {
            Rejection::new(Code::ReadingsDisagree, "the statement could not be guarded safely").detail(fault.to_owned())
        };
        let tokens = lex(sql, &limits).map_err(|error| unclear(&error.message))?;
        let places = self.places_in(&tokens).map_err(unclear)?;
        let mut text = String::new();
        let mut from = 0;
        for place in places {
            text.push_str(tokens.span_text(from..place.start));
            text.push_str(" (SELECT) ");
            from = place.end;
        }
        text.push_str(tokens.span_text(from..tokens.len()));
        Ok(text.into())
    }

    /// Whether a relation's name stands in one of these places, which are looked for once.
    pub(in crate::guard) fn is_inside(
        &self,
        tokens: &Tokens<'_>,
        known: &mut Option<Vec<Range<usize>>>,
        name: &ObjectName,
    ) -> Result<bool, &'static str> {
        let first = name.0.first().and_then(|part| part.as_ident()).and_then(|ident| token_range(ident.span));
        let places = match known.take() {
            Some(places) => places,
            None => self.places_in(tokens)?,
        };
        let is_inside = first.is_some_and(|first| places.iter().any(|place| place.contains(&first.start)));
        *known = Some(places);
        Ok(is_inside)
    }

    /// `partywall_set AS MATERIALIZED (…)`, with that set's own query.
    fn is_set(&self, name: &str, at: usize, tokens: &Tokens<'_>) -> bool {
        let open = at + 3;
        let text = tokens.matching(open).map(|close| tokens.span_text(open..close + 1));
        let own = self.sets.iter().find(|(set, _)| reach::set_name(set) == name);
        let defines = tokens.is_word(at + 1, "as") && tokens.is_word(at + 2, "materialized");
        defines && own.is_some_and(|(_, query)| Some(query.as_str()) == text)
    }

    fn is_own(&self, text: &str) -> bool {
        if !self.lengths.contains(&text.len()) {
            return false;
        }
        let queries = self.sets.iter().map(|(_, query)| query).chain(self.names.values());
        self.lenses.values().map(|lens| &lens.text).chain(queries).any(|own| own == text)
    }

    /// What to put around an operand that names a row of a catalogue, so that it is an OID in reach or NULL.
    fn around(&self, relation: &str, naming: Naming) -> Option<(String, String)> {
        match naming {
            Naming::Oid => SETS.contains(&relation).then(|| reach::around_oid(relation)),
            Naming::Name | Naming::NameOrOid => {
                self.names.get(relation).map(|query| reach::around_name(query, relation, naming))
            }
        }
    }

    /// Whether something in reach is in a schema.
    pub(in crate::guard) fn has_schema(&self, name: &str) -> bool {
        self.visible.schemas.contains(name)
    }

    /// Each lens by its relation's name, for texts that people read.
    pub(in crate::guard) fn texts(&self) -> BTreeMap<String, &str> {
        let lenses = self.lenses.iter().map(|(name, lens)| (name.to_string(), lens.text.as_str()));
        let oids = self.sets.iter().map(|(name, query)| (format!("oids of {name}"), query.as_str()));
        let names = self.names.iter().map(|(name, query)| (format!("names of {name}"), query.as_str()));
        lenses.chain(oids).chain(names).collect()
    }
}

/// A relation that the catalogue shows: one that can be used, and no partition or child, which may be called after a tenant.
fn is_visible(rule: &RelationRule) -> bool {
    !matches!(rule.lens, Lens::Undeclared(_)) && rule.relation.parents.is_empty()
}

/// A name that only we give.
pub(in crate::guard) fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

fn relation_named(schema: &str, name: &str) -> Option<&'static SystemRelation> {
    let lists: &[&'static [SystemRelation]] =
        if schema == "pg_catalog" { &[RELATIONS, VIEWS, EMPTY] } else { &[INFORMATION] };
    lists.iter().flat_map(|list| list.iter()).find(|relation| relation.name == name)
}
