//! The drivers that applications use, each by its own means: psycopg 3, node-postgres, tokio-postgres.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use partywall::demo::agency::{ACME, GLOBEX, TenantProfile};
use tokio_postgres::error::SqlState;

use crate::shared::{run, stand};

/// Runs one check of a client script; its output is shown where it fails.
fn check_script(program: PathBuf, script: &str, check: &str) {
    assert!(program.exists() || program.components().count() == 1, "{} is missing: run `make test`", program.display());
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(program);
    command.arg(root.join("tests/live/clients").join(script)).arg(check);
    command.env("NODE_PATH", root.join("target/clients/node/node_modules"));
    command.env("PGHOST", stand().address().ip().to_string()).env("PGPORT", stand().address().port().to_string());
    command.env("PGDATABASE", stand().postgres.database()).env("CA_FILE", stand().ca_file());
    for profile in [ACME, GLOBEX] {
        command.env(format!("{}_PASSWORD", profile.tenant.to_uppercase()), stand().password(&profile));
    }
    let printed = run(&mut command, "");
    assert!(printed.success, "{script} {check}:\n{}{}", printed.out, printed.err);
    assert_eq!(printed.out.trim(), format!("ok {check}"));
}

macro_rules! script_checks {
    ($module:ident, $program:expr, $script:literal: $($check:ident)*) => {
        mod $module {
            $(#[test]
            fn $check() {
                super::check_script($program.into(), $script, stringify!($check));
            })*
        }
    };
}

script_checks!(psycopg, concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients/python/bin/python"), "psycopg_client.py":
    types prepared cursors prepared_by_sql rows_by_cursor pipeline pipeline_with_refusal copy copy_formats temporary cancel transactions tenants tls_required wrong_password
    executemany asynchronous);

script_checks!(node_postgres, "node", "node_postgres_client.js":
    types prepared queued transactions tenants tls_required wrong_password pool);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn connect(profile: &TenantProfile) -> tokio_postgres::Client {
    stand().connect(profile, "tokio-postgres").await.unwrap_or_else(|error| panic!("{error}"))
}

mod tokio_postgres_client {
    use super::*;

    use futures_util::{SinkExt as _, TryStreamExt as _};

    #[test]
    fn prepared_statements_keep_to_their_tenant() {
        runtime().block_on(async {
            let (acme, globex) = (connect(&ACME).await, connect(&GLOBEX).await);
            let sql = "SELECT number FROM invoices WHERE id = $1";
            for (client, expected) in [(&acme, "AC-00012"), (&globex, "GX-00012")] {
                let statement = client.prepare(sql).await.unwrap();
                for _ in 0..3 {
                    let row = client.query_one(&statement, &[&12_i64]).await.unwrap();
                    assert_eq!(row.get::<_, String>(0), expected);
                }
            }
        });
    }

    #[test]
    fn pipelined_statements_are_answered_in_order() {
        runtime().block_on(async {
            let client = connect(&ACME).await;
            let statement = client.prepare("SELECT id FROM invoices WHERE id = $1").await.unwrap();
            let ids: Vec<i64> = (1..=50).collect();
            let queries = ids.iter().map(|id| async { client.query_one(&statement, &[id]).await });
            let rows = futures_util::future::try_join_all(queries).await.unwrap();
            let answers: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(answers, ids);
        });
    }

    #[test]
    fn a_portal_gives_its_rows_in_portions() {
        runtime().block_on(async {
            let mut client = connect(&ACME).await;
            let transaction = client.transaction().await.unwrap();
            let portal =
                transaction.bind("SELECT id FROM projects WHERE id <= $1 ORDER BY id", &[&10_i64]).await.unwrap();
            let mut sizes = Vec::new();
            loop {
                let rows = transaction.query_portal(&portal, 4).await.unwrap();
                if rows.is_empty() {
                    break;
                }
                sizes.push(rows.len());
            }
            assert_eq!(sizes, [4, 4, 2]);
            transaction.commit().await.unwrap();
        });
    }

    #[test]
    fn copy_goes_both_ways() {
        runtime().block_on(async {
            let client = connect(&GLOBEX).await;
            let sink = client.copy_in("COPY projects (name, budget, starts_on) FROM STDIN").await.unwrap();
            let mut sink = std::pin::pin!(sink);
            for row in ["by tokio 1\t5\t2026-02-01\n", "by tokio 2\t6\t2026-02-02\n"] {
                sink.send(bytes::Bytes::from_static(row.as_bytes())).await.unwrap();
            }
            assert_eq!(sink.finish().await.unwrap(), 2);
            let out = client.copy_out(
                "COPY (SELECT client_id, name FROM projects WHERE name LIKE 'by tokio%' ORDER BY name) TO STDOUT",
            );
            let chunks: Vec<bytes::Bytes> = out.await.unwrap().try_collect().await.unwrap();
            assert_eq!(chunks.concat(), b"globex\tby tokio 1\nglobex\tby tokio 2\n");
        });
    }

    #[test]
    fn a_cancelled_statement_leaves_a_usable_session() {
        runtime().block_on(async {
            let client = connect(&ACME).await;
            let tls = partywall::demo::client::VerifiedTls::trusting(&stand().ca_file()).unwrap();
            let token = client.cancel_token();
            let statement = client.prepare("SELECT pg_sleep(60), 'cancelled by tokio'").await.unwrap();
            let query = client.query_one(&statement, &[]);
            let cancel = async {
                // Asleep, so that it surely runs: a cancel that comes between Bind and Execute is lost.
                let running =
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%by tokio%'";
                while stand().postgres.psql(running).unwrap() == "0\n" {
                    tokio::task::yield_now().await;
                }
                token.cancel_query(tls).await.unwrap();
            };
            let both = async { tokio::join!(query, cancel) };
            let (answer, ()) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
            assert_eq!(answer.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
            assert_eq!(client.query_one("SELECT 1::int8", &[]).await.unwrap().get::<_, i64>(0), 1);
        });
    }

    #[test]
    fn a_refusal_in_a_transaction_aborts_it_and_a_savepoint_saves_it() {
        runtime().block_on(async {
            let mut client = connect(&ACME).await;
            let mut transaction = client.transaction().await.unwrap();
            let savepoint = transaction.savepoint("before").await.unwrap();
            let refused = savepoint.query("SELECT * FROM pg_authid", &[]).await.unwrap_err();
            assert!(refused.as_db_error().is_some(), "{refused:?}");
            let aborted = savepoint.query("SELECT 1", &[]).await.unwrap_err();
            assert_eq!(aborted.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
            savepoint.rollback().await.unwrap();
            assert_eq!(transaction.query("SELECT id FROM projects WHERE id = 1", &[]).await.unwrap().len(), 1);
            transaction.commit().await.unwrap();
        });
    }

    #[test]
    fn a_bound_parameter_cannot_name_another_tenant() {
        runtime().block_on(async {
            let client = connect(&ACME).await;
            let sql = "INSERT INTO projects (client_id, name, budget, starts_on) VALUES ($1, 'by parameter', 1, '2026-01-01')";
            let refused = client.execute(sql, &[&"globex"]).await.unwrap_err();
            assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{refused:?}");
            assert_eq!(client.execute(sql, &[&"acme"]).await.unwrap(), 1);
            let truth = stand().postgres.psql("SELECT client_id FROM projects WHERE name = 'by parameter'").unwrap();
            assert_eq!(truth, "acme\n");
        });
    }
}
