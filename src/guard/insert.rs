//! INSERT: every row gets the session's tenant, or the statement is refused.

use std::ops::Range;

use sqlparser::ast::{Expr, Insert, Query, SetExpr, TableObject};

use crate::guard::decision::{Access, LensKind, TenantValue};
use crate::guard::foreign::foreign_insert;
use crate::guard::from::not_allowed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::relation::{primary_key, undeclared};
use crate::guard::rows::{fits, mismatch};
use crate::guard::ruleset::{Lens, RelationRule, TenantColumn};
use crate::guard::scope::{Entry, Level, Protection};
use crate::guard::tenant_column::literal;
use crate::guard::view::View;
use crate::guard::walk::{Outcome, QueryShape, Walk, quote_name, table_columns};
use crate::sql::{TokenKind, ident_value, quote_identifier, token_range};

/// The columns that an INSERT supplies, and what the tenant's is to be.
struct Supplied<'a> {
    names: Vec<String>,
    tenant: Option<(&'a TenantColumn, TenantValue)>,
}

impl Walk<'_> {
    pub(in crate::guard) fn insert(&mut self, insert: &Insert) -> Outcome<QueryShape> {
        foreign_insert(insert)?;
        self.writes = true;
        let TableObject::TableName(name) = &insert.table else {
            return Err(not_allowed("this form of INSERT"));
        };
        let rule = self.target_rule(name)?;
        let tokens = self.name_tokens(name)?;
        self.changeable(rule, &tokens)?;
        self.overriding(rule)?;
        self.replace(tokens.clone(), quote_name(&rule.relation.qualified_name()));
        let tenant = match rule.target_column() {
            Some(column) => Some((column, self.tenant_value(rule, column)?)),
            None => None,
        };
        self.record_target(rule, Access::Insert);
        let alias = insert.table_alias.as_ref().map(|alias| &alias.alias);
        let name_end = alias.and_then(|alias| token_range(alias.span)).map_or(tokens.end, |alias| alias.end);

        if let Some(source) = &insert.source {
            // The source sees nothing of the target.
            self.query(source)?;
        }
        let supplied = self.supplied(insert, rule, tenant, name_end)?;
        for column in &supplied.names {
            self.record_column(&rule.relation.qualified_name(), column);
        }
        let chosen = self.chosen(insert.source.as_deref(), &supplied.names);
        self.key_oracles(rule, &chosen)?;

        let alias = alias.map_or_else(|| rule.relation.name.clone(), ident_value);
        self.levels.push(Level { entries: vec![self.target_entry(rule, alias)], ..Level::default() });
        if let Some(on) = &insert.on {
            self.on_conflict(rule, on, &supplied.names, name_end)?;
        }
        let columns = match &insert.returning {
            Some(items) => self.projection(items)?,
            None => Some(Vec::new()),
        };
        self.levels.pop();
        Ok(QueryShape { columns, ..QueryShape::default() })
    }

    /// The columns to which some row gives a value of the client's own, not DEFAULT.
    fn chosen(&self, source: Option<&Query>, names: &[String]) -> Vec<String> {
        let Some(SetExpr::Values(values)) = source.map(|source| source.body.as_ref()) else { return names.to_vec() };
        let is_default = |cell: &Expr| self.is_default(cell);
        let all_default = |place: usize| values.rows.iter().all(|row| row.content.get(place).is_some_and(is_default));
        names.iter().enumerate().filter(|(place, _)| !all_default(*place)).map(|(_, name)| name.clone()).collect()
    }

    /// The word DEFAULT in the place of a value.
    pub(in crate::guard) fn is_default(&self, value: &Expr) -> bool {
        match value {
            Expr::Identifier(ident) => {
                token_range(ident.span).is_some_and(|tokens| self.tokens.is_word(tokens.start, "default"))
            }
            _ => false,
        }
    }

    /// The column list, completed; each row's value for the tenant column, forced or checked.
    fn supplied<'r>(
        &mut self,
        insert: &Insert,
        rule: &'r RelationRule,
        tenant: Option<(&'r TenantColumn, TenantValue)>,
        name_end: usize,
    ) -> Outcome<Supplied<'r>> {
        let Some(source) = &insert.source else {
            if let Some((column, value)) = &tenant {
                self.default_values(name_end, column, value)?;
            }
            return Ok(Supplied { names: Vec::new(), tenant });
        };
        let mut supplied = Supplied { names: Vec::new(), tenant };
        let explicit = !insert.columns.is_empty();
        if explicit {
            for column in &insert.columns {
                supplied.names.push(self.column_or_part(rule, column)?);
            }
            one_length(source)?;
            if let Some(width) = self.width(source) {
                // `(row).*` may be more columns than one.
                let least = if self.expands_rows { supplied.names.len() } else { 0 };
                fits(width.max(least), supplied.names.len())?;
            }
        } else if rule.lens == Lens::Private {
            return Ok(supplied);
        } else {
            let width = self.width(source).ok_or_else(|| {
                not_allowed("INSERT without a column list from this query").hint("Name the columns after the table.")
            })?;
            supplied.names = rule.relation.columns.iter().take(width).map(|column| column.name.clone()).collect();
        }
        let Some((column, value)) = &supplied.tenant else { return Ok(supplied) };
        let place = supplied.names.iter().position(|name| name == &column.name);
        let literal = literal(column, value);
        match place {
            Some(_) if self.expands_rows => return Err(mismatch(column)),
            Some(place) => self.check_query(source, place, column, value, &mut Vec::new())?,
            None => self.append_to_arms(&source.body, supplied.names.len(), &literal)?,
        }
        let mut list: Vec<String> = supplied.names.iter().map(|name| quote_identifier(name)).collect();
        if place.is_none() {
            list.push(quote_identifier(&column.name));
        }
        if !explicit {
            self.after(name_end - 1, format!("({})", list.join(", ")));
        } else if place.is_none() {
            // The last column may have a subscript, which is not in the tree.
            let close =
                self.tokens.matching(name_end).filter(|_| self.tokens.kind(name_end) == Some(TokenKind::LeftParen));
            let close = close.ok_or_else(|| Rejection::new(Code::ReadingsDisagree, "a column list without a place"))?;
            self.before(close, format!(", {}", quote_identifier(&column.name)));
        }
        Ok(supplied)
    }

    /// OVERRIDING USER VALUE has an identity column take the next number instead of what stands there.
    pub(in crate::guard) fn overriding(&self, rule: &RelationRule) -> Outcome<()> {
        let Some(column) = rule.target_column() else { return Ok(()) };
        let is_identity = rule.relation.column(&column.name).is_some_and(|column| column.identity.is_some());
        let overrides = |at: usize| self.tokens.is_word(at, "overriding") && self.tokens.is_word(at + 1, "user");
        if is_identity && (0..self.tokens.len()).any(overrides) { Err(mismatch(column)) } else { Ok(()) }
    }

    /// `INSERT INTO t DEFAULT VALUES`.
    pub(in crate::guard) fn default_values(
        &mut self,
        at: usize,
        column: &TenantColumn,
        value: &TenantValue,
    ) -> Outcome<()> {
        if !(self.tokens.is_word(at, "default") && self.tokens.is_word(at + 1, "values")) {
            return Err(not_allowed("this form of INSERT"));
        }
        let text = format!("({}) VALUES ({})", quote_identifier(&column.name), literal(column, value));
        self.replace(at..at + 2, text);
        Ok(())
    }

    /// How many columns a source has, where that can be told.
    fn width(&self, source: &Query) -> Option<usize> {
        match source.body.as_ref() {
            SetExpr::Values(values) => values.rows.iter().map(|row| row.content.len()).max(),
            _ => self.shape(source)?.columns.as_ref().map(Vec::len),
        }
    }

    /// What INSERT, UPDATE and DELETE may change: a table, or a view that the server turns into one of its own accord.
    pub(in crate::guard) fn changeable(&self, rule: &RelationRule, tokens: &Range<usize>) -> Outcome<()> {
        match &rule.lens {
            Lens::View(View { target: Ok(_), .. }) => Ok(()),
            Lens::View(View { target: Err(why), .. }) => {
                let name = &rule.relation.name;
                Err(Rejection::new(Code::RelationReadOnly, format!("view \"{name}\" cannot be written here"))
                    .detail(format!("For Partywall, {why}."))
                    .hint("Write to the table behind it.")
                    .at(self.position(tokens.start)))
            }
            Lens::Scoped(_) | Lens::Shared | Lens::Private | Lens::Undeclared(_) => self.writable(rule, tokens),
        }
    }

    /// That rows are written, of a view as well as of the table behind it.
    pub(in crate::guard) fn record_target(&mut self, rule: &RelationRule, access: Access) {
        self.record(rule, lens_kind(rule), access);
        let Lens::View(View { target: Ok(target), .. }) = &rule.lens else { return };
        if let Some(table) = self.ruleset.relation(&target.table) {
            self.record_behind(table, lens_kind(table), access);
        }
    }

    pub(in crate::guard) fn writable(&self, rule: &RelationRule, tokens: &Range<usize>) -> Outcome<()> {
        let name = &rule.relation.name;
        if let Lens::Undeclared(kind) = &rule.lens {
            return Err(undeclared(kind, name).at(self.position(tokens.start)));
        }
        if let Lens::View(_) = &rule.lens {
            return Err(Rejection::new(
                Code::FeatureNotAllowed,
                format!("view \"{name}\" cannot be written like this"),
            )
            .hint("Write to the table behind it, or use INSERT, UPDATE or DELETE.")
            .at(self.position(tokens.start)));
        }
        match &rule.read_only {
            None => Ok(()),
            Some(reason) => {
                Err(Rejection::new(Code::RelationReadOnly, format!("relation \"{name}\" cannot be written here"))
                    .detail(format!("For Partywall, {reason}."))
                    .at(self.position(tokens.start)))
            }
        }
    }

    pub(in crate::guard) fn target_entry(&self, rule: &RelationRule, name: String) -> Entry {
        let relation = rule.relation.qualified_name();
        let protection = match rule.target_column() {
            Some(tenant_column) => {
                Protection::Target { column: tenant_column.name.clone(), tenant_column: tenant_column.clone() }
            }
            None => Protection::None,
        };
        Entry {
            unaliased: (name == rule.relation.name).then(|| relation.clone()),
            name: Some(name),
            relation: Some(relation),
            columns: table_columns(rule, self.ruleset),
            may_be_reg: false,
            protection,
            nullable: false,
            lateral: Vec::new(),
            function_columns: None,
            shared: None,
            primary_key: primary_key(rule),
        }
    }
}

/// In PostgreSQL's own words, which it would say too late: with the tenant in its place, a shorter row could fit.
fn one_length(source: &Query) -> Outcome<()> {
    let SetExpr::Values(values) = source.body.as_ref() else { return Ok(()) };
    let mut widths = values.rows.iter().map(|row| row.content.len());
    let first = widths.next();
    match widths.all(|width| Some(width) == first) {
        true => Ok(()),
        false => Err(Rejection::new(Code::NotParsed, "VALUES lists must all be the same length")),
    }
}

pub(in crate::guard) fn lens_kind(rule: &RelationRule) -> LensKind {
    match rule.lens {
        Lens::Scoped(_) => LensKind::Scoped,
        Lens::Shared => LensKind::Shared,
        Lens::Private => LensKind::Private,
        Lens::View(_) | Lens::Undeclared(_) => LensKind::View,
    }
}
