//! A decision that holds for other literals is the decision that those would have got.

use std::collections::BTreeMap;

use partywall::guard::Decision;
use partywall::guard::PrivateRelations;
use partywall::guard::Protocol;
use partywall::guard::Request;
use partywall::guard::Ruleset;
use partywall::guard::TextLimits;
use partywall::guard::decide;
use partywall::sql;
use partywall::sql::TokenKind;
use partywall::tenant::Identity;
use partywall::tenant::LoginName;
use partywall::tenant::TenantId;

use crate::corpus::every_case;
use crate::corpus::load_schemas;

/// Texts made of each case.
const VARIANTS: usize = 12;

#[test]
fn what_a_template_answers_is_what_would_be_decided() {
    let schemas = load_schemas();
    let mut random = Random(1);
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for (schema, tenant, text) in every_case() {
        let decider = Decider::new(&schemas[&schema], &tenant);
        let Decision::Forward(forward) = decider.decide(&text) else { continue };
        let Some(template) = &forward.template else { continue };
        for _ in 0..VARIANTS {
            let other = with_other_literals(&text, &mut random);
            let cut = sql::cut(&other, &TextLimits::default()).unwrap();
            assert_eq!(cut.shape(), *template.shape(), "{text}\n{other}");
            let Some(Decision::Forward(answer)) = template.answer(&cut) else {
                *tally.entry("the long way").or_default() += 1;
                continue;
            };
            *tally.entry("answered").or_default() += 1;
            let Decision::Forward(decided) = decider.decide(&other) else {
                panic!("answered by the template of\n{text}\nbut refused:\n{other}");
            };
            assert_eq!(answer.sql, decided.sql, "{text}\n{other}");
            assert_eq!(answer.facts, decided.facts, "{text}\n{other}");
            assert_eq!(answer.parameter_checks, decided.parameter_checks, "{text}\n{other}");
            assert_eq!(answer.copy_in, decided.copy_in, "{text}\n{other}");
        }
    }
    eprintln!("{tally:?}");
    assert!(tally["answered"] > 2_000 && tally["the long way"] > 100, "{tally:?}");
}

/// Values that drivers change from one statement to the next must not send it the long way.
#[test]
fn values_that_decide_nothing_are_free() {
    for (first, second) in [
        (
            "SELECT id FROM invoices WHERE id = 17 AND total > 1.5",
            "SELECT id FROM invoices WHERE id = 1 AND total > 12.25",
        ),
        ("SELECT id FROM contacts WHERE email = 'a@b.c'", "SELECT id FROM contacts WHERE email = 'it''s; --'"),
        ("SELECT id FROM contacts WHERE email LIKE 'a%'", "SELECT id FROM contacts WHERE email LIKE '%übel%'"),
        ("INSERT INTO tags (label, color) VALUES ('a', 'b')", "INSERT INTO tags (label, color) VALUES ('', 'longer')"),
        ("UPDATE tags SET color = 'x' WHERE label = 'y'", "UPDATE tags SET color = 'xyz' WHERE label = 'z'"),
        (
            "SELECT id FROM invoices ORDER BY id LIMIT 10 OFFSET 20",
            "SELECT id FROM invoices ORDER BY id LIMIT 5 OFFSET 1000",
        ),
    ] {
        assert!(is_answered_by_template_of(first, second), "{second}");
    }
}

/// Values that the guard has looked at are not.
#[test]
fn values_that_decide_are_not_free() {
    for (first, second) in [
        (
            "INSERT INTO tags (client_id, label) VALUES ('acme', 'a')",
            "INSERT INTO tags (client_id, label) VALUES ('globex', 'a')",
        ),
        ("SELECT id FROM contacts WHERE email LIKE 'a%'", r"SELECT id FROM contacts WHERE email LIKE 'a\'"),
        ("SELECT id, number FROM invoices GROUP BY 1, 2", "SELECT id, number FROM invoices GROUP BY 2, 1"),
        ("SELECT total::numeric(10, 2) FROM invoices", "SELECT total::numeric(12, 2) FROM invoices"),
        (
            "SELECT 1 FROM invoices WHERE issued > now() - interval '1 day'",
            "SELECT 1 FROM invoices WHERE issued > now() - interval '99999999 y'",
        ),
    ] {
        assert!(!is_answered_by_template_of(first, second), "{second}");
    }
}

fn is_answered_by_template_of(first: &str, second: &str) -> bool {
    let schemas = load_schemas();
    let Decision::Forward(forward) = Decider::new(&schemas["agency"], "acme").decide(first) else { panic!("{first}") };
    let cut = sql::cut(second, &TextLimits::default()).unwrap();
    forward.template.is_some_and(|template| template.answer(&cut).is_some())
}

struct Decider<'a> {
    ruleset: &'a Ruleset,
    identity: Identity,
}

impl<'a> Decider<'a> {
    fn new(ruleset: &'a Ruleset, tenant: &str) -> Self {
        let tenant = Some(TenantId::parse(tenant).unwrap());
        Self { ruleset, identity: Identity { login: LoginName::parse("app").unwrap(), tenant } }
    }

    fn decide(&self, sql: &str) -> Decision {
        let limits = TextLimits::default();
        let protocol = Protocol::Simple;
        decide(
            self.ruleset,
            &Request {
                identity: &self.identity,
                sql,
                protocol,
                parameter_types: &[],
                limits: &limits,
                private: PrivateRelations::none(),
            },
        )
    }
}

/// Most of the literals become others of the same class.
fn with_other_literals(text: &str, random: &mut Random) -> String {
    let tokens = sql::lex(text, &TextLimits::default()).unwrap();
    let bytes: Vec<usize> = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect();
    let mut other = String::new();
    let mut copied = 0;
    for i in 0..tokens.len() {
        let old = tokens.text(i);
        let new = match tokens.kind(i) {
            Some(TokenKind::String) if old.starts_with('\'') && !old.contains('\n') => random.one_of(STRINGS),
            Some(TokenKind::Integer) => random.one_of(INTEGERS),
            Some(TokenKind::Number) if !old.bytes().all(|byte| byte.is_ascii_digit()) => random.one_of(NUMBERS),
            _ => continue,
        };
        if random.below(3) == 0 {
            continue;
        }
        let start = bytes[tokens.position(i) as usize - 1];
        other.push_str(&text[copied..start]);
        other.push_str(new);
        copied = start + old.len();
    }
    other + &text[copied..]
}

#[rustfmt::skip]
const STRINGS: &[&str] = &[
    "''", "'acme'", "'globex'", "'a''b'", "'%'", r"'a\'", "'1 day'", "'100000 years'", "'2024-02-30'", "'$1'", "'--'",
    "'üß'", "'/*'", "'{1,2}'", "'x; DROP TABLE tags'", r"'\'", "'a%b_c'",
];
const INTEGERS: &[&str] = &["0", "1", "2", "3", "7", "99999", "2147483647"];
const NUMBERS: &[&str] = &["0.0", "1.5", "1e10", "123456789.125", ".5"];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one_of<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[self.below(values.len())]
    }
}
