//! The throw-away PostgreSQL itself: it starts, refuses what it should, can be killed, and leaves nothing behind.

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
