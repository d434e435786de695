//! The proxy between real clients and a real PostgreSQL: bulk, pipelines, cancel, faults, limits, drain.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use partywall::audit::observe::new_metrics;
use partywall::audit::sender::AuditSender;
use partywall::audit::tag::PolicyTag;
use partywall::auth::ScramVerifier;
use partywall::config::{Config, Limits, Upstream, UpstreamTls};
use partywall::demo::certificates::Authority;
use partywall::demo::postgres::{Options, ThrowawayPostgres};
use partywall::guard::Ruleset;
use partywall::metrics::Metrics;
use partywall::net::listener::Listener;
use partywall::net::stream::Socket;
use partywall::net::tls::{ClientTls, ServerTls};
use partywall::policy::Policy;
use partywall::proxy::{Drained, Phase, serve};
use partywall::reload::{Live, LoginTable, Snapshot};
use partywall::tenant::LoginName;
use partywall::upstream::{Target, load_catalog};
use postgres_protocol::authentication::sasl;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

const PASSWORD: &str = "correct horse";

const SCHEMA: &str = "
    CREATE TABLE notes (tenant_id text NOT NULL, id int NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, id));
    INSERT INTO notes SELECT t, n, t || ' ' || n FROM unnest(ARRAY['acme', 'globex']) t, generate_series(1, 10) n;
    GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO app;
";

const POLICY: &str = "
    [tenancy]
    column = \"tenant_id\"
    [login.acme_app]
    tenant = \"acme\"
    scram = \"SCRAM-SHA-256$4096:AAAA$AAAA:AAAA\"
    [login.globex_app]
    tenant = \"globex\"
    scram = \"SCRAM-SHA-256$4096:AAAA$AAAA:AAAA\"
";

/// A server, Partywall before it, and what is needed to look at both.
struct House {
    postgres: ThrowawayPostgres,
    port: u16,
    phase: watch::Sender<Phase>,
    metrics: Arc<Metrics>,
    served: JoinHandle<std::io::Result<Drained>>,
    folder: tempfile::TempDir,
}

struct Plan {
    limits: Limits,
    /// Lines for `[listen]`.
    listen: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self { limits: Limits::default(), listen: "address = \"127.0.0.1:0\"" }
    }
}

impl House {
    async fn open(plan: Plan) -> Self {
        let postgres = ThrowawayPostgres::start(Options::default()).unwrap();
        postgres.create_role("app", "app-secret").unwrap();
        postgres.psql(SCHEMA).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("clients").unwrap();
        std::fs::write(folder.path().join("ca.crt"), authority.certificate_pem()).unwrap();
        let files = authority.issue(&["localhost", "127.0.0.1"], folder.path(), "proxy").unwrap();
        let tls = ServerTls::load(&files.certificate, &files.key).unwrap();

        let mut config = config(plan.listen, folder.path());
        config.limits = plan.limits;
        let upstream = settings("127.0.0.1", postgres.port(), Some(&postgres.ca_file()));
        let target = Arc::new(Target::new(&upstream, Some("app-secret".to_owned()), &["public".to_owned()]).unwrap());
        let live = Arc::new(Live::fixed(snapshot(&config, &target, tls).await));
        let metrics = new_metrics();
        let listener = Listener::bind(&config.listen).unwrap();
        let port = listener.local_address().map_or(0, |address| address.port());
        let (phase, receiver) = watch::channel(Phase::Serve);
        let serving = serve(listener, live, Arc::clone(&metrics), AuditSender::discard(), receiver);
        Self { postgres, port, phase, metrics, served: tokio::spawn(serving), folder }
    }

    /// A driver's connection, of tenant acme.
    async fn client(&self) -> Client {
        self.try_client("acme_app", PASSWORD).await.unwrap()
    }

    async fn try_client(&self, user: &str, password: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(user).password(password).dbname("app");
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A connection on which a test writes and reads the protocol itself.
    async fn raw(&self) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        log_in(&mut stream).await;
        stream
    }

    /// A superuser at the server itself.
    async fn superuser(&self) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.postgres.socket_folder()).port(self.postgres.port()).dbname("app");
        config.user(ThrowawayPostgres::SUPERUSER).password(self.postgres.superuser_password());
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Waits until [`Self::look`] sees it.
    async fn until(&self, superuser: &Client, condition: &str) {
        let begun = tokio::time::Instant::now();
        while !self.look(superuser, condition).await {
            assert!(begun.elapsed() < Duration::from_secs(60), "{condition}");
        }
    }

    /// What the server says of Partywall's connections to it.
    async fn look(&self, superuser: &Client, condition: &str) -> bool {
        // Within a transaction the first look would stay the last.
        superuser.batch_execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
        let sql = format!("SELECT {condition} FROM pg_stat_activity WHERE usename = 'app'");
        superuser.query_one(&sql, &[]).await.unwrap().get::<_, Option<bool>>(0).unwrap_or(false)
    }

    async fn close(self) -> Drained {
        self.phase.send(Phase::Drain).unwrap();
        self.served.await.unwrap().unwrap()
    }
}

/// SCRAM-SHA-256 by hand.
async fn log_in(stream: &mut TcpStream) {
    let mut scram = sasl::ScramSha256::new(PASSWORD.as_bytes(), sasl::ChannelBinding::unsupported());
    let mut packet = bytes::BytesMut::new();
    frontend::startup_message([("user", "acme_app"), ("database", "app")], &mut packet).unwrap();
    stream.write_all(&packet).await.unwrap();
    for step in 0..3 {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.unwrap();
        assert_eq!(header[0], b'R', "step {step}");
        let mut body = vec![0; u32::from_be_bytes(header[1..5].try_into().unwrap()) as usize - 8];
        stream.read_exact(&mut body).await.unwrap();
        packet.clear();
        match step {
            0 => frontend::sasl_initial_response(sasl::SCRAM_SHA_256, scram.message(), &mut packet).unwrap(),
            1 => {
                scram.update(&body).unwrap();
                frontend::sasl_response(scram.message(), &mut packet).unwrap();
            }
            _ => scram.finish(&body).unwrap(),
        }
        stream.write_all(&packet).await.unwrap();
    }
    read_until_ready(stream, 1, |_| {}).await;
}

fn config(listen: &str, folder: &Path) -> Config {
    let text = format!(
        "[listen]\n{listen}\nthreads = 2\n[upstream.main]\nhost = \"127.0.0.1\"\nport = 5432\ndatabase = \"app\"\n\
         user = \"app\"\npassword = {{ env = \"X\" }}\ntls = \"disable\"\n[policy]\nfile = \"policy.toml\"\n"
    );
    Config::parse(&text.replace("FOLDER", folder.to_str().unwrap()), folder).unwrap()
}

fn settings(host: &str, port: u16, ca_file: Option<&Path>) -> Upstream {
    Upstream {
        name: "main".to_owned(),
        host: host.to_owned(),
        port,
        database: "app".to_owned(),
        user: "app".to_owned(),
        password: None,
        tls: match ca_file {
            Some(path) => UpstreamTls::VerifyFull { ca_file: Some(path.to_owned()) },
            None => UpstreamTls::Disable,
        },
        connect_timeout: Duration::from_secs(10),
    }
}

async fn snapshot(config: &Config, target: &Arc<Target>, tls: ServerTls) -> Snapshot {
    let policy = Policy::parse(&POLICY.replace("AAAA$AAAA:AAAA", VERIFIER_SHAPE)).unwrap();
    let catalog = load_catalog(target).await.unwrap();
    let verifier = ScramVerifier::from_password(PASSWORD, b"some salt", NonZeroU32::new(4096).unwrap());
    let logins: BTreeMap<LoginName, ScramVerifier> =
        policy.logins.keys().map(|login| (login.clone(), verifier.clone())).collect();
    Snapshot {
        version: 1,
        ruleset: Some(Arc::new(Ruleset::compile(&policy, &catalog).unwrap())),
        policy: PolicyTag::new(&policy.digest, 1),
        logins: LoginTable::new(&policy, logins, [7; 32]),
        listener_tls: Some(Arc::new(tls)),
        upstream: Arc::clone(target),
        targets: Arc::default(),
        config: Arc::new(config.clone()),
        rules: Arc::new(policy),
    }
}

/// Of the right form; the real ones are made from the password.
const VERIFIER_SHAPE: &str = "qhwXQDnFlAqCwGZzNmtbNw==$RyfUkORi6eIQQNt5mctMSjgOubNaYhkD4ssk+ML6gu8=:9N/MAnWWfByeIUCrClOBPdPmm0as9xzR4UTam58MkNg=";

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("", SqlState::code)
}

/// Kilobytes of memory that this process has.
fn resident_kilobytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', format!("{sql}\0").as_bytes())
}

/// Reads messages until `count` ReadyForQuery have come, and counts bytes by type. Fails on the end of the stream.
async fn read_until_ready(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    count: usize,
    mut on_read: impl FnMut(usize),
) -> BTreeMap<u8, usize> {
    let mut seen = BTreeMap::new();
    let mut buffer = bytes::BytesMut::new();
    while seen.get(&b'Z').is_none_or(|ready| *ready < count) {
        assert_ne!(stream.read_buf(&mut buffer).await.unwrap(), 0, "the stream ended after {seen:?}");
        on_read(buffer.len());
        while buffer.len() >= 5 {
            let length = u32::from_be_bytes(buffer[1..5].try_into().unwrap()) as usize + 1;
            if buffer.len() < length {
                break;
            }
            *seen.entry(buffer[0]).or_default() += 1;
            bytes::Buf::advance(&mut buffer, length);
        }
    }
    assert!(buffer.is_empty());
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_get_in_and_see_their_own() {
    let house = House::open(Plan::default()).await;
    let client = house.client().await;
    let messages = client.simple_query("SELECT body FROM notes ORDER BY id").await.unwrap();
    let bodies: Vec<&str> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    assert_eq!(bodies.len(), 10);
    assert!(bodies.iter().all(|body| body.starts_with("acme ")), "{bodies:?}");
    let other = house.try_client("globex_app", PASSWORD).await.unwrap();
    let row = other.query_one("SELECT count(*), min(body) FROM notes WHERE id > $1", &[&5]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (5, "globex 10"));

    // A refusal leaves the session as it was.
    assert!(client.simple_query("DROP TABLE notes").await.unwrap_err().code().is_some());
    assert_eq!(client.query_one("SELECT 7", &[]).await.unwrap().get::<_, i32>(0), 7);

    assert_eq!(code(&house.try_client("acme_app", "wrong").await.err().unwrap()), "28P01");
    assert_eq!(code(&house.try_client("nobody", PASSWORD).await.err().unwrap()), "28P01");
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(house.port).user("acme_app").password(PASSWORD);
    let connected = async |database: &str| config.clone().dbname(database).connect(NoTls).await;
    assert_eq!(code(&connected("elsewhere").await.err().unwrap()), "3D000");
    assert!(connected("acme_app").await.is_ok());
    drop((client, other));
    assert_eq!(house.close().await, Drained { cut: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_takes_no_memory_and_a_slow_client_holds_the_server() {
    const ROWS: usize = 1_000;
    const ROW_BYTES: usize = 102_400;
    // Of the process, in which other tests run beside this one: less than the result has, and more than they grow by.
    const GROWTH_KILOBYTES_MAX: usize = 65_536;
    let house = House::open(Plan::default()).await;
    let superuser = house.superuser().await;
    let fill = format!(
        "INSERT INTO notes SELECT 'acme', 1000 + n, repeat('0123456789abcdef', {}) FROM generate_series(1, {ROWS}) n",
        ROW_BYTES / 16
    );
    superuser.batch_execute(&fill).await.unwrap();
    let mut raw = house.raw().await;
    let before = resident_kilobytes();
    raw.write_all(&query("SELECT body FROM notes WHERE id > 1000")).await.unwrap();
    // Nobody reads: the server has to wait until somebody does. It may wait for a moment before, too.
    house.until(&superuser, "bool_or(wait_event = 'ClientWrite')").await;
    let mut looks = 0;
    while looks < 200 {
        let waits = house.look(&superuser, "bool_or(wait_event = 'ClientWrite')").await;
        looks = if waits { looks + 1 } else { 0 };
        assert!(!house.look(&superuser, "bool_or(wait_event = 'ClientRead')").await, "nothing held the server");
    }
    assert!(resident_kilobytes() < before + GROWTH_KILOBYTES_MAX);

    let mut total = 0;
    let mut checked = 0;
    let seen = read_until_ready(&mut raw, 1, |buffered| {
        total = total.max(buffered);
        checked += 1;
        if checked % 1_000 == 0 {
            assert!(resident_kilobytes() < before + GROWTH_KILOBYTES_MAX);
        }
    })
    .await;
    assert_eq!(seen[&b'D'], ROWS);
    assert!(resident_kilobytes() < before + GROWTH_KILOBYTES_MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_large_requests_in_one_pipeline_do_not_deadlock() {
    const REQUESTS: usize = 3_000;
    let house = House::open(Plan::default()).await;
    house.postgres.psql("INSERT INTO notes VALUES ('acme', 77, repeat('long ', 4000))").unwrap();
    let raw = house.raw().await;
    let (mut reader, mut writer) = raw.into_split();
    let writing = tokio::spawn(async move {
        for number in 0..REQUESTS {
            let sql = format!("SELECT body FROM notes WHERE id = 77 AND body <> '{number}{}'", "x".repeat(5_000));
            let mut group = frame(b'P', format!("\0{sql}\0\0\0").as_bytes());
            group.extend(frame(b'B', b"\0\0\0\0\0\0\0\0"));
            group.extend(frame(b'E', b"\0\0\0\0\0"));
            group.extend(frame(b'S', b""));
            writer.write_all(&group).await.unwrap();
        }
        writer
    });
    let reading = read_until_ready(&mut reader, REQUESTS, |_| {});
    let seen = tokio::time::timeout(Duration::from_secs(120), reading).await.expect("a deadlock");
    assert_eq!((seen[&b'D'], seen[&b'C'], seen[&b'Z']), (REQUESTS, REQUESTS, REQUESTS));
    drop(writing.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_in_and_out_of_many_megabytes() {
    let house = House::open(Plan::default()).await;
    let client = house.client().await;
    let sink = client.copy_in("COPY notes (id, body) FROM STDIN").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    let line = "y".repeat(10_000);
    for number in 0..2_000 {
        let row = bytes::Bytes::from(format!("{}\t{line}\n", 5_000 + number));
        futures_util::SinkExt::send(&mut sink, row).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 2_000);
    let stream = client.copy_out("COPY (SELECT body FROM notes WHERE id >= 5000) TO STDOUT").await.unwrap();
    let mut stream = std::pin::pin!(stream);
    let mut bytes = 0;
    while let Some(chunk) = futures_util::StreamExt::next(&mut stream).await {
        bytes += chunk.unwrap().len();
    }
    assert_eq!(bytes, 2_000 * 10_001);
    assert_eq!(house.postgres.psql("SELECT count(*) FROM notes WHERE tenant_id = 'acme'").unwrap(), "2010\n");
}

/// A statement that waits for a lock until somebody ends it.
async fn blocked(house: &House, superuser: &Client, client: &Arc<Client>) -> JoinHandle<tokio_postgres::Error> {
    superuser.batch_execute("BEGIN; LOCK TABLE notes IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let client = Arc::clone(client);
    let running = tokio::spawn(async move { client.simple_query("SELECT count(*) FROM notes").await.unwrap_err() });
    house.until(superuser, "bool_or(wait_event_type = 'Lock')").await;
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_request_with_the_right_key_and_no_other_stops_a_statement() {
    let house = House::open(Plan::default()).await;
    let superuser = house.superuser().await;
    let client = Arc::new(house.client().await);
    let token = client.cancel_token();
    // Nothing is under way: nothing happens.
    token.cancel_query(NoTls).await.unwrap();
    assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    let running = blocked(&house, &superuser, &client).await;
    let mut wrong = TcpStream::connect(("127.0.0.1", house.port)).await.unwrap();
    wrong.write_all(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x01").await.unwrap();
    assert_eq!(wrong.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert!(!running.is_finished());
    token.cancel_query(NoTls).await.unwrap();
    assert_eq!(code(&running.await.unwrap()), "57014");
    superuser.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(client.query_one("SELECT count(*) FROM notes", &[]).await.unwrap().get::<_, i64>(0), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_dies_is_reported_and_comes_back() {
    let mut house = House::open(Plan::default()).await;
    let superuser = house.superuser().await;
    let client = Arc::new(house.client().await);
    let running = blocked(&house, &superuser, &client).await;
    house.postgres.kill_immediately().unwrap();
    let error = running.await.unwrap();
    assert!(error.is_closed() || ["08006", "57P01", "57P02"].contains(&code(&error)), "{error:?}");
    let error = house.try_client("acme_app", PASSWORD).await.err().unwrap();
    assert_eq!(code(&error), "57P03", "{error:?}");
    let database_error = error.as_db_error().unwrap();
    assert_eq!(database_error.message(), "the database cannot be reached");
    house.postgres.start_again().unwrap();
    let client = house.client().await;
    assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);

    // An idle client is told, too, and once.
    let mut idle = house.raw().await;
    house.postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'").unwrap();
    let mut last_words = Vec::new();
    idle.read_to_end(&mut last_words).await.unwrap();
    let text = String::from_utf8_lossy(&last_words).into_owned();
    assert!(text.starts_with('E') && text.matches("FATAL").count() == 2, "severity and its translation: {text}");
    assert!(text.contains("57P01"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_idle_sessions_and_waits_for_transactions() {
    let house = House::open(Plan::default()).await;
    let mut idle = house.raw().await;
    let busy = house.client().await;
    busy.batch_execute("BEGIN; UPDATE notes SET body = 'drained' WHERE id = 1").await.unwrap();
    house.phase.send(Phase::Drain).unwrap();
    let mut last_words = Vec::new();
    idle.read_to_end(&mut last_words).await.unwrap();
    assert!(last_words.windows(5).any(|bytes| bytes == b"57P01"), "{last_words:?}");
    busy.batch_execute("UPDATE notes SET body = body || '!' WHERE id = 1; COMMIT").await.unwrap();
    assert_eq!(house.served.await.unwrap().unwrap(), Drained { cut: 0 });
    assert!(TcpStream::connect(("127.0.0.1", house.port)).await.is_err());
    let body = house.postgres.psql("SELECT body FROM notes WHERE tenant_id = 'acme' AND id = 1").unwrap();
    assert_eq!(body, "drained!\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_has_an_end() {
    let limits = Limits { drain_timeout: Duration::from_millis(300), ..Limits::default() };
    let house = House::open(Plan { limits, ..Plan::default() }).await;
    let client = house.client().await;
    client.batch_execute("BEGIN; UPDATE notes SET body = 'lost' WHERE id = 1").await.unwrap();
    let metrics = Arc::clone(&house.metrics);
    assert!(metrics.render().contains("partywall_sessions{state=\"in_transaction\"} 1"), "{}", metrics.render());
    house.phase.send(Phase::Drain).unwrap();
    assert_eq!(house.served.await.unwrap().unwrap(), Drained { cut: 1 });
    assert!(client.simple_query("COMMIT").await.is_err());
    let body = house.postgres.psql("SELECT body FROM notes WHERE tenant_id = 'acme' AND id = 1").unwrap();
    assert_eq!(body, "acme 1\n");
    assert!(metrics.render().contains("partywall_sessions{state=\"in_transaction\"} 0"));
}

/// `psql` with these connection parameters: what it prints, or its complaint.
fn psql(parameters: &str, sql: &str) -> Result<String, String> {
    let output = std::process::Command::new("psql")
        .env("PGPASSWORD", PASSWORD)
        .args(["-X", "-A", "-t", "-c", sql, &format!("user=acme_app dbname=app {parameters}")])
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_asked_for_or_begun_with_and_plain_text_is_refused_where_it_must_be() {
    let listen = "address = \"127.0.0.1:0\"\nunix_socket = \"FOLDER/.s.PGSQL.6432\"\nplain = \"refuse\"\n\
                  tls_certificate_file = \"FOLDER/proxy.crt\"\ntls_key_file = \"FOLDER/proxy.key\"";
    let house = House::open(Plan { listen, ..Plan::default() }).await;
    let ca = house.folder.path().join("ca.crt");
    let port = house.port;
    let over = |parameters: String| tokio::task::block_in_place(|| psql(&parameters, "SELECT count(*) FROM notes"));
    let verified = format!("host=localhost port={port} sslmode=verify-full sslrootcert={}", ca.display());
    assert_eq!(over(format!("{verified} channel_binding=require")), Ok("10\n".to_owned()));
    let refused = over(format!("host=127.0.0.1 port={port} sslmode=disable")).unwrap_err();
    assert!(refused.contains("connection requires TLS"), "{refused}");
    let local = format!("host={} port=6432", house.folder.path().display());
    assert_eq!(over(local), Ok("10\n".to_owned()));

    // TLS from the first byte; the name of the protocol inside it is demanded.
    let socket = Socket::Tcp(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let (mut direct, _) = ClientTls::load(Some(&ca)).unwrap().connect("localhost", socket).await.unwrap();
    direct.write_all(b"\0\0\0\x17\0\x03\0\0user\0acme_app\0\0").await.unwrap();
    direct.flush().await.unwrap();
    assert_eq!(direct.read_u8().await.unwrap(), b'R');

    // Plain bytes stuffed behind the request for TLS end the connection.
    let mut stuffed = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stuffed.write_all(b"\0\0\0\x08\x04\xd2\x16\x2f\0\0\0\x17\0\x03\0\0user\0acme_app\0\0").await.unwrap();
    let mut answer = Vec::new();
    stuffed.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"S") || answer.len() == 1, "{answer:?}");
    assert!(!answer.contains(&b'R') || answer.starts_with(b"E"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_and_nonsense_is_sent_away() {
    let limits = Limits { clients_max: 2, authentication_timeout: Duration::from_millis(500), ..Limits::default() };
    let house = House::open(Plan { limits, ..Plan::default() }).await;
    let superuser = house.superuser().await;
    let first = Arc::new(house.client().await);
    let second = house.client().await;
    assert_eq!(code(&house.try_client("acme_app", PASSWORD).await.err().unwrap()), "53300");
    // A cancel request still gets through.
    let token = first.cancel_token();
    let running = blocked(&house, &superuser, &first).await;
    token.cancel_query(NoTls).await.unwrap();
    assert_eq!(code(&running.await.unwrap()), "57014");
    drop((first, second));
    house.until(&superuser, "count(*) = 0").await;

    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\x08\0\x03\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x00"] {
        let mut stream = TcpStream::connect(("127.0.0.1", house.port)).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    }
    // Who says nothing is sent away, too.
    let mut silent = TcpStream::connect(("127.0.0.1", house.port)).await.unwrap();
    assert_eq!(silent.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert_eq!(house.close().await, Drained { cut: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_its_half_is_still_answered() {
    let house = House::open(Plan::default()).await;
    let mut raw = house.raw().await;
    raw.write_all(&query("UPDATE notes SET body = 'late' WHERE id = 2")).await.unwrap();
    raw.write_all(&query("SELECT body FROM notes WHERE id = 2")).await.unwrap();
    raw.shutdown().await.unwrap();
    let mut answer = Vec::new();
    raw.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.contains("UPDATE 1") && text.contains("late"), "{text}");
    assert_eq!(house.close().await, Drained { cut: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_holds_no_buffer() {
    const SESSIONS: usize = 80;
    // Both sockets, TLS towards the server, the client's own end; a buffer of 64 or twice 16 KiB would show.
    const SESSION_KILOBYTES_MAX: usize = 24;
    let house = House::open(Plan::default()).await;
    let mut sessions = Vec::new();
    let mut before = 0;
    for number in 0..10 + SESSIONS {
        let mut raw = house.raw().await;
        raw.write_all(&query("SELECT body FROM notes")).await.unwrap();
        read_until_ready(&mut raw, 1, |_| {}).await;
        sessions.push(raw);
        if number == 9 {
            before = resident_kilobytes();
        }
    }
    let each = resident_kilobytes().saturating_sub(before) / SESSIONS;
    assert!(each <= SESSION_KILOBYTES_MAX, "{each} KB a session");
}
