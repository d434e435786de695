//! What the audit trail costs: events a second when each waits for the disk, and the session's share when none does.
#![expect(clippy::unwrap_used, reason = "a benchmark, where a panic is the right report")]
#![expect(clippy::disallowed_methods, reason = "a benchmark asks the clock")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partywall::audit::event::{Event, EventType};
use partywall::audit::identifier;
use partywall::audit::observe;
use partywall::audit::sender::AuditSender;
use partywall::audit::tag::{SessionDescription, SessionTag};
use partywall::audit::writer::{AuditWriter, Origin};
use partywall::config::{Audit, AuditFile, Durability, Spool, Volume};
use partywall::tenant::{LoginName, TenantId, Timestamp};

const NOW: Timestamp = Timestamp(1_795_374_605_123_456);
const SPAN: Duration = Duration::from_secs(5);

fn settings(folder: &Path) -> Audit {
    Audit {
        file: Some(AuditFile { path: folder.join("audit.jsonl") }),
        spool: Some(Spool {
            folder: folder.join("spool"),
            bytes_max: 4 << 30,
            segment_bytes: 16 << 20,
            volume: Volume::Persistent,
        }),
        ..Audit::default()
    }
}

fn session() -> SessionTag {
    SessionTag::new(&SessionDescription {
        session: "0123456789abcdef01234567",
        tenant: Some(&TenantId::parse("acme").unwrap()),
        isolation: "column",
        login: Some(&LoginName::parse("acme_app").unwrap()),
        // So that a record is about as long as that of a point read.
        application_name: Some("an application with a name of sixty three letters, as they have"),
        method: Some("scram-sha-256"),
        source: Some("127.0.0.1:50000".parse().unwrap()),
        upstream: None,
    })
}

/// So many sessions, each of which records and waits, again and again, on one thread as a worker has it.
async fn sessions(sender: &AuditSender, count: usize) -> (u64, Duration) {
    let done = AtomicU64::new(0);
    let begun = Instant::now();
    let tag = session();
    let one = || async {
        let place = sender.place();
        while begun.elapsed() < SPAN {
            let seq = sender.record_awaited(&Event::auth_ok(&tag, NOW)).unwrap();
            std::future::poll_fn(|context| place.poll_durable(Durability::Local, seq, context)).await;
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    futures_util::future::join_all((0..count).map(|_| one())).await;
    (done.load(Ordering::Relaxed), begun.elapsed())
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for count in [1, 16, 64, 256, 1_024] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let origin = Origin { log: identifier::new(NOW, [7; 10]), instance: "host".to_owned() };
        let metrics = observe::new_metrics();
        let (writer, sender) = AuditWriter::start(&settings(folder.path()), &origin, &metrics).unwrap();
        let (events, span) = runtime.block_on(sessions(&sender, count));
        let seconds = span.as_secs_f64();
        println!(
            "{count} sessions, each waits for the disk: {:.0} events/s, {:.2} ms each",
            events as f64 / seconds,
            count as f64 * seconds * 1e3 / events as f64
        );
        writer.close(Duration::from_secs(60));
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let origin = Origin { log: identifier::new(NOW, [7; 10]), instance: "host".to_owned() };
    let metrics = observe::new_metrics();
    let (writer, sender) = AuditWriter::start(&settings(folder.path()), &origin, &metrics).unwrap();
    let tag = session();
    let mut spent = Duration::ZERO;
    let rounds = 100_u32;
    for _ in 0..rounds {
        let begun = Instant::now();
        (0..1_000).for_each(|_| sender.record(&Event::auth_ok(&tag, NOW)));
        spent += begun.elapsed();
        std::thread::sleep(Duration::from_millis(20));
    }
    sender.record(&Event::process(EventType::Stop, NOW));
    println!("async: {:.2} us a record on the session's thread", spent.as_secs_f64() * 1e6 / f64::from(rounds * 1_000));
    writer.close(Duration::from_secs(60));
}
