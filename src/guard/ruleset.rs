//! Policy compiled against a catalogue: what each relation, function, operator and type is to a client.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::catalog::{CATALOG_FORMAT, Catalog, Key, QualifiedName, Reference, Relation, RelationKind, TypeKind};
use crate::guard::calls::{Calls, Overloads, compile_functions};
use crate::guard::extensions::{listed_functions, offered_functions};
use crate::guard::family::{compile_families, is_table};
use crate::guard::grade::{Standing, Target, oracle_keys};
use crate::guard::operators::Operators;
use crate::guard::own_types::OwnTypes;
use crate::guard::system::System;
use crate::guard::tenant_column::TenantType;
use crate::guard::view::{View, compile_views};
use crate::policy::{KeyOracles, OWN_SCHEMA, Policy, SensitiveClass, TableKind, TableRule};

/// Policy compiled against a catalogue. Never changes; a reload swaps it whole.
#[derive(Debug)]
pub struct Ruleset {
    policy_digest: String,
    server_version: u32,
    search_path: Vec<String>,
    pub(in crate::guard) explain: crate::guard::explain::ExplainRules,
    pub(in crate::guard) acting: crate::guard::acting::ActingRules,
    relations: HashMap<QualifiedName, RelationRule>,
    /// Functions outside `pg_catalog` that may be called, by schema and name.
    functions: HashMap<QualifiedName, Calls>,
    /// Names of all functions outside `pg_catalog`: an unqualified call of one is ambiguous.
    function_names: HashSet<String>,
    overloads: Overloads,
    /// Functions of extensions that the policy could list, and does not.
    offered: HashMap<String, String>,
    column_names: HashSet<String>,
    pub(in crate::guard) operators: Operators,
    pub(in crate::guard) types: HashMap<QualifiedName, TypeKind>,
    /// Views that cannot be expanded, and why.
    refused_views: BTreeMap<QualifiedName, String>,
    pub(in crate::guard) own_types: OwnTypes,
    system: System,
}

/// Something in a policy that does not fit the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The key in the policy file: `table."public.invoices".column`.
    pub path: String,
    pub message: String,
}

#[derive(Debug)]
pub(in crate::guard) struct RelationRule {
    pub(in crate::guard) relation: Relation,
    pub(in crate::guard) lens: Lens,
    pub(in crate::guard) sensitive: BTreeMap<String, SensitiveClass>,
    /// Keys that may not be supplied, since they would tell of other tenants' values (`key_oracles = "refuse"`).
    pub(in crate::guard) refused_keys: Vec<Key>,
    /// Why it may not be written, where it may not.
    pub(in crate::guard) read_only: Option<String>,
}

/// How a client reaches a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) enum Lens {
    Scoped(TenantColumn),
    Shared,
    /// A temporary table of the session's own.
    Private,
    /// Its definition stands in for it.
    View(View),
    /// A view, foreign table, … that nobody declared: exists, but there is no way through it.
    Undeclared(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) struct TenantColumn {
    pub(in crate::guard) name: String,
    pub(in crate::guard) column_type: TenantType,
    pub(in crate::guard) not_null: bool,
}

impl Ruleset {
    /// Fails with every diagnostic where the policy does not fit the catalogue.
    pub fn compile(policy: &Policy, catalog: &Catalog) -> Result<Self, Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        if catalog.format != CATALOG_FORMAT {
            let message = format!("the catalog's format is {}, this program reads {CATALOG_FORMAT}", catalog.format);
            return Err(vec![Diagnostic { path: String::new(), message }]);
        }
        for name in policy.tables.keys().filter(|name| name.schema != OWN_SCHEMA) {
            if !catalog.relations.iter().any(|relation| relation.qualified_name() == *name) {
                let message = format!("there is no table or view {name} in database {}", catalog.database);
                diagnostics.push(Diagnostic { path: format!("table.\"{name}\""), message });
            }
        }
        let mut relations = HashMap::new();
        for relation in &catalog.relations {
            match compile_relation(policy, catalog, relation) {
                Ok(Some(rule)) => {
                    relations.insert(relation.qualified_name(), rule);
                }
                Ok(None) => {}
                Err(found) => diagnostics.extend(found),
            }
        }
        compile_families(policy, catalog, &mut relations, &mut diagnostics);
        refuse_key_oracles(policy, &mut relations);
        let extensions = listed_functions(policy, catalog, &mut diagnostics);
        let functions = compile_functions(policy, catalog, &extensions, &mut diagnostics);
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        let system = System::compile(catalog, &relations, functions.keys(), &policy.tenancy);
        let mut ruleset = Self {
            policy_digest: policy.digest.clone(),
            server_version: catalog.server_version,
            search_path: policy.tenancy.search_path.clone(),
            explain: crate::guard::explain::ExplainRules::compile(policy),
            acting: crate::guard::acting::ActingRules::compile(policy),
            relations,
            functions,
            offered: offered_functions(policy, catalog),
            overloads: Overloads::of(policy, catalog, &extensions),
            function_names: catalog.functions.iter().map(|function| function.name.clone()).collect(),
            column_names: column_names(catalog),
            operators: Operators::of(catalog),
            types: catalog
                .types
                .iter()
                .map(|entry| (QualifiedName::new(&entry.schema, &entry.name), entry.kind))
                .collect(),
            own_types: OwnTypes::of(catalog),
            refused_views: BTreeMap::new(),
            system,
        };
        compile_views(&mut ruleset);
        // Views may read the catalogue, and are in it.
        ruleset.system = System::compile(catalog, &ruleset.relations, ruleset.functions.keys(), &policy.tenancy);
        Ok(ruleset)
    }

    /// PostgreSQL's own relations, as clients read them: the text that stands for each.
    pub fn system_texts(&self) -> BTreeMap<String, &str> {
        self.system.texts()
    }

    pub(in crate::guard) fn system(&self) -> &System {
        &self.system
    }

    pub fn policy_digest(&self) -> &str {
        &self.policy_digest
    }

    /// The upstream's `server_version_num`.
    pub(in crate::guard) fn server_version(&self) -> u32 {
        self.server_version
    }

    /// Schemas in which unqualified names are looked up. The upstream session must have the same.
    pub fn search_path(&self) -> &[String] {
        &self.search_path
    }

    pub(in crate::guard) fn undeclared_views(&self) -> Vec<QualifiedName> {
        let views = self.relations.iter().filter(|(_, rule)| rule.is_undeclared_view());
        let mut names: Vec<_> = views.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    pub(in crate::guard) fn set_view(&mut self, name: &QualifiedName, view: View) {
        if let Some(rule) = self.relations.get_mut(name) {
            rule.set_view(view);
        }
    }

    pub(in crate::guard) fn set_view_refused(&mut self, name: QualifiedName, reason: String) {
        self.refused_views.insert(name, reason);
    }

    /// What became of a view that no rule declares.
    pub(in crate::guard) fn view_standing(&self, name: &QualifiedName) -> Option<Standing> {
        match &self.relations.get(name)?.lens {
            Lens::View(view) => Some(Standing::Expanded { read_only: view.target.as_ref().err().cloned() }),
            Lens::Undeclared(_) => Some(Standing::Undeclared { reason: self.refused_views.get(name).cloned() }),
            Lens::Scoped(_) | Lens::Shared | Lens::Private => None,
        }
    }

    pub(in crate::guard) fn relation(&self, name: &QualifiedName) -> Option<&RelationRule> {
        self.relations.get(name)
    }

    /// The first relation of that name on the search path, as the server would find it.
    pub(in crate::guard) fn relation_on_path(&self, name: &str) -> Option<&RelationRule> {
        self.search_path.iter().find_map(|schema| self.relations.get(&QualifiedName::new(schema, name)))
    }

    /// Whether a call with that many arguments can only mean a listed overload.
    pub(in crate::guard) fn listed_function(&self, name: &QualifiedName, arguments: usize) -> bool {
        match self.functions.get(name) {
            None => false,
            Some(Calls::Any) => true,
            Some(Calls::WithArguments(counts)) => counts.contains(&arguments),
        }
    }

    /// Where an unqualified call of a listed function leads.
    pub(in crate::guard) fn function_on_path(&self, name: &str, arguments: usize) -> Option<QualifiedName> {
        let mut candidates = self.search_path.iter().map(|schema| QualifiedName::new(schema, name));
        candidates.find(|candidate| self.listed_function(candidate, arguments))
    }

    /// Of any relation or composite type of the catalogue, in reach or not.
    pub(in crate::guard) fn has_column_named(&self, name: &str) -> bool {
        self.column_names.contains(name)
    }

    /// Whether a bare call of a built-in function would be one of the database's own at the server.
    pub(in crate::guard) fn is_overloaded(&self, name: &str, arguments: usize) -> bool {
        self.overloads.take(name, arguments)
    }

    /// The extension that the policy would have to list for a function.
    pub(in crate::guard) fn extension_of_function(&self, name: &str) -> Option<&str> {
        self.offered.get(name).map(String::as_str)
    }

    /// Whether a bare call may be left to the server, since nothing that it could mean is refused.
    pub(in crate::guard) fn is_clear_call(&self, name: &str) -> bool {
        self.overloads.is_clear(name)
    }

    pub(in crate::guard) fn has_function_named(&self, name: &str) -> bool {
        self.function_names.contains(name)
    }

    pub(in crate::guard) fn operator_is_redefined(&self, symbol: &str) -> bool {
        self.operators.is_redefined(symbol)
    }

    pub(in crate::guard) fn type_kind(&self, name: &QualifiedName) -> Option<TypeKind> {
        self.types.get(name).copied()
    }

    pub(in crate::guard) fn type_on_path(&self, name: &str) -> Option<(QualifiedName, TypeKind)> {
        self.search_path.iter().find_map(|schema| {
            let name = QualifiedName::new(schema, name);
            self.types.get(&name).map(|kind| (name, *kind))
        })
    }
}

fn column_names(catalog: &Catalog) -> HashSet<String> {
    let columns = catalog.relations.iter().flat_map(|relation| &relation.columns).map(|column| &column.name);
    let attributes = catalog.types.iter().flat_map(|entry| &entry.attributes);
    columns.chain(attributes).cloned().collect()
}

/// `None`: the relation does not exist for clients.
fn compile_relation(
    policy: &Policy,
    catalog: &Catalog,
    relation: &Relation,
) -> Result<Option<RelationRule>, Vec<Diagnostic>> {
    let name = relation.qualified_name();
    let path = format!("table.\"{name}\"");
    let rule = policy.tables.get(&name);
    let declared = rule.and_then(|rule| rule.kind);
    let own_column = rule.and_then(|rule| rule.column.as_deref());
    let column = own_column.or(policy.tenancy.column.as_deref().filter(|column| relation.column(column).is_some()));
    let lens = match (declared, column) {
        (Some(TableKind::Hidden), _) => return Ok(None),
        (Some(TableKind::Shared | TableKind::SharedWritable), _) => Lens::Shared,
        (None, _) if !is_table(relation) => match relation.kind {
            RelationKind::View => Lens::Undeclared("view"),
            RelationKind::MaterializedView => Lens::Undeclared("materialized view"),
            RelationKind::ForeignTable => Lens::Undeclared("foreign table"),
            _ => return Ok(None),
        },
        // A sequence has no rows of anybody.
        (_, _) if relation.kind == RelationKind::Sequence => return Ok(None),
        (_, Some(column)) => Lens::Scoped(tenant_column(catalog, relation, column, &path)?),
        (Some(TableKind::Scoped), None) => {
            let message = "is to be scoped, but has no tenant column; name it with `column`".to_owned();
            return Err(vec![Diagnostic { path, message }]);
        }
        (None, None) => return Ok(None),
    };
    let mut diagnostics = Vec::new();
    for column in rule.iter().flat_map(|rule| rule.sensitive.keys()) {
        if relation.column(column).is_none() {
            let message = format!("there is no column \"{column}\" in {name}");
            diagnostics.push(Diagnostic { path: format!("{path}.sensitive"), message });
        }
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let read_only = read_only(declared, rule, relation);
    Ok(Some(RelationRule {
        relation: relation.clone(),
        lens,
        sensitive: rule.map(|rule| rule.sensitive.clone()).unwrap_or_default(),
        refused_keys: Vec::new(),
        read_only,
    }))
}

/// Finds the keys through which a client could learn of other tenants' values, where the policy refuses them.
fn refuse_key_oracles(policy: &Policy, relations: &mut HashMap<QualifiedName, RelationRule>) {
    let target = |reference: &Reference| match relations
        .get(&QualifiedName::new(&reference.schema, &reference.name))
        .map(|rule| &rule.lens)
    {
        Some(Lens::Scoped(column)) => Target::Scoped(&column.name),
        Some(Lens::Shared) => Target::Shared,
        Some(Lens::Private | Lens::View(_) | Lens::Undeclared(_)) | None => Target::Unreachable,
    };
    let refuses =
        |name: &QualifiedName| policy.tables.get(name).is_some_and(|rule| rule.key_oracles == KeyOracles::Refuse);
    let mut refused = Vec::new();
    for (name, rule) in relations.iter().filter(|(name, _)| refuses(name)) {
        if let Lens::Scoped(column) = &rule.lens {
            let keys: Vec<Key> = oracle_keys(&rule.relation, &column.name, &target).cloned().collect();
            refused.push((name.clone(), keys));
        }
    }
    for (name, keys) in refused {
        if let Some(rule) = relations.get_mut(&name) {
            rule.refused_keys = keys;
        }
    }
}

fn tenant_column(
    catalog: &Catalog,
    relation: &Relation,
    column: &str,
    path: &str,
) -> Result<TenantColumn, Vec<Diagnostic>> {
    let diagnostic = |message: String| vec![Diagnostic { path: format!("{path}.column"), message }];
    let Some(found) = relation.column(column) else {
        return Err(diagnostic(format!("there is no column \"{column}\" in {}", relation.qualified_name())));
    };
    if found.generated {
        return Err(diagnostic(format!("\"{column}\" is a generated column and cannot be the tenant column")));
    }
    if found.identity.is_some() {
        return Err(diagnostic(format!("\"{column}\" is an identity column and cannot be the tenant column")));
    }
    if found.nondeterministic_collation {
        return Err(diagnostic(format!("\"{column}\" has a nondeterministic collation: two tenants could be equal")));
    }
    let Some(column_type) = TenantType::of_column(found, catalog) else {
        let message = format!(
            "\"{column}\" is of type {}.{}; a tenant column is text, varchar, uuid, smallint, integer, bigint, a domain over \
             one of these, or an enum",
            found.type_schema, found.type_name
        );
        return Err(diagnostic(message));
    };
    Ok(TenantColumn { name: column.to_owned(), column_type, not_null: found.not_null })
}

fn read_only(declared: Option<TableKind>, rule: Option<&TableRule>, relation: &Relation) -> Option<String> {
    if declared == Some(TableKind::Shared) {
        return Some("it is shared by all tenants and declared as read-only".to_owned());
    }
    if declared == Some(TableKind::Scoped) && !is_table(relation) {
        return Some("it is no table, but declared as scoped".to_owned());
    }
    if let Some(name) = relation.rules.first() {
        return Some(format!("rule \"{name}\" would rewrite the statement behind Partywall"));
    }
    let trusted = rule.map(|rule| rule.trusted_triggers.as_slice()).unwrap_or_default();
    let untrusted = relation.triggers.iter().find(|trigger| !trusted.contains(trigger));
    untrusted.map(|name| format!("trigger \"{name}\" is not among its trusted_triggers in the policy"))
}
