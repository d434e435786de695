//! Everything that the guard holds to be total, written out for a test on a real server.

use crate::catalog::QualifiedName;
use crate::guard::entries::{ENTRIES, Entry, Form, Takes};
use crate::guard::extension_entries::{OF_EXTENSIONS, ON_EXTENSIONS};
use crate::guard::extensions::OwnType;
use crate::guard::fit::element;
use crate::guard::kind::{Kind, Span};

/// An expression that can fail, or give notice, on no values of these types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// With `$1`, `$2` … for its operands.
    pub expression: String,
    pub operands: Vec<Sample>,
    /// The types that it may be of, as `pg_typeof` names them. Empty: whatever it is.
    pub gives: Vec<String>,
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sample {
    /// Any value of a column of this type.
    Column(String),
    /// This literal.
    Literal(String),
}

/// An enum that the test makes, and a nondeterministic collation: `public.mood`, `public.folded`.
const ENUM: &str = "public.mood";
const FOLDED: &str = "text COLLATE public.folded";

/// All that is claimed: each entry on each combination of types, and each comparison.
pub fn claims() -> Vec<Claim> {
    let of_extensions = OF_EXTENSIONS.iter().map(|(_, entry)| entry);
    let entries = ENTRIES.iter().chain(ON_EXTENSIONS).chain(of_extensions);
    let mut claims: Vec<Claim> = entries.flat_map(of_entry).collect();
    claims.extend(comparisons());
    claims.extend(patterns());
    claims
}

/// With other escapes, or none.
fn patterns() -> Vec<Claim> {
    const EXPRESSIONS: &[&str] =
        &["($1 LIKE 'a!%!!' ESCAPE '!')", "($1 NOT LIKE '%/' ESCAPE '')", "($1 ILIKE '//%' ESCAPE '/')"];
    let claim = |expression: &&str| Claim {
        expression: (*expression).to_owned(),
        operands: vec![Sample::Column("text".to_owned())],
        gives: vec!["boolean".to_owned()],
        reason: "fails only at a pattern's end, if that is an escape, and where it nests too deep",
    };
    EXPRESSIONS.iter().map(claim).collect()
}

fn of_entry(entry: &Entry) -> Vec<Claim> {
    let mut rows: Vec<Vec<(Sample, Kind)>> = vec![Vec::new()];
    for takes in entry.takes {
        let mut longer = Vec::new();
        for row in rows {
            let first = row.first().map(|(_, kind)| kind.clone());
            let first_type = row.first().map(|(sample, _)| sample.clone());
            for sample in samples(*takes, first.as_ref(), first_type.as_ref()) {
                longer.push([row.clone(), vec![sample]].concat());
            }
        }
        rows = longer;
    }
    let names: Vec<&str> =
        if entry.form == Form::Cast { targets(entry.names) } else { entry.names.split(' ').collect() };
    let claim = |name: &&str| {
        let expression = expression(entry.form, name, entry.takes.len());
        let names = rows.iter().map(move |row| Claim {
            expression: expression.clone(),
            operands: row.iter().map(|(sample, _)| sample.clone()).collect(),
            gives: columns(&entry.result(row.first().map(|(_, kind)| kind))),
            reason: entry.reason,
        });
        names.collect::<Vec<_>>()
    };
    names.iter().filter(|name| !name.is_empty()).flat_map(claim).collect()
}

/// A cast to text is one to any of its kind.
fn targets(name: &'static str) -> Vec<&'static str> {
    if name == "text" { vec!["text", "varchar", "varchar(3)", "char(3)"] } else { vec![name] }
}

fn expression(form: Form, name: &str, operands: usize) -> String {
    let list: Vec<String> = (1..=operands).map(|place| format!("${place}")).collect();
    match form {
        Form::Function => format!("pg_catalog.{name}({})", list.join(", ")),
        Form::Operator => format!("($1 {name} $2)"),
        Form::Prefix => format!("({name} $1)"),
        Form::Cast => format!("($1)::{name}"),
        Form::Extract => format!("extract({name} FROM $1)"),
        Form::Subscript => "($1)[$2]".to_owned(),
    }
}

fn samples(takes: Takes, first: Option<&Kind>, first_type: Option<&Sample>) -> Vec<(Sample, Kind)> {
    let of = |kind: Kind| columns(&kind).into_iter().map(|name| (Sample::Column(name), kind.clone())).collect();
    let all = |kinds: Vec<Kind>| kinds.into_iter().flat_map(|kind| samples_of(&kind)).collect();
    let literals = |texts: &[&str]| {
        texts.iter().map(|text| (Sample::Literal((*text).to_owned()), Kind::Untyped)).collect::<Vec<_>>()
    };
    match takes {
        Takes::Boolean => of(Kind::Boolean),
        Takes::Integer => of(Kind::Integer),
        Takes::Numeric => of(Kind::Numeric),
        Takes::Float => of(Kind::Float),
        Takes::Text => of(Kind::Text),
        Takes::Date => of(Kind::Date),
        Takes::Timestamp => of(Kind::Timestamp),
        Takes::TimestampTz => of(Kind::TimestampTz),
        Takes::Time => of(Kind::Time),
        Takes::TimeTz => of(Kind::TimeTz),
        Takes::Interval => of(Kind::Interval),
        Takes::Uuid => of(Kind::Uuid),
        Takes::Bytea => of(Kind::Bytea),
        Takes::Jsonb => of(Kind::Jsonb),
        Takes::Inet => of(Kind::Inet),
        Takes::Macaddr => of(Kind::Macaddr),
        Takes::Tsvector => of(Kind::Tsvector),
        Takes::Tsquery => of(Kind::Tsquery),
        Takes::Enum => of(enumeration()),
        Takes::Own(own) => of(Kind::Own(own)),
        Takes::Array => all(scalars().into_iter().map(|kind| Kind::Array(Box::new(kind))).collect()),
        Takes::TextArray => of(Kind::Array(Box::new(Kind::Text))),
        Takes::Range => all(SPANS.iter().map(|span| Kind::Range(*span)).collect()),
        Takes::Multirange => all(SPANS.iter().map(|span| Kind::Multirange(*span)).collect()),
        // Of arrays, those of one type alone can be compared.
        Takes::Same => first_type.zip(first).map(|(sample, kind)| (sample.clone(), kind.clone())).into_iter().collect(),
        Takes::Element => first.and_then(element).map(of).unwrap_or_default(),
        Takes::Spanning => match first {
            Some(Kind::Range(span) | Kind::Multirange(span)) => all(vec![Kind::Range(*span), Kind::Multirange(*span)]),
            _ => Vec::new(),
        },
        Takes::Natural => literals(&["0", "1", "7", "2147483647"]),
        Takes::Positive => literals(&["1", "2", "7", "2147483647"]),
        Takes::Given => literals(&[
            "'{}'",
            "'[]'::jsonb",
            "'{\"a\": {\"b\": {}}}'",
            "(repeat('[', 3000) || repeat(']', 3000))::jsonb",
        ]),
        Takes::Pattern => literals(&["'a%'", "''", "'%'", "'_b%\\\\'", "'%\\%%'", "'%%__%(%'", "repeat('%a', 100)"]),
        Takes::Query => literals(&["to_tsquery('simple', 'a & !(b | c:*)')", "plainto_tsquery('english', 'the cat')"]),
    }
}

fn samples_of(kind: &Kind) -> Vec<(Sample, Kind)> {
    columns(kind).into_iter().map(|name| (Sample::Column(name), kind.clone())).collect()
}

/// `=` and its like, where they exist at all, between all types of all kinds.
fn comparisons() -> Vec<Claim> {
    let arrays = scalars().into_iter().map(|kind| Kind::Array(Box::new(kind)));
    let kinds: Vec<Kind> = scalars().into_iter().chain(arrays).collect();
    let mut claims = Vec::new();
    for left in &kinds {
        for right in &kinds {
            let equal = left.equality_is_total(right).then_some("ROW($1 = $2, $1 <> $2, $1 IS DISTINCT FROM $2)");
            let order = left.order_is_total(right).then_some("ROW($1 < $2, $1 <= $2, $1 > $2, $1 >= $2)");
            for expression in [equal, order].into_iter().flatten() {
                for (left, _) in samples_of(left) {
                    // `name` has a collation of its own: the guard knows neither column beside another's.
                    let fits = |(right, _): &(Sample, Kind)| !conflict(&left, right) && !conflict(right, &left);
                    for (right, _) in samples_of(right).into_iter().filter(fits) {
                        claims.push(Claim {
                            expression: expression.to_owned(),
                            operands: vec![left.clone(), right],
                            gives: Vec::new(),
                            reason: "compares",
                        });
                    }
                }
            }
        }
    }
    claims
}

fn conflict(left: &Sample, right: &Sample) -> bool {
    let is = |sample: &Sample, word: &str| matches!(sample, Sample::Column(name) if name.contains(word));
    is(left, "name") && is(right, "COLLATE")
}

fn enumeration() -> Kind {
    Kind::Enum(QualifiedName::new("public", "mood"))
}

const SPANS: &[Span] = &[Span::Int4, Span::Int8, Span::Date, Span::Timestamp, Span::TimestampTz];

/// Every kind but arrays. A new one is to be added here: the match makes the compiler say so.
fn scalars() -> Vec<Kind> {
    let mut kinds = vec![
        Kind::Boolean,
        Kind::Integer,
        Kind::Numeric,
        Kind::Float,
        Kind::Text,
        Kind::FoldedText,
        Kind::Date,
        Kind::Timestamp,
        Kind::TimestampTz,
        Kind::Time,
        Kind::TimeTz,
        Kind::Interval,
        Kind::Uuid,
        Kind::Bytea,
        Kind::Jsonb,
        Kind::Inet,
        Kind::Macaddr,
        Kind::Tsvector,
        Kind::Tsquery,
        enumeration(),
        Kind::Own(OwnType::Citext),
        Kind::Own(OwnType::Hstore),
        Kind::Own(OwnType::Ltree),
    ];
    kinds.extend(SPANS.iter().flat_map(|span| [Kind::Range(*span), Kind::Multirange(*span)]));
    kinds
}

/// The types of a kind, as a column's definition writes them.
fn columns(kind: &Kind) -> Vec<String> {
    let names: &[&str] = match kind {
        Kind::Boolean => &["boolean"],
        Kind::Integer => &["smallint", "integer", "bigint"],
        Kind::Numeric => &["numeric"],
        Kind::Float => &["real", "double precision"],
        Kind::Text => &["text", "varchar", "char(6)", "name"],
        Kind::FoldedText => &[FOLDED],
        Kind::Date => &["date"],
        Kind::Timestamp => &["timestamp"],
        Kind::TimestampTz => &["timestamptz"],
        Kind::Time => &["time"],
        Kind::TimeTz => &["timetz"],
        Kind::Interval => &["interval"],
        Kind::Uuid => &["uuid"],
        Kind::Bytea => &["bytea"],
        Kind::Jsonb => &["jsonb"],
        Kind::Inet => &["inet", "cidr"],
        Kind::Macaddr => &["macaddr"],
        Kind::Tsvector => &["tsvector"],
        Kind::Tsquery => &["tsquery"],
        Kind::Enum(_) => &[ENUM],
        Kind::Own(own) => return vec![own.name().to_owned()],
        Kind::Array(element) => return columns(element).iter().filter_map(|name| array_of(name)).collect(),
        Kind::Range(span) => of_span(*span, "range"),
        Kind::Multirange(span) => of_span(*span, "multirange"),
        Kind::Reg(_) | Kind::Untyped | Kind::Unknown => &[],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn of_span(span: Span, word: &str) -> &'static [&'static str] {
    match (span, word) {
        (Span::Int4, "range") => &["int4range"],
        (Span::Int8, "range") => &["int8range"],
        (Span::Date, "range") => &["daterange"],
        (Span::Timestamp, "range") => &["tsrange"],
        (Span::TimestampTz, "range") => &["tstzrange"],
        (Span::Int4, _) => &["int4multirange"],
        (Span::Int8, _) => &["int8multirange"],
        (Span::Date, _) => &["datemultirange"],
        (Span::Timestamp, _) => &["tsmultirange"],
        (Span::TimestampTz, _) => &["tstzmultirange"],
    }
}

fn array_of(name: &str) -> Option<String> {
    match name.split_once(' ') {
        Some((bare, rest)) if rest.starts_with("COLLATE") => Some(format!("{bare}[] {rest}")),
        _ => Some(format!("{name}[]")),
    }
}
