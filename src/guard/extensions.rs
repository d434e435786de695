//! What is known of PostgreSQL's extensions: which of their functions a client may call, and why some have none.
//!
//! A policy names an extension in `[functions] extensions`; the catalogue says which functions it owns, and in which schema.
//! Their operators pass without it, as those of PostgreSQL: none of an extension listed here does more than compute.

use std::collections::HashMap;

use crate::catalog::{Catalog, Function, QualifiedName};
use crate::guard::ruleset::Diagnostic;
use crate::policy::Policy;

/// An extension, and what may be called of it.
struct Extension {
    name: &'static str,
    calls: Calls,
}

enum Calls {
    /// Names, with `/n` where only the overload with that many parameters is meant.
    These {
        functions: &'static str,
    },
    /// Its functions are for its indexes and casts.
    Nothing,
    Refused {
        reason: &'static str,
    },
}

const fn these(name: &'static str, functions: &'static str) -> Extension {
    Extension { name, calls: Calls::These { functions } }
}

const fn refused(name: &'static str, reason: &'static str) -> Extension {
    Extension { name, calls: Calls::Refused { reason } }
}

const FILES: &str = "its functions read or write files of the server";
const OTHER_SERVERS: &str = "its functions reach other servers";
const PAGES: &str = "its functions show pages, with the rows of all tenants";
const COUNTS: &str = "its functions show what all sessions do";
const SQL_TEXT: &str = "its functions run SQL that is held in a text, which nobody reads";

const EXTENSIONS: &[Extension] = &[
    refused("adminpack", FILES),
    refused("amcheck", "its functions take relations by name, and read them whole"),
    Extension { name: "btree_gin", calls: Calls::Nothing },
    Extension { name: "btree_gist", calls: Calls::Nothing },
    // PostgreSQL's own, without regard to case.
    these(
        "citext",
        "citext regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table replace \
         split_part strpos translate min max",
    ),
    refused("dblink", OTHER_SERVERS),
    refused("file_fdw", FILES),
    // Compute on texts.
    these(
        "fuzzystrmatch",
        "levenshtein levenshtein_less_equal soundex text_soundex difference metaphone dmetaphone dmetaphone_alt \
         daitch_mokotoff",
    ),
    // Compute on their arguments.
    these(
        "hstore",
        "hstore hstore_to_array hstore_to_matrix hstore_to_json hstore_to_json_loose hstore_to_jsonb \
         hstore_to_jsonb_loose akeys avals skeys svals each exist exists_any exists_all defined isexists isdefined \
         delete fetchval slice slice_array hs_concat hs_contains hs_contained populate_record tconvert",
    ),
    // Compute on arrays.
    these("intarray", "icount sort sort_asc sort_desc uniq idx subarray intset querytree"),
    refused("lo", "its functions reach large objects, which belong to no tenant"),
    // Compute on labels.
    these(
        "ltree",
        "subltree subpath index nlevel text2ltree ltree2text lca ltree_addltree ltree_addtext ltree_textadd",
    ),
    refused("pageinspect", PAGES),
    refused("pg_buffercache", PAGES),
    refused("pg_freespacemap", PAGES),
    refused("pg_prewarm", "its functions take relations by name"),
    refused("pg_stat_statements", COUNTS),
    refused("pg_surgery", PAGES),
    // Compare texts; not show_limit and set_limit, which are settings.
    these("pg_trgm", "similarity word_similarity strict_word_similarity show_trgm"),
    refused("pg_visibility", PAGES),
    refused("pg_walinspect", PAGES),
    // Compute on their arguments; no key is kept at the server.
    these(
        "pgcrypto",
        "digest hmac crypt gen_salt encrypt decrypt encrypt_iv decrypt_iv gen_random_bytes gen_random_uuid \
         pgp_sym_encrypt pgp_sym_encrypt_bytea pgp_sym_decrypt pgp_sym_decrypt_bytea pgp_pub_encrypt \
         pgp_pub_encrypt_bytea pgp_pub_decrypt pgp_pub_decrypt_bytea pgp_key_id armor dearmor pgp_armor_headers",
    ),
    refused("pgrowlocks", COUNTS),
    refused("pgstattuple", PAGES),
    refused("postgres_fdw", OTHER_SERVERS),
    refused("sslinfo", "its functions tell of the connection between Partywall and the server"),
    refused("tablefunc", SQL_TEXT),
    // Replaces letters; the other overload takes the name of a dictionary.
    these("unaccent", "unaccent/1"),
    // Make values out of nothing but their arguments, time and chance.
    these(
        "uuid-ossp",
        "uuid_nil uuid_ns_dns uuid_ns_url uuid_ns_oid uuid_ns_x500 uuid_generate_v1 uuid_generate_v1mc \
         uuid_generate_v3 uuid_generate_v4 uuid_generate_v5",
    ),
    refused("xml2", SQL_TEXT),
];

/// The functions that the policy's extensions bring.
pub(in crate::guard) fn listed_functions<'c>(
    policy: &Policy,
    catalog: &'c Catalog,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<&'c Function> {
    let mut listed = Vec::new();
    for name in &policy.extensions {
        let mut fault = |message: String| {
            diagnostics.push(Diagnostic { path: format!("functions.extensions.\"{name}\""), message });
        };
        match EXTENSIONS.iter().find(|extension| extension.name == name).map(|extension| &extension.calls) {
            None => fault("is an extension of which nothing is known; list its functions one by one".to_owned()),
            Some(Calls::Refused { reason }) => fault(format!("cannot be let through: {reason}")),
            Some(_) if !is_installed(name, catalog) => {
                fault(format!("is no extension of database {}", catalog.database));
            }
            Some(Calls::Nothing) => {}
            Some(Calls::These { functions }) => {
                let own = catalog.functions.iter().filter(|function| function.extension.as_ref() == Some(name));
                // None that takes or gives a name that the server looks up.
                listed.extend(own.filter(|function| !function.looks_up && is_among(functions, function)));
            }
        }
    }
    listed
}

fn is_among(functions: &str, function: &Function) -> bool {
    functions.split(' ').any(|entry| match entry.split_once('/') {
        None => entry == function.name,
        Some((name, count)) => name == function.name && count == parameters(&function.arguments).to_string(),
    })
}

pub(in crate::guard) fn parameters(arguments: &str) -> usize {
    if arguments.is_empty() { 0 } else { arguments.split(", ").count() }
}

fn is_installed(name: &str, catalog: &Catalog) -> bool {
    let functions = catalog.functions.iter().map(|function| &function.extension);
    let operators = catalog.operators.iter().map(|operator| &operator.extension);
    let types = catalog.types.iter().map(|entry| &entry.extension);
    functions.chain(operators).chain(types).flatten().any(|extension| extension == name)
}

/// Functions that the policy's list of extensions could bring, and the extension of each.
pub(in crate::guard) fn offered_functions(policy: &Policy, catalog: &Catalog) -> HashMap<String, String> {
    let mut offered = HashMap::new();
    for function in &catalog.functions {
        let Some(owner) = function.extension.as_ref().filter(|owner| !policy.extensions.contains(*owner)) else {
            continue;
        };
        let known = EXTENSIONS.iter().find(|extension| extension.name == owner);
        if let Some(Calls::These { functions }) = known.map(|extension| &extension.calls)
            && is_among(functions, function)
        {
            offered.insert(function.name.clone(), owner.clone());
        }
    }
    offered
}

/// A type of an extension of which more is known than its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum OwnType {
    Citext,
    Hstore,
    Ltree,
}

impl OwnType {
    pub(in crate::guard) fn of(catalog: &Catalog, name: &QualifiedName) -> Option<Self> {
        let entry = catalog.types.iter().find(|entry| entry.schema == name.schema && entry.name == name.name)?;
        match (entry.extension.as_deref()?, entry.name.as_str()) {
            ("citext", "citext") => Some(Self::Citext),
            ("hstore", "hstore") => Some(Self::Hstore),
            ("ltree", "ltree") => Some(Self::Ltree),
            _ => None,
        }
    }

    /// Its values have an order, and no two of them fail to be compared.
    pub(in crate::guard) fn is_ordered(self) -> bool {
        match self {
            Self::Citext | Self::Ltree => true,
            Self::Hstore => false,
        }
    }

    pub(in crate::guard) fn name(self) -> &'static str {
        match self {
            Self::Citext => "citext",
            Self::Hstore => "hstore",
            Self::Ltree => "ltree",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_stands_once_and_in_order() {
        let names: Vec<_> = EXTENSIONS.iter().map(|extension| extension.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }
}
