//! Conversations message by message: through a session and the guard, and directly with PostgreSQL, must look the same.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use partywall::catalog::Catalog;
use partywall::config::{Upstream, UpstreamTls};
use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};
use partywall::guard::{self, Decision, PrivateRelations, Protocol, Request, Ruleset, TextLimits};
use partywall::policy::Policy;
use partywall::session::effect::Output;
use partywall::session::{Decider, Session, SessionLimits};
use partywall::tenant::{Identity, LoginName, TenantId, Timestamp};
use partywall::upstream::{Connected, Target, connect, load_catalog};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

const POLICY: &str = "
    [tenancy]
    column = \"tenant_id\"
    [login.acme_app]
    tenant = \"acme\"
    scram = \"SCRAM-SHA-256$4096:qhwXQDnFlAqCwGZzNmtbNw==$RyfUkORi6eIQQNt5mctMSjgOubNaYhkD4ssk+ML6gu8=:9N/MAnWWfByeIUCrClOBPdPmm0as9xzR4UTam58MkNg=\"
";

const SCHEMA: &str = "
    CREATE TABLE notes (id int NOT NULL, body text NOT NULL, tenant_id text NOT NULL, PRIMARY KEY (tenant_id, id));
    GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO app;
";

const FILL: &str = "
    TRUNCATE notes;
    INSERT INTO notes SELECT n, t || ' ' || n, t FROM unnest(ARRAY['acme', 'globex']) t, generate_series(1, 3) n;
";

const LIMITS: SessionLimits = SessionLimits {
    statement_bytes_max: 100_000,
    bind_bytes_max: 100_000,
    statements_max: 1_000,
    portals_max: 1_000,
    temporary_tables_max: 5,
    pipeline_max: 1_000,
};

/// Stands, without Partywall, for a statement that it refuses: PostgreSQL's own raw syntax error.
const REFUSED: &str = "REFUSED";

/// What the client says with Partywall, and what it says without, for the same outcome.
const STATEMENTS: &[(&str, &str)] = &[
    ("SELECT 1", "SELECT 1"),
    ("SELECT id, body FROM notes ORDER BY id", "SELECT id, body FROM notes WHERE tenant_id = 'acme' ORDER BY id"),
    ("SELECT 1/0", "SELECT 1/0"),
    ("BEGIN", "BEGIN"),
    ("BEGIN", "BEGIN"),
    ("COMMIT", "COMMIT"),
    ("ROLLBACK", "ROLLBACK"),
    ("SAVEPOINT s", "SAVEPOINT s"),
    ("ROLLBACK TO s", "ROLLBACK TO s"),
    ("", ""),
    (
        "INSERT INTO notes (id, body) VALUES (4, 'new')",
        "INSERT INTO notes (id, body, tenant_id) VALUES (4, 'new', 'acme')",
    ),
    (
        "INSERT INTO notes (id, body) VALUES (1, 'old')",
        "INSERT INTO notes (id, body, tenant_id) VALUES (1, 'old', 'acme')",
    ),
    ("DELETE FROM notes WHERE id = 4", "DELETE FROM notes WHERE id = 4 AND tenant_id = 'acme'"),
    ("SELECT 1; SELECT 2", "SELECT 1; SELECT 2"),
    ("SELECT 1; SELECT 1/0; SELECT 2", "SELECT 1; SELECT 1/0; SELECT 2"),
    ("SELECT 1; COMMIT; SELECT 1/0", "SELECT 1; COMMIT; SELECT 1/0"),
    ("SELECT 1; DROP TABLE notes", REFUSED),
    ("DROP TABLE notes", REFUSED),
    ("SELECT pg_read_file('x')", REFUSED),
];

/// Queries and changes, which SQL may hold under a name.
const NAMED: &[(&str, &str)] = &[
    ("SELECT 1", "SELECT 1"),
    ("SELECT id, body FROM notes ORDER BY id", "SELECT id, body FROM notes WHERE tenant_id = 'acme' ORDER BY id"),
    (
        "SELECT id, body FROM notes ORDER BY id FOR UPDATE",
        "SELECT id, body FROM notes WHERE tenant_id = 'acme' ORDER BY id FOR UPDATE",
    ),
    ("DELETE FROM notes WHERE id = 3", "DELETE FROM notes WHERE id = 3 AND tenant_id = 'acme'"),
    (
        "UPDATE notes SET body = 'now' WHERE id < 3 RETURNING id",
        "UPDATE notes SET body = 'now' WHERE id < 3 AND tenant_id = 'acme' RETURNING id",
    ),
];

/// What is done with names, where `#` is one of a prepared statement and `@` one of a cursor, `$` a statement from
/// [`NAMED`] and `?` the first or second of them.
const NAMES: &[&str] = &[
    "PREPARE # AS $",
    "PREPARE # AS $; EXECUTE #",
    "DEALLOCATE #; PREPARE # AS $; EXECUTE #",
    "EXECUTE #",
    "EXECUTE #",
    "EXECUTE #; SELECT 1/0; EXECUTE #",
    "DEALLOCATE #",
    "PREPARE # AS $; SELECT 1/0",
    "DEALLOCATE #; SELECT 1/0",
    "DEALLOCATE ALL",
    "DISCARD ALL",
    "DECLARE @ CURSOR FOR ?",
    "DECLARE @ CURSOR WITH HOLD FOR ?",
    "BEGIN; DECLARE @ CURSOR FOR ?; FETCH @",
    "DECLARE @ SCROLL CURSOR FOR ?; FETCH LAST @; FETCH PRIOR FROM @; MOVE FIRST IN @; FETCH BACKWARD ALL @",
    "DECLARE @ CURSOR WITH HOLD FOR ?; SELECT 1/0",
    "ROLLBACK; DECLARE @ CURSOR WITH HOLD FOR ?",
    "BEGIN; DECLARE @ CURSOR WITH HOLD FOR ?; COMMIT; DECLARE @ CURSOR WITH HOLD FOR ?",
    "FETCH 1 FROM @",
    "FETCH ALL @",
    "MOVE 2 IN @",
    "FETCH @; FETCH @; CLOSE @",
    "CLOSE @",
    "CLOSE ALL",
    "COMMIT AND CHAIN",
    "ROLLBACK AND CHAIN",
];

const INSERT: &str = "INSERT INTO notes (id, body, tenant_id) VALUES (5, 'bound', $1)";

pub(crate) struct House {
    pub(crate) postgres: ThrowawayPostgres,
    target: Target,
    decider: Guard,
    identity: Arc<Identity>,
    parameters: Vec<(String, String)>,
}

struct Guard {
    ruleset: Ruleset,
}

impl Decider for Guard {
    fn decide(
        &mut self,
        identity: &Arc<Identity>,
        sql: &str,
        protocol: Protocol,
        parameter_types: &[u32],
        private: &PrivateRelations,
    ) -> Arc<Decision> {
        let limits = TextLimits::default();
        let request = Request { identity, sql, protocol, parameter_types, limits: &limits, private };
        Arc::new(guard::decide(&self.ruleset, &request))
    }

    fn version(&self) -> u64 {
        1
    }
}

impl House {
    /// With `schema` beside the table of notes.
    pub(crate) async fn open(schema: &str) -> Self {
        let identity =
            Identity { login: LoginName::parse("acme_app").unwrap(), tenant: Some(TenantId::parse("acme").unwrap()) };
        Self::open_as(schema, POLICY, identity, &[]).await
    }

    pub(crate) async fn open_as(schema: &str, policy: &str, identity: Identity, parameters: &[(&str, &str)]) -> Self {
        let options = Options { plain: PlainConnections::Allowed, ..Options::default() };
        let postgres = ThrowawayPostgres::start(options).unwrap();
        postgres.create_role("app", "app-secret").unwrap();
        postgres.psql(SCHEMA).unwrap();
        postgres.psql(schema).unwrap();
        let settings = Upstream {
            name: "main".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: postgres.port(),
            database: "app".to_owned(),
            user: "app".to_owned(),
            password: None,
            tls: UpstreamTls::Disable,
            connect_timeout: Duration::from_secs(10),
        };
        let target = Target::new(&settings, Some("app-secret".to_owned()), &["public".to_owned()]).unwrap();
        let catalog: Catalog = load_catalog(&target).await.unwrap();
        let ruleset = Ruleset::compile(&Policy::parse(policy).unwrap(), &catalog).unwrap();
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { postgres, target, decider: Guard { ruleset }, identity: Arc::new(identity), parameters }
    }

    /// What a client sees that says all this, directly to the server.
    pub(crate) async fn direct(&self, input: &[u8]) -> Vec<u8> {
        let mut upstream = Wire::open(connect(&self.target, &[]).await.unwrap());
        upstream.writer.write_all(input).await.unwrap();
        let mut output = Vec::new();
        while !is_over(&output) {
            let Some(bytes) = upstream.bytes.recv().await else { return output };
            output.extend(bytes);
        }
        upstream.end().await;
        output
    }

    /// What it sees with a session in between. `sizes`: in what pieces it says it.
    pub(crate) async fn through(&mut self, input: &[u8], sizes: &mut dyn FnMut() -> usize) -> Vec<u8> {
        let mut upstream = Wire::open(connect(&self.target, &self.parameters).await.unwrap());
        let mut session = Session::new(LIMITS, Arc::clone(&self.identity), [3; 16]);
        let (mut unread, mut from_upstream, mut output) = (BytesMut::new(), BytesMut::new(), Vec::new());
        let mut rest = input;
        while !is_over(&output) {
            let (piece, behind) = rest.split_at(sizes().min(rest.len()));
            unread.extend_from_slice(piece);
            rest = behind;
            while let Ok(bytes) = upstream.bytes.try_recv() {
                from_upstream.extend(bytes);
            }
            while !from_upstream.is_empty() {
                let progress = session.handle_upstream(&from_upstream, Timestamp(0)).unwrap();
                output.extend(session.client_output().split());
                let bytes = from_upstream.split_to(progress.consumed);
                if progress.output == Output::Unchanged {
                    output.extend(&bytes);
                }
                if bytes.is_empty() {
                    break;
                }
            }
            while !unread.is_empty() {
                let progress = session.handle_client(&unread, &mut self.decider, Timestamp(0)).unwrap();
                output.extend(session.client_output().split());
                let mut send = session.upstream_output().split().to_vec();
                let bytes = unread.split_to(progress.consumed);
                if progress.output == Output::Unchanged {
                    send.extend(&bytes);
                }
                upstream.writer.write_all(&send).await.unwrap();
                if bytes.is_empty() {
                    break;
                }
            }
            if rest.is_empty() && !is_over(&output) {
                from_upstream.extend(upstream.bytes.recv().await.unwrap());
            }
        }
        upstream.end().await;
        output
    }
}

/// Fails where nothing comes any more.
async fn in_time<T>(answers: impl Future<Output = T>, script: &Script) -> T {
    let answers = tokio::time::timeout(Duration::from_secs(20), answers).await;
    answers.unwrap_or_else(|_| panic!("no end to{}", script.story))
}

/// A connection whose answers are read at any time.
struct Wire {
    writer: WriteHalf<partywall::net::stream::Stream>,
    bytes: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Wire {
    fn open(connected: Connected) -> Self {
        let (reader, writer) = tokio::io::split(connected.stream);
        let (sender, bytes) = mpsc::unbounded_channel();
        tokio::spawn(Self::read(reader, sender));
        Self { writer, bytes }
    }

    /// Leaves, and waits until the server has let go.
    async fn end(mut self) {
        self.writer.write_all(&frame(b'X', b"")).await.unwrap();
        while self.bytes.recv().await.is_some() {}
    }

    async fn read(mut reader: ReadHalf<partywall::net::stream::Stream>, sender: mpsc::UnboundedSender<Vec<u8>>) {
        let mut buffer = vec![0; 16_384];
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    }
}

/// The end of every conversation.
pub(crate) const LAST: &str = "SELECT 4242";

fn is_over(output: &[u8]) -> bool {
    let row = [&b"D\0\0\0\x0e\0\x01\0\0\0\x044242"[..], &frame(b'C', b"SELECT 1\0"), &frame(b'Z', b"I")].concat();
    output.ends_with(&row)
}

pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// Messages as text, without what Partywall leaves out on purpose and without the words of refusals.
fn shown(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        let (kind, body) = (char::from(bytes[0]), &bytes[5..=length]);
        bytes = &bytes[1 + length..];
        let kept = |field: &&[u8]| field.first().is_some_and(|code| b"SVCMHstcdn".contains(code));
        match kind {
            'E' | 'N' => {
                let fields: Vec<_> = body.split(|byte| *byte == 0).filter(kept).map(String::from_utf8_lossy).collect();
                let text = fields.join(",");
                let refused = [
                    "cannot insert multiple commands",
                    ",C42501,",
                    ",C0A000,",
                    "near \"REFUSED\"",
                    "unsupported format code: 2",
                ];
                let is_refused = kind == 'E' && refused.iter().any(|mark| text.contains(mark));
                messages.push(if is_refused { "E refused".to_owned() } else { format!("{kind} {text}") });
            }
            // The tenant's column is not the client's: it is told of the two that it sends.
            'G' => messages.push(format!("G {}", if body[2] == 3 { 2 } else { body[2] })),
            _ => messages.push(format!("{kind} {}", body.escape_ascii())),
        }
    }
    messages
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A conversation as it is said with and without Partywall.
#[derive(Default)]
struct Script {
    through: Vec<u8>,
    direct: Vec<u8>,
    story: String,
}

impl Script {
    fn say(&mut self, bytes: &[u8]) {
        self.say_both(bytes, bytes);
    }

    fn say_both(&mut self, through: &[u8], direct: &[u8]) {
        self.through.extend(through);
        self.direct.extend(direct);
        self.story += &format!("\n  {}", through.escape_ascii());
    }

    fn query(&mut self, (through, direct): (&str, &str)) {
        let message = |sql: &str| frame(b'Q', format!("{sql}\0").as_bytes());
        self.say_both(&message(through), &message(direct));
    }

    fn parse(&mut self, name: &str, (through, direct): (&str, &str)) {
        let message = |sql: &str| frame(b'P', format!("{name}\0{sql}\0\0\0").as_bytes());
        self.say_both(&message(through), &message(direct));
    }

    fn bind(&mut self, portal: &str, statement: &str) {
        self.say(&frame(b'B', format!("{portal}\0{statement}\0\0\0\0\0\0\0").as_bytes()));
    }

    /// A value of another tenant is refused; without Partywall, a format that does not exist stands for that.
    fn bind_value(&mut self, portal: &str, statement: &str, value: &str) {
        let names = format!("{portal}\0{statement}\0");
        let message = |format: u16| {
            let mut body = names.clone().into_bytes();
            body.extend([0, 1]);
            body.extend(format.to_be_bytes());
            body.extend([0, 1]);
            body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(value.as_bytes());
            body.extend([0, 0]);
            frame(b'B', &body)
        };
        self.say_both(&message(0), &message(if value == "acme" { 0 } else { 2 }));
    }

    fn describe(&mut self, kind: u8, name: &str) {
        self.say(&frame(b'D', &[&[kind], name.as_bytes(), b"\0"].concat()));
    }

    fn execute(&mut self, portal: &str, rows_max: u32) {
        self.say(&frame(b'E', &[portal.as_bytes(), b"\0", &rows_max.to_be_bytes()].concat()));
    }

    fn sync(&mut self) {
        self.say(&frame(b'S', b""));
    }

    /// Something about a name, as a Query or with the messages of the extended protocol.
    fn names(&mut self, random: &mut Random) {
        let (statement, cursor) = (random.pick(&["d", "e"]), random.pick(&["c", "h"]));
        let (named, query) = (random.pick(NAMED), random.pick(&NAMED[..2]));
        let sql = random.pick(NAMES).replace('#', statement).replace('@', cursor);
        let through = sql.replace('$', named.0).replace('?', query.0);
        let direct = sql.replace('$', named.1).replace('?', query.1);
        match random.below(8) {
            0 => self.parse(statement, named),
            1 => {
                self.parse("", query);
                self.bind(cursor, "");
            }
            2 => {
                self.bind("r", statement);
                self.describe(b'P', "r");
                self.execute("r", random.pick(&[0, 1]));
            }
            3 => {
                self.parse("", (&through, &direct));
                self.bind("r", "");
                self.execute("r", 0);
            }
            _ => self.query((&through, &direct)),
        }
    }

    fn copy_data(&mut self, random: &mut Random) {
        let rows = random.pick(&[
            ("", ""),
            ("7\tseven\n", "7\tseven\tacme\n"),
            ("7\tseven\n8\teight", "7\tseven\tacme\n8\teight\tacme"),
            ("9\tni\\\nne\r\n", "9\tni\\\nne\tacme\r\n"),
            ("7\tseven\n\\.\n8\tignored\n", "7\tseven\tacme\n\\.\n8\tignored\tacme\n"),
            ("x\tseven\n", "x\tseven\tacme\n"),
            ("1\tone\n", "1\tone\tacme\n"),
            ("7\n", "7\tacme\n"),
            ("7\tseven\tglobex\n", "7\tseven\tglobex\tacme\n"),
        ]);
        self.say_both(&frame(b'd', rows.0.as_bytes()), &frame(b'd', rows.1.as_bytes()));
        self.say(random.pick(&[&frame(b'c', b"")[..], &frame(b'c', b""), &frame(b'f', b"gave up\0")]));
    }

    const COPY: (&str, &str) = ("COPY notes (id, body) FROM STDIN", "COPY notes (id, body, tenant_id) FROM STDIN");

    fn random(random: &mut Random) -> Self {
        let mut script = Self::default();
        for number in 0..1 + random.below(14) {
            let (name, portal) = (random.pick(&["", "", "a", "b"]), random.pick(&["", "", "p", "q"]));
            let statement = random.pick(STATEMENTS);
            match random.below(18) {
                13.. => script.names(random),
                0..=3 => script.query(statement),
                4 => script.parse(name, statement),
                5 => script.bind(portal, name),
                // A portal that cannot have failed to be bound. What a failed Query leaves of the unnamed one crashes
                // PostgreSQL 15 when it is executed, and what a failed Bind leaves is an empty one.
                6 => {
                    script.parse("", STATEMENTS[1]);
                    script.bind("r", "");
                    if random.below(2) == 0 {
                        script.sync();
                    }
                    script.execute("r", 1);
                    script.execute("r", 0);
                }
                7 => script.describe(random.pick(b"SP"), random.pick(&[name, portal])),
                8 => {
                    script.parse(name, (INSERT, INSERT));
                    script.bind_value(portal, name, random.pick(&["acme", "globex"]));
                    script.execute(portal, 0);
                }
                9 => {
                    script.query(Self::COPY);
                    script.copy_data(random);
                }
                10 => {
                    let name = format!("copy{number}");
                    script.parse(&name, Self::COPY);
                    script.bind(&name, &name);
                    script.execute(&name, 0);
                    if random.below(2) == 0 {
                        script.sync();
                    }
                    script.copy_data(random);
                    script.sync();
                }
                _ => {
                    script.parse(name, statement);
                    script.bind(portal, name);
                    script.describe(b'P', portal);
                    script.execute(portal, random.pick(&[0, 0, 1]));
                }
            }
            if random.below(3) == 0 {
                script.sync();
            }
        }
        script.sync();
        script.query(("ROLLBACK", "ROLLBACK"));
        script.query((LAST, LAST));
        script
    }
}

/// `CONVERSATION_SEEDS` makes it longer.
#[expect(clippy::disallowed_methods, reason = "how much to test is the caller's choice")]
fn seeds() -> u64 {
    std::env::var("CONVERSATION_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(400)
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_look_the_same_with_and_without_partywall() {
    let mut house = House::open("").await;
    let mut superuser = tokio_postgres::Config::new();
    superuser.host_path(house.postgres.socket_folder()).port(house.postgres.port()).dbname("app");
    superuser.user(ThrowawayPostgres::SUPERUSER).password(house.postgres.superuser_password());
    let (superuser, connection) = superuser.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let rows =
        "SELECT coalesce(string_agg(concat_ws('|', tenant_id, id, body), ' ' ORDER BY tenant_id, id), '') FROM notes";
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let script = Script::random(&mut random);
        superuser.batch_execute(FILL).await.unwrap();
        let direct = shown(&in_time(house.direct(&script.direct), &script).await);
        assert!(direct.last().is_some_and(|last| last == "Z I"), "seed {seed}: the server left{}", script.story);
        let rows_direct: String = superuser.query_one(rows, &[]).await.unwrap().get(0);
        superuser.batch_execute(FILL).await.unwrap();
        let mut sizes = || 1 + random.below(300);
        let through = shown(&in_time(house.through(&script.through, &mut sizes), &script).await);
        let rows_through: String = superuser.query_one(rows, &[]).await.unwrap().get(0);
        let differs = direct.iter().zip(&through).position(|(direct, through)| direct != through);
        let at = differs.unwrap_or(direct.len().min(through.len()));
        let near = |messages: &[String]| messages[at.saturating_sub(3)..messages.len().min(at + 3)].join("\n    ");
        assert!(
            direct == through,
            "seed {seed}{}\ndirect:\n    {}\nthrough:\n    {}",
            script.story,
            near(&direct),
            near(&through)
        );
        assert_eq!(rows_direct, rows_through, "seed {seed}{}", script.story);
    }
}
