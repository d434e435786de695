//! Cases: a statement, and what `partywall explain` says of it.
//!
//! Form of a `.case` file: paragraphs of `decide tenant=NAME [login=NAME] [protocol=extended] [types=OID,…]
//! [private=NAME,…] [oracle=skip]`, the text,
//! `----`, and the expectation, which ends with a blank line (or, where it holds one itself, stands between two lines of
//! `----` above and below). Comments begin with `#`. In `bypass/` a line `schema NAME` says whose tables are meant; the
//! other folders hold their own schema. `UPDATE_CORPUS=1` writes the expectations anew; review them like code.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use partywall::catalog::Catalog;
use partywall::guard;
use partywall::guard::Code;
use partywall::guard::Decision;
use partywall::guard::PrivateRelations;
use partywall::guard::Protocol;
use partywall::guard::Request;
use partywall::guard::Ruleset;
use partywall::guard::TextLimits;
use partywall::policy::Policy;
use partywall::tenant::Identity;
use partywall::tenant::LoginName;
use partywall::tenant::TenantId;

/// Not to be reached from outside while the guard is right: our two readings of one text differ.
const UNREACHABLE_CODES: &[Code] = &[Code::AuditUnavailable, Code::ReadingsDisagree];

#[test]
fn every_case_is_decided_as_written() {
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    let schemas = load_schemas();
    let mut reached = BTreeSet::new();
    let mut used = BTreeSet::new();
    let mut failures = Vec::new();
    for path in case_files() {
        let text = fs::read_to_string(&path).unwrap();
        let mut file = CaseFile::parse(&path, &text);
        let ruleset =
            schemas.get(&file.schema).unwrap_or_else(|| panic!("{}: no schema {}", path.display(), file.schema));
        used.insert(file.schema.clone());
        for case in &mut file.cases {
            let (actual, code) = case.decide(ruleset);
            reached.extend(code);
            if actual != case.expected {
                failures.push(case.failure(&path, &actual));
            }
            case.expected = actual;
        }
        if update {
            fs::write(&path, file.print()).unwrap();
        }
    }
    let unused: Vec<_> = schemas.keys().filter(|schema| !used.contains(*schema)).collect();
    assert!(unused.is_empty(), "policies without a case: {unused:?}");
    assert!(update || failures.is_empty(), "{} cases differ:\n\n{}", failures.len(), failures.join("\n\n"));
    let missing: Vec<_> =
        Code::ALL.iter().filter(|code| !reached.contains(*code) && !UNREACHABLE_CODES.contains(code)).collect();
    assert!(missing.is_empty(), "no case is refused for {missing:?}");
}

#[test]
fn a_case_file_is_printed_as_it_was_read() {
    for path in case_files() {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(CaseFile::parse(&path, &text).print(), text, "{} is not in its own form", path.display());
    }
}

#[test]
fn every_bypass_begins_with_its_story() {
    for path in case_files().iter().filter(|path| path.starts_with(corpus_folder().join("bypass"))) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("# "), "{}: the first line tells the story", path.display());
    }
}

#[test]
fn deciding_twice_is_deciding_once() {
    let schemas = load_schemas();
    for path in case_files() {
        let text = fs::read_to_string(&path).unwrap();
        let file = CaseFile::parse(&path, &text);
        for case in &file.cases {
            let ruleset = &schemas[&file.schema];
            assert_eq!(case.decide(ruleset), case.decide(ruleset), "{}: {}", path.display(), case.sql);
        }
    }
}

/// The folders with a `policy.toml`, compiled.
pub(crate) fn load_schemas() -> BTreeMap<String, Ruleset> {
    let mut schemas = BTreeMap::new();
    for entry in fs::read_dir(corpus_folder()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("policy.toml").exists() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        schemas.insert(name, load_ruleset(&folder));
    }
    schemas
}

/// Each case's schema, tenant and text, of the cases that have a tenant.
pub(crate) fn every_case() -> Vec<(String, String, String)> {
    let mut cases = Vec::new();
    for path in case_files() {
        let file = CaseFile::parse(&path, &fs::read_to_string(&path).unwrap());
        let with_tenant = file.cases.into_iter().filter_map(|case| Some((case.tenant?, case.sql)));
        cases.extend(with_tenant.map(|(tenant, sql)| (file.schema.clone(), tenant, sql)));
    }
    cases
}

fn load_ruleset(folder: &Path) -> Ruleset {
    let policy = fs::read_to_string(folder.join("policy.toml")).unwrap();
    let policy = Policy::parse(&policy).unwrap_or_else(|errors| panic!("{}: {errors:?}", folder.display()));
    let catalog = fs::read_to_string(folder.join("catalog.json")).unwrap();
    let catalog: Catalog = serde_json::from_str(&catalog).unwrap();
    Ruleset::compile(&policy, &catalog).unwrap_or_else(|diagnostics| panic!("{}: {diagnostics:?}", folder.display()))
}

fn corpus_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn case_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(corpus_folder()).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() {
            files.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    files.sort();
    assert!(!files.is_empty(), "no cases");
    files
}

struct CaseFile {
    /// What stands before the first case: the story and the schema's line, as they are.
    head: String,
    schema: String,
    cases: Vec<Case>,
}

struct Case {
    comments: Vec<String>,
    directive: String,
    tenant: Option<String>,
    login: String,
    protocol: Protocol,
    parameter_types: Vec<u32>,
    private: PrivateRelations,
    sql: String,
    expected: String,
}

const RULE: &str = "----";

impl CaseFile {
    fn parse(path: &Path, text: &str) -> Self {
        let mut schema = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let mut head = String::new();
        let mut cases = Vec::new();
        let mut comments = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix("schema ") {
                name.clone_into(&mut schema);
                head = comments.drain(..).map(|comment: String| comment + "\n").collect();
                head.push_str(line);
                head.push('\n');
            } else if line.starts_with("decide") {
                let sql: Vec<_> = lines.by_ref().take_while(|line| *line != RULE).collect();
                let expected = read_expected(&mut lines);
                cases.push(Case::new(std::mem::take(&mut comments), line, sql.join("\n"), expected));
            } else if line.starts_with('#') {
                comments.push(line.to_owned());
            } else {
                assert!(line.is_empty(), "{}: not understood: {line}", path.display());
            }
        }
        assert!(comments.is_empty(), "{}: a comment without a case", path.display());
        assert!(!cases.is_empty(), "{}: no case", path.display());
        Self { head, schema, cases }
    }

    fn print(&self) -> String {
        let cases = self.cases.iter().map(Case::print);
        let head = Some(self.head.clone()).filter(|head| !head.is_empty());
        head.into_iter().chain(cases).collect::<Vec<_>>().join("\n")
    }
}

/// The lines up to a blank one, or between a second rule and a third and fourth.
fn read_expected<'a>(lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut expected = Vec::new();
    let mut fenced = false;
    while let Some(line) = lines.next() {
        if line == RULE && expected.is_empty() && !fenced {
            fenced = true;
        } else if fenced && line == RULE {
            let fourth = lines.next();
            assert_eq!(fourth, Some(RULE), "a fenced expectation ends with two rules");
            break;
        } else if line.is_empty() && !fenced {
            break;
        } else {
            expected.push(line);
        }
    }
    expected.join("\n")
}

impl Case {
    fn new(comments: Vec<String>, directive: &str, sql: String, expected: String) -> Self {
        let mut case = Self {
            comments,
            directive: directive.to_owned(),
            tenant: None,
            login: "app".to_owned(),
            protocol: Protocol::Simple,
            parameter_types: Vec::new(),
            private: PrivateRelations::default(),
            sql,
            expected,
        };
        for word in directive.split(' ').skip(1) {
            match word.split_once('=') {
                Some(("tenant", name)) => case.tenant = Some(name.to_owned()),
                Some(("login", name)) => case.login = name.to_owned(),
                Some(("protocol", "extended")) => case.protocol = Protocol::Extended,
                Some(("types", list)) => {
                    case.parameter_types = list.split(',').map(|oid| oid.parse().unwrap()).collect()
                }
                Some(("private", list)) => list.split(',').for_each(|name| case.private.insert(name)),
                // The promise leaves its answer out: it depends on where rows lie.
                Some(("oracle", "skip")) => {}
                _ => panic!("not understood: {directive}"),
            }
        }
        case
    }

    fn decide(&self, ruleset: &Ruleset) -> (String, Option<Code>) {
        let identity = Identity {
            login: LoginName::parse(&self.login).unwrap(),
            tenant: self.tenant.as_deref().map(|tenant| TenantId::parse(tenant).unwrap()),
        };
        let request = Request {
            identity: &identity,
            sql: &self.sql,
            protocol: self.protocol,
            parameter_types: &self.parameter_types,
            limits: &TextLimits::default(),
            private: &self.private,
        };
        let decision = guard::decide(ruleset, &request);
        let code = match &decision {
            Decision::Forward(_) => None,
            Decision::Reject { rejection, .. } => Some(rejection.code),
        };
        let mut text = guard::render_text(&decision).trim_end().to_owned();
        // The lenses of PostgreSQL's own relations are long, and the same everywhere; `system.rs` looks at them.
        let mut lenses: Vec<_> = ruleset.system_texts().into_iter().collect();
        lenses.sort_by_key(|(_, lens)| std::cmp::Reverse(lens.len()));
        for (name, lens) in lenses {
            text = text.replace(lens, &format!("\u{27e8}{name}\u{27e9}"));
        }
        (text, code)
    }

    fn print(&self) -> String {
        let mut text: String = self.comments.iter().map(|comment| format!("{comment}\n")).collect();
        text.push_str(&format!("{}\n{}\n{RULE}\n", self.directive, self.sql));
        if self.expected.lines().any(str::is_empty) {
            text.push_str(&format!("{RULE}\n{}\n{RULE}\n{RULE}\n", self.expected));
        } else if !self.expected.is_empty() {
            text.push_str(&format!("{}\n", self.expected));
        }
        text
    }

    fn failure(&self, path: &Path, actual: &str) -> String {
        let expected = if self.expected.is_empty() { "(no expectation)" } else { &self.expected };
        format!("{}:\n{}\n---- expected\n{expected}\n---- actual\n{actual}", path.display(), self.sql)
    }
}
