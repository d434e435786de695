//! The promise under SQLsmith's statements: deep, odd, of every function and operator that the server has. Most are refused
//! or fail; those that pass must be answered as alone.
//!
//! `PARTYWALL_SQLSMITH_STATEMENTS` (300) and `PARTYWALL_ORACLE_SEED` set how many and which.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc;

use crate::oracle::Judge;
use crate::oracle::Outcome;
use crate::oracle::Tally;
use crate::oracle::Trial;
use crate::oracle::begin_query;
use crate::oracle::decide;
use crate::oracle::difference;
use crate::oracle::normalized;
use crate::oracle::number;
use crate::worlds::Connection;
use crate::worlds::Worlds;
use crate::worlds::load_ruleset;

const TURNED: &str = "turned";

#[test]
fn sqlsmith_as_if_alone() {
    let statements = number("PARTYWALL_SQLSMITH_STATEMENTS", 300);
    let seed = number("PARTYWALL_ORACLE_SEED", 1);
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(2, 8);
    let worlds = Worlds::start(workers);
    worlds.turn(TURNED);
    let ruleset = load_ruleset("agency");
    let tally = Mutex::new(Tally::default());
    let (sender, receiver) = mpsc::sync_channel(1_000);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        let connection = worlds.connection_string();
        scope.spawn(move || make(&connection, statements, seed, &sender));
        for worker in 0..workers {
            let (worlds, ruleset, receiver, tally) = (&worlds, &ruleset, &receiver, &tally);
            scope.spawn(move || {
                let mut judge = Judge::new(worlds, worker);
                let mut own = Order { first: worlds.connect("alone", worker), second: worlds.connect_to(TURNED) };
                loop {
                    let next = receiver.lock().unwrap().recv();
                    let Ok((n, sql)) = next else { break };
                    let trial = Trial { sql, ordered: false, plan_seed: n };
                    let mut outcome = judge.try_one(&trial, &|sql| decide(ruleset, sql));
                    if matches!(outcome, Outcome::Differs(_)) && own.matters(&trial.sql) {
                        outcome = Outcome::Skipped;
                    }
                    if let Outcome::Differs(difference) = &outcome
                        && tally.lock().unwrap().is_new(difference)
                    {
                        tally.lock().unwrap().find(
                            &trial,
                            difference,
                            &format!("SQLsmith, seed {seed}, statement {n}"),
                        );
                    }
                    tally.lock().unwrap().count(&outcome);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    eprintln!("SQLsmith, seed {seed}: {}", tally.summary());
    assert!(tally.all > 0 && tally.forwarded > 0, "sqlsmith has made nothing that passes: {}", tally.summary());
    assert!(tally.finds.is_empty(), "differences:\n\n{}", tally.report());
}

/// Has SQLsmith read the tenant's own catalogue and print statements.
fn make(connection: &str, statements: u64, seed: u64, sender: &mpsc::SyncSender<(u64, String)>) {
    let smith = Command::new("sqlsmith")
        .arg(format!("--target={connection}"))
        .args(["--exclude-catalog", "--dry-run"])
        .arg(format!("--max-queries={statements}"))
        .arg(format!("--seed={seed}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut smith =
        smith.unwrap_or_else(|error| panic!("cannot run sqlsmith: {error}; it is Debian's package of that name"));
    let mut sql = String::new();
    let mut n = 0;
    for line in BufReader::new(smith.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        sql.push_str(&line);
        sql.push('\n');
        if line.ends_with(';') {
            let text = without_samples(sql.trim().trim_end_matches(';'));
            n += 1;
            if sender.send((seed << 32 | n, text)).is_err() {
                break;
            }
            sql.clear();
        }
    }
    drop(smith.kill());
    smith.wait().unwrap();
}

/// Samples and limits pick rows by where they lie: they are taken off.
fn without_samples(sql: &str) -> String {
    let mut text = String::new();
    let mut words = sql.split_inclusive(char::is_whitespace).peekable();
    while let Some(word) = words.next() {
        let bare = word.trim();
        let follows = |next: Option<&&str>| next.map_or_else(String::new, |next| next.trim().to_owned());
        if bare == "tablesample" {
            // `tablesample system (4.5)`.
            words.next();
            let rate = words.next().unwrap_or_default();
            text.push_str(rate.trim_start_matches(|c: char| c != ')').trim_start_matches(')'));
            text.push(' ');
            continue;
        }
        let count = follows(words.peek());
        if bare == "limit" && count.starts_with(|c: char| c.is_ascii_digit()) {
            let count = words.next().unwrap_or_default();
            text.push_str(count.trim_start_matches(|c: char| c.is_ascii_digit()));
            continue;
        }
        text.push_str(word);
    }
    text
}

/// Two worlds of the tenant's own, whose rows lie in different orders.
struct Order {
    first: Connection,
    second: Connection,
}

impl Order {
    /// Whether the answer depends on the order of rows, on the plan, or on the moment.
    fn matters(&mut self, sql: &str) -> bool {
        (0..6).any(|plan_seed| {
            let begin = begin_query(plan_seed, false);
            let ask = |client: &mut Connection| {
                client.send_queries(&[&begin, sql, "ROLLBACK"]);
                let [_, answer, _] = [(); 3].map(|()| client.answer());
                normalized(answer, false)
            };
            let plain = ask(&mut self.first);
            difference(&plain, &ask(&mut self.second)).is_some()
        })
    }
}

#[test]
fn samples_and_limits_are_taken_off() {
    let sql = "select a from t as x tablesample system (4.5) \n where b\n limit 15) as q limit 3";
    assert_eq!(without_samples(sql), "select a from t as x   \n where b\n ) as q ");
}
