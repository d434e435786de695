//! Calls of functions that look the catalogue up: an argument that names something gets there only if it is in reach.

use std::ops::Range;

use sqlparser::ast::{Expr, Function, ObjectName, Value};

use crate::catalog::QualifiedName;
use crate::guard::expression::function_refused;
use crate::guard::kind::Kind;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::setting;
use crate::guard::system::argument::{is_own_role, makes_text, plain_arguments};
use crate::guard::system::function::{NOTHING, PLAIN_VIEWS, Treatment, name_column, treatment};
use crate::guard::system::identifier::identifiers;
use crate::guard::system::reach::COLUMN;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::{TokenKind, clauses, quote_identifier, token_range};

/// An argument with the tokens that it is.
struct Argument<'e> {
    expression: &'e Expr,
    tokens: Range<usize>,
}

/// How an argument names something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Oid,
    /// As SQL writes it: `schema.name`, quoted where needed.
    Name,
    /// A name, or digits that are an OID.
    NameOrOid,
}

/// Whether it is a function that looks the catalogue up.
pub(in crate::guard) fn looks_up(name: &str) -> bool {
    treatment(name).is_some()
}

/// `None`: no function of these. Whether its name is to be kept.
pub(super) fn keeps_its_name(name: &str) -> Option<bool> {
    treatment(name).map(|treatment| !matches!(treatment, Treatment::LookUp(..) | Treatment::Tree))
}

impl Walk<'_> {
    /// To be asked when the arguments were read: what is put around them stands outside of what is put in them.
    pub(in crate::guard) fn system_function(&mut self, function: &Function) -> Outcome<()> {
        let plain = function.filter.is_none() && function.over.is_none() && function.within_group.is_empty();
        let arguments = plain_arguments(&function.args).filter(|_| plain);
        self.system_call(&function.name, arguments)
    }

    pub(in crate::guard) fn system_call(&mut self, name: &ObjectName, arguments: Option<Vec<&Expr>>) -> Outcome<()> {
        let parts = self.name_parts(name)?;
        let own = match parts.as_slice() {
            [_] => true,
            [schema, _] => schema == "pg_catalog",
            _ => false,
        };
        let Some(treatment) =
            parts.last().filter(|_| own && self.ruleset.system().shows_structure()).and_then(|name| treatment(name))
        else {
            return Ok(());
        };
        if treatment == Treatment::Open {
            return Ok(());
        }
        let bare = parts.last().cloned().unwrap_or_default();
        let tokens = self.name_tokens(name)?;
        let Some(arguments) = arguments.and_then(|expressions| self.places(tokens.end, expressions)) else {
            return Err(function_refused(&bare).hint("Give it plain arguments, without their names."));
        };
        self.treat(&bare, treatment, &arguments, &tokens)
    }

    fn treat(
        &mut self,
        name: &str,
        treatment: Treatment,
        arguments: &[Argument<'_>],
        tokens: &Range<usize>,
    ) -> Outcome<()> {
        match treatment {
            Treatment::Open => Ok(()),
            Treatment::Oids(places) => {
                for (place, relation) in places {
                    if let Some(argument) = arguments.get(*place)
                        && !self.is_from_lens(argument.expression, relation)
                    {
                        self.in_reach(argument.tokens.clone(), relation, Naming::Oid)?;
                    }
                }
                Ok(())
            }
            Treatment::Definition => {
                self.relation_argument(arguments.first(), "")?;
                match arguments.first() {
                    Some(view) => self.in_reach(view.tokens.clone(), PLAIN_VIEWS, Naming::Oid),
                    None => Ok(()),
                }
            }
            Treatment::RelationName => {
                self.relation_argument(arguments.first(), "::pg_catalog.regclass::pg_catalog.text")
            }
            Treatment::Size => self.unknown_size(name, arguments, tokens),
            Treatment::LookUp(relation, data_type) => self.look_up(relation, data_type, arguments, tokens),
            Treatment::Comment => self.comment(name, arguments),
            Treatment::Privilege(relation) => self.privilege(name, relation, arguments),
            Treatment::Tree => Err(function_refused(name).hint("Call it in FROM.")),
            Treatment::Setting => match arguments {
                [setting, ..] => match self.literal(setting.expression) {
                    Some(shown) if setting::is_shown(&shown) => Ok(()),
                    Some(_) => Err(function_refused(name).hint("Use it with the name of a setting that SHOW shows.")),
                    None => self.in_reach(setting.tokens.clone(), "pg_settings", Naming::Name),
                },
                [] => Ok(()),
            },
            Treatment::SetConfig => match arguments {
                [setting, _, _]
                    if self.reaches_no_rows()
                        && self.literal(setting.expression).is_some_and(|name| setting::is_free(&name)) =>
                {
                    Ok(())
                }
                _ => Err(function_refused(name)
                    .hint("Use it in a SELECT without FROM, with the name of a setting that SET may change.")),
            },
        }
    }

    /// What `set_config` does would tell whether a hidden row was met: it stands where there are no rows.
    fn reaches_no_rows(&self) -> bool {
        let mut all = 0..self.tokens.len();
        self.tokens.is_word(0, "select") && !all.any(|at| ROWS.iter().any(|word| self.tokens.is_word(at, word)))
    }

    /// `CASE WHEN true THEN NULL ELSE pg_table_size(x) END`: NULL of the name of the function, whose argument is checked
    /// all the same.
    fn unknown_size(&mut self, name: &str, arguments: &[Argument<'_>], tokens: &Range<usize>) -> Outcome<()> {
        let close = self.tokens.matching(tokens.end).ok_or_else(disagree)?;
        if !name.ends_with("base_size") && !name.ends_with("space_size") {
            self.relation_argument(arguments.first(), "")?;
        }
        self.before(tokens.start, "(CASE WHEN true THEN NULL ELSE");
        self.after(close, "END)");
        Ok(())
    }

    /// `to_regclass(x)` as the look-up among what is in reach that it stands for.
    fn look_up(
        &mut self,
        relation: &str,
        data_type: &str,
        arguments: &[Argument<'_>],
        tokens: &Range<usize>,
    ) -> Outcome<()> {
        let close = self.tokens.matching(tokens.end).ok_or_else(disagree)?;
        let [argument] = arguments else { return Err(function_refused("to_reg\u{2026} without one argument")) };
        let name = format!("to_{data_type}");
        self.in_reach_as(&name, argument.tokens.clone(), relation, Naming::Name)?;
        self.replace(tokens.clone(), "");
        self.after(close, format!("::pg_catalog.{data_type}"));
        Ok(())
    }

    /// `pg_partition_tree(x)` in FROM: partitions are not there, so that a tree is its root. False: no such call.
    pub(in crate::guard) fn partition_tree(
        &mut self,
        name: &ObjectName,
        arguments: &[&Expr],
        has_alias: bool,
    ) -> Outcome<bool> {
        let parts = self.name_parts(name)?;
        let is_tree = matches!(parts.as_slice(), [bare] | [_, bare] if treatment(bare) == Some(Treatment::Tree));
        if !is_tree {
            return Ok(false);
        }
        let tokens = self.name_tokens(name)?;
        let close = self.tokens.matching(tokens.end).ok_or_else(disagree)?;
        let root = self.places(tokens.end, arguments.to_vec()).unwrap_or_default();
        let [root] = root.as_slice() else {
            return Err(function_refused("pg_partition_tree").hint("Give it one argument."));
        };
        self.in_reach(root.tokens.clone(), "pg_class", Naming::Oid)?;
        self.replace(
            tokens,
            "LATERAL (SELECT partywall.oid::pg_catalog.regclass AS relid, NULL::pg_catalog.regclass AS parentrelid, \
             true AS isleaf, 0 AS level FROM (SELECT ",
        );
        let alias = if has_alias { "" } else { " AS pg_partition_tree" };
        self.after(close, format!("AS oid) AS partywall){alias}"));
        Ok(true)
    }

    fn relation_argument(&mut self, argument: Option<&Argument<'_>>, then: &str) -> Outcome<()> {
        let Some(argument) = argument else { return Ok(()) };
        if then.is_empty() && self.is_from_lens(argument.expression, "pg_class") {
            return Ok(());
        }
        let naming = self.naming(argument.expression);
        if let Some(name) = self.literal(argument.expression) {
            self.known_relation(&name, argument.tokens.start)?;
        }
        self.in_reach(argument.tokens.clone(), "pg_class", naming)?;
        self.after(argument.tokens.end - 1, then.to_owned());
        Ok(())
    }

    /// The catalogue that the second argument names says whose OID the first is.
    fn comment(&mut self, name: &str, arguments: &[Argument<'_>]) -> Outcome<()> {
        let (object, catalog) = match arguments {
            [object] => (object, "pg_class"),
            [object, catalog] => match self.literal(catalog.expression).as_deref() {
                Some("pg_authid") => (object, "pg_roles"),
                Some(catalog) => {
                    let known = COMMENTED.iter().find(|known| **known == catalog);
                    (object, known.copied().unwrap_or(NOTHING))
                }
                None => return Err(function_refused(name).hint("Write the catalogue's name as a literal.")),
            },
            _ => return Ok(()),
        };
        if self.is_from_lens(object.expression, catalog) {
            return Ok(());
        }
        self.in_reach(object.tokens.clone(), catalog, Naming::Oid)
    }

    /// `has_table_privilege([user,] table, privilege)`: of the session's own role alone.
    fn privilege(&mut self, name: &str, relation: &str, arguments: &[Argument<'_>]) -> Outcome<()> {
        let full = if name == "has_column_privilege" { 4 } else { 3 };
        let object = if arguments.len() == full {
            let own = arguments.first().is_some_and(|user| is_own_role(user.expression));
            if !own {
                return Err(function_refused(name).hint("Ask for current_user, or leave the user out."));
            }
            arguments.get(1)
        } else {
            arguments.first()
        };
        let Some(object) = object else { return Ok(()) };
        if self.is_from_lens(object.expression, relation) {
            return Ok(());
        }
        let naming = self.naming(object.expression);
        if naming != Naming::Oid && name_column(relation).is_none() {
            return Err(function_refused(name).hint("Give it an OID."));
        }
        if let (Some(name), "pg_class") = (self.literal(object.expression), relation) {
            self.known_relation(&name, object.tokens.start)?;
        }
        self.in_reach(object.tokens.clone(), relation, naming)
    }

    /// A name in a literal must be a relation's that the catalogue shows; else the error is the server's for none.
    fn known_relation(&self, name: &str, token: usize) -> Outcome<()> {
        match self.shown_relation(name) {
            Some(_) => Ok(()),
            None => {
                let name = identifiers(name).map_or_else(|| name.to_owned(), |parts| parts.join("."));
                let message = format!("relation \"{name}\" does not exist");
                Err(Rejection::new(Code::RelationUnknown, message).at(self.position(token)))
            }
        }
    }

    /// A relation that the catalogue shows, by a name as SQL writes it.
    pub(super) fn shown_relation(&self, name: &str) -> Option<QualifiedName> {
        let parts = identifiers(name)?;
        let system = self.ruleset.system();
        match parts.as_slice() {
            [name] => {
                let own = QualifiedName::new("pg_catalog", name);
                if system.lens(&own).is_some() {
                    return Some(own);
                }
                let found = self.ruleset.relation_on_path(name)?.relation.qualified_name();
                Some(found).filter(|found| system.shows(found))
            }
            [schema, name] => {
                let name = QualifiedName::new(schema, name);
                (system.lens(&name).is_some() || system.shows(&name)).then_some(name)
            }
            _ => None,
        }
    }

    /// The value of a string, also of one that is cast to text or name: the decision then holds for it alone.
    fn literal(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Nested(inner) => self.literal(inner),
            Expr::Cast { expr, data_type, .. } if Kind::of_data_type(data_type) == Kind::Text => self.literal(expr),
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(_) => self.tokens.string(token_range(value.span)?.start),
                _ => None,
            },
            _ => None,
        }
    }

    fn naming(&self, expression: &Expr) -> Naming {
        match self.measure(expression).kind {
            Kind::Text | Kind::Untyped => Naming::Name,
            _ if makes_text(expression) => Naming::Name,
            _ => Naming::Oid,
        }
    }

    /// Puts around an operand what lets it pass if it is in reach, and makes it NULL otherwise.
    pub(super) fn in_reach(&mut self, tokens: Range<usize>, relation: &str, naming: Naming) -> Outcome<()> {
        self.in_reach_as("oid", tokens, relation, naming)
    }

    /// Under a name, which a cast around it hands on to the output column.
    pub(super) fn in_reach_as(
        &mut self,
        name: &str,
        tokens: Range<usize>,
        relation: &str,
        naming: Naming,
    ) -> Outcome<()> {
        let around = self.ruleset.system().around(relation, naming);
        let (before, after) = around.ok_or_else(|| function_refused(&format!("a look-up in {relation}")))?;
        self.before(tokens.start, before.replace(COLUMN, &quote_identifier(name)));
        self.system_texts.push(after.clone());
        self.after(tokens.end - 1, after);
        Ok(())
    }

    /// The tokens of each argument of a call.
    fn places<'e>(&self, open: usize, expressions: Vec<&'e Expr>) -> Option<Vec<Argument<'e>>> {
        let close = self.tokens.matching(open).filter(|_| self.tokens.kind(open) == Some(TokenKind::LeftParen))?;
        if expressions.is_empty() {
            return (close == open + 1).then(Vec::new);
        }
        let places = clauses::split_at_commas(self.tokens, open + 1..close);
        let fits = places.len() == expressions.len() && places.iter().all(|place| !place.is_empty());
        let pairs = places.into_iter().zip(expressions);
        fits.then(|| pairs.map(|(tokens, expression)| Argument { expression, tokens }).collect())
    }
}

/// Words without which a statement has no rows but its own.
const ROWS: &[&str] = &["from", "where", "table", "insert", "update", "delete", "merge", "copy", "declare", "prepare"];

/// Catalogues whose rows may have comments that a client can read.
const COMMENTED: &[&str] = &[
    "pg_class",
    "pg_namespace",
    "pg_proc",
    "pg_type",
    "pg_constraint",
    "pg_trigger",
    "pg_database",
    "pg_extension",
    "pg_language",
    "pg_operator",
    "pg_collation",
    "pg_conversion",
    "pg_am",
    "pg_opclass",
    "pg_opfamily",
    "pg_cast",
    "pg_rewrite",
    "pg_statistic_ext",
    "pg_tablespace",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
];

fn disagree() -> Rejection {
    Rejection::new(Code::ReadingsDisagree, "a call whose brackets are not clear")
}
