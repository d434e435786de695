//! Which of the database's own functions a call can mean: those that the policy lists, and those that would be taken for
//! PostgreSQL's.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::catalog::{Catalog, Function, QualifiedName};
use crate::guard::expression::function_refused;
use crate::guard::extensions::parameters;
use crate::guard::function::listed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Diagnostic, Ruleset};
use crate::guard::system::looks_up;
use crate::policy::{FunctionIdentity, Policy};

/// Which calls of a name can only mean overloads that the policy lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) enum Calls {
    /// Every overload is listed.
    Any,
    /// Calls with these numbers of arguments: every overload that is not listed takes fewer.
    WithArguments(BTreeSet<usize>),
}

/// Functions on the search path that have a built-in's name, with the most arguments that one of them takes.
///
/// A better match beats the built-in, whichever schema comes first: a call that is pinned to `pg_catalog` would then give
/// another answer than alone.
#[derive(Debug)]
pub(in crate::guard) struct Overloads {
    most: HashMap<String, usize>,
    clear: HashSet<String>,
}

impl Overloads {
    pub(in crate::guard) fn of(policy: &Policy, catalog: &Catalog, extensions: &[&Function]) -> Self {
        // The functions of an extension are for its own types: where no column has one, they are not meant.
        let columns: HashSet<(&str, &str)> = catalog
            .relations
            .iter()
            .flat_map(|relation| &relation.columns)
            .map(|column| (column.type_schema.as_str(), column.type_name.trim_start_matches('_')))
            .collect();
        let used = catalog.types.iter().filter(|entry| columns.contains(&(entry.schema.as_str(), entry.name.as_str())));
        let used: HashSet<&str> = used.filter_map(|entry| entry.extension.as_deref()).collect();
        let mut overloads = HashMap::new();
        let mut clear = HashSet::new();
        let is_allowed = |function: &Function| {
            extensions.contains(&function) || policy.functions.keys().any(|identity| is(function, identity))
        };
        for function in &catalog.functions {
            let on_path = policy.tenancy.search_path.contains(&function.schema);
            if on_path && is_own(&function.name) && extensions.contains(&function) {
                clear.insert(function.name.clone());
            }
            let meant = function.extension.as_deref().is_none_or(|extension| used.contains(extension));
            if meant && on_path && is_own(&function.name) {
                let most = match function.arguments.contains("VARIADIC") {
                    true => usize::MAX,
                    false => parameters(&function.arguments),
                };
                let known = overloads.entry(function.name.clone()).or_insert(most);
                *known = most.max(*known);
            }
        }
        let others = catalog.functions.iter().filter(|function| !is_allowed(function));
        for function in others.filter(|function| policy.tenancy.search_path.contains(&function.schema)) {
            clear.remove(&function.name);
        }
        Self { most: overloads, clear }
    }

    /// Every function that a bare call of the name could mean is allowed, PostgreSQL's and extensions': the server may
    /// choose, by the arguments' types.
    pub(in crate::guard) fn is_clear(&self, name: &str) -> bool {
        self.clear.contains(name)
    }

    /// Defaults let a function be called with fewer arguments than it has.
    pub(in crate::guard) fn take(&self, name: &str, arguments: usize) -> bool {
        self.most.get(name).is_some_and(|most| arguments <= *most)
    }
}

fn is(function: &Function, identity: &FunctionIdentity) -> bool {
    function.schema == identity.function.schema
        && function.name == identity.function.name
        && function.arguments == identity.arguments
}

/// Which calls each listed function may be meant by.
pub(in crate::guard) fn compile_functions(
    policy: &Policy,
    catalog: &Catalog,
    extensions: &[&Function],
    diagnostics: &mut Vec<Diagnostic>,
) -> HashMap<QualifiedName, Calls> {
    let mut listed = of_extensions(policy, catalog, extensions);
    for identity in policy.functions.keys() {
        let name = &identity.function;
        let path = format!("function.\"{name}({})\"", identity.arguments);
        let overloads =
            || catalog.functions.iter().filter(|entry| entry.schema == name.schema && entry.name == name.name);
        if !overloads().any(|entry| entry.arguments == identity.arguments) {
            let message = match overloads().next() {
                Some(entry) => format!("there is no such function; there is {name}({})", entry.arguments),
                None => "there is no such function".to_owned(),
            };
            diagnostics.push(Diagnostic { path, message });
            continue;
        }
        if overloads().any(|entry| entry.arguments == identity.arguments && entry.looks_up) {
            let message = "it takes or gives a value of a type like regclass, whose input looks names up".to_owned();
            diagnostics.push(Diagnostic { path, message });
            continue;
        }
        // Which overload a call means depends on types that only the server knows, but none takes more arguments
        // than it has parameters.
        let is_listed =
            |entry: &Function| extensions.contains(&entry) || policy.functions.keys().any(|other| is(entry, other));
        let unlisted: Vec<_> = overloads().filter(|entry| !is_listed(entry)).collect();
        let own = parameters(&identity.arguments);
        match unlisted.iter().find(|entry| parameters(&entry.arguments) >= own || entry.arguments.contains("VARIADIC"))
        {
            Some(entry) => diagnostics.push(Diagnostic {
                path,
                message: format!("a call could also mean {name}({}), which is not listed; list both", entry.arguments),
            }),
            None if unlisted.is_empty() => {
                listed.insert(name.clone(), Calls::Any);
            }
            None => {
                let calls = listed.entry(name.clone()).or_insert_with(|| Calls::WithArguments(BTreeSet::new()));
                if let Calls::WithArguments(counts) = calls {
                    counts.insert(own);
                }
            }
        }
    }
    listed
}

/// Whether PostgreSQL has a function of that name which clients may call.
fn is_own(name: &str) -> bool {
    listed(name).is_some() || looks_up(name)
}

/// Those of extensions. None of their overloads that is not listed has defaults: it takes its own number of arguments. But
/// a function of somebody else's beside them could be meant by any call.
fn of_extensions(policy: &Policy, catalog: &Catalog, extensions: &[&Function]) -> HashMap<QualifiedName, Calls> {
    let mut listed = HashMap::new();
    for function in extensions {
        let beside = catalog.functions.iter().filter(|other| {
            other.schema == function.schema
                && other.name == function.name
                && !extensions.contains(other)
                && !policy.functions.keys().any(|identity| is(other, identity))
        });
        let beside: Vec<&Function> = beside.collect();
        let own = parameters(&function.arguments);
        let is_clear = beside.iter().all(|other| {
            other.extension == function.extension
                && parameters(&other.arguments) != own
                && !other.arguments.contains("VARIADIC")
        });
        let name = QualifiedName::new(&function.schema, &function.name);
        if beside.is_empty() {
            listed.insert(name, Calls::Any);
        } else if is_clear {
            let calls = listed.entry(name).or_insert_with(|| Calls::WithArguments(BTreeSet::new()));
            if let Calls::WithArguments(counts) = calls {
                counts.insert(own);
            }
        }
    }
    listed
}

/// The policy can list the database's own functions, not PostgreSQL's.
pub(in crate::guard) fn unavailable(ruleset: &Ruleset, name: &str) -> Rejection {
    let refused = function_refused(name);
    if let Some(extension) = ruleset.extension_of_function(name) {
        return refused
            .hint(format!("Have extension \"{extension}\" listed in the policy, in [functions] extensions."));
    }
    refused
}

pub(in crate::guard) fn overloaded(name: &str) -> Rejection {
    Rejection::new(Code::FunctionNotAllowed, format!("function {name} is not clear"))
        .detail("The database has a function of that name which PostgreSQL would prefer to its own.")
        .hint(format!("Write pg_catalog.{name}(\u{2026}) if PostgreSQL's own is meant."))
}
