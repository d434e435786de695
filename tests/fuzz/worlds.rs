//! The schemas of the corpora, as a client's world and as their owner's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

use partywall::catalog::Catalog;
use partywall::catalog::RelationKind;
use partywall::guard;
use partywall::guard::Decision;
use partywall::guard::PrivateRelations;
use partywall::guard::Protocol;
use partywall::guard::Request;
use partywall::guard::Ruleset;
use partywall::policy::Policy;
use partywall::sql;
use partywall::sql::TextLimits;
use partywall::tenant::Identity;
use partywall::tenant::LoginName;
use partywall::tenant::TenantId;

use crate::run::Input;

struct Rulesets {
    client: Ruleset,
    /// All tables are shared and may be written.
    owner: Ruleset,
}

/// One schema for one tenant.
pub(crate) struct World<'a> {
    rulesets: &'static Rulesets,
    identity: Identity,
    limits: &'a TextLimits,
}

pub(crate) fn corpus_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn all() -> &'static BTreeMap<String, Rulesets> {
    static ALL: OnceLock<BTreeMap<String, Rulesets>> = OnceLock::new();
    ALL.get_or_init(|| {
        let folders = fs::read_dir(corpus_folder()).unwrap().map(|entry| entry.unwrap().path());
        let schemas = folders.filter(|folder| folder.join("policy.toml").exists());
        schemas.map(|folder| (folder.file_name().unwrap().to_str().unwrap().to_owned(), load(&folder))).collect()
    })
}

fn load(folder: &Path) -> Rulesets {
    let policy = fs::read_to_string(folder.join("policy.toml")).unwrap();
    let catalog: Catalog = serde_json::from_str(&fs::read_to_string(folder.join("catalog.json")).unwrap()).unwrap();
    let compile = |policy: &str| Ruleset::compile(&Policy::parse(policy).unwrap(), &catalog).unwrap();
    let functions = policy.find("[function.").map_or("", |at| &policy[at..]);
    let path: Vec<&str> = policy.lines().filter(|line| line.starts_with("search_path")).collect();
    let mut owner = format!("[tenancy]\n{}\n", path.join("\n"));
    let is_open = |kind: RelationKind| !matches!(kind, RelationKind::Sequence);
    for relation in catalog.relations.iter().filter(|relation| is_open(relation.kind)) {
        let name = format!("{}.{}", sql::quote_identifier(&relation.schema), sql::quote_identifier(&relation.name));
        let triggers: Vec<String> = relation.triggers.iter().map(|trigger| format!("{trigger:?}")).collect();
        owner.push_str(&format!("[table.{name:?}]\nkind = \"shared-writable\"\n"));
        if !triggers.is_empty() {
            owner.push_str(&format!("trusted_triggers = [{}]\n", triggers.join(", ")));
        }
    }
    owner.push_str(functions);
    Rulesets { client: compile(&policy), owner: compile(&owner) }
}

impl<'a> World<'a> {
    pub(crate) fn of(input: &'a Input) -> Self {
        let tenant = TenantId::parse(&input.tenant).ok();
        let identity = Identity { login: LoginName::parse("app").unwrap(), tenant };
        Self { rulesets: &all()[&input.schema], identity, limits: &input.limits }
    }

    pub(crate) fn decide(&self, sql: &str) -> Decision {
        self.decide_by(&self.rulesets.client, sql, self.limits)
    }

    /// What is sent is longer and nested deeper than what a client may send.
    pub(crate) fn decide_as_owner(&self, sql: &str) -> Decision {
        let limits = TextLimits { bytes_max: 1 << 26, tokens_max: 1 << 22, nesting_max: 250 };
        self.decide_by(&self.rulesets.owner, sql, &limits)
    }

    fn decide_by(&self, ruleset: &Ruleset, sql: &str, limits: &TextLimits) -> Decision {
        let protocol = Protocol::Simple;
        guard::decide(
            ruleset,
            &Request {
                identity: &self.identity,
                sql,
                protocol,
                parameter_types: &[],
                limits,
                private: PrivateRelations::none(),
            },
        )
    }
}

/// The words of a text.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let limits = TextLimits { bytes_max: 1 << 26, tokens_max: 1 << 22, nesting_max: 1_000 };
    let Ok(tokens) = sql::lex(text, &limits) else { return Vec::new() };
    (0..tokens.len()).map(|at| tokens.text(at)).collect()
}
