//! How much of a corpus the front reads, and whether it reads what PostgreSQL reads.
//!
//! `PARTYWALL_FRONT_CORPUS=<folder of .sql files> cargo test --test offline front_corpus -- --nocapture` prints, by
//! kind of statement, how many of those that PostgreSQL's grammar accepts the front accepts too, the refusals ranked
//! with an example each, and the statements that touch other relations, calls or columns than PostgreSQL's (none may).

use super::oracle;
use partywall::sql;
use partywall::sql::TextLimits;
use pg_query::NodeEnum;
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

const REFUSALS_SHOWN: usize = 60;
const EXAMPLE_CHARACTERS_MAX: usize = 300;

/// Without the variable, the corpus of this folder's own tests stands in, so that the tool itself is tested.
#[test]
fn front_corpus() {
    let texts = match std::env::var_os("PARTYWALL_FRONT_CORPUS") {
        Some(folder) => files(Path::new(&folder)).iter().flat_map(|file| statements(&text_of(file))).collect(),
        None => super::corpus::all().iter().flat_map(|text| statements(text)).collect::<Vec<_>>(),
    };
    let mut tally = Tally::default();
    let mut seen = HashSet::new();
    for text in texts {
        if seen.insert(text.clone()) {
            tally.count(&text);
        }
    }
    println!("{}", tally.report());
    assert!(tally.differences.is_empty(), "{} statements are read otherwise", tally.differences.len());
    assert!(!tally.kinds.is_empty(), "there is no statement that PostgreSQL accepts");
}

fn text_of(file: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// By PostgreSQL's own splitter; by lines that end in a semicolon where its scanner fails on the whole.
fn statements(text: &str) -> Vec<String> {
    match pg_query::split_with_scanner(text) {
        Ok(parts) => parts.into_iter().map(|part| part.trim().to_owned()).collect(),
        Err(_) => text.split(";\n").map(|part| part.trim().to_owned()).collect(),
    }
}

#[derive(Default)]
struct Tally {
    /// Accepted by PostgreSQL, and of them by the front.
    kinds: BTreeMap<&'static str, (usize, usize)>,
    /// By construct: how many, and the first.
    refusals: BTreeMap<String, (usize, String)>,
    differences: Vec<String>,
}

impl Tally {
    fn count(&mut self, text: &str) {
        let Ok(parsed) = pg_query::parse(text, 0) else { return };
        let [only] = parsed.protobuf.stmts.as_slice() else { return };
        let Some(node) = only.stmt.as_ref().and_then(|stmt| stmt.node.as_ref()) else { return };
        let Some(kind) = kind(node) else { return };
        let refusal = sql::with_script(text, &TextLimits::default(), |script| script.err().map(|error| error.message));
        let (all, accepted) = self.kinds.entry(kind).or_default();
        *all += 1;
        *accepted += usize::from(refusal.is_none());
        match refusal {
            Some(message) => {
                let (count, _) =
                    self.refusals.entry(format!("{kind}: {message}")).or_insert_with(|| (0, text.to_owned()));
                *count += 1;
            }
            None => {
                if let Err(difference) = oracle::parser_difference(text) {
                    self.differences.push(format!("{difference}\nin {text}"));
                }
            }
        }
    }

    fn report(&self) -> String {
        let (mut all, mut accepted) = (0, 0);
        let mut lines = Vec::new();
        for (kind, (of_all, of_accepted)) in &self.kinds {
            all += of_all;
            accepted += of_accepted;
            lines.push(format!("{kind:<8} {of_accepted:>6} of {of_all:>6}  {:.2} %", share(*of_accepted, *of_all)));
        }
        lines.push(format!("{:<8} {accepted:>6} of {all:>6}  {:.2} %", "all", share(accepted, all)));
        let mut ranked: Vec<_> = self.refusals.iter().collect();
        ranked.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (construct, (count, example)) in ranked.into_iter().take(REFUSALS_SHOWN) {
            let example: Vec<_> = example.split_whitespace().collect();
            let example: String = example.join(" ").chars().take(EXAMPLE_CHARACTERS_MAX).collect();
            lines.push(format!("{count:>5}  {construct}\n         {example}"));
        }
        lines.extend(self.differences.iter().map(|difference| format!("DIFFERENT: {difference}")));
        lines.push(format!("{} statements are read otherwise than PostgreSQL reads them", self.differences.len()));
        lines.join("\n")
    }
}

fn share(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// Statements that go through the parser. Others have matchers of their own, or are named and refused.
fn kind(node: &NodeEnum) -> Option<&'static str> {
    match node {
        NodeEnum::SelectStmt(_) => Some("SELECT"),
        NodeEnum::InsertStmt(_) => Some("INSERT"),
        NodeEnum::UpdateStmt(_) => Some("UPDATE"),
        NodeEnum::DeleteStmt(_) => Some("DELETE"),
        NodeEnum::MergeStmt(_) => Some("MERGE"),
        NodeEnum::CopyStmt(_) => Some("COPY"),
        _ => None,
    }
}
