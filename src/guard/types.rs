//! Types that a cast or a column definition may name: a cast runs the type's input function.

use sqlparser::ast::{ArrayElemTypeDef, DataType};

use crate::catalog::QualifiedName;
use crate::guard::from::not_allowed;
use crate::guard::kind::Kind;
use crate::guard::rejection::{Code, Rejection};
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
];

impl Walk<'_> {
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
                let known = match parts.as_slice() {
                    [name] => {
                        BUILT_IN.contains(&name.as_str())
                            || (self.origin == Origin::Client && self.ruleset.type_on_path(name).is_some())
                    }
                    [schema, name] if schema == "pg_catalog" => BUILT_IN.contains(&name.as_str()),
                    [schema, name] => self.ruleset.type_kind(&QualifiedName::new(schema, name)).is_some(),
                    _ => return Err(not_allowed("a type's name with a database")),
                };
                if known { Ok(()) } else { Err(refused(&parts.join("."))) }
            }
            other if Kind::of_data_type(other) != Kind::Unknown => Ok(()),
            other => Err(refused(&other.to_string().to_ascii_lowercase())),
        }
    }
}

fn refused(name: &str) -> Rejection {
    Rejection::new(Code::TypeNotAllowed, format!("type {name} is not allowed"))
        .detail("Its input function could look at more than the value.")
}
