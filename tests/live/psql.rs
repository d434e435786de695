//! psql through Partywall: what people type, and what they are told.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use partywall::demo::agency::{ACME, GLOBEX};

use crate::shared::{Printed, own_stand, psql, psql_with, stand};

/// The SQLSTATEs of all errors, in order: `ERROR:  42501: …`.
fn sqlstates(printed: &Printed) -> Vec<&str> {
    let lines =
        printed.err.lines().filter_map(|line| line.split_once("ERROR:  ").or_else(|| line.split_once("FATAL:  ")));
    lines.filter_map(|(_, rest)| rest.split(':').next()).collect()
}

#[test]
fn tenants_do_not_see_each_other() {
    let sql = "SELECT client_id, count(*) FROM invoices GROUP BY client_id;";
    assert_eq!(psql(&ACME, sql).out, "acme|6000\n");
    assert_eq!(psql(&GLOBEX, sql).out, "globex|5000\n");
    let foreign = "SELECT count(*) FROM invoices WHERE client_id = 'globex';";
    assert_eq!(psql(&ACME, foreign).out, "0\n");
}

#[test]
fn a_shared_table_is_the_same_for_all() {
    let sql = "SELECT count(*), min(code) FROM countries;";
    assert_eq!(psql(&ACME, sql).out, "17|AT\n");
    assert_eq!(psql(&GLOBEX, sql).out, "17|AT\n");
}

#[test]
fn a_connection_without_tls_is_refused() {
    let printed = psql_with(&ACME, "sslmode=disable", "SELECT 1;");
    assert!(!printed.success && printed.out.is_empty());
    assert!(printed.err.contains("TLS"), "{}", printed.err);
}

#[test]
fn a_stranger_is_not_told_whether_the_login_exists() {
    let wrong = psql_with(&ACME, "password=wrong", "SELECT 1;");
    let unknown = psql_with(&ACME, "user=nobody_app password=wrong", "SELECT 1;");
    assert!(!wrong.success && !unknown.success);
    assert!(wrong.err.contains("password authentication failed"), "{}", wrong.err);
    let name_apart = |printed: &Printed, name: &str| printed.err.replace(name, "?");
    assert_eq!(name_apart(&wrong, "acme_app"), name_apart(&unknown, "nobody_app"));
}

#[test]
fn psql_verifies_the_certificate_and_binds_the_channel() {
    let other_authority = format!("sslrootcert={}", stand().postgres.ca_file().display());
    let printed = psql_with(&ACME, &other_authority, "SELECT 1;");
    assert!(!printed.success && printed.err.contains("certificate verify failed"), "{}", printed.err);
    let printed = psql_with(&ACME, "channel_binding=require", "SELECT 1;");
    assert_eq!(printed.out, "1\n", "{}", printed.err);
}

#[test]
fn startup_options_and_replication_are_refused() {
    for more in ["options='-c search_path=evil'", "replication=database"] {
        let printed = psql_with(&ACME, more, "SELECT 1;");
        assert!(!printed.success && printed.err.contains("FATAL"), "{more}: {printed:?}");
    }
}

#[test]
fn a_server_error_aborts_the_transaction_and_a_refusal_does_too() {
    for (bad, sqlstate) in [("SELECT 1/0;", "22012"), ("SELECT * FROM pg_authid;", "42P01")] {
        let printed = psql(&ACME, &format!("BEGIN;\nSELECT 1;\n{bad}\nSELECT 2;\nROLLBACK;\nSELECT 3;\n"));
        assert_eq!(printed.out, "1\n3\n", "{bad}: {}", printed.err);
        assert_eq!(sqlstates(&printed), [sqlstate, "25P02"], "{bad}: {}", printed.err);
    }
}

#[test]
fn outside_a_transaction_a_refusal_ends_only_its_own_message() {
    let printed = psql(&ACME, "SELECT * FROM no_such_table;\nSELECT 4;\n");
    assert_eq!((printed.out.as_str(), sqlstates(&printed)), ("4\n", vec!["42P01"]), "{}", printed.err);
}

#[test]
fn several_statements_in_one_message_are_vetted_before_any_runs() {
    let printed = psql(
        &ACME,
        "INSERT INTO projects (name, budget, starts_on) VALUES ('never', 1, '2026-01-01')\\; SELECT * FROM pg_authid;\n\
         SELECT count(*) FROM projects WHERE name = 'never';\n",
    );
    assert_eq!(printed.out, "0\n", "{}", printed.err);
    let printed = psql(&ACME, "SELECT 1\\; SELECT 2\\; SELECT 3;\n");
    assert!(printed.success && printed.out.ends_with("3\n"), "{printed:?}");
}

#[test]
fn rows_go_out_and_come_in_by_copy() {
    let out = psql(&GLOBEX, "\\copy (SELECT client_id, id FROM projects ORDER BY id LIMIT 2) TO STDOUT\n");
    assert_eq!(out.out, "globex\t1\nglobex\t2\n", "{}", out.err);
    let into = psql(
        &GLOBEX,
        "\\copy projects (name, budget, starts_on) FROM STDIN\nby psql 1\t10\t2026-01-01\nby psql 2\t20\t2026-01-02\n\\.\n\
         SELECT client_id, count(*), sum(budget) FROM projects WHERE name LIKE 'by psql%' GROUP BY 1;\n",
    );
    assert_eq!(into.out, "globex|2|30.00\n", "{}", into.err);
    let truth = stand().postgres.psql("SELECT DISTINCT client_id FROM projects WHERE name LIKE 'by psql%'").unwrap();
    assert_eq!(truth, "globex\n");
}

/// What psql and pg_dump write lists every column, the tenant's too.
#[test]
fn own_rows_come_back_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for (number, options) in
        ["(FORMAT text)", "(FORMAT csv, HEADER)", "(FORMAT binary)", "CSV DELIMITER ';'"].iter().enumerate()
    {
        let (file, name) = (folder.path().join("rows").display().to_string(), format!("copied {number}"));
        let back = options.replace("HEADER", "HEADER match");
        let printed = psql(
            &ACME,
            &format!(
                "CREATE TEMP TABLE kept AS SELECT client_id, name || ' {name}' AS name, budget, starts_on FROM projects ORDER BY id LIMIT 3;\n\
                 \\copy kept TO '{file}' {options}\n\
                 \\copy projects (client_id, name, budget, starts_on) FROM '{file}' {back}\n\
                 SELECT count(*) FROM projects p WHERE p.name LIKE '% {name}' AND p.client_id = 'acme';\n"
            ),
        );
        assert_eq!((printed.out.as_str(), printed.err.as_str()), ("3\n", ""), "{options}");
    }
}

#[test]
fn a_row_of_another_tenant_stops_a_copy() {
    for (options, row) in [
        ("", "globex\tstolen\t1\t2026-01-01"),
        ("CSV", "globex,stolen,1,2026-01-01"),
        ("", "\\N\tstolen\t1\t2026-01-01"),
    ] {
        let printed = psql(
            &ACME,
            &format!(
                "\\copy projects (client_id, name, budget, starts_on) FROM STDIN {options}\n{row}\n\\.\nSELECT 5;\n"
            ),
        );
        assert_eq!((printed.out.as_str(), sqlstates(&printed)), ("5\n", vec!["42501"]), "{}", printed.err);
    }
    assert_eq!(stand().postgres.psql("SELECT count(*) FROM projects WHERE name = 'stolen'").unwrap(), "0\n");
}

/// A whole dump holds the rows of all tenants.
#[test]
fn a_dump_of_all_tenants_cannot_be_restored_by_one() {
    let postgres = &stand().postgres;
    let dump = Command::new("pg_dump")
        .args(["--data-only", "-t", "projects", "-h", postgres.socket_folder().to_str().unwrap()])
        .args(["-p", &postgres.port().to_string(), "-U", partywall::demo::postgres::ThrowawayPostgres::SUPERUSER])
        .arg(postgres.database())
        .env("PGPASSWORD", postgres.superuser_password())
        .output()
        .unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    assert!(dump.contains("COPY public.projects ("), "{dump}");
    let printed = psql(&ACME, &dump);
    assert!(sqlstates(&printed).contains(&"42501"), "{}", printed.err);
}

#[test]
fn temporary_tables_are_the_sessions_own() {
    let printed = psql(
        &ACME,
        "DROP TABLE IF EXISTS own;\n\
         CREATE TEMP TABLE own (id int PRIMARY KEY, name text DEFAULT lower('X'));\n\
         INSERT INTO own (id) SELECT id FROM invoices ORDER BY id LIMIT 5;\n\
         CREATE INDEX ON own (name);\n\
         ANALYZE own;\n\
         UPDATE own SET name = 'y' WHERE id = (SELECT min(id) FROM own);\n\
         SELECT count(*), count(DISTINCT own.name), count(DISTINCT i.client_id) FROM own JOIN invoices i USING (id);\n\
         BEGIN;\nDROP TABLE own;\nROLLBACK;\n\
         DELETE FROM own WHERE name = 'y' RETURNING name;\n\
         TRUNCATE own;\n\
         \\copy own FROM STDIN CSV\n7,seven\n\\.\n\
         \\copy own TO STDOUT\n\
         CREATE TEMP TABLE invoices (id int);\n\
         DROP TABLE own;\n\
         SELECT * FROM own;\n",
    );
    assert_eq!(printed.out, "5|2|1\ny\n7\tseven\n", "{}", printed.err);
    assert_eq!(sqlstates(&printed), ["0A000", "42P01"], "{}", printed.err);
    // Another session sees nothing of it.
    let other = psql(&ACME, "SELECT * FROM own;\nSELECT * FROM pg_temp.own;\n");
    assert_eq!(sqlstates(&other), ["42P01", "42P01"], "{}", other.err);
}

#[test]
fn a_large_result_arrives_whole() {
    let printed = psql(&ACME, "SELECT repeat('x', 1000), i.id FROM invoices i ORDER BY i.id;");
    assert_eq!(printed.out.lines().count(), 6_000, "{}", printed.err);
    assert_eq!(printed.out.lines().last().map(|line| line.ends_with("x|6000")), Some(true));
}

/// A statement that runs for hours, of tables alone.
const ENDLESS: &str =
    "SELECT count(*) FROM invoices a, invoices b, invoices c, invoices d WHERE a.id + b.id = c.id + d.id;";

/// Waits until the server runs the endless statement of the tenant's connection `application`.
#[expect(clippy::disallowed_methods, reason = "a deadline in a test is wall-clock time")]
fn wait_until_running(postgres: &partywall::demo::postgres::ThrowawayPostgres, mark: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{mark}%' AND pid <> pg_backend_pid()"
    );
    while postgres.psql(&sql).unwrap() == "0\n" {
        assert!(Instant::now() < deadline, "the statement never ran");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn spawn_psql(conninfo: &str, sql: &str) -> std::process::Child {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-v", "VERBOSITY=verbose", "-d", conninfo, "-c", sql]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn psql_fetches_in_parts() {
    let sql = "\\set FETCH_COUNT 100\nSELECT id FROM invoices ORDER BY id;\nSELECT count(*) FROM invoices;\n";
    for (profile, count) in [(ACME, 6000), (GLOBEX, 5000)] {
        let expected: String = (1..=count).chain([count]).map(|id| format!("{id}\n")).collect();
        let printed = psql(&profile, sql);
        assert!(printed.out == expected, "{} lines, {}", printed.out.lines().count(), printed.err);
    }
    let printed = psql(&ACME, "\\set FETCH_COUNT 100\nSELECT 1 / (id - 150) FROM invoices ORDER BY id;\nSELECT 5;\n");
    assert_eq!(sqlstates(&printed), ["22012"], "{}", printed.err);
    assert!(printed.out.ends_with("5\n"), "{}", printed.out);
}

#[test]
fn ctrl_c_cancels_the_statement_at_the_server() {
    let marked = ENDLESS.replace("d.id;", "d.id AND a.number <> 'cancelled by psql';");
    let child = spawn_psql(&stand().psql_arguments(&ACME), &marked);
    wait_until_running(&stand().postgres, "cancelled by psql");
    let interrupt = Command::new("/bin/sh").args(["-c", "kill -INT \"$1\"", "sh", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let printed = Printed::from(child.wait_with_output().unwrap());
    assert_eq!(sqlstates(&printed), ["57014"], "{}", printed.err);
}

#[test]
fn an_upstream_that_dies_in_mid_query_is_told_and_its_return_is_found() {
    let mut own = own_stand();
    let child = spawn_psql(&own.psql_arguments(&ACME), ENDLESS);
    wait_until_running(&own.postgres, "a.id + b.id");
    own.postgres.kill_immediately().unwrap();
    let printed = Printed::from(child.wait_with_output().unwrap());
    assert!(!printed.success && printed.out.is_empty(), "{printed:?}");
    assert!(!printed.err.trim().is_empty(), "no word to the client");

    let refused = Printed::from(spawn_psql(&own.psql_arguments(&ACME), "SELECT 1").wait_with_output().unwrap());
    assert!(!refused.success && refused.err.contains("FATAL"), "{refused:?}");
    own.postgres.start_again().unwrap();
    let again = Printed::from(spawn_psql(&own.psql_arguments(&ACME), "SELECT 1").wait_with_output().unwrap());
    assert!(again.success, "{again:?}");
}
