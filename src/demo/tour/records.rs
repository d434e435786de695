//! Steps that look at what was kept: the audit record of a sensitive read, and the metrics.

use std::fs;

use serde_json::Value;

use super::eventually;
use crate::demo::DemoError;
use crate::demo::guide::{Guide, Visitor};
use crate::demo::terminal::Style;

pub(super) async fn sensitive_read(guide: &mut Guide<'_>, acme: &Visitor) -> Result<(), DemoError> {
    guide.step(
        "A sensitive read, and its audit record",
        "The policy names columns that hold personal and payment data. Each read of them is on record: who, when, \
         which columns, how many rows. The record holds no values.",
    );
    let answer =
        guide.ask(acme, "SELECT name, email, iban FROM contacts WHERE country = 'NO' ORDER BY id LIMIT 3").await;
    let truth = guide.truth(
        "SELECT name, email, iban FROM contacts WHERE client_id = 'acme' AND country = 'NO' ORDER BY id LIMIT 3",
    )?;
    guide.check("the answer is Acme's own", answer.unaligned(), truth);
    let path = guide.stand.audit_file();
    let record = eventually("the audit record of the read", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        Ok(text.lines().rev().filter_map(|line| serde_json::from_str(line).ok()).find(reads_an_iban))
    })?;
    guide.terminal.blank();
    for (index, (key, text)) in digest(&record).iter().enumerate() {
        guide.terminal.labelled(if index == 0 { "record" } else { "" }, Style::Plain, &format!("{key}: {text}"));
    }
    guide.check("the record names the tenant", record.get("tenant"), Some(&Value::from("acme")));
    guide.check("the record counts the rows", record.get("rows"), Some(&Value::from(answer.rows.len())));
    guide.check("the record classes the e-mail address", class_of(&record, "email"), Some("pii".to_owned()));
    guide.check("the record classes the account number", class_of(&record, "iban"), Some("pci".to_owned()));
    guide.check("the record holds no literal of the statement", record.to_string().contains("'NO'"), false);
    Ok(())
}

pub(super) fn metrics(guide: &mut Guide<'_>) -> Result<(), DemoError> {
    guide.step(
        "The metrics",
        "Prometheus reads them from the admin port. No tenant and no statement stands in a label.",
    );
    let refusals = f64::from(guide.refusals);
    let proxy = &guide.stand.proxy;
    let page = eventually("the count of refusals", || {
        let (_, page) = proxy.admin_page("/metrics")?;
        Ok((sum_of(&page, "partywall_denied_total") >= refusals).then_some(page))
    })?;
    guide.terminal.blank();
    let shown = [
        "partywall_sessions",
        "partywall_statements_total",
        "partywall_rows_returned_total",
        "partywall_denied_total",
        "partywall_sensitive_reads_total",
        "partywall_audit_events_total",
        "partywall_audit_lost_total",
    ];
    for name in shown {
        let mut samples: Vec<&str> = page.lines().filter(|line| is_sample_of(line, name)).collect();
        samples.retain(|line| !line.ends_with(" 0"));
        samples.sort_unstable();
        samples.iter().for_each(|line| guide.terminal.margin("", Style::Plain, line));
    }
    guide.terminal.margin("", Style::Dim, "and more; those that are 0 are left out here");
    guide.check("each refusal of this tour is counted", sum_of(&page, "partywall_denied_total"), refusals);
    guide.check("no audit record was lost", sum_of(&page, "partywall_audit_lost_total"), 0.0);
    guide.check("sensitive reads are counted", sum_of(&page, "partywall_sensitive_reads_total") > 0.0, true);
    guide.check("no label names a tenant", page.contains("acme") || page.contains("globex"), false);
    Ok(())
}

/// The record's fields that tell the story; the file has them all.
fn digest(record: &Value) -> Vec<(&'static str, String)> {
    let text = |pointer: &str| record.pointer(pointer).map(plain).unwrap_or_default();
    let mut fields = vec![
        ("time", text("/time")),
        ("tenant", text("/tenant")),
        ("login", format!("{}, by {}, application {}", text("/actor/user"), text("/actor/auth"), text("/actor/app"))),
        ("outcome", text("/outcome")),
        ("statement", text("/sql/text")),
        ("rows", text("/rows")),
    ];
    for object in record.get("objects").and_then(Value::as_array).into_iter().flatten() {
        let part = |key: &str| object.get(key).map(plain).unwrap_or_default();
        fields.push(("table", format!("{}.{}, {}", part("schema"), part("name"), part("access"))));
        fields.push(("columns", part("columns")));
        fields.push(("sensitive", part("sensitive")));
    }
    fields
}

/// A JSON value without its marks.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| format!("{key} is {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn reads_an_iban(record: &Value) -> bool {
    class_of(record, "iban").is_some()
}

/// The class of a column in the record's list of objects.
fn class_of(record: &Value, column: &str) -> Option<String> {
    let objects = record.get("objects")?.as_array()?;
    let class = objects.iter().find_map(|object| object.get("sensitive")?.get(column)?.as_str());
    class.map(str::to_owned)
}

fn is_sample_of(line: &str, name: &str) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
}

fn sum_of(page: &str, name: &str) -> f64 {
    let samples = page.lines().filter(|line| is_sample_of(line, name));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
