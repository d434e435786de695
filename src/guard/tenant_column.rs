//! The tenant's identifier as SQL: a typed literal and the predicate that keeps a relation to one tenant's rows.

use crate::catalog::{Catalog, Column, QualifiedName, TypeKind};
use crate::guard::decision::TenantValue;
use crate::guard::ruleset::TenantColumn;
use crate::sql::{quote_identifier, quote_literal};
use crate::tenant::TenantId;

/// The type of a tenant column, by the catalogue's internal name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) enum TenantType {
    Text,
    Varchar,
    Uuid,
    Int2,
    Int4,
    Int8,
    Enum { name: QualifiedName, labels: Vec<String> },
}

impl TenantType {
    /// A domain is read as what it is made of: the server compares it so, and its CHECK runs on no row.
    pub(in crate::guard) fn of_column(column: &Column, catalog: &Catalog) -> Option<Self> {
        if column.type_schema == "pg_catalog" {
            return Self::parse(&column.type_name);
        }
        let named =
            |schema: &str, name: &str| catalog.types.iter().find(|entry| entry.schema == schema && entry.name == name);
        let mut found = named(&column.type_schema, &column.type_name)?;
        if let (TypeKind::Domain, Some(base)) = (found.kind, &found.base) {
            if base.schema == "pg_catalog" {
                return Self::parse(&base.name);
            }
            found = named(&base.schema, &base.name)?;
        }
        let name = QualifiedName::new(&found.schema, &found.name);
        (found.kind == TypeKind::Enum).then(|| Self::Enum { name, labels: found.labels.clone() })
    }

    fn parse(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "text" => Self::Text,
            "varchar" => Self::Varchar,
            "uuid" => Self::Uuid,
            "int2" => Self::Int2,
            "int4" => Self::Int4,
            "int8" => Self::Int8,
            _ => return None,
        })
    }

    /// The type of the literal.
    pub(in crate::guard) fn name(&self) -> (&str, &str) {
        let name = match self {
            // `varchar` has no operators of its own: the comparison is that of `text`.
            Self::Text | Self::Varchar => "text",
            Self::Uuid => "uuid",
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Enum { name, .. } => return (&name.schema, &name.name),
        };
        ("pg_catalog", name)
    }

    /// Some value of this type.
    pub(in crate::guard) fn any_value(&self) -> TenantValue {
        match self {
            Self::Enum { labels, .. } => TenantValue::Text(labels.first().cloned().unwrap_or_default()),
            Self::Text | Self::Varchar => TenantValue::Text(String::new()),
            Self::Uuid => TenantValue::Uuid([0; 16]),
            Self::Int2 | Self::Int4 | Self::Int8 => TenantValue::Integer(0),
        }
    }

    /// The identifier as a value of this type; `None`: no row of such a column can be the tenant's.
    ///
    /// Strict: another spelling of the same number or UUID in the policy is not this tenant.
    pub(in crate::guard) fn value(&self, tenant: &TenantId) -> Option<TenantValue> {
        let text = tenant.as_str();
        match self {
            Self::Text | Self::Varchar => Some(TenantValue::Text(text.to_owned())),
            Self::Enum { labels, .. } => {
                labels.iter().any(|label| label == text).then(|| TenantValue::Text(text.to_owned()))
            }
            Self::Uuid => parse_uuid(text).map(TenantValue::Uuid),
            Self::Int2 => integer(text, i16::MIN.into(), i16::MAX.into()),
            Self::Int4 => integer(text, i32::MIN.into(), i32::MAX.into()),
            Self::Int8 => integer(text, i64::MIN, i64::MAX),
        }
    }

    /// The value as the type's binary form.
    pub(in crate::guard) fn binary(&self, value: &TenantValue) -> Vec<u8> {
        match value {
            TenantValue::Text(text) => text.as_bytes().to_vec(),
            TenantValue::Uuid(bytes) => bytes.to_vec(),
            TenantValue::Integer(number) => {
                let width = match self {
                    Self::Int2 => 2,
                    Self::Int4 => 4,
                    Self::Int8 | Self::Text | Self::Varchar | Self::Uuid | Self::Enum { .. } => 8,
                };
                number.to_be_bytes().into_iter().skip(8 - width).collect()
            }
        }
    }
}

impl TenantValue {
    /// In the column's own spelling, as COPY's text format and a literal hold it.
    pub(in crate::guard) fn as_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Uuid(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let cut = [0..8, 8..12, 12..16, 16..20, 20..32];
                cut.map(|range| hex.get(range).unwrap_or_default().to_owned()).join("-")
            }
        }
    }

    /// Whether a literal of the client's, read as the column's type, is this value.
    pub fn equals_literal(&self, literal: &str) -> bool {
        match self {
            Self::Text(text) => text == literal,
            Self::Integer(number) => literal.trim().parse::<i64>().ok() == Some(*number),
            Self::Uuid(bytes) => parse_uuid(literal).as_ref() == Some(bytes),
        }
    }
}

/// `'acme'::pg_catalog.text`: typed, so that no unknown literal is resolved by the search path.
pub(in crate::guard) fn literal(column: &TenantColumn, value: &TenantValue) -> String {
    let (type_schema, type_name) = match &column.column_type {
        TenantType::Enum { name, .. } => (quote_identifier(&name.schema), quote_identifier(&name.name)),
        built_in => (built_in.name().0.to_owned(), built_in.name().1.to_owned()),
    };
    format!("{}::{type_schema}.{type_name}", quote_literal(&value.as_text()))
}

/// `tenant_id OPERATOR(pg_catalog.=) 'acme'::pg_catalog.text`: no user-defined `=` can take its place.
pub(in crate::guard) fn predicate(reference: &str, column: &TenantColumn, value: &TenantValue) -> String {
    format!("{reference} OPERATOR(pg_catalog.=) {}", literal(column, value))
}

/// `alias.column`, quoted where needed.
pub(in crate::guard) fn reference(alias: &str, column: &str) -> String {
    format!("{}.{}", quote_identifier(alias), quote_identifier(column))
}

/// In PostgreSQL's own spelling only: `007` is another tenant than `7`, or none.
fn integer(text: &str, min: i64, max: i64) -> Option<TenantValue> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text && (min..=max).contains(&number)).then_some(TenantValue::Integer(number))
}

/// 8-4-4-4-12 or 32 hexadecimal digits, either case.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let plain = text.len() == 32;
    let hyphens_at = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let well_formed = text.len() == 36 && text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == hyphens_at(at));
    if !plain && !well_formed {
        return None;
    }
    let hex: String = text.chars().filter(|letter| *letter != '-').collect();
    if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&hex, 16).ok().map(u128::to_be_bytes)
}
