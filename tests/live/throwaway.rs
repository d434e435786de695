//! The throw-away PostgreSQL itself: it starts, refuses what it should, can be killed, and leaves nothing behind.

use partywall::demo::agency;
use partywall::demo::postgres::Options;
use partywall::demo::postgres::ThrowawayPostgres;

#[test]
fn starts_answers_dies_returns_and_leaves_nothing() {
    let mut postgres = ThrowawayPostgres::start(Options::default()).unwrap();
    let folder = postgres.socket_folder().parent().unwrap().to_owned();
    assert!(postgres.port() < 32_768);
    assert_eq!(postgres.psql("SELECT 1, current_database()").unwrap(), "1|app\n");
    assert!(postgres.psql("SELECT 1/0").is_err());
    postgres.create_role("rita", "secret").unwrap();
    let tcp = format!("host=127.0.0.1 port={} dbname=app user=rita password=secret", postgres.port());
    let over_tcp = |mode: &str| {
        let conninfo = format!("{tcp} sslrootcert={} sslmode={mode}", postgres.ca_file().display());
        std::process::Command::new("psql")
            .args(["-X", "-A", "-t", "-c", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &conninfo])
            .output()
            .unwrap()
    };
    let verified = over_tcp("verify-full");
    assert_eq!(String::from_utf8_lossy(&verified.stdout), "t\n", "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(!over_tcp("disable").status.success(), "plain TCP must be refused");

    postgres.kill_immediately().unwrap();
    assert!(postgres.psql("SELECT 1").is_err());
    postgres.start_again().unwrap();
    assert_eq!(postgres.psql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'rita'").unwrap(), "t\n");
    drop(postgres);
    assert!(!folder.exists());
}

#[test]
fn the_agency_fits_its_schema_and_the_naive_filter_leaks_there() {
    let postgres = ThrowawayPostgres::start(Options::default()).unwrap();
    agency::create(&postgres, "secret").unwrap();
    let counts = postgres.psql("SELECT client_id, count(*) FROM invoices GROUP BY 1 ORDER BY 1").unwrap();
    assert_eq!(counts, "acme|6000\nglobex|5000\n");
    // The attack that the demonstration shows must be real: a filter in a subquery does not stop it.
    let naive = "SELECT name FROM (SELECT * FROM contacts WHERE client_id = 'acme') AS contacts WHERE 'abc' ~ note";
    let error = postgres.psql(naive).unwrap_err().to_string();
    assert!(error.contains("invalid regular expression"), "{error}");
    let alone = "CREATE TABLE alone AS SELECT * FROM contacts WHERE client_id = 'acme'; SELECT name FROM alone WHERE 'abc' ~ note";
    assert_eq!(postgres.psql(alone).unwrap(), "");
}
