//! EXPLAIN: as much of a plan as the policy lets a login see.
//!
//! Costs and numbers of rows are estimated from the statistics of all tenants' rows, and what a run counts tells how many
//! of them it went through. Without both, the shape of a plan and the names of indexes and partitions are left.

use std::collections::HashMap;

use crate::guard::decision::StatementClass;
use crate::guard::naming::Naming;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::walk::{Outcome, Walk};
use crate::policy::{Explain, Policy};
use crate::sql::{ExplainStatement, Explained};
use crate::tenant::LoginName;

/// How much of a plan each login may see.
#[derive(Debug)]
pub(in crate::guard) struct ExplainRules {
    default: Explain,
    /// Of logins that have a rule of their own.
    of: HashMap<LoginName, Explain>,
}

impl ExplainRules {
    pub(in crate::guard) fn compile(policy: &Policy) -> Self {
        let own = policy.logins.iter().filter_map(|(login, rule)| Some((login.clone(), rule.explain?)));
        Self { default: policy.tenancy.explain, of: own.collect() }
    }

    fn of(&self, login: &LoginName) -> Explain {
        self.of.get(login).copied().unwrap_or(self.default)
    }
}

/// Options that have to be off where only a plan may be shown.
const OFF: &[&str] = &["analyze", "buffers", "memory", "serialize", "settings", "summary", "timing", "wal"];
const FORMATS: &[&str] = &["text", "xml", "json", "yaml"];

impl Walk<'_> {
    pub(in crate::guard) fn explain(&mut self, explain: &ExplainStatement) -> Outcome<(StatementClass, Naming)> {
        match self.ruleset.explain.of(&self.request.identity.login) {
            Explain::Off => return Err(refused("EXPLAIN is not allowed", "explain = \"plan\"")),
            Explain::Plan => self.plan_only(explain)?,
            Explain::Full => {}
        }
        // What it explains is not run, unless ANALYZE says so; then it is as if it stood alone.
        let runs = explain.options.iter().any(|(name, value)| {
            name == "analyze" && value.as_deref().is_none_or(|value| boolean(value) != Some(Switch::Off))
        });
        let naming = match &explain.statement {
            Explained::Tree(tree) => {
                self.tree(tree)?;
                Naming::Nothing
            }
            Explained::Execute(execute) => self.execute(execute)?,
            // No cursor comes of it.
            Explained::Declare(declare) => {
                self.declare(declare)?;
                Naming::Nothing
            }
        };
        let class = if runs && self.writes { StatementClass::Write } else { StatementClass::Read };
        Ok((class, naming))
    }

    /// `EXPLAIN (COSTS OFF, …)` in the place of the client's options.
    fn plan_only(&mut self, explain: &ExplainStatement) -> Outcome<()> {
        let mut shown = vec!["COSTS OFF".to_owned()];
        for (name, value) in &explain.options {
            let switch = value.as_deref().map_or(Some(Switch::On), boolean);
            match (name.as_str(), switch) {
                ("costs", Some(_)) | ("verbose", Some(Switch::Off)) => {}
                ("verbose", Some(Switch::On)) => shown.push("VERBOSE".to_owned()),
                ("format", _) => {
                    let format = value.as_deref().map(str::to_ascii_lowercase);
                    let format = format.filter(|format| FORMATS.contains(&format.as_str()));
                    let format = format
                        .ok_or_else(|| Rejection::new(Code::NotParsed, "this format of EXPLAIN is not understood"))?;
                    shown.push(format!("FORMAT {}", format.to_ascii_uppercase()));
                }
                (off, Some(Switch::Off)) if OFF.contains(&off) => {}
                (off, _) if OFF.contains(&off) => {
                    let option = off.to_ascii_uppercase();
                    return Err(refused(format!("EXPLAIN with {option} is not allowed"), "explain = \"full\""));
                }
                _ => {
                    return Err(refused("this option of EXPLAIN is not allowed", "explain = \"full\"")
                        .detail(format!("The option is \"{name}\".")));
                }
            }
        }
        self.replace(explain.head.clone(), format!("EXPLAIN ({})", shown.join(", ")));
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    On,
    Off,
}

/// A Boolean option as PostgreSQL's `defGetBoolean` reads it.
fn boolean(value: &str) -> Option<Switch> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(Switch::On),
        "false" | "off" | "0" => Some(Switch::Off),
        _ => None,
    }
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>, key: &str) -> Rejection {
    Rejection::new(Code::StatementNotAllowed, message)
        .detail("A plan tells of the statistics of all tenants' rows.")
        .hint(format!(
            "Ask who keeps the policy: {key} in [tenancy] or in the login's section allows it; partywall explain shows what is sent."
        ))
}
