//! What is total beside comparisons: functions, operators and casts of `pg_catalog`, each with its reason.
//!
//! `tests/live/totality.rs` throws at each entry what its arguments' types can hold, on a real server, and lets none
//! fail or give notice. What it cannot throw is left out of the promise: memory. A value of hundreds of megabytes is too
//! large for `lower` and for most output functions. So nothing stands here whose result the client can make as large as
//! it likes (`repeat`, `lpad`, `replace` of what is short by what is long): that would fail on a row of any size.
//!
//! Not here, though they look harmless: `abs`, `+`, `-`, `*` (overflow), `->>` of json (`\u0000` is valid json, and no
//! text), `date_trunc` and `AT TIME ZONE` (leave the calendar at its ends), `ceil` and `round` of numeric (one digit too
//! many), numeric to float (too large), date to timestamp (too late), LIKE with a
//! pattern from a row (each `%` can nest), containment of one row's jsonb in another's (likewise), `array_position` (several dimensions), `md5` (fails
//! under FIPS), `~` (too complex, on some strings), `-` of dates (infinite ones).

use crate::guard::extensions::OwnType;

/// How a call is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Form {
    /// `name(…)`; also what the grammar writes otherwise: `trim`, `substring`, `position`.
    Function,
    /// Between its two arguments.
    Operator,
    /// Before its argument.
    Prefix,
    /// `argument::name`
    Cast,
    /// `extract(name FROM argument)`
    Extract,
    /// `first[second]`
    Subscript,
}

/// What an argument has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Takes {
    Boolean,
    Integer,
    Numeric,
    Float,
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
    Macaddr,
    Tsvector,
    Tsquery,
    Enum,
    Own(OwnType),
    /// Of elements that are known.
    Array,
    TextArray,
    Range,
    Multirange,
    /// The type of the first argument.
    Same,
    /// What the first argument, an array or a range, is made of.
    Element,
    /// The first argument, a range, or a multirange over the same.
    Spanning,
    /// A literal: a whole number that fits an integer.
    Natural,
    /// The same, and not zero.
    Positive,
    /// A literal or a parameter, no row's value.
    Given,
    /// A literal text without an escape at its end, and with few `%`: each can be a level of recursion.
    Pattern,
    /// A query in full text that is made of literals alone, while the statement is planned.
    Query,
}

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Gives {
    Boolean,
    Integer,
    Numeric,
    Float,
    Text,
    Date,
    TimestampTz,
    Timestamp,
    Jsonb,
    Uuid,
    Bytea,
    TextArray,
    /// What the first argument is made of.
    Element,
}

/// Forms that are total on arguments of these types.
#[derive(Debug)]
pub(in crate::guard) struct Entry {
    pub(in crate::guard) form: Form,
    /// Names, symbols, types or fields, separated by blanks.
    pub(in crate::guard) names: &'static str,
    pub(in crate::guard) takes: &'static [Takes],
    pub(in crate::guard) gives: Gives,
    pub(in crate::guard) reason: &'static str,
}

pub(in crate::guard) const fn entry(
    form: Form,
    names: &'static str,
    takes: &'static [Takes],
    gives: Gives,
    reason: &'static str,
) -> Entry {
    Entry { form, names, takes, gives, reason }
}

use Form::{Cast, Extract, Function, Operator, Prefix, Subscript};
use Gives as G;
use Takes as T;

/// Of timestamps. `hour` of a date is an error, whatever the date.
const FIELDS_OF_TIMESTAMPS: &str = "century day decade dow doy epoch hour isodow isoyear microseconds millennium \
                                    milliseconds minute month quarter second week year";
const FIELDS_OF_DATES: &str = "century day decade dow doy epoch isodow isoyear millennium month quarter week year";

#[rustfmt::skip]
pub(in crate::guard) const ENTRIES: &[Entry] = &[
    // Text.
    entry(Function, "lower upper initcap", &[T::Text], G::Text, "maps characters"),
    entry(Function, "reverse", &[T::Text], G::Text, "the same characters"),
    entry(Function, "btrim ltrim rtrim", &[T::Text], G::Text, "cuts"),
    entry(Function, "btrim ltrim rtrim", &[T::Text, T::Text], G::Text, "cuts"),
    entry(Function, "left right", &[T::Text, T::Integer], G::Text, "cuts; a negative number counts from the other end"),
    entry(Function, "substr substring", &[T::Text, T::Natural], G::Text, "cuts"),
    entry(Function, "substr substring", &[T::Text, T::Natural, T::Natural], G::Text,
        "cuts; only a negative length is an error"),
    entry(Function, "split_part", &[T::Text, T::Text, T::Positive], G::Text, "cuts; only field 0 is an error"),
    entry(Function, "length char_length character_length octet_length bit_length", &[T::Text], G::Integer, "counts"),
    entry(Function, "strpos", &[T::Text, T::Text], G::Integer, "looks for bytes"),
    entry(Function, "starts_with", &[T::Text, T::Text], G::Boolean, "compares bytes"),
    entry(Operator, "^@", &[T::Text, T::Text], G::Boolean, "compares bytes"),
    entry(Operator, "~~ !~~ ~~* !~~*", &[T::Text, T::Pattern], G::Boolean,
        "fails only at a pattern's end, if that is an escape, and where it nests too deep"),
    entry(Operator, "||", &[T::Text, T::Text], G::Text, "as long as both; `Measure::width` bounds how many"),
    // Numbers. Whole ones are divided with a remainder, and nothing but zero and -1 fails.
    entry(Operator, "% /", &[T::Integer, T::Positive], G::Integer, "closer to zero"),
    entry(Operator, "& | #", &[T::Integer, T::Integer], G::Integer, "bit by bit"),
    entry(Prefix, "-", &[T::Numeric], G::Numeric, "has a bit for it"),
    entry(Prefix, "-", &[T::Float], G::Float, "has a bit for it"),
    entry(Function, "abs", &[T::Numeric], G::Numeric, "has a bit for the sign"),
    entry(Function, "abs floor ceil ceiling round trunc", &[T::Float], G::Float, "not larger than the largest"),
    entry(Function, "trunc", &[T::Numeric], G::Numeric, "closer to zero"),
    entry(Function, "sign", &[T::Numeric], G::Numeric, "of three values"),
    entry(Function, "sign", &[T::Float], G::Float, "of three values"),
    // Dates and times.
    entry(Extract, FIELDS_OF_TIMESTAMPS, &[T::Timestamp], G::Numeric, "reads fields"),
    entry(Extract, FIELDS_OF_TIMESTAMPS, &[T::TimestampTz], G::Numeric, "reads fields"),
    entry(Extract, FIELDS_OF_DATES, &[T::Date], G::Numeric, "reads fields; not by way of a timestamp, since PostgreSQL 14"),
    entry(Extract, "hour minute second epoch", &[T::Time], G::Numeric, "reads fields"),
    entry(Function, "isfinite", &[T::Date], G::Boolean, "tests"),
    entry(Function, "isfinite", &[T::Timestamp], G::Boolean, "tests"),
    entry(Function, "isfinite", &[T::TimestampTz], G::Boolean, "tests"),
    entry(Function, "isfinite", &[T::Interval], G::Boolean, "tests"),
    entry(Function, "now transaction_timestamp statement_timestamp clock_timestamp", &[], G::TimestampTz, "takes nothing"),
    // jsonb: look-up walks the value, and what is not there is NULL.
    entry(Operator, "->", &[T::Jsonb, T::Text], G::Jsonb, "looks up"),
    entry(Operator, "->", &[T::Jsonb, T::Integer], G::Jsonb, "looks up"),
    entry(Operator, "->>", &[T::Jsonb, T::Text], G::Text, "looks up; jsonb holds no \\u0000"),
    entry(Operator, "->>", &[T::Jsonb, T::Integer], G::Text, "looks up; jsonb holds no \\u0000"),
    entry(Operator, "#>", &[T::Jsonb, T::TextArray], G::Jsonb, "looks up, step by step"),
    entry(Operator, "#>>", &[T::Jsonb, T::TextArray], G::Text, "looks up, step by step"),
    entry(Operator, "@>", &[T::Jsonb, T::Given], G::Boolean,
        "compares as deep as both are nested, and what is given is no deeper than its input function lets it be"),
    entry(Operator, "?", &[T::Jsonb, T::Text], G::Boolean, "looks up"),
    entry(Operator, "?| ?&", &[T::Jsonb, T::TextArray], G::Boolean, "looks up each"),
    entry(Subscript, "[]", &[T::Jsonb, T::Text], G::Jsonb, "looks up"),
    entry(Function, "jsonb_typeof", &[T::Jsonb], G::Text, "of six values"),
    // Arrays of any form; NULL elements are not equal to anything.
    entry(Operator, "@> <@ &&", &[T::Array, T::Same], G::Boolean, "compares elements"),
    entry(Subscript, "[]", &[T::Array, T::Natural], G::Element, "NULL outside of the bounds"),
    entry(Function, "cardinality array_ndims", &[T::Array], G::Integer, "counts"),
    entry(Function, "array_length array_lower array_upper", &[T::Array, T::Integer], G::Integer,
        "NULL for a dimension that is not there"),
    // Ranges: bounds are compared, and nothing is made of them.
    entry(Operator, "@>", &[T::Range, T::Element], G::Boolean, "compares bounds"),
    entry(Operator, "@>", &[T::Multirange, T::Element], G::Boolean, "compares bounds"),
    entry(Operator, "@> <@ && << >> &< &> -|-", &[T::Range, T::Spanning], G::Boolean, "compares bounds"),
    entry(Operator, "@> <@ && << >> &< &> -|-", &[T::Multirange, T::Spanning], G::Boolean, "compares bounds"),
    entry(Function, "isempty lower_inc lower_inf upper_inc upper_inf", &[T::Range], G::Boolean, "reads bounds"),
    entry(Function, "isempty lower_inc lower_inf upper_inc upper_inf", &[T::Multirange], G::Boolean, "reads bounds"),
    entry(Function, "lower upper", &[T::Range], G::Element, "NULL where there is no bound"),
    entry(Function, "lower upper", &[T::Multirange], G::Element, "NULL where there is no bound"),
    // Networks: addresses of different families contain nothing of each other.
    entry(Operator, "<< <<= >> >>= &&", &[T::Inet, T::Inet], G::Boolean, "compares bits"),
    entry(Function, "family masklen", &[T::Inet], G::Integer, "reads fields"),
    entry(Function, "host", &[T::Inet], G::Text, "writes out"),
    // Full text: a query's tree is walked by recursion, so that it has to be a small one.
    entry(Operator, "@@", &[T::Tsvector, T::Query], G::Boolean, "looks words up"),
    entry(Function, "length", &[T::Tsvector], G::Integer, "counts"),
    entry(Function, "numnode", &[T::Tsquery], G::Integer, "counts"),
    entry(Function, "length octet_length bit_length", &[T::Bytea], G::Integer, "counts"),
    // Casts: to text by output functions, which cannot fail; `varchar(3)` cuts, where the cast is explicit.
    entry(Cast, "text", &[T::Boolean], G::Text, "writes out"),
    entry(Cast, "text", &[T::Integer], G::Text, "writes out"),
    entry(Cast, "text", &[T::Numeric], G::Text, "writes out"),
    entry(Cast, "text", &[T::Float], G::Text, "writes out"),
    entry(Cast, "text", &[T::Text], G::Text, "cuts at most"),
    entry(Cast, "text", &[T::Date], G::Text, "writes out"),
    entry(Cast, "text", &[T::Timestamp], G::Text, "writes out"),
    entry(Cast, "text", &[T::TimestampTz], G::Text, "writes out"),
    entry(Cast, "text", &[T::Time], G::Text, "writes out"),
    entry(Cast, "text", &[T::TimeTz], G::Text, "writes out"),
    entry(Cast, "text", &[T::Interval], G::Text, "writes out"),
    entry(Cast, "text", &[T::Uuid], G::Text, "writes out"),
    entry(Cast, "text", &[T::Bytea], G::Text, "writes out"),
    entry(Cast, "text", &[T::Jsonb], G::Text, "writes out"),
    entry(Cast, "text", &[T::Inet], G::Text, "writes out"),
    entry(Cast, "text", &[T::Macaddr], G::Text, "writes out"),
    entry(Cast, "text", &[T::Enum], G::Text, "writes out"),
    entry(Cast, "text", &[T::Range], G::Text, "writes out"),
    entry(Cast, "text", &[T::Multirange], G::Text, "writes out"),
    entry(Cast, "text[]", &[T::TextArray], G::TextArray, "the same values"),
    entry(Cast, "boolean", &[T::Boolean], G::Boolean, "the same value"),
    entry(Cast, "boolean", &[T::Integer], G::Boolean, "zero or not"),
    entry(Cast, "integer", &[T::Boolean], G::Integer, "zero or one"),
    entry(Cast, "bigint", &[T::Integer], G::Integer, "the widest of its kind"),
    entry(Cast, "numeric", &[T::Integer], G::Numeric, "larger than any"),
    entry(Cast, "double precision", &[T::Integer], G::Float, "larger than any"),
    entry(Cast, "double precision", &[T::Float], G::Float, "the widest of its kind"),
    entry(Cast, "uuid", &[T::Uuid], G::Uuid, "the same value"),
    entry(Cast, "bytea", &[T::Bytea], G::Bytea, "the same value"),
    entry(Cast, "jsonb", &[T::Jsonb], G::Jsonb, "the same value"),
    entry(Cast, "date", &[T::Date], G::Date, "the same value"),
    entry(Cast, "date", &[T::Timestamp], G::Date, "dates reach farther"),
    entry(Cast, "date", &[T::TimestampTz], G::Date, "dates reach farther"),
    entry(Cast, "timestamp", &[T::Timestamp], G::Timestamp, "the same value"),
    entry(Cast, "timestamptz", &[T::TimestampTz], G::TimestampTz, "the same value"),
];
