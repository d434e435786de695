//! A small PostgreSQL for tests: what it answers to each message, in which state, as the real one was seen to.
//!
//! Its SQL is `SELECT <number>`, and the number says what the statement is.

use std::collections::{BTreeMap, VecDeque};

use partywall::guard::StatementClass;

use crate::frames::{cut, error, frame, ready, row};

/// One statement of the model's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Rows(u32),
    /// Fails when it runs.
    Fails,
    Begin,
    Commit,
    Rollback,
    CopyIn,
    CopyOut,
    DeallocateAll,
    Empty,
}

/// What a text means; `Err`: why it cannot even be planned.
pub(crate) fn meaning(sql: &str) -> Result<Vec<Meaning>, (&'static str, String)> {
    if let Some(mark) = sql.strip_prefix("PARTYWALL_REFUSED_") {
        return Err(("42601", format!("syntax error at or near \"PARTYWALL_REFUSED_{mark}\"")));
    }
    // Stands for a text that the policy refuses: only the model without Partywall gets to see it.
    if sql == "SELECT secret" {
        return Err(("42P01", "relation does not exist".to_owned()));
    }
    let number: u32 = sql.strip_prefix("SELECT ").unwrap().parse().unwrap();
    Ok(match number {
        1..=5 => vec![Meaning::Rows(number)],
        6 => vec![Meaning::Fails],
        7 => return Err(("42703", "column does not exist".to_owned())),
        8 => vec![Meaning::Begin],
        9 => vec![Meaning::Commit],
        10 => vec![Meaning::Rollback],
        11 => vec![Meaning::CopyIn],
        12 => vec![Meaning::CopyOut],
        13 => vec![Meaning::DeallocateAll],
        14 => vec![Meaning::Empty],
        15 => vec![Meaning::Rows(1), Meaning::Rows(2), Meaning::Fails, Meaning::Rows(1)],
        16 => vec![Meaning::Rows(1), Meaning::CopyIn, Meaning::CopyIn, Meaning::Rows(1)],
        _ => vec![Meaning::Rows(0)],
    })
}

/// What the guard would say of a statement.
pub(crate) fn class(meaning: Meaning) -> StatementClass {
    match meaning {
        Meaning::Rows(_) | Meaning::Fails => StatementClass::Read,
        Meaning::Begin | Meaning::Commit | Meaning::Rollback => StatementClass::Transaction,
        Meaning::CopyIn => StatementClass::CopyIn,
        Meaning::CopyOut => StatementClass::CopyOut,
        Meaning::DeallocateAll => StatementClass::Discard,
        Meaning::Empty => StatementClass::Empty,
    }
}

/// A value that the policy refuses to bind.
pub(crate) const FOREIGN: &[u8] = b"globex";
const NO_FORMAT: u16 = 0x7a7a;

struct Portal {
    statement: Meaning,
    rows_sent: u32,
}

/// Where the data of a COPY comes from.
enum Copy {
    Query(VecDeque<Meaning>),
    Execute,
}

/// One session of it.
pub(crate) struct Server {
    input: Vec<u8>,
    /// Answers that it keeps to itself until it flushes.
    kept: Vec<u8>,
    pub(crate) output: Vec<u8>,
    statements: BTreeMap<String, Meaning>,
    portals: BTreeMap<String, Portal>,
    pub(crate) status: u8,
    skipping: bool,
    copy: Option<Copy>,
    pub(crate) closed: bool,
    /// Every SQL text that came.
    pub(crate) texts: Vec<String>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            input: Vec::new(),
            kept: Vec::new(),
            output: Vec::new(),
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            status: b'I',
            skipping: false,
            copy: None,
            closed: false,
            texts: Vec::new(),
        }
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.input.extend(bytes);
        while let Some(length) = self.input.get(1..5) {
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + 1;
            if self.input.len() < length || self.closed {
                return;
            }
            let message: Vec<u8> = self.input.drain(..length).collect();
            let (kind, body) = cut(&message).remove(0);
            self.message(kind, &body);
        }
    }

    fn message(&mut self, kind: u8, body: &[u8]) {
        if let Some(copy) = self.copy.take() {
            return self.copy_message(copy, kind, body);
        }
        if self.skipping && kind != b'S' {
            return;
        }
        let mut strings = body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        let mut string = || strings.next().unwrap();
        match kind {
            b'Q' => self.query(&string()),
            b'P' => self.parse(string(), &string()),
            b'B' => self.bind(string(), &string(), body),
            b'D' => self.describe(body[0], &string()[1..]),
            b'C' => {
                let name = string();
                if body[0] == b'S' {
                    self.statements.remove(&name[1..]).is_some()
                } else {
                    self.portals.remove(&name[1..]).is_some()
                };
                self.kept.extend(frame(b'3', b""));
            }
            b'E' => {
                let name = string();
                let rows_max = u32::from_be_bytes(body[name.len() + 1..].try_into().unwrap());
                self.execute(&name, rows_max);
            }
            b'S' => {
                self.skipping = false;
                self.ready();
            }
            b'H' => self.flush(),
            b'd' | b'c' | b'f' => {}
            _ => panic!("message {}", char::from(kind)),
        }
    }

    fn flush(&mut self) {
        self.output.append(&mut self.kept);
    }

    fn ready(&mut self) {
        if self.status == b'I' {
            self.portals.clear();
        }
        self.kept.extend(ready(self.status));
        self.flush();
    }

    fn fail(&mut self, sqlstate: &str, message: &str) {
        self.kept.extend(error(sqlstate, message));
        match self.status {
            b'I' => self.portals.clear(),
            _ => self.status = b'E',
        }
        self.flush();
    }

    fn fail_extended(&mut self, sqlstate: &str, message: &str) {
        self.fail(sqlstate, message);
        self.skipping = true;
    }

    fn query(&mut self, sql: &str) {
        self.texts.push(sql.to_owned());
        self.statements.remove("");
        self.portals.remove("");
        match meaning(sql) {
            Err((sqlstate, message)) => {
                self.fail(sqlstate, &message);
                self.ready();
            }
            Ok(statements) => self.run_query(statements.into()),
        }
    }

    fn run_query(&mut self, mut statements: VecDeque<Meaning>) {
        while let Some(statement) = statements.pop_front() {
            if self.is_barred(statement) {
                self.fail("25P02", "current transaction is aborted");
                break;
            }
            if let Meaning::Rows(_) = statement {
                self.kept.extend(frame(b'T', b"\0\0"));
            }
            match self.run(statement, 0, 0) {
                Ran::Done => {}
                Ran::Failed => break,
                Ran::AsksForData => {
                    self.copy = Some(Copy::Query(statements));
                    return;
                }
            }
        }
        self.ready();
    }

    fn is_barred(&self, statement: Meaning) -> bool {
        self.status == b'E' && !matches!(statement, Meaning::Commit | Meaning::Rollback | Meaning::Empty)
    }

    fn run(&mut self, statement: Meaning, rows_sent: u32, rows_max: u32) -> Ran {
        match statement {
            Meaning::Rows(count) => {
                let left = count - rows_sent;
                let now = if rows_max == 0 { left } else { left.min(rows_max) };
                (0..now).for_each(|_| self.kept.extend(row("value")));
                if rows_max != 0 && now == rows_max {
                    self.kept.extend(frame(b's', b""));
                } else {
                    self.complete(&format!("SELECT {now}"));
                }
            }
            Meaning::Fails => {
                self.fail("22012", "division by zero");
                return Ran::Failed;
            }
            Meaning::Begin => {
                self.status = b'T';
                self.complete("BEGIN");
            }
            Meaning::Commit | Meaning::Rollback => {
                let committed = self.status != b'E' && statement == Meaning::Commit;
                self.status = b'I';
                self.portals.clear();
                self.complete(if committed { "COMMIT" } else { "ROLLBACK" });
            }
            Meaning::CopyIn => {
                self.kept.extend(frame(b'G', b"\0\0\x01\0\0"));
                self.flush();
                return Ran::AsksForData;
            }
            Meaning::CopyOut => {
                self.kept.extend(frame(b'H', b"\0\0\x01\0\0"));
                self.kept.extend([frame(b'd', b"1\n"), frame(b'd', b"2\n"), frame(b'c', b"")].concat());
                self.complete("COPY 2");
            }
            Meaning::DeallocateAll => {
                self.statements.clear();
                self.complete("DEALLOCATE ALL");
            }
            Meaning::Empty => self.kept.extend(frame(b'I', b"")),
        }
        Ran::Done
    }

    fn complete(&mut self, tag: &str) {
        self.kept.extend(crate::frames::complete(tag));
    }

    fn copy_message(&mut self, copy: Copy, kind: u8, body: &[u8]) {
        match (kind, copy) {
            (b'd', copy) if body.starts_with(b"bad") => self.copy_failed(copy, "22P02", "invalid input"),
            (b'd' | b'S' | b'H', copy) => self.copy = Some(copy),
            (b'f', copy) => self.copy_failed(copy, "57014", "COPY from stdin failed"),
            (b'c', copy) => {
                self.complete("COPY 1");
                if let Copy::Query(statements) = copy {
                    self.run_query(statements);
                }
            }
            _ => {
                self.kept.extend(error("08P01", "unexpected message type during COPY from stdin"));
                self.flush();
                self.closed = true;
            }
        }
    }

    fn copy_failed(&mut self, copy: Copy, sqlstate: &str, message: &str) {
        match copy {
            Copy::Query(_) => {
                self.fail(sqlstate, message);
                self.ready();
            }
            Copy::Execute => self.fail_extended(sqlstate, message),
        }
    }

    fn parse(&mut self, name: String, sql: &str) {
        self.texts.push(sql.to_owned());
        if name.is_empty() {
            self.statements.remove("");
        }
        let statement = match meaning(sql) {
            // A syntax error (and a refusal, which takes the place of one) comes before the state of the transaction.
            Err((sqlstate, message)) if sqlstate != "42703" || self.status != b'E' => {
                return self.fail_extended(sqlstate, &message);
            }
            Err(_) => return self.fail_extended("25P02", "current transaction is aborted"),
            Ok(statements) => match statements[..] {
                [one] => one,
                _ => return self.fail_extended("42601", "cannot insert multiple commands into a prepared statement"),
            },
        };
        if self.is_barred(statement) {
            return self.fail_extended("25P02", "current transaction is aborted");
        }
        if self.statements.contains_key(&name) {
            return self.fail_extended("42P05", "prepared statement already exists");
        }
        self.statements.insert(name, statement);
        self.kept.extend(frame(b'1', b""));
    }

    fn bind(&mut self, portal: String, name: &str, body: &[u8]) {
        let Some(statement) = self.statements.get(name).copied() else {
            return self.fail_extended("26000", &no_statement(name));
        };
        if self.is_barred(statement) {
            return self.fail_extended("25P02", "current transaction is aborted");
        }
        if portal.is_empty() {
            self.portals.remove("");
        } else if self.portals.contains_key(&portal) {
            return self.fail_extended("42P03", "cursor already exists");
        }
        if body.windows(2).any(|pair| pair == NO_FORMAT.to_be_bytes()) {
            return self.fail_extended("22023", "unsupported format code: 31354");
        }
        // Stands for a refusal by policy, as above.
        if body.windows(FOREIGN.len()).any(|window| window == FOREIGN) {
            return self
                .fail_extended("42501", "value of parameter $1 for column \"tenant_id\" is not this session's tenant");
        }
        self.portals.insert(portal, Portal { statement, rows_sent: 0 });
        self.kept.extend(frame(b'2', b""));
    }

    fn describe(&mut self, kind: u8, name: &str) {
        let statement = match kind {
            b'S' => self.statements.get(name).copied().ok_or_else(|| ("26000", no_statement(name))),
            _ => {
                let portal = self.portals.get(name);
                portal
                    .map(|portal| portal.statement)
                    .ok_or_else(|| ("34000", format!("portal \"{name}\" does not exist")))
            }
        };
        match statement {
            Err((sqlstate, message)) => self.fail_extended(sqlstate, &message),
            Ok(Meaning::Rows(_)) if self.status == b'E' => {
                self.fail_extended("25P02", "current transaction is aborted")
            }
            Ok(statement) => {
                if kind == b'S' {
                    self.kept.extend(frame(b't', b"\0\0"));
                }
                let has_rows = matches!(statement, Meaning::Rows(_));
                self.kept.extend(if has_rows { frame(b'T', b"\0\0") } else { frame(b'n', b"") });
            }
        }
    }

    fn execute(&mut self, name: &str, rows_max: u32) {
        let Some(portal) = self.portals.get(name) else {
            return self.fail_extended("34000", &format!("portal \"{name}\" does not exist"));
        };
        let (statement, rows_sent) = (portal.statement, portal.rows_sent);
        if self.is_barred(statement) {
            return self.fail_extended("25P02", "current transaction is aborted");
        }
        match self.run(statement, rows_sent, rows_max) {
            Ran::Failed => self.skipping = true,
            Ran::AsksForData => self.copy = Some(Copy::Execute),
            Ran::Done => {
                if let (Some(portal), Meaning::Rows(count)) = (self.portals.get_mut(name), statement) {
                    portal.rows_sent = if rows_max == 0 { count } else { count.min(rows_sent + rows_max) };
                }
            }
        }
    }
}

fn no_statement(name: &str) -> String {
    match name {
        "" => "unnamed prepared statement does not exist".to_owned(),
        _ => format!("prepared statement \"{name}\" does not exist"),
    }
}

enum Ran {
    Done,
    Failed,
    AsksForData,
}
