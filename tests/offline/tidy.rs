//! The house rules that neither the compiler nor clippy knows: who may import whom, what the pure core may not name,
//! how files begin and how long they are, and words that do not stay.
//!
//! A scan of text with comments and strings blanked. It does not see paths that macros make.

use std::fs;
use std::path::{Path, PathBuf};

/// Each part, and the parts of ours that it may name.
const ARROWS: &[(&str, &[&str])] = &[
    ("tenant", &[]),
    ("sql", &[]),
    ("wire", &[]),
    ("catalog", &[]),
    ("policy", &["tenant", "catalog"]),
    ("config", &["policy", "tenant"]),
    ("auth", &["tenant"]),
    ("guard", &["sql", "catalog", "policy", "tenant"]),
    ("session", &["wire", "guard", "auth", "tenant"]),
    ("audit", &["guard", "session", "policy", "tenant"]),
    ("metrics", &[]),
    ("net", &["config"]),
    ("upstream", &["net", "wire", "auth", "catalog", "tenant", "config"]),
    (
        "reload",
        &["upstream", "guard", "policy", "auth", "config", "net", "audit", "metrics", "session", "tenant", "catalog"],
    ),
    ("admin", &["reload", "metrics", "config", "tenant"]),
    ("proxy", ANYTHING_BELOW_PROXY),
    ("cli", ANYTHING),
    ("demo", ANYTHING),
];

const ANYTHING_BELOW_PROXY: &[&str] = &[
    "tenant", "sql", "wire", "catalog", "policy", "config", "auth", "guard", "session", "audit", "metrics", "net",
    "upstream", "reload", "admin",
];

const ANYTHING: &[&str] = &[
    "tenant", "sql", "wire", "catalog", "policy", "config", "auth", "guard", "session", "audit", "metrics", "net",
    "upstream", "reload", "admin", "proxy", "cli", "demo",
];

/// The files of `audit` that touch the world, and what they may name beside the rest of `audit`.
const AUDIT_SHELL: &[&str] = &[
    "src/audit/archive.rs",
    "src/audit/clock.rs",
    "src/audit/deliver.rs",
    "src/audit/disk.rs",
    "src/audit/durable.rs",
    "src/audit/feed.rs",
    "src/audit/http.rs",
    "src/audit/observe.rs",
    "src/audit/sender.rs",
    "src/audit/sign.rs",
    "src/audit/sink.rs",
    "src/audit/spool.rs",
    "src/audit/store.rs",
    "src/audit/writer.rs",
    "src/audit/writing.rs",
];
const AUDIT_SHELL_ARROWS: &[&str] = &["guard", "session", "policy", "tenant", "config", "metrics"];

/// Parts that are pure: value in, value out.
const CORE: &[&str] = &["tenant", "sql", "catalog", "policy", "config", "guard", "wire", "auth", "session", "audit"];

/// Not in the core: the world, the clock, and state that outlives a call.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "tokio",
    "Instant::now",
    "SystemTime::now",
    "LazyLock",
    "LazyCell",
    "OnceLock",
    "OnceCell",
    "static mut",
    "thread_local!",
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
];

/// The only names of `std::net` that the core may use: addresses are values.
const ADDRESSES: &[&str] =
    &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "SocketAddrV4", "SocketAddrV6", "AddrParseError"];

/// A crate, and the parts that may name it.
const CRATE_KEEPERS: &[(&str, &[&str])] = &[
    ("sqlparser", &["sql", "guard"]),
    ("pg_query", &["guard"]),
    ("rustls", &["net", "upstream", "demo"]),
    ("tokio_rustls", &["net", "upstream", "demo"]),
    ("metrics_exporter_prometheus", &["metrics"]),
];

const FILE_LINES_MAX: usize = 400;

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

#[test]
fn sources_keep_the_house_rules() {
    let findings: Vec<Finding> =
        files_below("src", &["rs"]).iter().flat_map(|path| check_source(path, &read(path))).collect();
    report(&findings);
}

#[test]
fn words_that_do_not_stay_are_gone() {
    let findings: Vec<Finding> = repository_texts().iter().flat_map(|path| check_words(path, &read(path))).collect();
    report(&findings);
}

#[test]
fn every_test_file_is_compiled_and_run() {
    let mut findings = Vec::new();
    for binary in ["tests/offline", "tests/live", "tests/fuzz"] {
        let main = read(&format!("{binary}/main.rs"));
        let files = files_below(binary, &["rs"]);
        findings.extend(files.iter().flat_map(|path| check_test_file(binary, &main, path, &read(path))));
    }
    report(&findings);
}

#[test]
fn arrows_name_parts_that_exist_and_make_no_loop() {
    let parts: Vec<&str> = ARROWS.iter().map(|(part, _)| *part).collect();
    for (part, allowed) in ARROWS {
        for other in *allowed {
            assert!(parts.contains(other), "{part} may name {other}, which is no part");
        }
    }
    // A part whose every arrow leads to parts already placed can be placed. `cli` and `demo` are the roof: they may name
    // each other, and nobody names them.
    let mut placed: Vec<&str> = Vec::new();
    while let Some((part, _)) = ARROWS.iter().find(|(part, allowed)| {
        !placed.contains(part) && allowed.iter().all(|other| placed.contains(other) || ["cli", "demo"].contains(other))
    }) {
        placed.push(part);
        if placed.len() == parts.len() - 2 {
            break;
        }
    }
    assert_eq!(placed.len(), parts.len() - 2, "a loop among: {parts:?}, placed: {placed:?}");
}

// --- the rules ---

/// Every rule for one file of `src/`.
fn check_source(path: &str, text: &str) -> Vec<Finding> {
    let blanked = blank(text);
    let production = production_lines(&blanked);
    let part = part_of(path);
    let mut findings = Vec::new();
    let mut find = |line: usize, message: String| findings.push(Finding { path: path.to_owned(), line, message });

    if !text.starts_with("//! ") {
        find(1, "begins with no `//!` sentence that says what the file is for".to_owned());
    }
    if !["lib", "main"].contains(&part) && !ARROWS.iter().any(|(name, _)| *name == part) {
        find(1, format!("{part} is a part that the table of arrows does not know"));
    }
    if production.len() > FILE_LINES_MAX {
        find(FILE_LINES_MAX + 1, format!("{} lines before the tests; {FILE_LINES_MAX} are the most", production.len()));
    }
    for line in lines_behind_tests(&blanked) {
        find(line, "code behind the test module, which stands last".to_owned());
    }
    for (number, line) in production.iter().enumerate().map(|(index, line)| (index + 1, *line)) {
        for message in check_line(path, part, line) {
            find(number, message);
        }
    }
    findings
}

fn check_line(path: &str, part: &str, line: &str) -> Vec<String> {
    let mut messages = check_style(path, part, line);
    messages.extend(check_arrows(path, part, line));
    if is_core(path, part) {
        messages.extend(check_purity(line));
    }
    for (name, keepers) in CRATE_KEEPERS {
        if has_word(line, name) && !keepers.contains(&part) {
            messages.push(format!("only {} may name the crate {name}", keepers.join(" and ")));
        }
    }
    let names_metrics = ["use metrics::", "metrics::counter!", "metrics::gauge!", "metrics::histogram!"];
    if part != "metrics" && names_metrics.iter().any(|name| line.contains(name)) && !line.contains("crate::metrics") {
        messages.push("only metrics may name the crate metrics".to_owned());
    }
    if part != "guard" && line.contains("GuardedSql::new") {
        messages.push("only guard makes a GuardedSql".to_owned());
    }
    if part == "guard" && !LITERAL_READERS.contains(&path) && takes_literal_apart(line) {
        messages.push("only src/guard/literal.rs takes the value of a literal out of the tree".to_owned());
    }
    messages
}

/// Decisions hold for other literals only as far as it is known what was asked of these. `verify` reads what is sent.
const LITERAL_READERS: &[&str] = &["src/guard/literal.rs", "src/guard/verify.rs"];

/// A pattern on a literal that binds what it says.
fn takes_literal_apart(line: &str) -> bool {
    const LITERALS: &[&str] = &["Number", "StringLiteral", "QuotedString", "SingleQuotedByteStringLiteral"];
    line.split("Value::").skip(1).any(|rest| {
        let Some((variant, bound)) = rest.split_once('(') else { return false };
        let is_literal = LITERALS.iter().any(|name| variant.contains(name)) && first_word(variant) == variant;
        is_literal && !bound.starts_with(['_', '.'])
    }) || line.contains(".into_string()")
}

fn check_style(path: &str, part: &str, line: &str) -> Vec<String> {
    let mut messages = Vec::new();
    let mut find = |message: &str| messages.push(message.to_owned());
    if line.contains("crate::{") || line.contains("use std::{") {
        find("an import grouped at the root; one `use` per part");
    }
    if line.contains("super::super") {
        find("`super::super`; name the path from `crate::`");
    }
    let at_root = path == format!("src/{part}.rs") || path == format!("src/{part}/mod.rs");
    if at_root && has_word(line, "super") && !line.contains("pub(super)") {
        find("`super` in a part's root reaches past the table of arrows; name the path from `crate::`");
    }
    if line.trim_start().starts_with("use ") && line.contains("::*") {
        find("a glob import");
    }
    if has_word(line, "extern") && line.contains("extern crate") {
        find("`extern crate`");
    }
    messages
}

fn check_arrows(path: &str, part: &str, line: &str) -> Vec<String> {
    let allowed: &[&str] = if AUDIT_SHELL.contains(&path) {
        AUDIT_SHELL_ARROWS
    } else if ["lib", "main"].contains(&part) {
        ANYTHING
    } else if let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == part) {
        allowed
    } else {
        return Vec::new();
    };
    let named = line.split("crate::").skip(1).map(first_word);
    let strangers = named.filter(|other| !other.is_empty() && *other != part && !allowed.contains(other));
    strangers.map(|other| format!("{part} may not name {other}")).collect()
}

fn check_purity(line: &str) -> Vec<String> {
    let mut messages: Vec<String> =
        IMPURE.iter().filter(|name| has_word(line, name)).map(|name| format!("{name} in the pure core")).collect();
    for rest in line.split("std::net").skip(1) {
        let names = rest.trim_start_matches("::").trim_start_matches('{');
        let names = names.split(['}', ';', ')', '>', '(']).next().unwrap_or_default();
        if !names.split(',').all(|name| ADDRESSES.contains(&first_word(name.trim()))) {
            messages.push("std::net beyond addresses in the pure core".to_owned());
        }
    }
    let holders = ["Atomic", "Mutex", "RwLock", "Cell<"];
    if has_word(line, "static") && line.contains(':') && holders.iter().any(|holder| line.contains(holder)) {
        messages.push("a static with state in the pure core".to_owned());
    }
    messages
}

/// Words that mark unfinished work. Written in halves, so that this file passes its own test.
fn check_words(path: &str, text: &str) -> Vec<Finding> {
    let words = [concat!("to", "do!"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("db", "g!")];
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in words.iter().filter(|word| has_word(line, word)) {
            findings.push(Finding { path: path.to_owned(), line: index + 1, message: format!("the word {word}") });
        }
    }
    findings
}

fn check_test_file(binary: &str, main: &str, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find =
        |line, message: &str| findings.push(Finding { path: path.to_owned(), line, message: message.to_owned() });
    let name = first_word(path.trim_start_matches(binary).trim_start_matches('/'));
    if name != "main" && !main.lines().any(|line| line == format!("mod {name};")) {
        find(1, "a test file that main.rs does not name: nothing in it runs");
    }
    if !text.starts_with("//! ") {
        find(1, "begins with no `//!` sentence that says what the file is for");
    }
    for (index, line) in blank(text).lines().enumerate() {
        if line.trim_start().starts_with("#[ignore") {
            find(index + 1, "a test that is not run");
        }
    }
    findings
}

// --- reading text ---

fn part_of(path: &str) -> &str {
    first_word(path.trim_start_matches("src/"))
}

fn is_core(path: &str, part: &str) -> bool {
    CORE.contains(&part) && !AUDIT_SHELL.contains(&path)
}

/// The lines before the test module; all of them where there is none. A file named `tests.rs` has none of the kind.
fn production_lines(blanked: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = blanked.lines().collect();
    if let Some(tests) = lines.iter().position(|line| is_test_module(line)) {
        lines.truncate(tests);
    }
    lines
}

/// Lines, from 1, that hold code behind the end of the test module.
fn lines_behind_tests(blanked: &str) -> Vec<usize> {
    let lines: Vec<&str> = blanked.lines().collect();
    let Some(tests) = lines.iter().position(|line| is_test_module(line)) else { return Vec::new() };
    let end = lines.iter().enumerate().skip(tests).find(|(_, line)| **line == "}" || line.starts_with("mod tests;"));
    let Some((end, _)) = end else { return Vec::new() };
    let behind = lines.iter().enumerate().skip(end + 1);
    behind.filter(|(_, line)| !line.trim().is_empty()).map(|(index, _)| index + 1).collect()
}

fn is_test_module(line: &str) -> bool {
    line.starts_with("#[cfg(test)]")
}

fn first_word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// `word` stands in `line`, and no letter, digit or underscore touches it.
fn has_word(line: &str, word: &str) -> bool {
    let touches = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let is_free = |at: usize| {
        let ends_open = word.ends_with(|letter: char| letter.is_alphanumeric());
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next().filter(|_| ends_open);
        !touches(before) && !touches(after)
    };
    line.match_indices(word).any(|(at, _)| is_free(at))
}

/// The text with comments, strings and character literals blanked; lines and columns stay.
fn blank(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let end = token_end(&letters, at);
        let blanked = end > at + 1;
        for letter in &letters[at..end.max(at + 1)] {
            out.push(if *letter == '\n' || !blanked { *letter } else { ' ' });
        }
        at = end.max(at + 1);
    }
    out
}

/// The end of the comment, string or character that begins at `at`; `at` where none does.
fn token_end(letters: &[char], at: usize) -> usize {
    let peek = |offset: usize| letters.get(at + offset).copied().unwrap_or('\0');
    let before = at.checked_sub(1).and_then(|index| letters.get(index)).copied().unwrap_or(' ');
    match peek(0) {
        '/' if peek(1) == '/' => {
            letters[at..].iter().position(|letter| *letter == '\n').map_or(letters.len(), |n| at + n)
        }
        '/' if peek(1) == '*' => comment_end(letters, at),
        '"' => string_end(letters, at),
        'r' if !before.is_alphanumeric() && before != '_' || before == 'b' => raw_string_end(letters, at),
        '\'' if peek(1) == '\\' => {
            let rest = letters.iter().enumerate().skip(at + 3);
            rest.take(12).find(|(_, letter)| **letter == '\'').map_or(at, |(index, _)| index + 1)
        }
        '\'' if peek(2) == '\'' => at + 3,
        _ => at,
    }
}

fn comment_end(letters: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut index = at;
    while index + 1 < letters.len() {
        match (letters[index], letters[index + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                index += 1;
                continue;
            }
        }
        index += 2;
        if depth == 0 {
            return index;
        }
    }
    letters.len()
}

fn string_end(letters: &[char], at: usize) -> usize {
    let mut index = at + 1;
    while index < letters.len() {
        match letters[index] {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    letters.len()
}

fn raw_string_end(letters: &[char], at: usize) -> usize {
    let hashes = letters[at + 1..].iter().take_while(|letter| **letter == '#').count();
    if letters.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = at + 2 + hashes;
    let found = letters[body..].windows(close.len()).position(|window| window == close);
    found.map_or(letters.len(), |offset| body + offset + close.len())
}

// --- reading files ---

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

fn repository_texts() -> Vec<String> {
    // Not the corpus: cases are data, in which such words may stand (one is a currency code).
    let kinds = ["rs", "toml", "md", "sql", "sh", "py", "js", "mjs", "cjs", "yml", "yaml", "json"];
    let mut paths = files_below("", &kinds);
    paths.extend([".ci/run", "Makefile"].map(str::to_owned));
    paths.retain(|path| path != "package-lock.json");
    assert!(paths.len() > 20, "the repository's files were not found: {paths:?}");
    paths
}

/// Paths from the repository's root, sorted; what is built or hidden is left out.
fn files_below(folder: &str, kinds: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display())) {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                let skipped = name.starts_with('.') || ["target", "node_modules"].contains(&name.as_str());
                folders.extend((!skipped).then_some(path));
            } else if path.extension().is_some_and(|kind| kinds.contains(&kind.to_string_lossy().as_ref())) {
                found.push(path.strip_prefix(repository()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

fn report(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

// --- each rule can fail ---

/// The findings on a planted file, as `line: message`.
fn planted(path: &str, text: &str) -> Vec<String> {
    check_source(path, text).into_iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
}

#[test]
fn a_file_in_order_passes() {
    let text = "//! Says what it is for.\n\nuse std::net::{IpAddr, SocketAddr};\n\nuse crate::sql::lexer::Token;\n\n\
                // crate::net and std::fs are words in a comment; so is \"\n\
                fn quote<'a>(text: &'a str) -> char { let _s = \"crate::net\\\" std::fs\"; let _r = r#\"tokio \"::\"#; '\"' }\n\n\
                #[cfg(test)]\nmod tests {\n    use super::*;\n    use std::fs;\n}\n";
    assert_eq!(planted("src/guard/scope.rs", text), Vec::<String>::new());
}

#[test]
fn each_rule_on_a_line_can_fail() {
    let cases: &[(&str, &str, &str)] = &[
        ("src/guard/scope.rs", "use crate::net::Stream;", "guard may not name net"),
        ("src/policy/mod.rs", "fn f(r: &crate::guard::Ruleset) {}", "policy may not name guard"),
        ("src/audit/event.rs", "use crate::config::Audit;", "audit may not name config"),
        ("src/proxy/mod.rs", "use crate::cli::run;", "proxy may not name cli"),
        (
            "src/guard/mod.rs",
            "use super::net;",
            "`super` in a part's root reaches past the table of arrows; name the path from `crate::`",
        ),
        ("src/guard/mod.rs", "use crate::{sql, policy};", "an import grouped at the root; one `use` per part"),
        ("src/cli/run.rs", "use std::{fs, io};", "an import grouped at the root; one `use` per part"),
        ("src/guard/a/b.rs", "use super::super::decide;", "`super::super`; name the path from `crate::`"),
        ("src/cli/run.rs", "use crate::guard::*;", "a glob import"),
        ("src/cli/run.rs", "extern crate self as us;", "`extern crate`"),
        ("src/session/mod.rs", "let now = Instant::now();", "Instant::now in the pure core"),
        ("src/session/mod.rs", "let now = SystemTime::now();", "SystemTime::now in the pure core"),
        ("src/wire/frame.rs", "use std::fs;", "std::fs in the pure core"),
        ("src/wire/frame.rs", "use std::env::var;", "std::env in the pure core"),
        ("src/wire/frame.rs", "std::process::exit(1)", "std::process in the pure core"),
        ("src/wire/frame.rs", "std::thread::spawn(f)", "std::thread in the pure core"),
        ("src/auth/mod.rs", "use tokio::sync::mpsc;", "tokio in the pure core"),
        ("src/auth/mod.rs", "static mut N: u8 = 0;", "static mut in the pure core"),
        ("src/auth/mod.rs", "static N: LazyLock<u8> = f();", "LazyLock in the pure core"),
        ("src/auth/mod.rs", "static N: AtomicU64 = AtomicU64::new(0);", "a static with state in the pure core"),
        ("src/auth/mod.rs", "use std::net::{IpAddr, TcpStream};", "std::net beyond addresses in the pure core"),
        ("src/auth/mod.rs", "std::net::TcpListener::bind(a)", "std::net beyond addresses in the pure core"),
        ("src/session/mod.rs", "use sqlparser::ast::Statement;", "only sql and guard may name the crate sqlparser"),
        ("src/proxy/mod.rs", "use rustls::ServerConfig;", "only net and upstream and demo may name the crate rustls"),
        ("src/proxy/mod.rs", "use metrics::counter;", "only metrics may name the crate metrics"),
        (
            "src/admin/mod.rs",
            "metrics_exporter_prometheus::x()",
            "only metrics may name the crate metrics_exporter_prometheus",
        ),
        ("src/session/mod.rs", "GuardedSql::new(text, vec![])", "only guard makes a GuardedSql"),
        (
            "src/guard/total.rs",
            "Value::SingleQuotedString(text) => !text.is_empty(),",
            "only src/guard/literal.rs takes the value of a literal out of the tree",
        ),
    ];
    for (path, line, message) in cases {
        assert_eq!(planted(path, &format!("//! First.\n{line}\n")), vec![format!("2: {message}")], "{path}: {line}");
    }
}

#[test]
fn each_rule_on_a_file_can_fail() {
    let first = "1: begins with no `//!` sentence that says what the file is for";
    assert_eq!(planted("src/wire/frame.rs", "fn f() {}\n"), vec![first]);
    let stranger = "1: other is a part that the table of arrows does not know";
    assert_eq!(planted("src/other.rs", "//! Other.\n"), vec![stranger]);
    let long = format!("//! Long.\n{}", "\n".repeat(FILE_LINES_MAX));
    assert_eq!(planted("src/wire/frame.rs", &long), vec!["401: 401 lines before the tests; 400 are the most"]);
    let with_tests = format!("//! Long.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(FILE_LINES_MAX));
    assert_eq!(planted("src/wire/frame.rs", &with_tests), Vec::<String>::new());
    let behind = "//! Has more.\n#[cfg(test)]\nmod tests {\n}\nuse std::fs;\n";
    assert_eq!(planted("src/wire/frame.rs", behind), vec!["5: code behind the test module, which stands last"]);
}

#[test]
fn rules_on_words_and_test_files_can_fail() {
    let word = concat!("XX", "X");
    assert_eq!(
        check_words("a.md", &format!("fine\nsee {word} here\n"))[0].to_string(),
        format!("a.md:2: the word {word}")
    );
    assert_eq!(check_words("a.md", "SQLSTATE XX000, mktemp XXXXXX\n"), Vec::new());
    let unnamed =
        check_test_file("tests/live", "mod other;\n", "tests/live/copy.rs", "//! Copy.\n#[ignore]\nfn f() {}\n");
    let lines: Vec<usize> = unnamed.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, vec![1, 2]);
    assert_eq!(check_test_file("tests/live", "mod copy;\n", "tests/live/copy/csv.rs", "//! CSV.\n"), Vec::new());
}
