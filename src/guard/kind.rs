//! What is known of a value's type: enough to tell which comparisons can never fail.

use crate::catalog::QualifiedName;
use crate::catalog::{Column, TypeKind};
use crate::guard::ruleset::Ruleset;
use sqlparser::ast::DataType;

/// Families of types within which comparison is total: it fails on no pair of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) enum Kind {
    Boolean,
    /// int2, int4, int8.
    Integer,
    Numeric,
    /// float4, float8. A numeric can be too large for one.
    Float,
    /// text, varchar, bpchar, name.
    Text,
    Date,
    Timestamp,
    TimestampTz,
    Time,
    TimeTz,
    Interval,
    Uuid,
    Bytea,
    Jsonb,
    Inet,
    /// Only `=` and `<>`.
    Enum(QualifiedName),
    Array(Box<Kind>),
    /// A string literal or an undeclared parameter: it takes the other side's type.
    Untyped,
    Unknown,
}

impl Kind {
    /// Of a type by the catalogue's internal name; `_int4` is an array.
    pub(in crate::guard) fn of_column(column: &Column, ruleset: &Ruleset) -> Self {
        if column.nondeterministic_collation {
            // LIKE fails on such a column.
            return Self::Unknown;
        }
        if column.type_schema == "pg_catalog" {
            return Self::of_internal_name(&column.type_name);
        }
        let name = QualifiedName::new(&column.type_schema, &column.type_name);
        match ruleset.type_kind(&name) {
            Some(TypeKind::Enum) => Self::Enum(name),
            _ => Self::Unknown,
        }
    }

    fn of_internal_name(name: &str) -> Self {
        if let Some(element) = name.strip_prefix('_') {
            return match Self::of_internal_name(element) {
                Self::Unknown => Self::Unknown,
                element => Self::Array(Box::new(element)),
            };
        }
        match name {
            "bool" => Self::Boolean,
            "int2" | "int4" | "int8" => Self::Integer,
            "numeric" => Self::Numeric,
            "float4" | "float8" => Self::Float,
            "text" | "varchar" | "bpchar" | "name" => Self::Text,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::TimestampTz,
            "time" => Self::Time,
            "timetz" => Self::TimeTz,
            "interval" => Self::Interval,
            "uuid" => Self::Uuid,
            "bytea" => Self::Bytea,
            "jsonb" => Self::Jsonb,
            "inet" | "cidr" => Self::Inet,
            _ => Self::Unknown,
        }
    }

    /// Of a parameter that the client declared by OID; 0 and `unknown` leave it to the server.
    pub(in crate::guard) fn of_oid(oid: u32) -> Self {
        match oid {
            0 | 705 => Self::Untyped,
            16 => Self::Boolean,
            20 | 21 | 23 => Self::Integer,
            700 | 701 => Self::Float,
            1700 => Self::Numeric,
            19 | 25 | 1042 | 1043 => Self::Text,
            1082 => Self::Date,
            1114 => Self::Timestamp,
            1184 => Self::TimestampTz,
            1083 => Self::Time,
            1266 => Self::TimeTz,
            1186 => Self::Interval,
            2950 => Self::Uuid,
            17 => Self::Bytea,
            3802 => Self::Jsonb,
            869 | 650 => Self::Inet,
            1000 => Self::Array(Box::new(Self::Boolean)),
            1005 | 1007 | 1016 => Self::Array(Box::new(Self::Integer)),
            1021 | 1022 => Self::Array(Box::new(Self::Float)),
            1231 => Self::Array(Box::new(Self::Numeric)),
            1009 | 1015 | 1014 | 1003 => Self::Array(Box::new(Self::Text)),
            2951 => Self::Array(Box::new(Self::Uuid)),
            _ => Self::Unknown,
        }
    }

    /// Of a type as the parser read it. Types that are not understood are [`Kind::Unknown`].
    pub(in crate::guard) fn of_data_type(data_type: &DataType) -> Self {
        use DataType as D;
        use sqlparser::ast::TimezoneInfo as Zone;
        match data_type {
            D::Boolean | D::Bool => Self::Boolean,
            D::SmallInt(_) | D::Int(_) | D::Integer(_) | D::BigInt(_) | D::Int2(_) | D::Int4(_) | D::Int8(_) => {
                Self::Integer
            }
            D::Numeric(_) | D::Decimal(_) => Self::Numeric,
            D::Real | D::Float4 | D::Float8 | D::DoublePrecision | D::Float(_) => Self::Float,
            D::Text | D::Varchar(_) | D::CharacterVarying(_) | D::Char(_) | D::Character(_) => Self::Text,
            D::Date => Self::Date,
            D::Timestamp(_, Zone::None | Zone::WithoutTimeZone) => Self::Timestamp,
            D::Timestamp(_, Zone::WithTimeZone | Zone::Tz) => Self::TimestampTz,
            D::Time(_, Zone::None | Zone::WithoutTimeZone) => Self::Time,
            D::Time(_, Zone::WithTimeZone | Zone::Tz) => Self::TimeTz,
            D::Interval { .. } => Self::Interval,
            D::Uuid => Self::Uuid,
            D::Bytea => Self::Bytea,
            D::JSONB => Self::Jsonb,
            D::Array(sqlparser::ast::ArrayElemTypeDef::SquareBracket(element, _)) => {
                match Self::of_data_type(element) {
                    Self::Unknown => Self::Unknown,
                    element => Self::Array(Box::new(element)),
                }
            }
            _ => Self::Unknown,
        }
    }

    /// `=` and `<>` between the two can fail on no pair of values.
    pub(in crate::guard) fn equality_is_total(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => false,
            (Self::Untyped, _) | (_, Self::Untyped) => true,
            (Self::Array(left), Self::Array(right)) => left == right,
            (Self::Integer, Self::Numeric | Self::Float) | (Self::Numeric | Self::Float, Self::Integer) => true,
            _ => self == other,
        }
    }

    /// `<`, `<=`, `>`, `>=` likewise.
    pub(in crate::guard) fn order_is_total(&self, other: &Self) -> bool {
        self.equality_is_total(other) && !matches!(self, Self::Enum(_)) && !matches!(other, Self::Enum(_))
    }
}
