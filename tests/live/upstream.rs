//! Reaching an upstream: what works, and what is said when it does not.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use partywall::catalog::{Catalog, FunctionKind, Identity, KeyKind, QualifiedName, Relation, RelationKind, TypeKind};
use partywall::config::{Upstream, UpstreamTls};
use partywall::demo::certificates::Authority;
use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};
use partywall::net::stream::Socket;
use partywall::net::tls::{Negotiation, ServerTls};
use partywall::upstream::{ConnectError, ConnectErrorKind, Target, cancel, connect, load_catalog, schema_fingerprint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn upstream(host: &str, port: u16, tls: UpstreamTls) -> Upstream {
    Upstream {
        name: "main".to_owned(),
        host: host.to_owned(),
        port,
        database: "app".to_owned(),
        user: "app".to_owned(),
        password: None,
        tls,
        connect_timeout: Duration::from_secs(10),
    }
}

fn target(settings: &Upstream, password: &str) -> Target {
    Target::new(settings, Some(password.to_owned()), &["public".to_owned()]).unwrap()
}

async fn failure(settings: &Upstream, password: &str) -> ConnectError {
    let error = connect(&target(settings, password), &[]).await.unwrap_err();
    let client = format!("{} {}", error.client_message(), error.client_hint());
    assert!(!client.contains(&settings.host) && !client.contains(&settings.user), "{client}");
    error
}

fn postgres(plain: PlainConnections) -> ThrowawayPostgres {
    let postgres = ThrowawayPostgres::start(Options { plain, ..Options::default() }).unwrap();
    postgres.create_role("app", "app-secret").unwrap();
    postgres
}

#[tokio::test]
async fn connects_only_where_it_should() {
    let postgres = postgres(PlainConnections::Refused);
    let verified = || UpstreamTls::VerifyFull { ca_file: Some(postgres.ca_file()) };
    let good = upstream("127.0.0.1", postgres.port(), verified());
    let parameters = [
        ("application_name".to_owned(), "a test".to_owned()),
        ("TimeZone".to_owned(), "Asia/Tokyo".to_owned()),
        ("Search_Path".to_owned(), "evil".to_owned()),
    ];
    let connected = connect(&target(&good, "app-secret"), &parameters).await.unwrap();
    assert!(connected.stream.is_tls());
    assert!(connected.key.is_some());
    assert_eq!(connected.parameter("application_name"), Some("a test"));
    assert_eq!(connected.parameter("TimeZone"), Some("Asia/Tokyo"));
    assert_eq!(connected.parameter("client_encoding"), Some("UTF8"));

    let folder = postgres.socket_folder().to_str().unwrap().to_owned();
    let local = upstream(&folder, postgres.port(), UpstreamTls::Disable);
    assert!(!connect(&target(&local, "app-secret"), &[]).await.unwrap().stream.is_tls());

    let kind = async |settings: &Upstream, password: &str| failure(settings, password).await.kind();
    let other = Authority::new("somebody else").unwrap();
    let wrong_ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(wrong_ca.path(), other.certificate_pem()).unwrap();
    let settings =
        Upstream { tls: UpstreamTls::VerifyFull { ca_file: Some(wrong_ca.path().to_owned()) }, ..good.clone() };
    assert_eq!(kind(&settings, "app-secret").await, ConnectErrorKind::TlsAuthority);
    assert_eq!(kind(&good, "wrong").await, ConnectErrorKind::Authentication);
    let settings = Upstream { tls: UpstreamTls::Disable, ..good.clone() };
    assert_eq!(kind(&settings, "app-secret").await, ConnectErrorKind::Authentication);
    let settings = Upstream { database: "missing".to_owned(), ..good.clone() };
    assert_eq!(kind(&settings, "app-secret").await, ConnectErrorKind::Refused);
    let settings = Upstream { user: ThrowawayPostgres::SUPERUSER.to_owned(), ..good.clone() };
    assert_eq!(kind(&settings, postgres.superuser_password()).await, ConnectErrorKind::Unsuitable);
    postgres.psql("ALTER ROLE app SET standard_conforming_strings = off; ALTER ROLE app CONNECTION LIMIT 0").unwrap();
    assert_eq!(kind(&good, "app-secret").await, ConnectErrorKind::TooManyConnections);
    postgres.psql("ALTER ROLE app CONNECTION LIMIT -1").unwrap();
    connect(&target(&good, "app-secret"), &[]).await.expect("the start-up packet wins over the role's settings");
    postgres.psql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").unwrap();
    let settings = Upstream { database: "latin".to_owned(), ..good.clone() };
    assert_eq!(kind(&settings, "app-secret").await, ConnectErrorKind::Unsuitable);
    let port = postgres.port();
    drop(postgres);
    let settings = upstream("127.0.0.1", port, UpstreamTls::Disable);
    assert_eq!(kind(&settings, "app-secret").await, ConnectErrorKind::Down);
}

/// A server of five lines: says `answer` to whatever comes first, then keeps the connection.
async fn impostor(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(answer).await.unwrap();
            kept.push(stream);
        }
    });
    port
}

/// A server whose certificate is in order, but for another name.
async fn misnamed(authority: &Authority, ca: &Path) -> Upstream {
    let folder = tempfile::tempdir().unwrap();
    let files = authority.issue(&["db.example"], folder.path(), "other").unwrap();
    let tls = ServerTls::load(&files.certificate, &files.key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 8];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(b"S").await.unwrap();
        assert!(tls.accept(Socket::Tcp(stream), Negotiation::Requested).await.is_err());
    });
    upstream("127.0.0.1", port, UpstreamTls::VerifyFull { ca_file: Some(ca.to_owned()) })
}

#[tokio::test]
async fn an_impostor_gets_no_further_than_its_first_word() {
    let authority = Authority::new("nobody").unwrap();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), authority.certificate_pem()).unwrap();
    let verified = |path: &Path| UpstreamTls::VerifyFull { ca_file: Some(path.to_owned()) };
    let cases: [(&[u8], ConnectErrorKind); 5] = [
        (b"N", ConnectErrorKind::TlsUnavailable),
        (b"E\0\0\0\x0bSFATAL\0", ConnectErrorKind::Refused),
        (b"X", ConnectErrorKind::Protocol),
        // Plain bytes behind the S are taken for TLS, not for a message.
        (b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", ConnectErrorKind::Tls),
        (b"", ConnectErrorKind::Timeout),
    ];
    for (answer, kind) in cases {
        let mut settings = upstream("127.0.0.1", impostor(answer).await, verified(ca.path()));
        settings.connect_timeout = Duration::from_millis(if answer.is_empty() { 200 } else { 10_000 });
        assert_eq!(failure(&settings, "secret").await.kind(), kind, "{answer:?}");
    }
    assert_eq!(failure(&misnamed(&authority, ca.path()).await, "secret").await.kind(), ConnectErrorKind::TlsName);
    // Without TLS: a message of two gigabytes is announced, a password is asked for in clear text.
    for (answer, kind) in [
        (&b"R\x7f\xff\xff\xff"[..], ConnectErrorKind::Protocol),
        (b"R\0\0\0\x08\0\0\0\x03", ConnectErrorKind::Authentication),
    ] {
        let settings = upstream("127.0.0.1", impostor(answer).await, UpstreamTls::Disable);
        assert_eq!(failure(&settings, "secret").await.kind(), kind, "{answer:?}");
    }
}

#[tokio::test]
async fn a_cancel_request_reaches_its_connection() {
    let postgres = postgres(PlainConnections::Refused);
    let tls = UpstreamTls::VerifyFull { ca_file: Some(postgres.ca_file()) };
    let target = target(&upstream("127.0.0.1", postgres.port(), tls), "app-secret");
    let mut connected = connect(&target, &[]).await.unwrap();
    connected.stream.write_all(b"Q\0\0\0\x19select pg_sleep(600)\0").await.unwrap();
    connected.stream.flush().await.unwrap();
    let under_way = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' \
                     AND pid <> pg_backend_pid()";
    while postgres.psql(under_way).unwrap() != "1\n" {}
    cancel(&target, &connected.key.clone().unwrap()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(5).any(|bytes| bytes == b"57014") {
        assert_ne!(connected.stream.read_buf(&mut answer).await.unwrap(), 0);
    }
}

const RICH: &str = r#"
    CREATE SCHEMA crm;
    CREATE TYPE crm.mood AS ENUM ('happy', 'sad');
    CREATE DOMAIN crm.email AS text DEFAULT 'a@b' CHECK (VALUE LIKE '%@%');
    CREATE TYPE crm.pair AS (a int, b text);
    CREATE COLLATION crm.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE crm.clients (
        tenant_id text NOT NULL,
        id bigint GENERATED ALWAYS AS IDENTITY,
        number int GENERATED BY DEFAULT AS IDENTITY,
        name varchar(40) COLLATE crm.blind,
        gone int,
        mood crm.mood DEFAULT 'happy',
        mail crm.email,
        tags text[],
        name_length int GENERATED ALWAYS AS (number * 2) STORED,
        during tstzrange,
        PRIMARY KEY (tenant_id, id),
        UNIQUE (mail) INCLUDE (tags),
        EXCLUDE USING gist (during WITH &&));
    ALTER TABLE crm.clients DROP COLUMN gone;
    CREATE UNIQUE INDEX clients_lower ON crm.clients (tenant_id, lower(mail)) WHERE number > 0;
    ALTER TABLE crm.clients ENABLE ROW LEVEL SECURITY;
    CREATE TABLE "Orders" (
        tenant_id text NOT NULL, "Id" int NOT NULL, client bigint,
        CONSTRAINT to_client FOREIGN KEY (tenant_id, client) REFERENCES crm.clients (tenant_id, id)
    ) PARTITION BY LIST (tenant_id);
    CREATE TABLE orders_acme PARTITION OF "Orders" FOR VALUES IN ('acme');
    CREATE VIEW crm.happy AS SELECT id, name FROM crm.clients WHERE mood = 'happy';
    CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM "Orders";
    CREATE RULE loud AS ON DELETE TO crm.clients DO ALSO NOTIFY deleted;
    CREATE FUNCTION crm.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touched BEFORE UPDATE ON crm.clients FOR EACH ROW EXECUTE FUNCTION crm.touch();
    CREATE FUNCTION public.label(who crm.mood, VARIADIC rest integer[]) RETURNS text
        LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT 1::text';
    CREATE PROCEDURE nothing() LANGUAGE sql AS '';
    CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
    CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE OPERATOR public.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
    CREATE EXTENSION citext SCHEMA public;
"#;

fn relation<'a>(catalog: &'a Catalog, schema: &str, name: &str) -> &'a Relation {
    catalog.relations.iter().find(|relation| relation.schema == schema && relation.name == name).unwrap()
}

#[tokio::test]
async fn a_rich_schema_is_read_in_full() {
    let postgres = postgres(PlainConnections::Refused);
    let tls = UpstreamTls::VerifyFull { ca_file: Some(postgres.ca_file()) };
    let target = target(&upstream("127.0.0.1", postgres.port(), tls), "app-secret");
    let mut seen = vec![schema_fingerprint(&target).await.unwrap()];
    postgres.psql(RICH).unwrap();
    let catalog = load_catalog(&target).await.unwrap();
    check_relations(&catalog);
    check_clients(relation(&catalog, "crm", "clients"));
    check_other_objects(&catalog);

    // Every change of the schema shows, and nothing else does.
    seen.push(schema_fingerprint(&target).await.unwrap());
    for change in [
        "ALTER TABLE crm.clients ALTER number DROP IDENTITY, ALTER number DROP NOT NULL",
        "ALTER TABLE crm.clients RENAME name TO title",
        "ALTER TABLE crm.clients ALTER tags TYPE varchar[]",
        "CREATE OR REPLACE VIEW crm.happy AS SELECT id, title AS name FROM crm.clients",
        "CREATE OR REPLACE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT false'",
        "DROP TRIGGER touched ON crm.clients",
        "DROP INDEX crm.clients_lower",
        "ALTER SCHEMA crm RENAME TO sales",
    ] {
        postgres.psql(change).unwrap();
        let now = schema_fingerprint(&target).await.unwrap();
        assert!(!seen.contains(&now), "{change}");
        seen.push(now);
    }
    postgres
        .psql("INSERT INTO sales.clients (tenant_id) VALUES ('acme'); ANALYZE; CREATE TEMP TABLE t (a text)")
        .unwrap();
    assert_eq!(seen.last(), Some(&schema_fingerprint(&target).await.unwrap()));
}

fn check_relations(catalog: &Catalog) {
    assert_eq!(catalog.server_version / 10_000, 15);
    assert_eq!(catalog.database, "app");
    let kinds: Vec<(String, RelationKind)> =
        catalog.relations.iter().map(|relation| (relation.qualified_name().to_string(), relation.kind)).collect();
    let expected = [
        ("crm.clients", RelationKind::Table),
        ("crm.clients_id_seq", RelationKind::Sequence),
        ("crm.clients_number_seq", RelationKind::Sequence),
        ("crm.happy", RelationKind::View),
        ("public.Orders", RelationKind::PartitionedTable),
        ("public.counts", RelationKind::MaterializedView),
        ("public.orders_acme", RelationKind::Table),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
    let part = relation(catalog, "public", "orders_acme");
    assert_eq!(part.parents, [QualifiedName::new("public", "Orders")]);
    let definition = relation(catalog, "crm", "happy").definition.as_deref().unwrap();
    assert!(definition.contains("FROM crm.clients") && definition.contains("'happy'::crm.mood"), "{definition}");
    assert!(relation(catalog, "public", "counts").definition.is_some());
    let [key] = &relation(catalog, "public", "Orders").keys[..] else { panic!("one key") };
    assert_eq!((key.name.as_str(), key.kind), ("to_client", KeyKind::Foreign));
    assert_eq!(key.columns, ["tenant_id", "client"]);
    let references = key.references.as_ref().unwrap();
    assert_eq!((references.schema.as_str(), references.name.as_str()), ("crm", "clients"));
    assert_eq!(references.columns, ["tenant_id", "id"]);
}

fn check_clients(clients: &Relation) {
    let names: Vec<&str> = clients.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["tenant_id", "id", "number", "name", "mood", "mail", "tags", "name_length", "during"]);
    let column = |name: &str| clients.column(name).unwrap();
    assert!(column("tenant_id").not_null && !column("tenant_id").has_default);
    assert_eq!(column("id").identity, Some(Identity::Always));
    assert_eq!(column("number").identity, Some(Identity::ByDefault));
    assert!(column("id").has_default && column("mail").has_default && column("name_length").generated);
    assert!(column("name").nondeterministic_collation && !column("mail").nondeterministic_collation);
    let types: Vec<String> =
        clients.columns.iter().map(|column| format!("{}.{}", column.type_schema, column.type_name)).collect();
    assert_eq!(types[3..7], ["pg_catalog.varchar", "crm.mood", "crm.email", "pg_catalog._text"]);
    let keys: BTreeMap<&str, _> = clients.keys.iter().map(|key| (key.name.as_str(), key)).collect();
    assert_eq!(keys.len(), 4);
    assert_eq!(keys["clients_pkey"].kind, KeyKind::Primary);
    assert_eq!(keys["clients_pkey"].columns, ["tenant_id", "id"]);
    assert_eq!(keys["clients_during_excl"].kind, KeyKind::Exclusion);
    assert_eq!(keys["clients_mail_tags_key"].columns, ["mail"]);
    let lower = keys["clients_lower"];
    assert_eq!((lower.kind, lower.has_expressions, lower.partial), (KeyKind::Unique, true, true));
    assert_eq!(lower.columns, ["tenant_id"]);
    assert_eq!((&clients.rules[..], &clients.triggers[..]), (&["loud".to_owned()][..], &["touched".to_owned()][..]));
    assert!(clients.row_security);
}

fn check_other_objects(catalog: &Catalog) {
    let function = |name: &str| catalog.functions.iter().find(|function| function.name == name).unwrap();
    let label = function("label");
    assert_eq!((label.arguments.as_str(), label.language.as_str()), ("crm.mood, integer[]", "sql"));
    assert!(label.security_definer && !label.leakproof);
    assert_eq!(function("nothing").kind, FunctionKind::Procedure);
    assert_eq!(function("total").kind, FunctionKind::Aggregate);
    assert_eq!(function("citext_cmp").extension.as_deref(), Some("citext"));
    let ours: Vec<&str> = catalog.operators.iter().filter(|o| o.extension.is_none()).map(|o| o.name.as_str()).collect();
    assert_eq!(ours, ["==="]);
    assert!(catalog.operators.iter().any(|operator| operator.extension.as_deref() == Some("citext")));
    let kinds: Vec<(&str, TypeKind)> = catalog.types.iter().map(|ty| (ty.name.as_str(), ty.kind)).collect();
    let expected = [
        ("email", TypeKind::Domain),
        ("mood", TypeKind::Enum),
        ("pair", TypeKind::Composite),
        ("citext", TypeKind::Base),
    ];
    assert_eq!(kinds, expected);
}
