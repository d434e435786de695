//! Names of relations: what each means, and the lens through which a scoped table is read.

use std::ops::Range;

use sqlparser::ast::{ObjectName, TableAlias};

use crate::catalog::{KeyKind, QualifiedName};
use crate::guard::computed::Source;
use crate::guard::decision::{Access, LensKind};
use crate::guard::from::{fences, not_allowed, plain_entry};
use crate::guard::private;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, RelationRule};
use crate::guard::scope::{Entry, Protection};
use crate::guard::system::SystemLens;
use crate::guard::walk::{
    CteEntry, CteStanding, Inheritance, LensUse, Origin, Outcome, Walk, quote_name, table_columns,
};
use crate::sql::{TokenKind, ident_value, quote_identifier, token_range};

/// What a name in a FROM clause means.
pub(in crate::guard) enum Named<'a> {
    Cte(usize),
    Table(&'a RelationRule),
    System(QualifiedName, &'a SystemLens),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum NameUse {
    Read,
    Write,
}

impl<'a> Walk<'a> {
    pub(in crate::guard) fn relation(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Outcome<Entry> {
        let tokens = self.name_tokens(name)?;
        self.qualify_relation(name, &tokens)?;
        let entry = match self.named(name, NameUse::Read)? {
            Named::Cte(at) => {
                if let Some(CteEntry { standing: CteStanding::Ahead { used }, .. }) = self.ctes.get_mut(at) {
                    *used = true;
                }
                let Some(cte) = self.ctes.get(at).cloned() else {
                    return Err(Rejection::new(Code::ReadingsDisagree, "common table expression out of scope"));
                };
                self.mention(&cte.sources);
                self.touched.extend(&cte.sources);
                Entry { may_be_reg: self.met_reg, ..plain_entry(Some(cte.name), cte.columns, fences(cte.sources)) }
            }
            Named::System(relation, lens) => {
                let given =
                    if alias.is_none() { format!(" AS {}", quote_identifier(&relation.name)) } else { String::new() };
                self.replace(tokens, format!("{}{given}", lens.text));
                self.system_texts.push(lens.text.clone());
                self.record_system(&relation);
                let entry = plain_entry(Some(relation.name.clone()), Some(lens.columns.clone()), Protection::None);
                Entry { unaliased: Some(relation.clone()), relation: Some(relation), ..entry }
            }
            Named::Table(rule) => {
                let alias = alias.map(|alias| ident_value(&alias.name));
                self.table(rule, tokens, alias)?
            }
        };
        Ok(self.alias(entry, alias))
    }

    fn table(&mut self, rule: &RelationRule, tokens: Range<usize>, alias: Option<String>) -> Outcome<Entry> {
        let relation = rule.relation.qualified_name();
        let name = rule.relation.name.clone();
        let columns = table_columns(rule, self.ruleset);
        let primary_key = primary_key(rule);
        let (only, tokens) = self.inheritance(tokens)?;
        let protection = match &rule.lens {
            Lens::Undeclared(kind) => {
                return Err(undeclared(kind, &name).at(self.position(tokens.start)));
            }
            Lens::Shared => {
                self.record(rule, LensKind::Shared, Access::Read);
                let only = if only == Inheritance::Only { "ONLY " } else { "" };
                self.replace(tokens, format!("{only}{}", quote_name(&relation)));
                Protection::None
            }
            Lens::Private => {
                self.record(rule, LensKind::Private, Access::Read);
                self.replace(tokens, quote_name(&relation));
                Protection::None
            }
            Lens::View(view) => {
                self.expand(rule, view, tokens, alias.as_deref())?;
                Protection::None
            }
            Lens::Scoped(tenant_column) => {
                self.record(rule, LensKind::Scoped, Access::Read);
                let reference = quote_identifier(&tenant_column.name);
                let predicate = self.predicate(rule, tenant_column, &reference)?;
                let given = alias.is_some();
                let alias = (!given).then(|| name.clone());
                let lens = LensUse { tokens, relation: relation.clone(), only, predicate, alias };
                let table = self.lenses.len();
                self.lenses.push(lens);
                self.touched.push(Source::Lens(table));
                Protection::Guard { table, column: tenant_column.name.clone(), tenant_column: tenant_column.clone() }
            }
        };
        Ok(Entry {
            name: Some(name),
            unaliased: Some(relation.clone()),
            relation: Some(relation),
            columns,
            may_be_reg: false,
            protection,
            nullable: false,
            lateral: Vec::new(),
            function_columns: None,
            shared: None,
            primary_key,
        })
    }

    /// The ONLY before a name, with or without parentheses, or the `*` behind it: part of what a lens replaces.
    pub(in crate::guard) fn inheritance(&self, name: Range<usize>) -> Outcome<(Inheritance, Range<usize>)> {
        let is_only = |at: usize| {
            self.tokens.is_word(at, "only") && (at == 0 || self.tokens.kind(at - 1) != Some(TokenKind::Dot))
        };
        let start = name.start;
        if start >= 1 && is_only(start - 1) {
            return Ok((Inheritance::Only, start - 1..name.end));
        }
        let in_parentheses = start >= 2
            && self.tokens.kind(start - 1) == Some(TokenKind::LeftParen)
            && self.tokens.matching(start - 1) == Some(name.end)
            && is_only(start - 2);
        if in_parentheses {
            return Ok((Inheritance::Only, start - 2..name.end + 1));
        }
        let star = self.tokens.is_operator(name.end, "*");
        Ok((Inheritance::WithChildren, start..name.end + usize::from(star)))
    }

    /// The tokens of a qualified name.
    pub(in crate::guard) fn name_tokens(&self, name: &ObjectName) -> Outcome<Range<usize>> {
        let first = name.0.first().and_then(|part| part.as_ident()).and_then(|ident| token_range(ident.span));
        let last = name.0.last().and_then(|part| part.as_ident()).and_then(|ident| token_range(ident.span));
        match (first, last) {
            (Some(first), Some(last)) if first.start < last.end => Ok(first.start..last.end),
            _ => Err(Rejection::new(Code::ReadingsDisagree, "a name without a place in the statement")),
        }
    }

    /// The parts of a qualified name, as PostgreSQL knows them.
    pub(in crate::guard) fn name_parts(&self, name: &ObjectName) -> Outcome<Vec<String>> {
        let parts = name.0.iter().map(|part| part.as_ident().map(ident_value)).collect::<Option<Vec<_>>>();
        parts.ok_or_else(|| not_allowed("this form of a name"))
    }

    pub(in crate::guard) fn named(&self, name: &ObjectName, name_use: NameUse) -> Outcome<Named<'a>> {
        let parts = self.name_parts(name)?;
        let position = self.name_tokens(name).ok().and_then(|tokens| self.position(tokens.start));
        match parts.as_slice() {
            [only] => {
                let cte = self.ctes.iter().rposition(|cte| cte.name == *only);
                if let (Some(cte), NameUse::Read) = (cte, name_use) {
                    return Ok(Named::Cte(cte));
                }
                if let (Some(own), Origin::Client) = (self.private.get(only), self.origin) {
                    return Ok(Named::Table(own));
                }
                if only.starts_with("pg_") || self.origin == Origin::Definition {
                    let system = self.system_relation(&QualifiedName::new("pg_catalog", only));
                    return system.ok_or_else(|| unknown(only).at(position));
                }
                let rule = self.ruleset.relation_on_path(only);
                rule.map(Named::Table).ok_or_else(|| unknown(only).at(position))
            }
            [schema, relation] => {
                let qualified = QualifiedName::new(schema, relation);
                if matches!(schema.as_str(), "pg_catalog" | "information_schema") && name_use == NameUse::Read {
                    let system = self.system_relation(&qualified);
                    return system.ok_or_else(|| unknown(&qualified.to_string()).at(position));
                }
                let rule = match schema.as_str() {
                    private::SCHEMA => self.private.get(relation),
                    _ => self.ruleset.relation(&qualified),
                };
                rule.map(Named::Table).ok_or_else(|| unknown(&qualified.to_string()).at(position))
            }
            _ => Err(not_allowed("a relation's name with a database").at(position)),
        }
    }

    fn system_relation(&self, name: &QualifiedName) -> Option<Named<'a>> {
        self.ruleset.system().lens(name).map(|lens| Named::System(name.clone(), lens))
    }

    /// The target of a write: always a table, never a CTE.
    pub(in crate::guard) fn target_rule(&self, name: &ObjectName) -> Outcome<&'a RelationRule> {
        match self.named(name, NameUse::Write)? {
            Named::Table(rule) => Ok(rule),
            Named::Cte(_) | Named::System(..) => Err(unknown(&self.name_parts(name)?.join("."))),
        }
    }
}

pub(in crate::guard) fn primary_key(rule: &RelationRule) -> Vec<String> {
    let primary = rule.relation.keys.iter().find(|key| key.kind == KeyKind::Primary && !key.deferrable);
    primary.map(|key| key.columns.clone()).unwrap_or_default()
}

/// Worded as PostgreSQL words it: a hidden table must not differ from none.
pub(in crate::guard) fn unknown(name: &str) -> Rejection {
    let is_catalog = ["pg_", "information_schema."].iter().any(|prefix| name.starts_with(prefix));
    Rejection::new(Code::RelationUnknown, format!("relation \"{name}\" does not exist")).hint(if is_catalog {
        "Most system catalogs are not visible through Partywall, since they tell of the rows and names of all tenants."
    } else {
        "Tables are visible here if they have the tenant column or are listed in the policy; ask who keeps the policy."
    })
}

pub(in crate::guard) fn undeclared(kind: &str, name: &str) -> Rejection {
    Rejection::new(Code::FeatureNotAllowed, format!("{kind} \"{name}\" cannot be used"))
        .detail("Partywall cannot see which tenant's rows come out of it.")
        .hint("Query the tables behind it, or have it declared in the policy; there, partywall check says why.")
}
