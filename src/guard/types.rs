//! Types that a cast or a column definition may name: a cast runs the type's input function.

use sqlparser::ast::{ArrayElemTypeDef, DataType, Expr};

use crate::catalog::QualifiedName;
use crate::guard::from::not_allowed;
use crate::guard::kind::Kind;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::Ruleset;
use crate::guard::walk::{Origin, Outcome, Walk};

/// Types of `pg_catalog` by name, beside those of the grammar. Not `regclass` and its like: they look names up.
const BUILT_IN: &[&str] = &[
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "text",
    "varchar",
    "bpchar",
    "name",
    "bytea",
    "uuid",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "money",
    "bit",
    "varbit",
    "tsvector",
    "tsquery",
    "oid",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "int4multirange",
    "int8multirange",
    "nummultirange",
    "tsmultirange",
    "tstzmultirange",
    "datemultirange",
    "char",
    "unknown",
    "record",
    "int2vector",
    "oidvector",
    "pg_lsn",
    "xid",
    "xid8",
];

/// A type of `pg_catalog` whose input looks at nothing but the value.
pub(in crate::guard) fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// `_int4` is what `int4[]` is called inside.
fn is_built_in_or_array(name: &str) -> bool {
    is_built_in(name) || name.strip_prefix('_').is_some_and(is_built_in)
}

/// PostgreSQL's own text search configurations. `'english'::regconfig` is how definitions have them, and Django.
pub(in crate::guard) const TEXT_SEARCH: &[&str] = &[
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "simple",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
];

/// A type that a text may name without its schema.
pub(in crate::guard) fn is_type(ruleset: &Ruleset, name: &str) -> bool {
    is_built_in(name) || name == "regconfig" || ruleset.types.keys().any(|own| own.name == name)
}

impl Walk<'_> {
    /// The type of a cast, which may be more where what is cast is known.
    pub(in crate::guard) fn cast_type(&mut self, inner: &Expr, data_type: &DataType) -> Outcome<()> {
        let DataType::Custom(name, _) = data_type else { return self.data_type(data_type) };
        let parts = self.name_parts(name)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let is_config = matches!(parts.as_slice(), ["regconfig"] | ["pg_catalog", "regconfig"]);
        let is_known = is_config && self.string_holds(inner, |text| TEXT_SEARCH.contains(&text));
        self.met_reg |= is_known;
        if is_known { Ok(()) } else { self.data_type(data_type) }
    }

    pub(in crate::guard) fn data_type(&self, data_type: &DataType) -> Outcome<()> {
        match data_type {
            DataType::JSON
            | DataType::Bit(_)
            | DataType::BitVarying(_)
            | DataType::VarBit(_)
            | DataType::TsVector
            | DataType::TsQuery
            | DataType::GeometricType(_) => Ok(()),
            DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => self.data_type(element),
            DataType::Custom(name, _) => {
                let parts = self.name_parts(name)?;
                if parts.len() > 2 {
                    return Err(not_allowed("a type's name with a database"));
                }
                let names: Vec<&str> = parts.iter().map(String::as_str).collect();
                let known = match names.as_slice() {
                    // In a definition a bare name is one of `pg_catalog`.
                    [_] if self.origin == Origin::Definition => {
                        is_known(self.ruleset, &[&["pg_catalog"], names.as_slice()].concat())
                    }
                    _ => is_known(self.ruleset, &names),
                };
                if known { Ok(()) } else { Err(refused(&parts.join("."))) }
            }
            other if !matches!(Kind::of_data_type(other), Kind::Unknown | Kind::Reg(_)) => Ok(()),
            other => Err(refused(&other.to_string().to_ascii_lowercase())),
        }
    }
}

/// Whether a type by this name is built in and listed, or the database's own.
pub(in crate::guard) fn is_known(ruleset: &Ruleset, parts: &[&str]) -> bool {
    match parts {
        [name] => {
            let of_database = || ruleset.type_on_path(name).is_some_and(|(name, _)| !ruleset.own_types.looks_up(&name));
            is_built_in_or_array(name) || of_database()
        }
        ["pg_catalog", name] => is_built_in_or_array(name),
        [schema, name] => {
            let name = QualifiedName::new(*schema, *name);
            // Of a schema in which nothing is in reach, a type is not there either.
            let is_there = ruleset.type_kind(&name).is_some() && ruleset.system().has_schema(schema);
            is_there && !ruleset.own_types.looks_up(&name)
        }
        _ => false,
    }
}

fn refused(name: &str) -> Rejection {
    Rejection::new(Code::TypeNotAllowed, format!("type {name} is not allowed"))
        .detail("Its input function could look at more than the value.")
}
