//! Shows a statement, what PostgreSQL received, and the answer; and checks each step against the truth.

use std::fmt;

use bytes::BytesMut;
use tokio_postgres::error::DbError;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::demo::DemoError;
use crate::demo::agency::TenantProfile;
use crate::demo::stand::{Stand, explain};
use crate::demo::terminal::{Style, Terminal};

/// The name under which the tour's statements stand in the server's log.
pub(crate) const APPLICATION: &str = "tour";

/// One tenant's connection through Partywall.
pub(crate) struct Visitor {
    pub(crate) profile: TenantProfile,
    pub(crate) client: Client,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Rows that the statement changed or returned.
    pub(crate) count: u64,
    pub(crate) error: Option<Refused>,
    /// What PostgreSQL received for it.
    pub(crate) received: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) sqlstate: String,
    pub(crate) message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl Answer {
    /// As psql prints rows unaligned: what the truth is compared with.
    pub(crate) fn unaligned(&self) -> String {
        self.rows.iter().map(|row| row.join("|") + "\n").collect()
    }

    pub(crate) fn sqlstate(&self) -> &str {
        self.error.as_ref().map_or("", |error| &error.sqlstate)
    }
}

/// Leads through the steps and counts what did not come out as promised.
pub(crate) struct Guide<'a> {
    pub(crate) stand: &'a Stand,
    pub(crate) terminal: &'a Terminal,
    step: u32,
    checks: u32,
    failures: u32,
    pub(crate) refusals: u32,
}

impl<'a> Guide<'a> {
    pub(crate) fn new(stand: &'a Stand, terminal: &'a Terminal) -> Self {
        Self { stand, terminal, step: 0, checks: 0, failures: 0, refusals: 0 }
    }

    /// (checks made, checks failed)
    pub(crate) fn score(&self) -> (u32, u32) {
        (self.checks, self.failures)
    }

    pub(crate) fn step(&mut self, title: &str, words: &str) {
        self.step += 1;
        self.terminal.heading(&format!("{}. {title}", self.step));
        self.terminal.say(words);
    }

    /// A claim that holds if the two are equal.
    pub(crate) fn check<T: PartialEq + fmt::Debug>(&mut self, claim: &str, found: T, promised: T) {
        self.checks += 1;
        if found == promised {
            self.terminal.margin("checked", Style::Good, claim);
        } else {
            self.failures += 1;
            self.terminal.margin("FAILED", Style::Bad, claim);
            self.terminal.labelled("found", Style::Plain, &format!("{found:?}"));
            self.terminal.labelled("promised", Style::Plain, &format!("{promised:?}"));
        }
    }

    /// What the superuser sees on a direct connection.
    pub(crate) fn truth(&self, sql: &str) -> Result<String, DemoError> {
        self.stand.postgres.psql(sql)
    }

    /// One Query message through Partywall, shown from end to end.
    pub(crate) async fn ask(&mut self, visitor: &Visitor, sql: &str) -> Answer {
        self.terminal.blank();
        self.terminal.labelled(visitor.profile.tenant, Style::Bold, sql);
        let before = self.stand.postgres.log().len();
        let outcome = visitor.client.simple_query(sql).await;
        let mut answer = Answer::default();
        match outcome {
            Ok(messages) => messages.into_iter().for_each(|message| answer.take(message)),
            Err(error) => answer.error = Some(Refused::from(&error)),
        }
        self.show(sql, answer, before)
    }

    /// Parse, Bind and Execute, as drivers do; parameters in text.
    pub(crate) async fn ask_with_parameters(&mut self, visitor: &Visitor, sql: &str, parameters: &[&str]) -> Answer {
        self.terminal.blank();
        self.terminal.labelled(visitor.profile.tenant, Style::Bold, sql);
        self.terminal.labelled("with", Style::Dim, &parameters.join(", "));
        let before = self.stand.postgres.log().len();
        let values: Vec<AsText<'_>> = parameters.iter().map(|text| AsText(text)).collect();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let mut answer = Answer::default();
        match visitor.client.query(sql, &values).await {
            Ok(rows) => {
                let names =
                    rows.first().map(|row| row.columns().iter().map(|column| column.name().to_owned()).collect());
                answer.columns = names.unwrap_or_default();
                let cells = |row: &tokio_postgres::Row| (0..row.len()).map(|index| cell(row, index)).collect();
                answer.rows = rows.iter().map(cells).collect();
                answer.count = rows.len() as u64;
            }
            Err(error) => answer.error = Some(Refused::from(&error)),
        }
        self.show(sql, answer, before)
    }

    fn show(&mut self, sql: &str, mut answer: Answer, log_before: usize) -> Answer {
        let log = self.stand.postgres.log();
        answer.received = statements_in(log.get(log_before..).unwrap_or_default());
        for text in &answer.received {
            self.terminal.sent("sent", sql, text);
        }
        if answer.received.is_empty() {
            self.terminal.margin("sent", Style::Dim, "nothing: PostgreSQL never saw it");
        }
        if let Some(error) = &answer.error {
            self.refusals += u32::from(answer.received.is_empty());
            self.terminal.labelled("answer", Style::Plain, &format!("ERROR {}: {}", error.sqlstate, error.message));
            for (label, text) in [("detail", &error.detail), ("hint", &error.hint)] {
                if let Some(text) = text {
                    self.terminal.labelled(label, Style::Dim, text);
                }
            }
        } else if answer.columns.is_empty() {
            self.terminal.margin("answer", Style::Plain, &format!("done, {} rows", answer.count));
        } else {
            self.terminal.table(&answer.columns, &answer.rows);
        }
        answer
    }
}

impl Answer {
    fn take(&mut self, message: SimpleQueryMessage) {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                self.columns = columns.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|index| row.get(index).unwrap_or_default().to_owned());
                self.rows.push(cells.collect());
            }
            SimpleQueryMessage::CommandComplete(count) => self.count = count,
            _ => {}
        }
    }
}

impl From<&tokio_postgres::Error> for Refused {
    fn from(error: &tokio_postgres::Error) -> Self {
        let Some(error) = error.as_db_error() else {
            return Self { sqlstate: String::new(), message: explain(error), detail: None, hint: None };
        };
        Self {
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: DbError::detail(error).map(str::to_owned),
            hint: error.hint().map(str::to_owned),
        }
    }
}

/// The statements of the tour in a piece of the server's log, each on one line.
fn statements_in(log: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    let mut inside = false;
    let begin = format!("@{APPLICATION}@LOG:  ");
    for line in log.lines() {
        if let Some(continued) = line.strip_prefix('\t') {
            if let Some(last) = statements.last_mut().filter(|_| inside) {
                last.push(' ');
                last.push_str(continued);
            }
            continue;
        }
        let entry = line.strip_prefix(&begin).and_then(|entry| {
            entry
                .strip_prefix("statement: ")
                .or_else(|| entry.strip_prefix("execute ")?.split_once(": ").map(|pair| pair.1))
        });
        inside = entry.is_some();
        statements.extend(entry.map(str::to_owned));
    }
    statements
}

fn cell(row: &tokio_postgres::Row, index: usize) -> String {
    if let Ok(text) = row.try_get::<_, String>(index) {
        return text;
    }
    row.try_get::<_, i64>(index).map_or_else(|_| "?".to_owned(), |number| number.to_string())
}

/// A parameter in text, for the server to read in whatever type it wants.
#[derive(Debug)]
struct AsText<'a>(&'a str);

impl ToSql for AsText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_in_a_server_log() {
        let log = "@@LOG:  statement: SELECT 0\n@tour@LOG:  statement: SELECT 1,\n\t2\n@tour@ERROR:  no\n\t3\n\
                   @tour@LOG:  execute s0: SELECT $1\n@tour@DETAIL:  parameters: $1 = 'x'\n";
        assert_eq!(statements_in(log), ["SELECT 1, 2", "SELECT $1"]);
    }
}
