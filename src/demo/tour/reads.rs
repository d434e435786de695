//! Steps that read: two tenants, a forgotten filter, an injection, an attack by error message, an honest query.

use crate::demo::DemoError;
use crate::demo::guide::{Guide, Visitor};
use crate::demo::terminal::Style;

pub(super) async fn same_query(guide: &mut Guide<'_>, acme: &Visitor, globex: &Visitor) -> Result<(), DemoError> {
    guide.step(
        "The same query, two tenants",
        "Acme and Globex keep their invoices in one table. Both ask for their latest. The statement names no tenant.",
    );
    let sql = "SELECT number, issued_on, amount, status FROM invoices ORDER BY issued_on DESC, number LIMIT 4";
    for visitor in [acme, globex] {
        let tenant = visitor.profile.tenant;
        let answer = guide.ask(visitor, sql).await;
        let truth = guide.truth(&sql.replace("ORDER BY", &format!("WHERE client_id = '{tenant}' ORDER BY")))?;
        guide.check(&format!("the answer is {tenant}'s own invoices, and nothing else"), answer.unaligned(), truth);
    }
    Ok(())
}

pub(super) async fn forgotten_filter(guide: &mut Guide<'_>, acme: &Visitor) -> Result<(), DemoError> {
    guide.step(
        "A join with a forgotten filter",
        "Project numbers begin with 1 for every tenant. A developer joins on the project's number and forgets the \
         tenant. Without Partywall, Acme's totals would hold Globex's invoices.",
    );
    let sql = "SELECT p.name, count(*) AS invoices, sum(i.amount) AS total FROM projects p \
               JOIN invoices i ON i.project_id = p.id GROUP BY p.name ORDER BY total DESC LIMIT 3";
    let leaked = guide.truth(sql)?;
    let leaked = leaked.lines().next().unwrap_or_default().replace('|', ", ");
    guide.terminal.blank();
    guide.terminal.labelled("direct", Style::Dim, &format!("the first row of a direct connection is wrong: {leaked}"));
    let answer = guide.ask(acme, sql).await;
    let filtered = "JOIN invoices i ON i.project_id = p.id AND i.client_id = 'acme' WHERE p.client_id = 'acme'";
    let truth = guide.truth(&sql.replace("JOIN invoices i ON i.project_id = p.id", filtered))?;
    guide.check("both tables are filtered", answer.unaligned(), truth);
    Ok(())
}

pub(super) async fn injection(guide: &mut Guide<'_>, acme: &Visitor) -> Result<(), DemoError> {
    guide.step(
        "An injection: OR 1=1",
        "A form field was pasted into the statement, and the attacker closed the quote. The filter is not a text \
         behind the WHERE. It holds whatever the condition says.",
    );
    let answer = guide.ask(acme, "SELECT count(*) FROM contacts WHERE email = '' OR 1=1 --'").await;
    let truth = guide.truth("SELECT count(*) FROM contacts WHERE client_id = 'acme'")?;
    guide.check("every contact of Acme, and none of Globex", answer.unaligned(), truth);

    let union = "SELECT name FROM contacts WHERE email = '' UNION SELECT name FROM clients --'";
    let answer = guide.ask(acme, union).await;
    guide.check("a second SELECT is filtered too", answer.unaligned(), "Acme Furniture\n".to_owned());

    let answer = guide.ask(acme, "SELECT rolname, rolpassword FROM pg_authid").await;
    guide.check("the server's own secrets are out of reach", answer.error.is_some(), true);
    Ok(())
}

pub(super) async fn error_message(guide: &mut Guide<'_>, acme: &Visitor) -> Result<(), DemoError> {
    guide.step(
        "An attack through an error message",
        "Acme's notes are numbers. Globex's are words, and one has an open bracket. The attacker lets PostgreSQL read \
         every note as a pattern. An error can only come from a neighbour's row, and so it tells what stands there. A \
         filter in a subquery does not help: PostgreSQL may run it last.",
    );
    let attack = "SELECT name FROM contacts WHERE 'abc' ~ note";
    let naive = "SELECT name FROM (SELECT * FROM contacts WHERE client_id = 'acme') AS contacts WHERE 'abc' ~ note";
    let leak = guide.truth(naive).err().map(|error| error.to_string()).unwrap_or_default();
    guide.terminal.blank();
    guide.terminal.labelled("naive", Style::Dim, naive);
    let first = leak.lines().next().unwrap_or_default();
    guide.terminal.labelled("answer", Style::Dim, first.trim_start_matches("psql failed: "));
    guide.check("the attack is real against a simple filter", leak.contains("invalid regular expression"), true);
    let answer = guide.ask(acme, attack).await;
    let quiet = answer.error.is_none() && answer.rows.is_empty();
    guide.check("no error and no row: the answer that Acme would get alone", quiet, true);

    let answer = guide.ask(acme, "SELECT count(*) FROM contacts WHERE note::integer > 5000").await;
    let truth = guide
        .truth("SELECT count(*) FROM contacts WHERE CASE WHEN client_id = 'acme' THEN note::integer > 5000 END")?;
    guide.check("a cast runs on Acme's own notes only", answer.unaligned(), truth);
    Ok(())
}

pub(super) async fn honest_orm(guide: &mut Guide<'_>, acme: &Visitor) -> Result<(), DemoError> {
    guide.step(
        "An honest query, as an ORM writes it",
        "Bound parameters, quoted names, a join, an order and a limit. It passes, and the index on tenant and day is \
         used: the filter costs no plan.",
    );
    let sql = "SELECT \"invoices\".\"id\", \"invoices\".\"number\", \"projects\".\"name\" FROM \"invoices\" \
               INNER JOIN \"projects\" ON (\"invoices\".\"project_id\" = \"projects\".\"id\") \
               WHERE (\"invoices\".\"issued_on\" >= $1 AND \"projects\".\"status\" = $2) \
               ORDER BY \"invoices\".\"issued_on\" DESC, \"invoices\".\"id\" LIMIT 5";
    let answer = guide.ask_with_parameters(acme, sql, &["2026-11-01", "active"]).await;
    let truth = guide.truth(
        "SELECT i.id, i.number, p.name FROM invoices i JOIN projects p USING (client_id) WHERE i.project_id = p.id \
         AND client_id = 'acme' AND i.issued_on >= '2026-11-01' AND p.status = 'active' ORDER BY i.issued_on DESC, i.id \
         LIMIT 5",
    )?;
    guide.check("the answer is Acme's own", answer.unaligned(), truth);
    let received = answer.received.first().cloned().unwrap_or_default();
    let explain = format!("PREPARE sent AS {received}; EXPLAIN (COSTS off) EXECUTE sent('2026-11-01', 'active')");
    let plan = guide.truth(&explain)?;
    guide.terminal.blank();
    for (index, line) in plan.lines().enumerate() {
        guide.terminal.margin(if index == 0 { "plan" } else { "" }, Style::Plain, line);
    }
    guide.check("the plan reads invoices by the index on tenant and day", plan.contains("invoices_by_day"), true);
    let condition = plan.lines().find(|line| line.contains("Index Cond") && line.contains("issued_on"));
    guide.check(
        "tenant and day are both conditions of that index",
        condition.is_some_and(|line| line.contains("client_id")),
        true,
    );
    Ok(())
}
