//! Which of the database's own functions a call can mean: those that the policy lists, and those that would be taken for
//! PostgreSQL's.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::catalog::{Catalog, QualifiedName};
use crate::guard::function::listed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::Diagnostic;
use crate::policy::Policy;

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
pub(in crate::guard) struct Overloads(HashMap<String, usize>);

impl Overloads {
    pub(in crate::guard) fn of(policy: &Policy, catalog: &Catalog) -> Self {
        // The functions of an extension are for its own types: where no column has one, they are not meant.
        let columns: HashSet<(&str, &str)> = catalog
            .relations
            .iter()
            .flat_map(|relation| &relation.columns)
            .map(|column| (column.type_schema.as_str(), column.type_name.trim_start_matches('_')))
            .collect();
        let used = catalog.types.iter().filter(|entry| columns.contains(&(entry.schema.as_str(), entry.name.as_str())));
        let extensions: HashSet<&str> = used.filter_map(|entry| entry.extension.as_deref()).collect();
        let mut overloads = HashMap::new();
        for function in &catalog.functions {
            let meant = function.extension.as_deref().is_none_or(|extension| extensions.contains(extension));
            if meant && policy.tenancy.search_path.contains(&function.schema) && listed(&function.name).is_some() {
                let most = match function.arguments.contains("VARIADIC") {
                    true => usize::MAX,
                    false => parameters(&function.arguments),
                };
                let known = overloads.entry(function.name.clone()).or_insert(most);
                *known = most.max(*known);
            }
        }
        Self(overloads)
    }

    /// Defaults let a function be called with fewer arguments than it has.
    pub(in crate::guard) fn take(&self, name: &str, arguments: usize) -> bool {
        self.0.get(name).is_some_and(|most| arguments <= *most)
    }
}

/// Which calls each listed function may be meant by.
pub(in crate::guard) fn compile_functions(
    policy: &Policy,
    catalog: &Catalog,
    diagnostics: &mut Vec<Diagnostic>,
) -> HashMap<QualifiedName, Calls> {
    let mut listed = HashMap::new();
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
        let is_listed = |arguments: &str| {
            policy.functions.keys().any(|other| other.function == *name && other.arguments == arguments)
        };
        let unlisted: Vec<_> = overloads().filter(|entry| !is_listed(&entry.arguments)).collect();
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

fn parameters(arguments: &str) -> usize {
    if arguments.is_empty() { 0 } else { arguments.split(", ").count() }
}

pub(in crate::guard) fn overloaded(name: &str) -> Rejection {
    Rejection::new(Code::FunctionNotAllowed, format!("function {name} is not clear"))
        .detail("The database has a function of that name which PostgreSQL would prefer to its own.")
        .hint(format!("Write pg_catalog.{name}(\u{2026}) if PostgreSQL's own is meant."))
}
