//! The temporary tables that a session may have: known from their CREATE on, and until they are gone for certain.

use partywall::guard::TemporaryEffect;

use crate::frames::*;
use crate::session::{Pair, Script};

const ASK: &str = "SELECT 1";
const CREATE: &str = "SELECT 21";
const CREATE_OTHER: &str = "SELECT 22";
const CREATE_FOR_NOW: &str = "SELECT 24";
const DROP: &str = "SELECT 23";

fn pair() -> Pair {
    let creates = |sql: &str, name: &str| (sql.to_owned(), TemporaryEffect::Creates(name.to_owned()));
    let mut temporary = vec![creates(CREATE, "t"), creates(CREATE_OTHER, "u")];
    temporary.push((CREATE_FOR_NOW.to_owned(), TemporaryEffect::CreatesUntilCommit("v".to_owned())));
    temporary.push((DROP.to_owned(), TemporaryEffect::Drops(vec!["t".to_owned()])));
    temporary.extend((0..9).map(|number| creates(&format!("SELECT 3{number}"), &format!("many{number}"))));
    Pair::new(Script { temporary, ..Script::default() })
}

/// What the session knows of.
fn known(pair: &mut Pair) -> String {
    run(pair, ASK, "SELECT 1", b'I')
}

/// Runs a statement, which ends with `tag`; what the session knew when it asked.
fn run(pair: &mut Pair, sql: &str, tag: &str, status: u8) -> String {
    pair.client(&query(sql));
    pair.upstream(&[complete(tag), ready(status)].concat());
    pair.forget();
    pair.script.private.clone()
}

#[test]
fn a_table_is_known_from_the_moment_its_create_is_sent() {
    let mut pair = pair();
    assert_eq!(known(&mut pair), "");
    pair.client(&[query(CREATE), query(ASK)].concat());
    assert_eq!(pair.script.private, "t");
}

#[test]
fn a_table_whose_create_failed_may_be_known_all_the_same() {
    let mut pair = pair();
    pair.client(&query(CREATE));
    pair.upstream(&[error("42P07", "relation exists"), ready(b'I')].concat());
    assert_eq!(known(&mut pair), "t");
}

#[test]
fn a_table_that_ends_with_its_transaction_is_forgotten_then() {
    let mut pair = pair();
    run(&mut pair, CREATE_FOR_NOW, "CREATE TABLE", b'T');
    assert_eq!(run(&mut pair, ASK, "SELECT 1", b'T'), "v");
    assert_eq!(run(&mut pair, "SELECT 2", "COMMIT", b'I'), "v");
    assert_eq!(known(&mut pair), "");
    run(&mut pair, CREATE_FOR_NOW, "CREATE TABLE", b'I');
    assert_eq!(known(&mut pair), "");
}

#[test]
fn a_dropped_table_is_forgotten_once_that_cannot_be_undone() {
    let mut pair = pair();
    run(&mut pair, CREATE, "CREATE TABLE", b'I');
    assert_eq!(run(&mut pair, DROP, "DROP TABLE", b'I'), "t");
    assert_eq!(known(&mut pair), "");
    run(&mut pair, CREATE, "CREATE TABLE", b'I');
    run(&mut pair, DROP, "DROP TABLE", b'T');
    assert_eq!(run(&mut pair, ASK, "SELECT 1", b'T'), "t");
    run(&mut pair, "SELECT 2", "ROLLBACK", b'I');
    assert_eq!(known(&mut pair), "t");
    run(&mut pair, DROP, "DROP TABLE", b'T');
    run(&mut pair, "SELECT 2", "COMMIT", b'I');
    assert_eq!(known(&mut pair), "");
}

#[test]
fn an_error_undoes_a_drop() {
    let mut pair = pair();
    run(&mut pair, CREATE, "CREATE TABLE", b'I');
    pair.client(&[parse("", DROP, &[]), bind("", "", &[], &[]), execute(""), parse("", ASK, &[]), sync()].concat());
    let answer = [frame(b'1', b""), frame(b'2', b""), complete("DROP TABLE"), error("42601", "no"), ready(b'I')];
    pair.upstream(&answer.concat());
    assert_eq!(known(&mut pair), "t");
}

#[test]
fn a_table_that_is_made_again_behind_its_drop_stays() {
    let mut pair = pair();
    run(&mut pair, CREATE, "CREATE TABLE", b'I');
    pair.client(&[query(DROP), query(CREATE)].concat());
    pair.upstream(&[complete("DROP TABLE"), ready(b'I'), complete("CREATE TABLE"), ready(b'I')].concat());
    assert_eq!(known(&mut pair), "t");
}

#[test]
fn a_prepared_create_makes_its_table_each_time() {
    let mut pair = pair();
    pair.client(&[parse("c", CREATE, &[]), bind("", "c", &[], &[]), execute(""), sync()].concat());
    let ran = [frame(b'2', b""), complete("CREATE TABLE"), ready(b'I')].concat();
    pair.upstream(&[frame(b'1', b""), ran.clone()].concat());
    run(&mut pair, DROP, "DROP TABLE", b'I');
    assert_eq!(known(&mut pair), "");
    pair.client(&[bind("", "c", &[], &[]), execute(""), sync()].concat());
    pair.upstream(&ran);
    assert_eq!(known(&mut pair), "t");
}

#[test]
fn discard_drops_them_all() {
    for tag in ["DISCARD ALL", "DISCARD TEMP"] {
        let mut pair = pair();
        run(&mut pair, CREATE, "CREATE TABLE", b'I');
        run(&mut pair, CREATE_OTHER, "CREATE TABLE", b'I');
        assert_eq!(known(&mut pair), "t u");
        run(&mut pair, "SELECT 2", tag, b'I');
        assert_eq!(known(&mut pair), "");
    }
}

#[test]
fn a_session_may_have_so_many_and_no_more() {
    let mut pair = pair();
    for number in 0..5 {
        run(&mut pair, &format!("SELECT 3{number}"), "CREATE TABLE", b'I');
    }
    run(&mut pair, "SELECT 30", "CREATE TABLE", b'I');
    pair.client(&query("SELECT 35"));
    assert_eq!(pair.sent(), b"");
    assert!(pair.got().starts_with("E(C54000,Mtoo many temporary tables in one session"));
    pair.client(&[parse("", "SELECT 35", &[]), sync()].concat());
    assert!(pair.got().starts_with("E(C54000,"));
    assert_eq!(known(&mut pair), "many0 many1 many2 many3 many4");
}
