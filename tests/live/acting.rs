//! One session, many tenants: whom it acts for is what the server's own setting says, and the rows are that tenant's.

use partywall::tenant::{Identity, LoginName};

use crate::conversation::{House, LAST, Random, frame};

const POLICY: &str = "
    [tenancy]
    column = \"tenant_id\"
    [login.pool]
    tenants = [\"acme\", \"g*\"]
    scram = \"SCRAM-SHA-256$4096:qhwXQDnFlAqCwGZzNmtbNw==$RyfUkORi6eIQQNt5mctMSjgOubNaYhkD4ssk+ML6gu8=:9N/MAnWWfByeIUCrClOBPdPmm0as9xzR4UTam58MkNg=\"
";

const ROWS: &str = "
    INSERT INTO notes SELECT n, t || ' ' || n, t FROM unnest(ARRAY['acme', 'globex', 'other']) t, generate_series(1, 3) n;
";

/// What a client may do to the setting, and to the transaction around it.
const STEPS: &[&str] = &[
    "SET partywall.tenant = 'acme'",
    "SET partywall.tenant TO globex",
    "SET LOCAL partywall.tenant = 'acme'",
    "SET LOCAL partywall.tenant = 'globex'",
    "SET SESSION partywall.tenant = ''",
    "SET LOCAL partywall.tenant TO DEFAULT",
    "SET partywall.tenant = 'other'",
    "RESET partywall.tenant",
    "RESET ALL",
    "DISCARD ALL",
    "BEGIN",
    "BEGIN",
    "BEGIN; SET LOCAL partywall.tenant = 'globex'",
    "COMMIT",
    "COMMIT; BEGIN",
    "COMMIT AND CHAIN",
    "ROLLBACK",
    "ROLLBACK AND CHAIN",
    "SAVEPOINT a",
    "SAVEPOINT b",
    "ROLLBACK TO a",
    "ROLLBACK TO b",
    "RELEASE a",
    "RELEASE b",
    "SELECT 1/0",
    "SET partywall.tenant = 'globex'; SELECT 1/0",
    "SET partywall.tenant = 'acme'; COMMIT; SET partywall.tenant = 'globex'; SELECT 1/0",
    "SET partywall.tenant = 'acme'; SELECT tenant_id FROM notes",
    "SELECT id FROM notes; COMMIT",
];

/// What the setting is at the server, and right behind it whose rows are seen.
const PROBE: [&str; 2] = ["SHOW partywall.tenant", "SELECT DISTINCT tenant_id FROM notes"];

fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', format!("{sql}\0").as_bytes())
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

fn run(name: &str) -> Vec<u8> {
    [frame(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes()), frame(b'E', b"\0\0\0\0\0")].concat()
}

/// Prepared once, and run for whichever tenant it then is.
fn preparation() -> Vec<u8> {
    [parse("show", PROBE[0]), parse("rows", PROBE[1]), frame(b'S', b"")].concat()
}

fn conversation(random: &mut Random) -> (Vec<u8>, String) {
    let (mut said, mut story) = (preparation(), String::new());
    for _ in 0..2 + random.below(12) {
        let step = random.pick(STEPS);
        story += &format!("\n  {step}");
        if step.contains(';') || random.below(2) == 0 {
            said.extend(query(step));
        } else {
            said.extend([parse("", step), run("")].concat());
            // Without it the probe runs in the same transaction, if none has been begun.
            if random.below(2) == 0 {
                story += " [sync]";
                said.extend(frame(b'S', b""));
            }
        }
        match random.below(4) {
            0 => said.extend([run("show"), run("rows"), frame(b'S', b"")].concat()),
            1 => said.extend([parse("", PROBE[0]), run(""), parse("", PROBE[1]), run(""), frame(b'S', b"")].concat()),
            // Not the next message: what a client sends without waiting must be judged the same.
            2 => {}
            _ => said.extend([frame(b'S', b""), query(PROBE[0]), query(PROBE[1])].concat()),
        }
    }
    said.extend([frame(b'S', b""), query("ROLLBACK"), query(PROBE[0]), query(PROBE[1]), query(LAST)].concat());
    (said, story)
}

/// Messages as their types, with the text of rows and the codes of errors.
fn messages(mut bytes: &[u8]) -> Vec<(char, String)> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        let (kind, body) = (char::from(bytes[0]), &bytes[5..=length]);
        bytes = &bytes[1 + length..];
        let text = match kind {
            'D' => String::from_utf8_lossy(&body[6..]).into_owned(),
            'E' => {
                let fields = body.split(|byte| *byte == 0);
                fields
                    .filter(|field| b"CM".contains(field.first().unwrap_or(&0)))
                    .map(String::from_utf8_lossy)
                    .collect()
            }
            _ => String::from_utf8_lossy(body).trim_end_matches('\0').to_owned(),
        };
        messages.push((kind, text));
    }
    messages
}

/// Every probe that was answered: what the server said the tenant was, and what was seen.
fn check(messages: &[(char, String)], story: &str) -> usize {
    let told: Vec<_> = messages.iter().filter(|(kind, _)| "DCE".contains(*kind)).collect();
    let mut probes = 0;
    for (at, (kind, text)) in told.iter().enumerate() {
        assert!(*kind != 'D' || text != "other", "{text} was seen after{story}");
        if *kind != 'C' || text != "SHOW" {
            continue;
        }
        let tenant = &told[at - 1].1;
        let Some((kind, seen)) = told.get(at + 1) else { continue };
        match kind {
            'D' => assert_eq!(seen, tenant, "another tenant's rows after{story}\n{messages:?}"),
            'E' if seen.contains("needs a tenant") => assert_eq!(tenant, "", "no tenant after{story}"),
            // Not the probe's second part: a step that failed.
            _ => continue,
        }
        probes += 1;
    }
    probes
}

#[tokio::test]
async fn the_session_follows_the_setting_as_the_server_does() {
    let identity = Identity { login: LoginName::parse("pool").unwrap(), tenant: None };
    let settings = [("partywall.tenant", ""), ("partywall.user", "")];
    let mut house = House::open_as("", POLICY, identity, &settings).await;
    house.postgres.psql(ROWS).unwrap();
    let mut random = Random(20_261_125);
    let mut probes = 0;
    for _ in 0..200 {
        let (said, story) = conversation(&mut random);
        let mut sizes = Random(random.0);
        let largest = random.pick(&[3, 50, 100_000]);
        let mut size = || 1 + sizes.below(largest);
        let answers = house.through(&said, &mut size);
        let answers = tokio::time::timeout(std::time::Duration::from_secs(20), answers).await;
        let answers = answers.unwrap_or_else(|_| panic!("no end to{story}"));
        probes += check(&messages(&answers), &story);
    }
    assert!(probes > 500, "{probes} probes were answered");
}
