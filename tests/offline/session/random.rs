//! Random conversations through a session and a model of PostgreSQL, compared with the model alone.

use partywall::guard::{ParameterCheck, StatementClass, TenantValue};
use partywall::session::SessionLimits;
use partywall::session::effect::Outcome;

use crate::frames::*;
use crate::session::server::{FOREIGN, Server, class, meaning};
use crate::session::{LIMITS, Pair, Script};

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn execute_some(portal: &str, rows_max: u32) -> Vec<u8> {
    frame(b'E', &[portal.as_bytes(), b"\0", &rows_max.to_be_bytes()].concat())
}

/// What a client might send: mostly sense, sometimes not.
fn conversation(random: &mut Random) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for _ in 0..1 + random.below(30) {
        let name = random.pick(&["", "", "a", "b"]);
        let portal = random.pick(&["", "", "p", "q"]);
        let number = random.pick(&[1, 1, 2, 3, 6, 7, 8, 8, 9, 10, 11, 12, 13, 14, 15, 16, 99]);
        let sql = if random.below(4) == 0 { "SELECT secret".to_owned() } else { format!("SELECT {number}") };
        let value = if random.below(6) == 0 { FOREIGN } else { b"acme" };
        match random.below(14) {
            0..=2 => messages.push(query(&sql)),
            3 | 4 => messages.push(parse(name, &sql, &[])),
            5 => messages.push(bind(portal, name, &[], &[Some(value)])),
            6 => messages.push(execute(portal)),
            7 => messages.push(describe(random.pick(b"SP"), random.pick(&[name, portal]))),
            8 => messages.push(close(random.pick(b"SP"), random.pick(&[name, portal]))),
            9 => messages.push(flush()),
            10 | 11 => messages.push(sync()),
            _ => {
                messages.push(parse(name, &sql, &[]));
                messages.push(bind(portal, name, &[], &[Some(value)]));
                messages.push(describe(b'P', portal));
                messages.push(execute_some(portal, random.pick(&[0, 0, 1, 2])));
            }
        }
        if random.below(if number == 11 || number == 16 { 1 } else { 12 }) == 0 {
            copy_data(random, &mut messages);
            if number == 16 {
                copy_data(random, &mut messages);
            }
        }
    }
    // Whatever state this has led to, it ends here: with COPY over and every answer given.
    messages.extend([frame(b'f', b"end\0"), frame(b'f', b"end\0"), sync()]);
    messages
}

fn copy_data(random: &mut Random, messages: &mut Vec<Vec<u8>>) {
    for _ in 0..random.below(2) {
        messages.push(sync());
    }
    for _ in 0..random.below(3) {
        messages.push(frame(b'd', random.pick(&[&b"1\n"[..], b"2", b"bad\n"])));
    }
    messages.push(if random.below(4) == 0 { frame(b'f', b"no\0") } else { frame(b'c', b"") });
    if random.below(2) == 0 {
        messages.push(sync());
    }
}

fn script() -> Script {
    let classes = (1..100u32).filter_map(|number| {
        let statements = meaning(&format!("SELECT {number}")).ok()?;
        Some((format!("SELECT {number}"), statements.into_iter().map(class).collect()))
    });
    let tenant = TenantValue::Text("acme".to_owned());
    let check = ParameterCheck { parameter: 1, value: tenant, column: "tenant_id".to_owned() };
    Script { classes: classes.collect(), checks: vec![check], ..Script::default() }
}

fn run(seed: u64, limits: SessionLimits) {
    let mut random = Random(seed);
    let messages = conversation(&mut random);
    let mut alone = Server::new();
    alone.receive(&messages.concat());

    let mut pair = Pair::with_limits(script(), limits);
    let mut server = Server::new();
    let input = messages.concat();
    let (mut sent, mut answered, mut quiet) = (0, 0, 0);
    while quiet < 3 && pair.ended.is_none() {
        let before = (sent, answered, pair.to_upstream.len(), pair.to_client.len());
        let count = random.below(200).min(input.len() - sent);
        pair.client(&input[sent..sent + count]);
        sent += count;
        if random.below(2) == 0 {
            server.receive(&pair.sent());
        }
        let count = (1 + random.below(60)).min(server.output.len() - answered);
        pair.upstream(&server.output[answered..answered + count]);
        answered += count;
        let after = (sent, answered, pair.to_upstream.len(), pair.to_client.len());
        quiet = if before == after && sent == input.len() { quiet + 1 } else { 0 };
        if quiet > 0 {
            server.receive(&pair.sent());
        }
    }
    let story = || messages.iter().map(|message| format!("\n  {}", show_client(message))).collect::<String>();
    let (seen, expected) = (comparable(&pair.to_client), comparable(&alone.output));
    if alone.closed {
        let begin = expected.rsplit_once(" E(C08P01").map_or("", |(before, _)| before);
        let seen = seen.rsplit_once("E(C08P01").map_or(seen.as_str(), |(before, _)| before.trim_end());
        assert!(begin.starts_with(seen), "seed {seed}{}\nseen     {seen}\nexpected {expected}", story());
        return;
    }
    assert_eq!(pair.ended, None, "seed {seed}{}\nseen     {seen}\nexpected {expected}", story());
    if seen != expected {
        let same = seen.bytes().zip(expected.bytes()).take_while(|(seen, expected)| seen == expected).count();
        let from = same.saturating_sub(100);
        panic!("seed {seed}{}\nseen     …{}\nexpected …{}", story(), &seen[from..], &expected[from..]);
    }
    assert!(!pair.session.holds_client(), "seed {seed}");
    for text in &server.texts {
        assert!(text.starts_with("PARTYWALL_REFUSED_") || text != "SELECT secret", "seed {seed}: {text} went upstream");
    }
    let answers = cut(&pair.to_client);
    let events = pair.events();
    let rows = answers.iter().filter(|(kind, _)| b"Dd".contains(kind)).count();
    assert_eq!(events.iter().map(|event| event.rows).sum::<u64>(), rows as u64, "seed {seed}{}", story());
    let completions = answers.iter().filter(|(kind, _)| b"CIs".contains(kind));
    let mut allowed = events.iter().filter(|event| event.outcome == Outcome::Allow);
    for (kind, body) in completions {
        let event = allowed.next().unwrap_or_else(|| panic!("seed {seed}: too few records{}", story()));
        let class = event.decision.facts().statements[event.statement].class;
        let tag = String::from_utf8_lossy(body);
        let fits = match class {
            StatementClass::Read => *kind == b's' || tag.starts_with("SELECT"),
            StatementClass::Transaction => ["BEGIN", "COMMIT", "ROLLBACK"].iter().any(|word| tag.starts_with(word)),
            StatementClass::CopyIn | StatementClass::CopyOut => tag.starts_with("COPY"),
            StatementClass::Discard => tag.starts_with("DEALLOCATE"),
            StatementClass::Empty => *kind == b'I',
            StatementClass::Write | StatementClass::Setting => false,
        };
        assert!(fits, "seed {seed}: {class:?} recorded for {tag}{}", story());
    }
    assert!(allowed.next().is_none(), "seed {seed}: too many records{}", story());
}

/// In a failed transaction the unnamed portal is gone for us a little earlier than for the server, which says of it that
/// the transaction is aborted: what a failed Query leaves of it must not be executed.
fn comparable(output: &[u8]) -> String {
    let gone = "E(C34000,Mportal \"\" does not exist)";
    show(&strip(output)).replace(gone, "E(C25P02,Mcurrent transaction is aborted)")
}

/// Errors without what only a refusal of ours has (detail and hint), and without what only a server's has.
fn strip(output: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, body) in cut(output) {
        if kind == b'E' {
            let fields: Vec<&[u8]> = body.split(|byte| *byte == 0).filter(|field| !field.is_empty()).collect();
            let kept: Vec<&[u8]> = fields.into_iter().filter(|field| b"SVCM".contains(&field[0])).collect();
            bytes.extend(frame(b'E', &[kept.join(&0), b"\0\0".to_vec()].concat()));
        } else {
            bytes.extend(frame(kind, &body));
        }
    }
    bytes
}

fn show_client(message: &[u8]) -> String {
    let text: String =
        message[5..].iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
    format!("{} {text}", char::from(message[0]))
}

/// `SESSION_SEEDS` makes it longer.
#[expect(clippy::disallowed_methods, reason = "how much to test is the caller's choice")]
fn seeds() -> u64 {
    std::env::var("SESSION_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(4_000)
}

#[test]
fn random_conversations_are_answered_as_by_the_server_alone() {
    (0..seeds()).for_each(|seed| run(seed, SessionLimits { statements_max: 100, portals_max: 100, ..LIMITS }));
}

#[test]
fn a_short_pipeline_makes_the_client_wait_and_changes_nothing() {
    let limits = SessionLimits { statements_max: 100, portals_max: 100, pipeline_max: 3, ..LIMITS };
    (0..seeds()).for_each(|seed| run(seed, limits));
}
