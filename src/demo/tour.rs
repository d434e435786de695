//! The guided tour: what tenants ask, what PostgreSQL received, what they got; each step checked against the truth.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::demo::DemoError;
use crate::demo::agency::{ACME, GLOBEX, TenantProfile};
use crate::demo::guide::{APPLICATION, Guide, Visitor};
use crate::demo::stand::Stand;
use crate::demo::terminal::{Style, Terminal};

mod reads;
mod records;
mod writes;

/// Walks through all steps. `Ok(false)`: one did not come out as promised.
pub(crate) async fn walk(stand: &Stand, terminal: &Terminal) -> Result<Outcome, DemoError> {
    let acme = visitor(stand, ACME).await?;
    let globex = visitor(stand, GLOBEX).await?;
    let mut guide = Guide::new(stand, terminal);
    reads::same_query(&mut guide, &acme, &globex).await?;
    reads::forgotten_filter(&mut guide, &acme).await?;
    reads::injection(&mut guide, &acme).await?;
    reads::error_message(&mut guide, &acme).await?;
    writes::insert(&mut guide, &acme).await?;
    writes::update(&mut guide, &acme).await?;
    reads::honest_orm(&mut guide, &acme).await?;
    records::sensitive_read(&mut guide, &acme).await?;
    records::metrics(&mut guide)?;
    let (checks, failures) = guide.score();
    terminal.blank();
    if failures == 0 {
        terminal.line(Style::Good, &format!("All {checks} checks came out as promised."));
        return Ok(Outcome::AsPromised);
    }
    terminal.line(Style::Bad, &format!("{failures} of {checks} checks did not come out as promised."));
    Ok(Outcome::Broken)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    AsPromised,
    Broken,
}

/// What a reader needs to look around with psql.
pub(crate) fn invitation(stand: &Stand, terminal: &Terminal) {
    terminal.heading("Look around yourself");
    terminal.say("As a tenant, through Partywall:");
    for profile in [ACME, GLOBEX] {
        terminal.line(Style::Plain, &format!("  psql \"{}\"", stand.psql_arguments(&profile)));
    }
    terminal.say("As the superuser, past Partywall, to compare:");
    let postgres = &stand.postgres;
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", postgres.superuser_url(), postgres.ca_file().display());
    terminal.line(Style::Plain, &format!("  psql \"{url}\""));
    terminal.say("The files, and the metrics:");
    let show = |path: &Path| terminal.line(Style::Plain, &format!("  {}", path.display()));
    show(&stand.config_file());
    show(&stand.policy_file());
    show(&stand.audit_file());
    terminal.line(Style::Plain, &format!("  curl http://{}/metrics", stand.admin_address()));
}

async fn visitor(stand: &Stand, profile: TenantProfile) -> Result<Visitor, DemoError> {
    Ok(Visitor { profile, client: stand.connect(&profile, APPLICATION).await? })
}

/// Asks again and again until there is an answer, for ten seconds: records and counts arrive a moment after the fact.
#[expect(clippy::disallowed_methods, reason = "how long to wait is wall-clock time at the edge")]
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>, DemoError>) -> Result<T, DemoError> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(DemoError::new(format!("{what} did not come within ten seconds")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
