//! One audit record as one line of JSON: who, when, what was reached, how it was decided.

use aws_lc_rs::digest;

use crate::audit::event::{Body, Event, class, concerned, is_rewritten, reached, rule};
use crate::audit::json;
use crate::audit::tag::PolicyTag;
use crate::guard::{Facts, ObjectAccess};
use crate::session::effect::{RecordPhase, StatementEvent};

/// Bytes of normalised SQL that a record carries; beyond it `sql.cut` is true. The hash is over the whole.
pub const SQL_TEXT_BYTES_MAX: usize = 8_192;

/// Bytes of objects after which the others are only counted, in `objects_more`.
const OBJECTS_BYTES_MAX: usize = 131_072;

const NO_SESSION_HEAD: &[u8] =
    b"\"tenant\":null,\"actor\":{\"user\":null,\"user_src\":\"none\",\"db_role\":null,\"app\":null,\"auth\":null}";
const NO_SESSION_TAIL: &[u8] = b"\"src\":{\"ip\":null,\"port\":null}";

impl Event<'_> {
    /// Appends the record from `"time"` to the last key before `proxy`, without the braces around it.
    pub fn render(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"time\":");
        json::time(out, self.time);
        out.extend_from_slice(b",\"type\":");
        json::string(out, self.event_type.as_str());
        self.render_phase(out);
        out.extend_from_slice(b",\"outcome\":");
        json::string(out, self.outcome.as_str());
        if let Some(reason) = self.reason {
            out.extend_from_slice(b",\"reason\":");
            json::string(out, reason);
        }
        out.extend_from_slice(b",\"sqlstate\":");
        let sqlstate = self.sqlstate.as_ref().and_then(|code| std::str::from_utf8(code).ok());
        json::string_or_null(out, sqlstate);
        out.extend_from_slice(b",\"severity\":");
        json::number(out, self.severity as u64);
        out.push(b',');
        self.render_head(out);
        self.render_counters(out);
        out.push(b',');
        out.extend_from_slice(self.session.map_or(NO_SESSION_TAIL, |tag| &tag.tail));
        self.render_body(out);
        if let Some(PolicyTag(policy)) = self.policy {
            out.extend_from_slice(policy);
            if let Body::Statement(event, _) = self.body {
                out.extend_from_slice(b",\"rule\":");
                json::string(out, &rule(event));
                out.extend_from_slice(b",\"rewritten\":");
                json::boolean(out, is_rewritten(event));
            }
            out.push(b'}');
        }
    }

    fn render_phase(&self, out: &mut Vec<u8>) {
        let Body::Statement(event, begin) = self.body else { return };
        match event.phase {
            RecordPhase::Single => {}
            RecordPhase::Begin(_) => out.extend_from_slice(b",\"phase\":\"begin\""),
            RecordPhase::End(_) => {
                out.extend_from_slice(b",\"phase\":\"end\"");
                if let Some(begin) = begin {
                    out.extend_from_slice(b",\"begin\":\"");
                    out.extend_from_slice(begin.log.as_bytes());
                    out.push(b'/');
                    json::number(out, begin.seq);
                    out.push(b'"');
                }
            }
        }
    }

    fn render_head(&self, out: &mut Vec<u8>) {
        let Some(tag) = self.session else { return out.extend_from_slice(NO_SESSION_HEAD) };
        out.extend_from_slice(&tag.tenant);
        out.extend_from_slice(&tag.actor);
        if let Some(user) = &tag.user {
            out.extend_from_slice(b",\"on_behalf_of\":");
            json::string(out, user);
        }
        out.extend_from_slice(&tag.session);
    }

    fn render_counters(&self, out: &mut Vec<u8>) {
        let (transaction, statement) = match self.body {
            Body::Statement(event, _) => (event.transaction_number, event.statement_number),
            Body::Session(totals) => (totals.transactions, totals.statements),
            Body::Nothing | Body::Loss(_) | Body::Checkpoint(_) => return,
        };
        out.extend_from_slice(b",\"txn\":");
        json::number(out, transaction);
        out.extend_from_slice(b",\"stmt\":");
        json::number(out, statement);
    }

    fn render_body(&self, out: &mut Vec<u8>) {
        match self.body {
            Body::Nothing => {}
            Body::Statement(event, _) => render_statement(out, event),
            Body::Session(totals) => render_amounts(out, totals.rows, None, totals.bytes, totals.duration_us),
            Body::Checkpoint(note) => {
                out.extend_from_slice(b",\"note\":");
                json::string(out, note);
            }
            Body::Loss(loss) => {
                out.extend_from_slice(b",\"loss\":{\"from\":");
                json::time(out, loss.first);
                out.extend_from_slice(b",\"to\":");
                json::time(out, loss.last);
                out.extend_from_slice(b",\"count\":");
                json::number(out, loss.count);
                out.extend_from_slice(b",\"cause\":");
                json::string(out, loss.cause.as_str());
                out.push(b'}');
            }
        }
    }
}

fn render_statement(out: &mut Vec<u8>, event: &StatementEvent) {
    let facts = event.decision.facts();
    out.extend_from_slice(b",\"command\":");
    json::string_or_null(out, concerned(event).next().map(|statement| statement.command));
    out.extend_from_slice(b",\"class\":");
    json::string(out, class(event));
    render_sql(out, facts, event.text_bytes);
    out.extend_from_slice(b",\"objects\":[");
    render_objects(out, event);
    let duration = event.ended.microseconds_since(event.started);
    if !matches!(event.phase, RecordPhase::Begin(_)) {
        render_amounts(out, event.rows, event.rows_affected, event.bytes, duration);
    }
}

fn render_sql(out: &mut Vec<u8>, facts: &Facts, text_bytes: usize) {
    out.extend_from_slice(b",\"sql\":{\"text\":");
    let text = cut_bytes(&facts.normalized, SQL_TEXT_BYTES_MAX);
    json::string_or_null(out, Some(text).filter(|text| !text.is_empty()));
    out.extend_from_slice(b",\"hash\":\"");
    let hash = digest::digest(&digest::SHA256, facts.normalized.as_bytes());
    json::hex(out, hash.as_ref().get(..8).unwrap_or_default());
    out.extend_from_slice(b"\",\"len\":");
    json::number(out, text_bytes as u64);
    out.extend_from_slice(b",\"cut\":");
    json::boolean(out, text.len() < facts.normalized.len());
    out.push(b'}');
}

/// Those with sensitive columns first: what is left out where there are too many is never one of them alone.
fn render_objects(out: &mut Vec<u8>, event: &StatementEvent) {
    let begin = out.len();
    let sensitive = reached(event).filter(|object| !object.sensitive.is_empty());
    let others = reached(event).filter(|object| object.sensitive.is_empty());
    let mut more = 0;
    for object in sensitive.chain(others) {
        if out.len() - begin > OBJECTS_BYTES_MAX {
            more += 1;
            continue;
        }
        if out.len() > begin {
            out.push(b',');
        }
        render_object(out, object);
    }
    out.push(b']');
    if more > 0 {
        out.extend_from_slice(b",\"objects_more\":");
        json::number(out, more);
    }
}

fn render_object(out: &mut Vec<u8>, object: &ObjectAccess) {
    out.extend_from_slice(b"{\"schema\":");
    json::string(out, &object.relation.schema);
    out.extend_from_slice(b",\"name\":");
    json::string(out, &object.relation.name);
    out.extend_from_slice(b",\"kind\":");
    json::string(out, object.lens.as_str());
    out.extend_from_slice(b",\"access\":");
    list(out, object.access.iter().map(|access| access.as_str()));
    out.extend_from_slice(b",\"columns\":");
    list(out, object.columns.iter().map(String::as_str));
    out.extend_from_slice(b",\"sensitive\":{");
    for (index, (column, class)) in object.sensitive.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(out, column);
        out.push(b':');
        json::string(out, class.as_str());
    }
    out.extend_from_slice(b"}}");
}

fn list<'a>(out: &mut Vec<u8>, words: impl Iterator<Item = &'a str>) {
    out.push(b'[');
    for (index, word) in words.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(out, word);
    }
    out.push(b']');
}

fn render_amounts(out: &mut Vec<u8>, rows: u64, affected: Option<u64>, bytes: u64, duration_us: u64) {
    out.extend_from_slice(b",\"rows\":");
    json::number(out, rows);
    out.extend_from_slice(b",\"affected\":");
    json::number_or_null(out, affected);
    out.extend_from_slice(b",\"bytes\":");
    json::number(out, bytes);
    out.extend_from_slice(b",\"dur_us\":");
    json::number(out, duration_us);
}

fn cut_bytes(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
