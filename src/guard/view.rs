//! Views at compile time: a definition is read like a client's query, to see that it can stand in for its name.

use sqlparser::ast::{Expr, GroupByExpr, Query, Select, SetExpr, Statement as Tree, TableFactor, TableWithJoins};

use crate::catalog::{Key, KeyKind, QualifiedName, RelationKind};
use crate::guard::decision::LensKind;
use crate::guard::kind::Kind;
use crate::guard::private::{self, PrivateRelations};
use crate::guard::query::item_expression;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, RelationRule, Ruleset, TenantColumn};
use crate::guard::scope::OutputColumn;
use crate::guard::statement::{operators, read_error};
use crate::guard::walk::{Origin, Outcome, QueryShape, Walk};
use crate::guard::{Protocol, Request};
use crate::sql::{Body, Script, TextLimits, ident_value, with_script};
use crate::tenant::{Identity, LoginName};

/// A view that can be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) struct View {
    /// Its query, as it may stand in a client's text: no view is left in it, and no bare name but its own CTEs'.
    pub(in crate::guard) text: String,
    /// The views in its definition, and in theirs.
    pub(in crate::guard) reaches: Vec<QualifiedName>,
    pub(in crate::guard) columns: Vec<OutputColumn>,
    /// Or why it cannot be written.
    pub(in crate::guard) target: Result<ViewTarget, String>,
}

/// A view whose rows are rows of one table, told apart by the table's own tenant column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) struct ViewTarget {
    /// By the name that it has in the view.
    pub(in crate::guard) tenant_column: TenantColumn,
    pub(in crate::guard) table: QualifiedName,
    /// For each column of the view, the table's column that it is, if it is one.
    pub(in crate::guard) columns: Vec<Option<String>>,
    /// The table's keys, by the view's names.
    keys: Vec<Key>,
    refused_keys: Vec<Key>,
}

impl View {
    /// Brackets in a definition.
    pub(in crate::guard) const NESTING_MAX: usize = 60;
    const TEXT_BYTES_MAX: usize = 128 << 10;
}

/// Reads the definitions of all views that nobody declared, those first that stand on tables alone.
pub(in crate::guard) fn compile_views(ruleset: &mut Ruleset) {
    let mut pending = ruleset.undeclared_views();
    loop {
        let mut refused = Vec::new();
        let before = pending.len();
        for name in std::mem::take(&mut pending) {
            let Some(rule) = ruleset.relation(&name) else { continue };
            match read_definition(ruleset, rule) {
                Ok(view) => ruleset.set_view(&name, view),
                Err(rejection) => refused.push((name, rejection)),
            }
        }
        // One that stands on another is read again once that has been.
        if refused.is_empty() || refused.len() == before {
            for (name, rejection) in refused {
                ruleset.set_view_refused(name, reason(&rejection));
            }
            return;
        }
        pending = refused.into_iter().map(|(name, _)| name).collect();
    }
}

fn reason(rejection: &Rejection) -> String {
    match (&rejection.code, &rejection.detail) {
        (Code::RelationUnknown, _) => format!("for clients, {}", rejection.message),
        (_, Some(detail)) => format!("{}: {}", rejection.message, detail.trim_end_matches('.')),
        (_, None) => rejection.message.to_string(),
    }
}

fn read_definition(ruleset: &Ruleset, rule: &RelationRule) -> Outcome<View> {
    let definition = rule.relation.definition.as_deref().unwrap_or_default().trim().trim_end_matches(';');
    let limits = TextLimits { nesting_max: View::NESTING_MAX, ..TextLimits::default() };
    let login = LoginName::parse("definition").map_err(|_| not_one_query())?;
    let identity = Identity { login, tenant: None };
    let request = Request {
        identity: &identity,
        sql: definition,
        protocol: Protocol::Simple,
        parameter_types: &[],
        limits: &limits,
        private: PrivateRelations::none(),
    };
    with_script(definition, &limits, |read| match read {
        Ok(script) => read_script(ruleset, &request, rule, script),
        Err(error) => Err(read_error(error)),
    })
}

fn read_script(ruleset: &Ruleset, request: &Request<'_>, rule: &RelationRule, script: &Script<'_>) -> Outcome<View> {
    let [statement] = script.statements.as_slice() else { return Err(not_one_query()) };
    let Body::Tree(tree) = &statement.body else { return Err(not_one_query()) };
    let Tree::Query(query) = tree.as_ref() else { return Err(not_one_query()) };
    operators(ruleset, script)?;
    let private = private::rules(request.private, script);
    let mut walk = Walk::new(ruleset, request, &script.tokens, &private);
    walk.origin = Origin::Definition;
    let shape = walk.query(query)?;
    let columns = columns(rule, shape.columns.as_deref())?;
    let target = target(&walk, rule, query, &shape, &columns);
    let emitted = walk.emit_substituted().map_err(|error| {
        Rejection::new(Code::ReadingsDisagree, "the definition could not be written").detail(error.to_string())
    })?;
    let text = match rule.relation.security_barrier {
        // No condition from outside is to meet a row that the view does not show.
        true => format!("SELECT * FROM ({}) AS barrier OFFSET 0", emitted.text),
        false => emitted.text,
    };
    if text.len() > View::TEXT_BYTES_MAX {
        return Err(Rejection::new(Code::StatementTooLarge, "its definition is too large"));
    }
    let objects = walk.objects.into_values();
    let reaches = objects.filter(|object| object.lens == LensKind::View).map(|object| object.relation).collect();
    Ok(View { text, reaches, columns, target })
}

fn not_one_query() -> Rejection {
    Rejection::new(Code::NotParsed, "its definition is not understood")
}

/// The catalogue's columns with what the definition tells of them.
fn columns(rule: &RelationRule, read: Option<&[OutputColumn]>) -> Outcome<Vec<OutputColumn>> {
    let own = &rule.relation.columns;
    let unknown = |name: &str| OutputColumn { name: name.to_owned(), kind: Kind::Unknown, total: false };
    match read {
        None => Ok(own.iter().map(|column| unknown(&column.name)).collect()),
        Some(read) => {
            let same = read.len() == own.len() && read.iter().zip(own).all(|(read, own)| read.name == own.name);
            let differs = || Rejection::new(Code::ReadingsDisagree, "its columns are not those of its definition");
            if same { Ok(read.to_vec()) } else { Err(differs()) }
        }
    }
}

/// Whether rows can be written through a view: the server then merges its condition with ours, so that neither it nor
/// anything else in it may fail on other tenants' rows or look at them.
fn target(
    walk: &Walk<'_>,
    rule: &RelationRule,
    query: &Query,
    shape: &QueryShape,
    columns: &[OutputColumn],
) -> Result<ViewTarget, String> {
    let no = |why: &str| Err(why.to_owned());
    if !rule.relation.triggers.is_empty() || !rule.relation.rules.is_empty() {
        return no("it has triggers or rules of its own");
    }
    let SetExpr::Select(select) = query.body.as_ref() else { return no("it is not made of rows of one table") };
    let Some(base) = only_table(walk, select) else { return no("it is not made of rows of one table") };
    if walk.queries.len() != 1 {
        return no("there is a subquery in its definition");
    }
    if !shape.total {
        return no("its condition could fail on a row of another tenant");
    }
    let name = base.relation.qualified_name();
    let shown = || select.projection.iter().map(|item| item_expression(item).and_then(column_name));
    let (tenant_column, table, names) = match &base.lens {
        Lens::Scoped(column) => (column, name, shown().collect::<Vec<_>>()),
        Lens::View(View { target: Ok(inner), .. }) => {
            let through = |shown: Option<String>| {
                let place = base.relation.columns.iter().position(|column| Some(&column.name) == shown.as_ref())?;
                inner.columns.get(place).cloned().flatten()
            };
            (&inner.tenant_column, inner.table.clone(), shown().map(through).collect())
        }
        Lens::View(View { target: Err(why), .. }) => return Err(format!("view {name} cannot be written: {why}")),
        Lens::Shared | Lens::Private | Lens::Undeclared(_) => return no("its table is not scoped by tenant"),
    };
    if let Some(why) = &base.read_only {
        return Err(format!("its table {} cannot be written: {why}", base.relation.name));
    }
    let tenant = shown().position(|shown| shown.as_ref() == Some(&tenant_column.name));
    let Some(tenant) = tenant.and_then(|place| columns.get(place)) else {
        return Err(format!("it does not show the tenant column of its table {}", base.relation.name));
    };
    let by_view = |key: &Key| by_view(key, &shown().collect::<Vec<_>>(), columns);
    Ok(ViewTarget {
        tenant_column: TenantColumn { name: tenant.name.clone(), ..tenant_column.clone() },
        table,
        columns: names,
        keys: base.relation.keys.iter().map(by_view).collect(),
        refused_keys: base.refused_keys.iter().map(by_view).collect(),
    })
}

/// The one relation of a plain SELECT.
fn only_table<'a>(walk: &Walk<'a>, select: &Select) -> Option<&'a RelationRule> {
    let [TableWithJoins { relation: TableFactor::Table { name, alias, args: None, .. }, joins }] =
        select.from.as_slice()
    else {
        return None;
    };
    let plain = joins.is_empty()
        && alias.as_ref().is_none_or(|alias| alias.columns.is_empty())
        && select.distinct.is_none()
        && select.having.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    let parts = walk.name_parts(name).ok()?;
    match parts.as_slice() {
        [schema, relation] if plain => walk.ruleset.relation(&QualifiedName::new(schema, relation)),
        _ => None,
    }
}

fn column_name(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Nested(inner) => column_name(inner),
        Expr::Identifier(ident) => Some(ident_value(ident)),
        Expr::CompoundIdentifier(idents) => idents.last().map(ident_value),
        _ => None,
    }
}

/// A key of the table by the names that its columns have in the view. Those that it does not show nobody can name.
fn by_view(key: &Key, shown: &[Option<String>], columns: &[OutputColumn]) -> Key {
    let visible = |name: &String| {
        let place = shown.iter().position(|shown| shown.as_ref() == Some(name));
        place.and_then(|place| columns.get(place)).map_or_else(String::new, |column| column.name.clone())
    };
    let kind = if key.kind == KeyKind::Primary { KeyKind::Unique } else { key.kind };
    Key { kind, columns: key.columns.iter().map(visible).collect(), ..key.clone() }
}

impl RelationRule {
    /// The column that tells whose a row is, where rows are written.
    pub(in crate::guard) fn target_column(&self) -> Option<&TenantColumn> {
        match &self.lens {
            Lens::Scoped(column) => Some(column),
            Lens::View(View { target: Ok(target), .. }) => Some(&target.tenant_column),
            Lens::View(View { target: Err(_), .. }) | Lens::Shared | Lens::Private | Lens::Undeclared(_) => None,
        }
    }

    /// The table's column behind one of a view that can be written.
    pub(in crate::guard) fn behind(&self, column: &str) -> Option<(&QualifiedName, &str)> {
        let Lens::View(View { target: Ok(target), .. }) = &self.lens else { return None };
        let place = self.relation.columns.iter().position(|own| own.name == column)?;
        Some((&target.table, target.columns.get(place)?.as_deref()?))
    }

    pub(in crate::guard) fn set_view(&mut self, view: View) {
        if let Ok(target) = &view.target {
            self.relation.keys = target.keys.clone();
            self.refused_keys = target.refused_keys.clone();
        }
        self.lens = Lens::View(view);
    }

    pub(in crate::guard) fn is_undeclared_view(&self) -> bool {
        self.relation.kind == RelationKind::View && matches!(self.lens, Lens::Undeclared(_))
    }
}
