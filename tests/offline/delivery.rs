//! Records on their way to an HTTP server that refuses, hangs up, and comes back.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use partywall::audit::event::{Event, EventType};
use partywall::audit::identifier;
use partywall::audit::observe;
use partywall::audit::writer::{AuditWriter, Origin};
use partywall::config::{Audit, AuditHttp, Spool, Volume};
use partywall::metrics::Metrics;
use partywall::tenant::Timestamp;

const NOON: Timestamp = Timestamp(1_795_374_605_000_000);

/// What the server does with a request, after it has read it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Takes,
    Refuses,
    HangsUp,
}

/// Answers one request after another, each as it is told; takes all behind those. Sends what it has taken.
fn server(answers: Vec<Answer>) -> (u16, Receiver<(String, Vec<u64>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, taken) = channel();
    // Ends with the test, whose process ends.
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        for stream in listener.incoming() {
            let answer = answers.next().unwrap_or(Answer::Takes);
            let mut stream = stream.unwrap();
            let request = request(&mut stream);
            let status = match answer {
                Answer::Takes => "204 No Content",
                Answer::Refuses => "503 Service Unavailable",
                Answer::HangsUp => continue,
            };
            if answer == Answer::Takes && send.send(request).is_err() {
                return;
            }
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        }
    });
    (port, taken)
}

/// The key and the records' numbers.
fn request(stream: &mut TcpStream) -> (String, Vec<u64>) {
    let mut reader = BufReader::new(stream);
    let (mut key, mut length) = (String::new(), 0);
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        match line.trim_end().split_once(": ") {
            Some(("Idempotency-Key", value)) => value.clone_into(&mut key),
            Some(("Content-Length", value)) => length = value.parse().unwrap(),
            Some(("Content-Type", value)) => assert_eq!(value, "application/x-ndjson"),
            Some(_) => {}
            None => assert_eq!(line, "POST /audit?from=test HTTP/1.1\r\n"),
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let record = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap();
    (key, body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(record).collect())
}

fn settings(folder: &Path, port: u16) -> Audit {
    Audit {
        spool: Some(Spool {
            folder: folder.join("spool"),
            bytes_max: 1 << 30,
            segment_bytes: 20_000,
            volume: Volume::Persistent,
        }),
        http: Some(AuditHttp {
            host: "127.0.0.1".to_owned(),
            port,
            path: "/audit?from=test".to_owned(),
            timeout: Duration::from_secs(5),
        }),
        ..Audit::default()
    }
}

fn origin() -> Origin {
    Origin { log: identifier::new(NOON, [3; 10]), instance: "test".to_owned() }
}

fn sample(metrics: &Metrics, series: &str) -> f64 {
    let text = metrics.render();
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {series} in\n{text}"))
}

#[test]
fn a_server_that_refuses_and_hangs_up_gets_every_record_in_order() {
    use Answer::{HangsUp, Refuses, Takes};
    let folder = tempfile::tempdir().unwrap();
    let (port, taken) = server(vec![Refuses, HangsUp, Takes, Refuses, Takes]);
    let metrics = observe::new_metrics();
    let (writer, sender) = AuditWriter::start(&settings(folder.path(), port), &origin(), &metrics).unwrap();
    let records = 3_000;
    for number in 1..=records {
        sender.record(&Event::process(EventType::Config, NOON));
        // So that there are several batches.
        if number % 1_000 == 0 {
            thread::yield_now();
        }
    }
    let mut expected = 1;
    let log = identifier::text(&origin().log);
    while expected <= records {
        let (key, numbers) = taken.recv_timeout(Duration::from_secs(60)).unwrap();
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        assert_eq!(key, format!("\"{log}/{first}-{last}\""));
        assert!(numbers.iter().copied().eq(expected..=last), "{expected}: {numbers:?}");
        expected = last + 1;
    }
    writer.close(Duration::from_secs(30));
    assert_eq!(sample(&metrics, r#"partywall_audit_sink_retries_total{sink="http"}"#), 3.0);
    assert_eq!(sample(&metrics, r#"partywall_audit_sink_acked_total{sink="http"}"#), 3_000.0);
    assert_eq!(sample(&metrics, r#"partywall_audit_sink_up{sink="http"}"#), 1.0);
}

/// The process ends while the server is away: the spool keeps the records, and the next process delivers them.
#[test]
fn what_a_process_could_not_deliver_the_next_one_does() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there: the port was free a moment ago, and is given up.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let metrics = observe::new_metrics();
    let (writer, sender) = AuditWriter::start(&settings(folder.path(), nobody), &origin(), &metrics).unwrap();
    (0..200).for_each(|_| sender.record(&Event::process(EventType::Config, NOON)));
    writer.close(Duration::from_secs(30));
    let (port, taken) = server(Vec::new());
    let (writer, sender) = AuditWriter::start(&settings(folder.path(), port), &origin(), &metrics).unwrap();
    sender.record(&Event::process(EventType::Start, NOON));
    writer.close(Duration::from_secs(30));
    let all: BTreeSet<u64> = taken.try_iter().flat_map(|(_, numbers)| numbers).collect();
    assert!(all.iter().copied().eq(1..=201), "{all:?}");
}
