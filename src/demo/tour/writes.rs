//! Steps that write: rows for a neighbour are refused, and a neighbour's rows stay as they are.

use crate::demo::DemoError;
use crate::demo::guide::{Guide, Visitor};

/// One number that changes when any row of Globex does.
const NEIGHBOUR: &str = "SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (\
     SELECT projects::text FROM projects WHERE client_id = 'globex' UNION ALL \
     SELECT invoices::text FROM invoices WHERE client_id = 'globex' UNION ALL \
     SELECT contacts::text FROM contacts WHERE client_id = 'globex' UNION ALL \
     SELECT time_entries::text FROM time_entries WHERE client_id = 'globex') AS all_rows (line)";

pub(super) async fn insert(guide: &mut Guide<'_>, acme: &Visitor) -> Result<(), DemoError> {
    guide.step(
        "An INSERT that reaches over",
        "A row for a neighbour is refused before PostgreSQL sees it. A row that names no tenant is the tenant's own.",
    );
    let before = guide.truth(NEIGHBOUR)?;
    let planted =
        "INSERT INTO projects (client_id, name, budget, starts_on) VALUES ('globex', 'Planted', 1, '2026-11-01')";
    let answer = guide.ask(acme, planted).await;
    guide.check("refused", answer.sqlstate(), "42501");
    guide.check("PostgreSQL never saw it", answer.received.is_empty(), true);
    let own = "INSERT INTO projects (name, budget, starts_on) VALUES ('Web shop Bergen', 12000, '2026-11-01') \
               RETURNING client_id, name";
    let answer = guide.ask(acme, own).await;
    guide.check("the new row is Acme's", answer.unaligned(), "acme|Web shop Bergen\n".to_owned());
    let answer = guide.ask(acme, "INSERT INTO countries (code, name, currency) VALUES ('XA', 'Atlantis', 'EUR')").await;
    guide.check("a shared table is read by all and written by none", answer.sqlstate(), "42501");
    let after = guide.truth(NEIGHBOUR)?;
    guide.check("Globex's rows are what they were", after, before);
    Ok(())
}

pub(super) async fn update(guide: &mut Guide<'_>, acme: &Visitor) -> Result<(), DemoError> {
    guide.step(
        "An UPDATE that reaches over",
        "A row cannot be given away. A neighbour's row cannot be met. An UPDATE without a WHERE changes the tenant's \
         own rows: as if it were alone.",
    );
    let before = guide.truth(NEIGHBOUR)?;
    let answer = guide.ask(acme, "UPDATE invoices SET client_id = 'globex' WHERE id = 7").await;
    guide.check("refused", answer.sqlstate(), "42501");
    let answer = guide.ask(acme, "UPDATE invoices SET status = 'paid' WHERE client_id = 'globex'").await;
    guide.check("no row is met", (answer.count, answer.error.is_none()), (0, true));
    let own: u64 = guide.truth("SELECT count(*) FROM projects WHERE client_id = 'acme'")?.trim().parse().unwrap_or(0);
    let answer = guide.ask(acme, "UPDATE projects SET budget = budget + 1").await;
    guide.check(&format!("{own} projects: Acme's, all of them, and no more"), answer.count, own);
    let after = guide.truth(NEIGHBOUR)?;
    guide.check("Globex's rows are what they were", after, before);
    Ok(())
}
