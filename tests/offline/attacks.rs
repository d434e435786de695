//! Every known way past a tenant guard has a case, or a test where it is no SQL text.
//!
//! The ways are numbered by class: A where the filter is put, B places that a rewriter misses, C names, D what the database
//! defines, E writes, F functions and catalogues, S settings and sessions, G evaluation order, O order, H parsers,
//! P protocol. A case file, or a case, says in a line `# rows: A01 A02` which of them it holds.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How many there are of each class.
const CLASSES: &[(char, usize)] = &[
    ('A', 18),
    ('B', 22),
    ('C', 18),
    ('D', 20),
    ('E', 31),
    ('F', 24),
    ('S', 22),
    ('G', 25),
    ('O', 6),
    ('H', 28),
    ('P', 20),
];

/// Those that a test holds, in part or as a whole: the file below `tests/` and the function.
const HELD_BY_TESTS: &[(&str, &str, &str)] = &[
    ("E25", "offline/session/copy.rs", "every_row_gets_the_tenants_column"),
    ("F13", "offline/session/answers.rs", "notifications_are_dropped_and_the_rest_passes"),
    ("G20", "live/oracle.rs", "generated_statements_as_if_alone"),
    ("G22", "live/upstream.rs", "connects_only_where_it_should"),
    ("H21", "offline/handshake.rs", "only_listed_parameters_are_taken"),
    ("H22", "offline/handshake.rs", "only_listed_parameters_are_taken"),
    ("H24", "offline/session/hostile.rs", "text_that_is_not_utf_8_is_refused_as_postgresql_does"),
    ("H26", "offline/sql.rs", "large_and_deep_texts_are_refused_or_read_and_never_crash"),
    ("H27", "offline/sql.rs", "trees_of_mutants_touch_what_postgresql_would_touch"),
    ("P03", "offline/session/hostile.rs", "a_function_call_is_refused_like_a_failing_one"),
    ("P04", "offline/handshake.rs", "only_listed_parameters_are_taken"),
    ("P05", "offline/handshake.rs", "only_listed_parameters_are_taken"),
    ("P06", "offline/session/refusals.rs", "a_changed_policy_is_applied_to_statements_prepared_before"),
    ("P08", "offline/session/sql_names.rs", "a_name_that_sql_gives_anew_means_the_new_statement"),
    ("P09", "offline/session/sql_names.rs", "cursors_of_sql_are_portals"),
    ("P10", "offline/session/refusals.rs", "a_portal_bound_under_another_policy_is_not_executed"),
    ("P11", "offline/session/refusals.rs", "a_bound_value_must_be_the_tenants"),
    ("P12", "offline/session/refusals.rs", "a_declared_type_may_not_change_what_equal_means"),
    ("P13", "live/conversation.rs", "conversations_look_the_same_with_and_without_partywall"),
    ("P14", "live/proxy.rs", "a_cancel_request_with_the_right_key_and_no_other_stops_a_statement"),
    ("P15", "offline/session/copy.rs", "a_statement_inside_copy_data_ends_the_session"),
    ("P16", "offline/session/answers.rs", "errors_lose_what_could_be_somebody_elses"),
    ("P17", "offline/session/hostile.rs", "settings_that_change_how_text_is_read_end_the_session"),
    ("P18", "offline/session/refusals.rs", "a_refused_parse_skips_to_its_sync"),
    ("P19", "offline/handshake.rs", "bytes_behind_an_ssl_request_end_the_connection"),
    ("P20", "live/bypass.rs", "each_client_has_a_server_session_of_its_own"),
];

#[test]
fn every_known_attack_has_a_case() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let known: BTreeSet<String> =
        CLASSES.iter().flat_map(|(class, count)| (1..=*count).map(move |n| format!("{class}{n:02}"))).collect();
    assert_eq!(known.len(), 234);
    let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in fs::read_dir(tests.join("corpus/bypass")).unwrap() {
        let path = entry.unwrap().path();
        for line in fs::read_to_string(&path).unwrap().lines() {
            for row in line.strip_prefix("# rows: ").unwrap_or_default().split_whitespace() {
                assert!(known.contains(row), "{}: {row} is no known way", path.display());
                held.entry(row.to_owned()).or_default().push(path.display().to_string());
            }
        }
    }
    for (row, file, function) in HELD_BY_TESTS {
        let text = fs::read_to_string(tests.join(file)).unwrap();
        let place = text.find(&format!("fn {function}(")).unwrap_or_else(|| panic!("{row}: no {function} in {file}"));
        let is_test = text[..place].lines().rev().take(2).any(|line| line.starts_with("#[") && line.contains("test"));
        assert!(is_test, "{row}: {function} in {file} is no test");
        held.entry((*row).to_owned()).or_default().push((*file).to_owned());
    }
    let missing: Vec<_> = known.iter().filter(|row| !held.contains_key(*row)).collect();
    assert!(missing.is_empty(), "without a case: {missing:?}");
}

/// The table of ARCHITECTURE.md covers each way, in ranges such as `A01–A06`.
#[test]
fn the_list_of_known_ways_is_whole() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let section = text.split("## Known ways past a tenant guard").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut listed = BTreeSet::new();
    for line in section.lines().filter(|line| line.starts_with("| ")) {
        let rows = line.trim_start_matches("| ").split(" |").next().unwrap();
        for part in rows.split(", ").filter(|part| part.starts_with(|c: char| c.is_ascii_uppercase())) {
            let (first, last) = part.split_once('–').unwrap_or((part, part));
            let number = |row: &str| row[1..].parse::<usize>().unwrap_or_else(|_| panic!("{line}"));
            assert_eq!(first[..1], last[..1], "{part}");
            listed.extend((number(first)..=number(last)).map(|n| format!("{}{n:02}", &first[..1])));
        }
    }
    let known: BTreeSet<String> =
        CLASSES.iter().flat_map(|(class, count)| (1..=*count).map(move |n| format!("{class}{n:02}"))).collect();
    assert_eq!(known.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "not in ARCHITECTURE.md");
    assert_eq!(listed.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "not known");
}
