//! The operator's port: probes, metrics, and what it does with callers who mean no good.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partywall::admin::Admin;
use partywall::audit::observe;
use partywall::audit::sender::AuditSender;
use partywall::cli::ProcessEnvironment;
use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};
use partywall::reload::{Live, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    // The other side may answer and close before it has read all of this.
    drop(socket.write_all(request).await);
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\n\r\n");
    let answer = exchange(address, request.as_bytes()).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn start(port: u16, folder: &std::path::Path) -> (SocketAddr, Arc<Live>) {
    let config = format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n[upstream.main]\nhost = \"127.0.0.1\"\nport = {port}\ndatabase = \"app\"\n\
         user = \"app\"\npassword = {{ file = \"secret\" }}\ntls = \"disable\"\n[policy]\nfile = \"policy.toml\"\n"
    );
    std::fs::write(folder.join("partywall.toml"), config).unwrap();
    std::fs::write(folder.join("policy.toml"), "[tenancy]\ncolumn = \"tenant_id\"\n").unwrap();
    std::fs::write(folder.join("secret"), "app-secret").unwrap();
    let source = Source::new(&folder.join("partywall.toml"), Arc::new(ProcessEnvironment), [7; 32]);
    let settings = source.read().unwrap();
    let metrics = observe::new_metrics();
    let live = Arc::new(Live::new(source, &settings, Arc::clone(&metrics), AuditSender::discard()));
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = admin.local_address().unwrap();
    tokio::spawn(admin.serve(Arc::clone(&live), metrics));
    (address, live)
}

#[tokio::test]
async fn probes_tell_what_is_the_matter() {
    let options = Options { plain: PlainConnections::Allowed, ..Options::default() };
    let mut postgres = ThrowawayPostgres::start(options).unwrap();
    postgres.create_role("app", "app-secret").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (address, live) = start(postgres.port(), folder.path()).await;

    assert_eq!(get(address, "/live").await.0, 200);
    let starting = (503, "{\"status\":\"unavailable\",\"reason\":\"starting\"}\n".to_owned());
    assert_eq!(get(address, "/startup").await, starting);
    assert_eq!(get(address, "/ready").await, starting);

    live.refresh_catalog().await.unwrap();
    assert_eq!(get(address, "/startup").await.0, 200);
    assert_eq!(get(address, "/ready").await.0, 200);

    postgres.kill_immediately().unwrap();
    live.refresh_catalog().await.unwrap_err();
    let (status, body) = get(address, "/ready").await;
    assert_eq!((status, body.contains("\"upstream_unreachable\"")), (503, true), "{body}");
    assert_eq!(get(address, "/startup").await.0, 200);
    assert_eq!(get(address, "/live").await.0, 200);

    live.health().set_draining();
    let (status, body) = get(address, "/ready").await;
    assert_eq!((status, body.contains("\"draining\"")), (503, true), "{body}");

    let (status, body) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("partywall_upstream_up{upstream=\"main\"} 0"), "{body}");
    assert_eq!(get(address, "/").await.0, 404);
    assert_eq!(get(address, "/metrics/../live").await.0, 404);
}

#[tokio::test]
async fn bad_callers_get_an_error_or_nothing_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _live) = start(1, folder.path()).await;
    let post = exchange(address, b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    for request in [
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        [b"GET /live HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(1_000), b"\r\n".to_vec()].concat(),
        [b"GET /live HTTP/1.1\r\nX: ".to_vec(), vec![b'y'; 100_000], b"\r\n\r\n".to_vec()].concat(),
        [b"GET /".to_vec(), vec![b'y'; 100_000], b" HTTP/1.1\r\n\r\n".to_vec()].concat(),
    ] {
        // A reset is as good: the caller had more to say than we read.
        let answer = exchange(address, &request).await.unwrap_or_default();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }

    let mut idle = Vec::new();
    for _ in 0..32 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    // Whoever comes on top is turned away at once.
    assert_eq!(exchange(address, b"").await.unwrap_or_default(), "");
    drop(idle);
    let served = async {
        while !exchange(address, b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .is_ok_and(|answer| answer.contains("200 OK"))
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), served).await.expect("served again when places are free");
}
