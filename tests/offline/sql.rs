//! SQL text to tokens, trees and back, against PostgreSQL's own scanner and grammar.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod corpus;
mod front_corpus;
mod mutate;
mod oracle;

use partywall::sql;
use partywall::sql::Body;
use partywall::sql::Edits;
use partywall::sql::ReadErrorKind;
use partywall::sql::TextLimits;

fn tokens_of(text: &str) -> Option<Vec<&str>> {
    let tokens = sql::lex(text, &TextLimits::default()).ok()?;
    Some((0..tokens.len()).map(|i| tokens.text(i)).collect())
}

#[test]
fn tokens_are_those_of_postgresql() {
    for text in corpus::all() {
        let difference = oracle::lexer_difference(&text);
        assert_eq!(difference, None, "{text}");
    }
}

#[test]
fn tokens_of_mutants_are_those_of_postgresql() {
    let texts = corpus::all();
    let mut random = mutate::Random::new(1);
    for _ in 0..40_000 {
        let (text, other) = (&texts[random.below(texts.len())], &texts[random.below(texts.len())]);
        let mutant = mutate::characters(&mut random, text, other);
        let difference = oracle::lexer_difference(&mutant);
        assert_eq!(difference, None, "{mutant}");
    }
}

#[test]
fn trees_touch_what_postgresql_would_touch() {
    let mut compared = 0;
    for text in corpus::all() {
        match oracle::parser_difference(&text) {
            Ok(was_compared) => compared += usize::from(was_compared),
            Err(difference) => panic!("{difference}\nin {text}"),
        }
    }
    assert!(compared > 600, "only {compared} texts were compared");
}

#[test]
fn trees_of_mutants_touch_what_postgresql_would_touch() {
    let texts = corpus::all();
    let tokens: Vec<Vec<&str>> =
        texts.iter().filter_map(|text| tokens_of(text)).filter(|list| !list.is_empty()).collect();
    let mut random = mutate::Random::new(2);
    let mut compared = 0;
    for _ in 0..30_000 {
        let (text, other) = (&tokens[random.below(tokens.len())], &tokens[random.below(tokens.len())]);
        let mutant = mutate::tokens(&mut random, text, other);
        match oracle::parser_difference(&mutant) {
            Ok(was_compared) => compared += usize::from(was_compared),
            Err(difference) => panic!("{difference}\nin {mutant}"),
        }
    }
    assert!(compared > 1_500, "only {compared} mutants were compared");
}

/// What becomes of a text: how many statements it has, or why it is not read.
fn read(text: &str) -> Result<usize, ReadErrorKind> {
    sql::with_script(text, &TextLimits::default(), |script| match script {
        Ok(script) => Ok(script.statements.len()),
        Err(error) => Err(error.kind),
    })
}

fn emitted(text: &str) -> String {
    let tokens = sql::lex(text, &TextLimits::default()).unwrap();
    sql::emit(&tokens, &Edits::default()).unwrap().text
}

fn relations(text: &str) -> Vec<String> {
    sql::with_script(text, &TextLimits::default(), |script| {
        let mut relations = Vec::new();
        for statement in &script.unwrap().statements {
            let Body::Tree(tree) = &statement.body else { panic!("no tree") };
            let flow = sqlparser::ast::visit_relations(tree, |name| {
                let parts = name.0.iter().map(|part| sql::ident_value(part.as_ident().unwrap()));
                relations.push(parts.collect::<Vec<_>>().join("."));
                std::ops::ControlFlow::<()>::Continue(())
            });
            assert!(flow.is_continue());
        }
        relations
    })
}

#[test]
fn a_string_stays_a_string() {
    for text in [
        r"SELECT '\'' UNION SELECT secret FROM users --'",
        r#"SELECT 1 AS "\"" , secret FROM users --""#,
        "SELECT 'a''''b'",
        r"SELECT N'\'' FROM t --'",
        "SELECT * FROM t WHERE a = - -1 AND b = '\n 1 UNION SELECT * FROM secret --'",
        "SELECT E'\\'', $$'$$, $a$ $$ ; -- $a$",
    ] {
        let once = emitted(text);
        assert_eq!(tokens_of(&once), tokens_of(text), "{text}");
        assert_eq!(emitted(&once), once);
    }
    assert_eq!(emitted("SELECT - -1"), "SELECT - -1");
    assert_eq!(emitted("SELECT 'a' -- b\n 'c'''"), "SELECT 'ac'''");
    assert_eq!(emitted("SELECT a -- b\n+/* c */-b"), "SELECT a + -b");
}

#[test]
fn what_the_parser_reads_otherwise_is_refused() {
    use ReadErrorKind::Forbidden;
    use ReadErrorKind::Grammar;
    use ReadErrorKind::Token;
    for (text, kind) in [
        ("SELECT 1 END, secret FROM users", Grammar),
        ("SELECT 1 END; SELECT secret FROM users", Grammar),
        ("SELECT * FROM t END, users", Grammar),
        ("SELECT a AND FROM secret", Forbidden),
        ("SELECT a OR FROM secret", Forbidden),
        ("SELECT a COLLATE FROM secret", Forbidden),
        ("SELECT INTERVAL FROM secret, current_date", Forbidden),
        ("SELECT INTO x FROM secret", Forbidden),
        ("SELECT a INTO x FROM secret", Forbidden),
        ("SELECT $1FROM secret", Token),
        ("SELECT 1from users", Token),
        ("SELECT 0x1F", Token),
        ("SELECT 0b11", Token),
        ("SELECT 1_000", Token),
        ("SELECT 'a' 'b'", Forbidden),
        ("SELECT a 'b' FROM t AS x, y 'z'", Grammar),
        ("SELECT 1 AS 'a'", Forbidden),
        ("SELECT a FROM t JOIN user ON true", Forbidden),
        ("SELECT X'ab''cd'", Token),
        ("SELECT B'1''1'", Token),
        ("SELECT \u{a0}1", Token),
        ("SELECT \u{b}1", Token),
        ("SELECT a\0", Token),
        ("SELECT '\0'", Token),
        ("SELECT U&'a' UESCAPE '!'", Grammar),
        ("SELECT secret FROM tenants_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Token),
        ("SELECT TOP 5 a FROM t", Grammar),
        ("SELECT * EXCLUDE (a) FROM t", Grammar),
        ("SELECT a FROM t WHERE DO", Forbidden),
        ("foo bar", Grammar),
    ] {
        assert_eq!(read(text), Err(kind), "{text}");
    }
}

#[test]
fn what_the_parser_reads_otherwise_is_put_right() {
    for (text, expected) in [
        ("SELECT * FROM ONLY secret", "secret"),
        ("DELETE FROM ONLY (s.secret)", "s.secret"),
        ("TABLE \"Foo\"", "Foo"),
        ("SELECT 1 UNION TABLE secret", "secret"),
        ("SELECT 1 WHERE a &>'' UNION SELECT 1 FROM secret --'", "secret"),
        ("UPDATE REPLACE a SET x = 1", "replace"),
        ("SELECT id FROM U&\"\\0075sers\"", "users"),
        ("SELECT a FROM \u{c9}T\u{c9}", "\u{c9}t\u{c9}"),
        ("SELECT \"a\".b.only FROM \"T\" AS x, t", "T t"),
        ("SELECT a ||--x\n b FROM t", "t"),
        ("SELECT 1 ISNULL FROM t", "t"),
    ] {
        assert_eq!(relations(text).join(" "), expected, "{text}");
    }
    assert_eq!(read("SELECT 1; SELECT 'a;b'; ;"), Ok(2));
    assert_eq!(read(" ; -- nothing"), Ok(1));
}

#[test]
fn large_and_deep_texts_are_refused_or_read_and_never_crash() {
    use ReadErrorKind::TooLarge;
    for (text, expected) in [
        (format!("SELECT 1{}", "+1".repeat(9_900)), Ok(1)),
        (format!("SELECT 1{}", "+1".repeat(10_100)), Err(TooLarge)),
        (format!("SELECT a{}", "[1]".repeat(9_900)), Ok(1)),
        (format!("SELECT a{}", "::int".repeat(9_900)), Ok(1)),
        (format!("SELECT a WHERE a{}", " AND a".repeat(9_900)), Ok(1)),
        (format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(499)), Ok(1)),
        (format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(501)), Err(TooLarge)),
        (format!("SELECT {}", "(".repeat(100_000)), Err(TooLarge)),
        (format!("SELECT {}1{}", "(".repeat(51), ")".repeat(51)), Err(TooLarge)),
        (format!("SELECT {}1", "- ".repeat(9_000)), Err(TooLarge)),
        (format!("SELECT {} a", "NOT ".repeat(19_000)), Err(TooLarge)),
        (format!("SELECT {}", "CASE WHEN ".repeat(19_000)), Err(ReadErrorKind::Grammar)),
        (format!("SELECT 1 /* {}", "/* ".repeat(100_000)), Err(TooLarge)),
        (format!("INSERT INTO t VALUES (1){}", ", (a.b + 1::int)".repeat(15_000)), Ok(1)),
        (format!("SELECT 1 IN (1{})", ",1".repeat(50_000)), Ok(1)),
        ("SELECT 1;".repeat(1_000), Ok(1_000)),
        ("SELECT 1;".repeat(5_001), Err(TooLarge)),
        (format!("SELECT {}", "+-".repeat(15_000)), Err(ReadErrorKind::Token)),
        ("1 ".repeat(200_001), Err(TooLarge)),
        (" ".repeat(1_048_577), Err(TooLarge)),
        (format!("UPDATE t SET a{} = 1", "[1]".repeat(9_000)), Err(ReadErrorKind::Grammar)),
        ("insert into ".repeat(50_000), Err(TooLarge)),
        (format!("SELECT {}", "f(".repeat(49)), Err(ReadErrorKind::Grammar)),
    ] {
        assert_eq!(read(&text), expected, "{}", text.get(..40).unwrap_or(&text));
    }
}

#[test]
fn edits_go_where_they_are_told() {
    let tokens = sql::lex("SELECT a /* b */ FROM t WHERE x", &TextLimits::default()).unwrap();
    let mut edits = Edits::default();
    edits.replace(3..4, "(SELECT * FROM s.t) AS t");
    edits.insert_before(5, "(");
    edits.insert_before(5, "y OR (");
    edits.insert_after(5, ")");
    edits.insert_after(5, "IS TRUE)");
    edits.replace(1..2, "");
    edits.insert_after(1, "b");
    let emitted = sql::emit(&tokens, &edits).unwrap();
    assert_eq!(emitted.text, "SELECT b FROM (SELECT * FROM s.t) AS t WHERE (y OR (x IS TRUE))");
    let kept: Vec<_> = emitted.kept.iter().map(|kept| (kept.token, kept.character, kept.client_character)).collect();
    assert_eq!(kept, [(0, 1, 1), (2, 10, 18), (4, 40, 25), (5, 53, 31)]);
    assert!(emitted.kept.iter().all(|kept| kept.start_byte + 1 == kept.character));
}

#[test]
fn edits_that_would_change_other_tokens_are_errors() {
    let tokens = sql::lex("SELECT a, b", &TextLimits::default()).unwrap();
    let with = |edit: fn(&mut Edits)| {
        let mut edits = Edits::default();
        edit(&mut edits);
        sql::emit(&tokens, &edits)
    };
    assert!(with(|edits| edits.insert_before(3, "1 --")).is_err());
    assert!(with(|edits| edits.insert_before(3, "'open")).is_err());
    assert!(with(|edits| edits.insert_after(4, "1")).is_err());
    assert!(with(|edits| edits.replace(2..2, "1")).is_err());
    assert!(with(|edits| edits.replace(3..5, "1")).is_err());
    assert!(
        with(|edits| {
            edits.replace(1..4, "1");
            edits.insert_after(2, "2");
        })
        .is_err()
    );
    assert!(
        with(|edits| {
            edits.replace(1..3, "1");
            edits.replace(2..4, "1");
        })
        .is_err()
    );
}

#[test]
fn names_and_values_read_back_as_what_they_were() {
    for name in ["a", "A b", "select", "a\"b", "1a", "été", "_x1", "a$", "left", "\\"] {
        let text = sql::quote_identifier(name);
        let tokens = sql::lex(&text, &TextLimits::default()).unwrap();
        assert_eq!((tokens.len(), tokens.identifier(0).as_deref()), (1, Some(name)));
    }
    for value in ["", "a", "it's", "\\", "\\'", "'; --", "a\nb", "$$", "\u{a0}"] {
        let text = sql::quote_literal(value);
        let tokens = sql::lex(&text, &TextLimits::default()).unwrap();
        assert_eq!((tokens.len(), tokens.string(0).as_deref()), (1, Some(value)));
    }
    assert_eq!(sql::quote_identifier("a"), "a");
    assert_eq!(sql::quote_literal("a\\'"), "E'a\\\\'''");
}

#[test]
fn shapes_have_no_values() {
    let tokens =
        sql::lex("SELECT a::int, 'x', B'1' FROM t WHERE b = $2 AND c IN (1, 2.5)", &TextLimits::default()).unwrap();
    assert_eq!(sql::normalize(&tokens), "SELECT a::int, $3, $4 FROM t WHERE b = $2 AND c IN ($5, $6)");
}

fn session(text: &str) -> String {
    sql::with_script(text, &TextLimits::default(), |script| match script {
        Ok(script) => match &script.statements[0].body {
            Body::Session(statement) => format!("{statement:?}"),
            Body::Other(words) => format!("other: {words}"),
            body => format!("{body:?}"),
        },
        Err(error) => error.message,
    })
}

#[test]
fn session_statements_are_matched_to_their_last_token() {
    for (text, expected) in [
        ("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "Begin { modes: [Isolation(RepeatableRead), ReadOnly] }"),
        ("begin transaction not deferrable", "Begin { modes: [NotDeferrable] }"),
        ("BEGIN READ", "syntax error at or near \"READ\""),
        ("BEGIN; ", "Begin { modes: [] }"),
        ("BEGIN x", "syntax error at or near \"x\""),
        ("COMMIT AND CHAIN", "Commit { chain: Yes }"),
        ("END", "Commit { chain: No }"),
        ("ROLLBACK TO savepoint", "RollbackToSavepoint { name: \"savepoint\" }"),
        ("ROLLBACK TRANSACTION TO SAVEPOINT \"A\"", "RollbackToSavepoint { name: \"A\" }"),
        ("COMMIT PREPARED 'x'", "other: COMMIT PREPARED"),
        ("PREPARE TRANSACTION 'x'", "other: PREPARE TRANSACTION"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS ''", "other: CREATE FUNCTION"),
        ("CREATE TABLE t ()", "other: CREATE TABLE"),
        ("REFRESH MATERIALIZED VIEW v", "other: REFRESH MATERIALIZED VIEW"),
        ("SET a.B TO 'c', d, 1", "Set { scope: Session, name: \"a.b\", value: Values([\"c\", \"d\", \"1\"]) }"),
        ("SET LOCAL TimeZone = DEFAULT", "Set { scope: Local, name: \"timezone\", value: Default }"),
        ("SET TIME ZONE 'UTC'", "Set { scope: Session, name: \"timezone\", value: Values([\"UTC\"]) }"),
        ("SET NAMES 'UTF8'", "Set { scope: Session, name: \"client_encoding\", value: Values([\"UTF8\"]) }"),
        (
            "SET SESSION AUTHORIZATION x",
            "Set { scope: Session, name: \"session_authorization\", value: Values([\"x\"]) }",
        ),
        ("SET LOCAL ROLE x", "Set { scope: Local, name: \"role\", value: Values([\"x\"]) }"),
        ("SET SESSION ROLE NONE", "Set { scope: Session, name: \"role\", value: Values([\"none\"]) }"),
        ("SET SCHEMA 'a'", "Set { scope: Session, name: \"search_path\", value: Values([\"a\"]) }"),
        ("SET a = 'b' 'c'", "syntax error at or near \"'c'\""),
        ("SET a FROM CURRENT", "syntax error at or near \"a\""),
        ("SET TRANSACTION SNAPSHOT '1'", "SetTransactionSnapshot { snapshot: \"1\" }"),
        ("SET TRANSACTION", "syntax error at end of input"),
        (
            "SET CONSTRAINTS s.a, b DEFERRED",
            "SetConstraints { constraints: Named([[\"s\", \"a\"], [\"b\"]]), timing: Deferred }",
        ),
        ("RESET SESSION AUTHORIZATION", "Reset { name: \"session_authorization\" }"),
        ("SHOW partywall.tenant", "Show { name: \"partywall.tenant\" }"),
        ("SHOW a b", "syntax error at or near \"b\""),
        ("DEALLOCATE prepare", "Deallocate { name: \"prepare\" }"),
        ("NOTIFY a, 'b'", "Notify { channel: \"a\", payload: Some(\"b\") }"),
        ("DISCARD TEMPORARY", "Discard(Temp)"),
        ("SET select = 1", "syntax error at or near \"select\""),
    ] {
        assert_eq!(session(text), expected, "{text}");
    }
}

#[test]
fn both_syntaxes_of_copy_say_the_same() {
    let options = |text: &str| {
        sql::with_script(text, &TextLimits::default(), |script| match &script.unwrap().statements[0].body {
            Body::Copy(copy) => copy.options.clone(),
            body => panic!("{body:?}"),
        })
    };
    let old = options("COPY t FROM STDIN WITH CSV HEADER DELIMITER AS ';' NULL '' FORCE NOT NULL a, \"B\"");
    let new = options("COPY t FROM STDIN (FORMAT 'csv', HEADER, DELIMITER ';', NULL '', FORCE_NOT_NULL (a, \"B\"))");
    assert_eq!(old, new);
    assert_eq!(options("COPY BINARY t TO STDOUT"), options("COPY t TO STDOUT (FORMAT binary)"));
    assert_eq!(read("COPY t FROM STDIN WHERE a IN (SELECT 1 FROM secret)"), Err(ReadErrorKind::Grammar));
    assert_eq!(read("COPY t TO STDOUT WHERE a"), Err(ReadErrorKind::Grammar));
    assert_eq!(read("COPY (DROP TABLE t) TO STDOUT"), Err(ReadErrorKind::Grammar));
    assert_eq!(read("COPY (SELECT 1) FROM STDIN"), Err(ReadErrorKind::Grammar));
}
