//! Casts to `regclass` and its like, which look a name up or print one: only of what is in reach.

use std::ops::Range;

use sqlparser::ast::{CastKind, DataType, Expr, Ident, ObjectName, Value, ValueWithSpan};

use crate::guard::from::not_allowed;
use crate::guard::kind::Kind;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::scope::{ColumnName, Resolved};
use crate::guard::system::argument::makes_text;
use crate::guard::system::call::Naming;
use crate::guard::system::function::name_column;
use crate::guard::system::identifier::identifiers;
use crate::guard::types::is_built_in;
use crate::guard::walk::{Outcome, Walk, quote_name};
use crate::sql::{TokenKind, ident_value, quote_identifier, quote_literal, token_range};

/// The catalogue whose rows a type's values name.
pub(in crate::guard) fn naming_type(data_type: &DataType) -> Option<(&ObjectName, &'static str)> {
    let DataType::Custom(name, modifiers) = data_type else { return None };
    let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(ident_value)).collect();
    let bare = match parts?.as_slice() {
        [bare] => bare.clone(),
        [schema, bare] if schema == "pg_catalog" => bare.clone(),
        _ => return None,
    };
    let catalog = named_catalog(&bare)?;
    modifiers.is_empty().then_some((name, catalog))
}

/// Of a type by its bare name.
pub(in crate::guard) fn named_catalog(name: &str) -> Option<&'static str> {
    Some(match name {
        "regclass" => "pg_class",
        "regtype" => "pg_type",
        "regproc" | "regprocedure" => "pg_proc",
        "regnamespace" => "pg_namespace",
        "regrole" => "pg_roles",
        "regoper" | "regoperator" => "pg_operator",
        "regcollation" => "pg_collation",
        "regdictionary" => "pg_ts_dict",
        _ => return None,
    })
}

impl Walk<'_> {
    pub(in crate::guard) fn naming_cast(
        &mut self,
        inner: &Expr,
        kind: &CastKind,
        (name, catalog): (&ObjectName, &'static str),
    ) -> Outcome<()> {
        self.met_reg = true;
        let data_type = self.name_tokens(name)?;
        let bare = self.name_parts(name)?.last().cloned().unwrap_or_default();
        if let Some((text, at)) = self.name_literal(inner)
            && catalog != "pg_roles"
        {
            return self.named_literal(&text, at, &data_type, &bare);
        }
        let operand = self.operand_tokens(inner, kind, &data_type).ok_or_else(|| {
            not_allowed(&format!("a cast to {bare} of this expression")).hint("Put the expression into brackets.")
        })?;
        self.operand(inner)?;
        let naming = match self.measure(inner).kind {
            _ if matches!(inner, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. }))
                && catalog != "pg_roles" =>
            {
                Naming::Oid
            }
            _ if makes_text(inner) && name_column(catalog).is_some() => Naming::NameOrOid,
            Kind::Text | Kind::Untyped if name_column(catalog).is_some() => Naming::NameOrOid,
            _ => Naming::Oid,
        };
        if !self.is_from_lens(inner, catalog) {
            let (first, last) = (operand.start, operand.end - 1);
            match column_name(inner) {
                Some(name) => self.in_reach_as(&name, operand, catalog, naming)?,
                // A column would be called after the type, and is after a cast around a CASE.
                None => {
                    self.in_reach(operand, catalog, naming)?;
                    self.before(first, "(CASE WHEN true THEN");
                    self.after(last, "END)");
                }
            }
        }
        if data_type.len() == 1 {
            self.before(data_type.start, "pg_catalog.");
        }
        Ok(())
    }

    /// A literal that is a name, and where it stands.
    fn name_literal(&self, expression: &Expr) -> Option<(String, Range<usize>)> {
        let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), span }) = expression else { return None };
        let at = token_range(*span)?;
        if self.tokens.literal_holds(at.start, is_oid) {
            return None;
        }
        Some((self.tokens.string(at.start)?, at))
    }

    /// A string that stands beside a value of such a type, and becomes one. `None`: of a type of which no names are read.
    pub(in crate::guard) fn name_beside(&mut self, at: Range<usize>, type_name: Option<&str>) -> Option<Outcome<()>> {
        let bare = type_name.filter(|name| self.ruleset.system().shows_structure() && named_catalog(name).is_some())?;
        if self.tokens.literal_holds(at.start, is_oid) {
            return Some(Ok(()));
        }
        let text = self.tokens.string(at.start)?;
        let position = self.position(at.start);
        let full = self.full_name(&text, bare).map_err(|rejection| rejection.at(position));
        Some(full.map(|full| self.replace(at, format!("({}::pg_catalog.{bare})", quote_literal(&full)))))
    }

    /// A name that is known while the statement is decided: it is sent with its schema, or refused as the server would.
    fn named_literal(&mut self, text: &str, at: Range<usize>, data_type: &Range<usize>, bare: &str) -> Outcome<()> {
        let position = self.position(at.start);
        let full = self.full_name(text, bare).map_err(|rejection| rejection.at(position))?;
        let full = format!("{}::pg_catalog.{bare}", quote_literal(&full));
        if data_type.end == at.start {
            // `regclass 'name'`
            self.replace(data_type.start..at.end, full);
            return Ok(());
        }
        let is_typecast = data_type.start == at.end + 1 && self.tokens.kind(at.end) == Some(TokenKind::Typecast);
        if is_typecast {
            self.replace(at.start..data_type.end, full);
            return Ok(());
        }
        // CAST('name' AS regclass)
        self.replace(at, full);
        if data_type.len() == 1 {
            self.before(data_type.start, "pg_catalog.");
        }
        Ok(())
    }

    /// `tableoid` of a catalogue: it says which one, and nothing of its rows.
    pub(in crate::guard) fn system_tableoid(
        &self,
        resolved: Option<&Resolved>,
        name: ColumnName<'_>,
    ) -> Option<String> {
        if name.column != "tableoid" || !self.ruleset.system().shows_structure() {
            return None;
        }
        let relation = match (resolved, name.relation) {
            (Some(Resolved { level, entries, column: None }), Some(_)) => {
                let [at] = entries.as_slice() else { return None };
                self.levels.get(*level)?.entries.get(*at)?.relation.as_ref()?
            }
            // Without its relation's name, of the only one there is.
            (None, None) => match self.levels.last()?.entries.as_slice() {
                [entry] => entry.relation.as_ref()?,
                _ => return None,
            },
            _ => return None,
        };
        let is_catalog = relation.schema == "pg_catalog" && self.ruleset.system().lens(relation).is_some();
        is_catalog.then(|| {
            let name = quote_literal(&relation.to_string());
            format!("SELECT {name}::pg_catalog.regclass::pg_catalog.oid AS tableoid")
        })
    }

    pub(in crate::guard) fn constant_column(&mut self, idents: &[Ident], constant: &str) -> Outcome<()> {
        let first = idents.first().and_then(|ident| token_range(ident.span));
        let last = idents.last().and_then(|ident| token_range(ident.span));
        let (Some(first), Some(last)) = (first, last) else {
            return Err(Rejection::new(Code::ReadingsDisagree, "a column without a place in the statement"));
        };
        self.replace(first.start..last.end, format!("({constant})"));
        Ok(())
    }

    fn full_name(&self, text: &str, bare: &str) -> Outcome<String> {
        // As the server writes it: without the quotes.
        let name = identifiers(text).map_or_else(|| text.to_owned(), |parts| parts.join("."));
        let missing = |kind: &str| {
            let code = if kind == "relation" { Code::RelationUnknown } else { Code::NameUnknown };
            Err(Rejection::new(code, format!("{kind} \"{name}\" does not exist")))
        };
        match bare {
            "regclass" => match self.shown_relation(text) {
                Some(name) => Ok(quote_name(&name)),
                None => missing("relation"),
            },
            "regnamespace" => match identifiers(text).as_deref() {
                Some([schema]) if self.ruleset.system().has_schema(schema) => Ok(quote_identifier(schema)),
                _ => missing("schema"),
            },
            "regtype" => self.full_type_name(text).map_or_else(|| missing("type"), Ok),
            "regproc" | "regcollation" | "regconfig" | "regdictionary" => {
                own_name(text).map_or_else(|| missing(if bare == "regproc" { "function" } else { "object" }), Ok)
            }
            "regprocedure" => self.full_signature(text).map_or_else(|| missing("function"), Ok),
            _ => Err(not_allowed(&format!("a name of type {bare}")).hint("Use the OID.")),
        }
    }

    /// `name(types)` of a function of PostgreSQL's own.
    fn full_signature(&self, text: &str) -> Option<String> {
        let (name, types) = text.trim().strip_suffix(')')?.split_once('(')?;
        let types: Option<Vec<String>> = match types.trim() {
            "" => Some(Vec::new()),
            types => types.split(',').map(|name| self.full_type_name(name)).collect(),
        };
        Some(format!("{}({})", own_name(name)?, types?.join(",")))
    }

    /// Types of PostgreSQL's own by any of their names, those of the database with their schema, and rows of relations.
    fn full_type_name(&self, text: &str) -> Option<String> {
        let (name, array) = match text.trim().strip_suffix("[]") {
            Some(element) => (element.trim(), "[]"),
            None => (text.trim(), ""),
        };
        let plain = name.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
        if is_built_in(&plain) || GRAMMAR_TYPES.contains(&plain.as_str()) {
            return Some(text.to_owned());
        }
        let parts = identifiers(name)?;
        let of_database = match parts.as_slice() {
            [name] => self.ruleset.type_on_path(name).map(|(name, _)| name),
            [schema, name] if schema == "pg_catalog" => {
                return Some(format!("pg_catalog.{}{array}", quote_identifier(name)));
            }
            [schema, bare] => {
                let name = crate::catalog::QualifiedName::new(schema, bare);
                self.ruleset.type_kind(&name).map(|_| name)
            }
            _ => None,
        };
        let found = of_database.filter(|name| self.ruleset.system().has_schema(&name.schema));
        let found = found.or_else(|| self.shown_relation(name))?;
        Some(format!("{}{array}", quote_name(&found)))
    }

    /// The tokens that a cast is of.
    fn operand_tokens(&self, inner: &Expr, kind: &CastKind, data_type: &Range<usize>) -> Option<Range<usize>> {
        let before = data_type.start.checked_sub(1)?;
        match kind {
            CastKind::DoubleColon if self.tokens.kind(before) == Some(TokenKind::Typecast) => {
                let start = self.operand_start(inner, before)?;
                (start < before).then_some(start..before)
            }
            CastKind::Cast if self.tokens.is_word(before, "as") => {
                let open = self.tokens.matching(data_type.end)?;
                let is_cast = open.checked_sub(1).is_some_and(|cast| self.tokens.is_word(cast, "cast"));
                (is_cast && open + 1 < before).then_some(open + 1..before)
            }
            _ => None,
        }
    }

    /// Where an operand begins that ends before a token.
    fn operand_start(&self, inner: &Expr, end: usize) -> Option<usize> {
        let last = end.checked_sub(1)?;
        let in_brackets = || self.tokens.matching(last).filter(|open| *open < last);
        match inner {
            Expr::Identifier(ident) => {
                token_range(ident.span).filter(|range| range.end == end).map(|range| range.start)
            }
            Expr::CompoundIdentifier(idents) => {
                let ends =
                    idents.last().and_then(|ident| token_range(ident.span)).is_some_and(|range| range.end == end);
                idents.first().and_then(|ident| token_range(ident.span)).filter(|_| ends).map(|range| range.start)
            }
            Expr::Value(value) => token_range(value.span).filter(|range| range.end == end).map(|range| range.start),
            Expr::Nested(_) | Expr::Subquery(_) => in_brackets(),
            Expr::Function(function) => {
                let name = self.name_tokens(&function.name).ok()?;
                (name.end == end || in_brackets() == Some(name.end)).then_some(name.start)
            }
            Expr::Cast { expr, kind: CastKind::DoubleColon, .. } => {
                let typecast = (0..end)
                    .rev()
                    .take(TYPE_TOKENS_MAX)
                    .find(|at| self.tokens.kind(*at) == Some(TokenKind::Typecast))?;
                self.operand_start(expr, typecast)
            }
            _ => None,
        }
    }
}

/// The name that PostgreSQL gives to a column that is an expression, where it comes from a name in it.
fn column_name(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => column_name(inner),
        Expr::Identifier(ident) => Some(ident_value(ident)),
        Expr::CompoundIdentifier(idents) => idents.last().map(ident_value),
        Expr::Function(function) => function.name.0.last().and_then(|part| part.as_ident()).map(ident_value),
        Expr::Case { else_result, .. } => column_name(else_result.as_deref()?),
        _ => None,
    }
}

/// Digits are an OID, `-` is none.
fn is_oid(text: &str) -> bool {
    text == "-" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A name in `pg_catalog`, which no schema can take the place of.
fn own_name(text: &str) -> Option<String> {
    match identifiers(text)?.as_slice() {
        [name] => Some(format!("pg_catalog.{}", quote_identifier(name))),
        [schema, name] if schema == "pg_catalog" => Some(format!("pg_catalog.{}", quote_identifier(name))),
        _ => None,
    }
}

/// A type's name with its schema, modifier and brackets.
const TYPE_TOKENS_MAX: usize = 12;

/// Names of types that are words of the grammar.
const GRAMMAR_TYPES: &[&str] = &[
    "integer",
    "int",
    "bigint",
    "smallint",
    "boolean",
    "character varying",
    "character",
    "decimal",
    "double precision",
    "real",
    "float",
    "timestamp with time zone",
    "timestamp without time zone",
    "time with time zone",
    "time without time zone",
    "bit varying",
    "trigger",
    "event_trigger",
    "void",
    "cstring",
    "internal",
    "anyelement",
    "anyarray",
    "xml",
    "regclass",
    "regtype",
    "regproc",
];
