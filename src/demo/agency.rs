//! An agency's database with two tenants: schema, policy, and data that are the same at every run.

use std::fmt::Write as _;

use crate::demo::DemoError;
use crate::demo::postgres::{ThrowawayPostgres, quote_literal};

/// Tables as a careful application makes them: every key carries the tenant's column.
pub const SCHEMA: &str = include_str!("agency.sql");

/// The role that Partywall logs in as: rights on the tables, none beyond.
pub const UPSTREAM_ROLE: &str = "partywall_app";

/// One client of the agency.
#[derive(Debug, Clone, Copy)]
pub struct TenantProfile {
    pub tenant: &'static str,
    pub login: &'static str,
    name: &'static str,
    invoice_prefix: &'static str,
    seed: u64,
    projects: u64,
    contacts: u64,
    invoices: u64,
    time_entries: u64,
}

pub const ACME: TenantProfile = TenantProfile {
    tenant: "acme",
    login: "acme_app",
    name: "Acme Furniture",
    invoice_prefix: "AC",
    seed: 20_260,
    projects: 60,
    contacts: 400,
    invoices: 6_000,
    time_entries: 9_000,
};

pub const GLOBEX: TenantProfile = TenantProfile {
    tenant: "globex",
    login: "globex_app",
    name: "Globex Shipping",
    invoice_prefix: "GX",
    seed: 77_031,
    projects: 45,
    contacts: 350,
    invoices: 5_000,
    time_entries: 7_000,
};

/// Makes the tables and fills them, and makes the role that Partywall logs in as.
pub fn create(postgres: &ThrowawayPostgres, role_password: &str) -> Result<(), DemoError> {
    postgres.create_role(UPSTREAM_ROLE, role_password)?;
    postgres.psql(SCHEMA)?;
    postgres.psql(&countries())?;
    for profile in [ACME, GLOBEX] {
        postgres.psql(&rows_of(&profile))?;
    }
    postgres.psql(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {UPSTREAM_ROLE};\n\
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {UPSTREAM_ROLE};\n\
         ANALYZE;\n"
    ))?;
    Ok(())
}

/// The policy that fits [`SCHEMA`], with logins and their SCRAM verifiers.
pub fn policy(logins: &[(TenantProfile, String)]) -> String {
    let mut text = String::from(
        "# What a security reviewer reads and signs off.\n\n\
         [tenancy]\ncolumn = \"client_id\"              # every table that has this column is scoped by it\n\n\
         [table.\"public.countries\"]\nkind = \"shared\"                   # read by all, written by none\n\n\
         [table.\"public.contacts\"]\nsensitive = { email = \"pii\", iban = \"pci\", note = \"pii\" }\n",
    );
    for (profile, verifier) in logins {
        // Writing to a String cannot fail.
        writeln!(text, "\n[login.{}]\ntenant = \"{}\"\nscram = \"{verifier}\"", profile.login, profile.tenant).ok();
    }
    text
}

const COUNTRIES: &[(&str, &str, &str)] = &[
    ("AT", "Austria", "EUR"),
    ("BE", "Belgium", "EUR"),
    ("CH", "Switzerland", "CHF"),
    ("CZ", "Czechia", "CZK"),
    ("DE", "Germany", "EUR"),
    ("DK", "Denmark", "DKK"),
    ("ES", "Spain", "EUR"),
    ("FI", "Finland", "EUR"),
    ("FR", "France", "EUR"),
    ("GB", "United Kingdom", "GBP"),
    ("IE", "Ireland", "EUR"),
    ("IT", "Italy", "EUR"),
    ("NL", "Netherlands", "EUR"),
    ("NO", "Norway", "NOK"),
    ("PL", "Poland", "PLN"),
    ("PT", "Portugal", "EUR"),
    ("SE", "Sweden", "SEK"),
];

const FIRST_NAMES: &[&str] = &[
    "Ada", "Bela", "Carla", "David", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Katya", "Liam", "Mei", "Nils",
    "Olga", "Pedro", "Rosa", "Sami", "Tove", "Uma", "Viktor", "Wanda", "Yusuf", "Zoe",
];
const LAST_NAMES: &[&str] = &[
    "Andersen",
    "Bakker",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Huber",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Peeters",
    "Rossi",
    "Schmidt",
    "Takahashi",
    "Virtanen",
];
const WORKS: &[&str] =
    &["Web shop", "Brand film", "Trade fair", "Annual report", "Newsletter", "Data platform", "Mobile app", "Campaign"];
const PLACES: &[&str] = &["Oslo", "Porto", "Gdansk", "Lyon", "Graz", "Leeds", "Turin", "Cork"];
const STATUSES: &[&str] = &["open", "paid", "paid", "paid", "overdue", "draft"];
const TASKS: &[&str] = &["Workshop", "Design", "Review", "Development", "Copy", "Call with the client", "Testing"];

/// What Globex writes about its contacts, and nobody else is to read. Acme keeps telephone extensions there.
const CONFIDENCES: &[&str] = &[
    "Wants to leave his firm in May. Tell nobody",
    "Pays late, but the board has approved a credit of 40000",
    "Asked for 14 percent off. We would go to 20",
    "Is to become managing director (not announced yet",
];

fn countries() -> String {
    let mut text = String::from("COPY countries (code, name, currency) FROM STDIN;\n");
    for (code, name, currency) in COUNTRIES {
        writeln!(text, "{code}\t{name}\t{currency}").ok();
    }
    text.push_str("\\.\n");
    text
}

/// A psql script that fills all tables for one tenant.
fn rows_of(profile: &TenantProfile) -> String {
    let mut script = format!(
        "INSERT INTO clients (client_id, name, plan, since) VALUES ({}, {}, 'business', '2023-04-01');\n",
        quote_literal(profile.tenant),
        quote_literal(profile.name),
    );
    let mut dice = Dice(profile.seed);
    copy(&mut script, "projects (client_id, id, name, status, budget, starts_on)", profile.projects, |id| {
        let name = format!("{} {} {id}", dice.one_of(WORKS), dice.one_of(PLACES));
        let status = dice.one_of(&["active", "active", "paused", "done"]);
        format!("{}\t{id}\t{name}\t{status}\t{}000.00\t{}", profile.tenant, dice.between(5, 90), dice.day(2024, 2))
    });
    copy(&mut script, "contacts (client_id, id, name, email, iban, country, note)", profile.contacts, |id| {
        contact(profile, &mut dice, id)
    });
    copy(
        &mut script,
        "invoices (client_id, id, project_id, number, issued_on, amount, currency, status)",
        profile.invoices,
        |id| {
            let project = dice.between(1, profile.projects);
            let amount = format!("{}.{:02}", dice.between(120, 9_800), dice.between(0, 99));
            let (day, status) = (dice.day(2022, 5), dice.one_of(STATUSES));
            let number = format!("{}-{id:05}", profile.invoice_prefix);
            format!("{}\t{id}\t{project}\t{number}\t{day}\t{amount}\tEUR\t{status}", profile.tenant)
        },
    );
    copy(
        &mut script,
        "time_entries (client_id, id, project_id, worked_on, minutes, billable, task)",
        profile.time_entries,
        |id| {
            let (project, day, minutes) =
                (dice.between(1, profile.projects), dice.day(2025, 2), dice.between(1, 32) * 15);
            let billable = dice.one_of(&["t", "t", "f"]);
            format!("{}\t{id}\t{project}\t{day}\t{minutes}\t{billable}\t{}", profile.tenant, dice.one_of(TASKS))
        },
    );
    script
}

fn contact(profile: &TenantProfile, dice: &mut Dice, id: u64) -> String {
    let (first, last) = (dice.one_of(FIRST_NAMES), dice.one_of(LAST_NAMES));
    let email = format!("{}.{}{id}@{}.example", first.to_lowercase(), last.to_lowercase(), profile.tenant);
    let country = dice.one_of(COUNTRIES).0;
    // Check digits 00 never occur in a real account's number.
    let iban = format!("{country}00{:08}{:08}", dice.between(0, 99_999_999), dice.between(0, 99_999_999));
    let note = match profile.tenant {
        "acme" => dice.between(1_000, 9_999).to_string(),
        _ => dice.one_of(CONFIDENCES).to_owned(),
    };
    format!("{}\t{id}\t{first} {last}\t{email}\t{iban}\t{country}\t{note}", profile.tenant)
}

fn copy(script: &mut String, target: &str, count: u64, mut row: impl FnMut(u64) -> String) {
    writeln!(script, "COPY {target} FROM STDIN;").ok();
    for id in 1..=count {
        script.push_str(&row(id));
        script.push('\n');
    }
    script.push_str("\\.\n");
}

/// A small generator of numbers (SplitMix64): the same from the same seed on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    fn one_of<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let index = usize::try_from(self.next() % (choices.len().max(1) as u64)).unwrap_or(0);
        choices.get(index).copied().unwrap_or_default()
    }

    /// A day in one of `years` years from `first` on.
    fn day(&mut self, first: u64, years: u64) -> String {
        let year = first + self.between(0, years - 1);
        format!("{year}-{:02}-{:02}", self.between(1, 12), self.between(1, 28))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_the_same_at_every_run_and_differs_between_tenants() {
        assert_eq!(rows_of(&ACME), rows_of(&ACME));
        assert!(rows_of(&ACME).lines().count() > 15_000);
        assert!(!rows_of(&ACME).contains("globex") && !rows_of(&GLOBEX).contains("acme"));
    }
}
