//! What is known of a value's type: enough to tell which comparisons can never fail.

use sqlparser::ast::{ArrayElemTypeDef, DataType, TimezoneInfo};

use crate::catalog::{Column, QualifiedName, TypeKind};
use crate::guard::extensions::OwnType;
use crate::guard::ruleset::Ruleset;
use crate::sql::ident_value;

/// Families of types within which comparison is total: it fails on no pair of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) enum Kind {
    Boolean,
    /// int2, int4, int8.
    Integer,
    Numeric,
    /// float4, float8. A numeric can be too large for one.
    Float,
    /// text, varchar, bpchar, name, by a deterministic collation.
    Text,
    /// The same by a nondeterministic one, on which LIKE and its like fail.
    FoldedText,
    Date,
    Timestamp,
    TimestampTz,
    Time,
    TimeTz,
    Interval,
    Uuid,
    Bytea,
    Jsonb,
    /// inet, cidr.
    Inet,
    Macaddr,
    Tsvector,
    Tsquery,
    Enum(QualifiedName),
    /// A type of an extension.
    Own(OwnType),
    Array(Box<Kind>),
    Range(Span),
    Multirange(Span),
    /// Of a type whose input looks names up, or made of such.
    Reg(Reg),
    /// A string literal or an undeclared parameter: it takes the other side's type.
    Untyped,
    Unknown,
}

/// A type whose input looks names up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Reg {
    Named(&'static str),
    /// One of these, or a row, array or domain of one.
    Unknown,
}

impl Reg {
    /// Whether `=` is of that type, and not of `oid`.
    pub(in crate::guard) fn has_operators(self) -> bool {
        matches!(self, Self::Unknown | Self::Named("aclitem"))
    }

    pub(in crate::guard) fn type_name(self) -> Option<&'static str> {
        match self {
            Self::Named(name) => Some(name),
            Self::Unknown => None,
        }
    }
}

/// Their input functions read the catalogue: `aclitem` names roles.
pub(in crate::guard) const REGS: &[&str] = &[
    "regclass",
    "regtype",
    "regproc",
    "regprocedure",
    "regnamespace",
    "regrole",
    "regoper",
    "regoperator",
    "regcollation",
    "regconfig",
    "regdictionary",
    "aclitem",
];

/// What a built-in range is over: two of different types cannot be compared. Not `numrange`: while the planner compares
/// its bounds with those in the statistics, it computes distances, which can be too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Span {
    Int4,
    Int8,
    Date,
    Timestamp,
    TimestampTz,
}

impl Kind {
    /// Of a type by the catalogue's internal name; `_int4` is an array.
    pub(in crate::guard) fn of_column(column: &Column, ruleset: &Ruleset) -> Self {
        let name = QualifiedName::new(&column.type_schema, &column.type_name);
        // What stands in a column of a domain was checked when it was written.
        let base = ruleset.own_types.domain_base(&name).unwrap_or(&name);
        let kind = if ruleset.own_types.looks_up(&name) {
            return Self::Reg(Reg::Unknown);
        } else if base.schema == "pg_catalog" {
            Self::of_internal_name(&base.name)
        } else {
            Self::of_own_type(base, ruleset)
        };
        if column.collation.is_some() && !ruleset.own_types.has_one_collation() {
            // Two columns of different collations cannot be compared, which shows only when a row is met (42P22).
            return Self::Unknown;
        }
        if column.nondeterministic_collation { kind.folded() } else { kind }
    }

    pub(in crate::guard) fn of_own_type(name: &QualifiedName, ruleset: &Ruleset) -> Self {
        match ruleset.type_kind(name) {
            Some(TypeKind::Enum) => Self::Enum(name.clone()),
            Some(_) => ruleset.own_types.of_extension(name).map_or(Self::Unknown, Self::Own),
            None => match ruleset.own_types.enum_of_array(name) {
                Some(element) => Self::Array(Box::new(Self::Enum(element.clone()))),
                None => Self::Unknown,
            },
        }
    }

    fn folded(self) -> Self {
        match self {
            Self::Text => Self::FoldedText,
            Self::Array(element) => Self::Array(Box::new(element.folded())),
            _ => Self::Unknown,
        }
    }

    pub(in crate::guard) fn of_internal_name(name: &str) -> Self {
        if let Some(element) = name.strip_prefix('_') {
            return match Self::of_internal_name(element) {
                Self::Unknown => Self::Unknown,
                Self::Reg(_) => Self::Reg(Reg::Unknown),
                element => Self::Array(Box::new(element)),
            };
        }
        if let Some(reg) = REGS.iter().find(|reg| **reg == name) {
            return Self::Reg(Reg::Named(reg));
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
            "macaddr" => Self::Macaddr,
            "tsvector" => Self::Tsvector,
            "tsquery" => Self::Tsquery,
            "int4range" => Self::Range(Span::Int4),
            "int8range" => Self::Range(Span::Int8),
            "daterange" => Self::Range(Span::Date),
            "tsrange" => Self::Range(Span::Timestamp),
            "tstzrange" => Self::Range(Span::TimestampTz),
            "int4multirange" => Self::Multirange(Span::Int4),
            "int8multirange" => Self::Multirange(Span::Int8),
            "datemultirange" => Self::Multirange(Span::Date),
            "tsmultirange" => Self::Multirange(Span::Timestamp),
            "tstzmultirange" => Self::Multirange(Span::TimestampTz),
            _ => Self::Unknown,
        }
    }

    /// Of a parameter that the client declared by OID; 0 and `unknown` leave it to the server. Not `name`, which
    /// brings a collation of its own.
    pub(in crate::guard) fn of_oid(oid: u32) -> Self {
        match oid {
            0 | 705 => Self::Untyped,
            16 => Self::Boolean,
            20 | 21 | 23 => Self::Integer,
            700 | 701 => Self::Float,
            1700 => Self::Numeric,
            25 | 1042 | 1043 => Self::Text,
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
            1009 | 1015 | 1014 => Self::Array(Box::new(Self::Text)),
            1182 => Self::Array(Box::new(Self::Date)),
            1115 => Self::Array(Box::new(Self::Timestamp)),
            1185 => Self::Array(Box::new(Self::TimestampTz)),
            2951 => Self::Array(Box::new(Self::Uuid)),
            _ => Self::Unknown,
        }
    }

    /// Of a type as the parser read it. Types that are not understood are [`Kind::Unknown`].
    pub(in crate::guard) fn of_data_type(data_type: &DataType) -> Self {
        use DataType as D;
        use TimezoneInfo as Zone;
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
            D::TsVector => Self::Tsvector,
            D::TsQuery => Self::Tsquery,
            D::Regclass => Self::Reg(Reg::Named("regclass")),
            D::Custom(name, _) => match name.0.last().and_then(|part| part.as_ident()).map(ident_value) {
                Some(name) if REGS.contains(&name.as_str()) => Self::of_internal_name(&name),
                _ => Self::Unknown,
            },
            D::Array(ArrayElemTypeDef::SquareBracket(element, _)) => match Self::of_data_type(element) {
                Self::Unknown => Self::Unknown,
                Self::Reg(_) => Self::Reg(Reg::Unknown),
                element => Self::Array(Box::new(element)),
            },
            _ => Self::Unknown,
        }
    }

    /// Of such a type, or made of one.
    pub(in crate::guard) fn reg(&self) -> Option<Reg> {
        match self {
            Self::Reg(reg) => Some(*reg),
            _ => None,
        }
    }

    /// `=` and `<>` between the two can fail on no pair of values.
    pub(in crate::guard) fn equality_is_total(&self, other: &Self) -> bool {
        use Kind as K;
        match (self, other) {
            (K::Unknown | K::Reg(_), _) | (_, K::Unknown | K::Reg(_)) => false,
            (K::Untyped, _) | (_, K::Untyped) => true,
            (K::Array(left), K::Array(right)) => left == right && left.equality_is_total(right),
            (K::Integer, K::Numeric | K::Float) | (K::Numeric | K::Float, K::Integer) => true,
            (K::Text, K::FoldedText) | (K::FoldedText, K::Text) => true,
            // As texts.
            (K::Text, K::Own(OwnType::Citext)) | (K::Own(OwnType::Citext), K::Text) => true,
            // These compare without converting one into the other, since PostgreSQL 13.
            (K::Date | K::Timestamp | K::TimestampTz, K::Date | K::Timestamp | K::TimestampTz) => true,
            _ => self == other,
        }
    }

    /// `<`, `<=`, `>`, `>=` likewise. An enum's labels have an order of their own.
    pub(in crate::guard) fn order_is_total(&self, other: &Self) -> bool {
        let is_ordered = |kind: &Self| !matches!(kind, Self::Own(own) if !own.is_ordered());
        self.equality_is_total(other) && is_ordered(self) && is_ordered(other)
    }

    /// What stands in a range between its bounds.
    pub(in crate::guard) fn of_span(span: Span) -> Self {
        match span {
            Span::Int4 | Span::Int8 => Self::Integer,
            Span::Date => Self::Date,
            Span::Timestamp => Self::Timestamp,
            Span::TimestampTz => Self::TimestampTz,
        }
    }

    pub(in crate::guard) fn is_number(&self) -> bool {
        matches!(self, Self::Integer | Self::Numeric | Self::Float)
    }
}
