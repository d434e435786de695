//! The page of each refusal: what was refused, why, and what to do instead. `explain --code` prints it.

use crate::guard::rejection::Code;

impl Code {
    /// Whether it is said in Partywall's own words. The others are said as PostgreSQL says them.
    pub fn is_of_partywall(self) -> bool {
        !matches!(self, Self::InvalidToken | Self::NotParsed | Self::ColumnUnknown)
    }

    /// The command that prints the page: as good as a link, and true of the version that runs.
    pub fn link(self) -> String {
        format!("partywall explain --code {}", self.as_str())
    }

    /// Paragraphs of text, without the heading.
    pub fn page(self) -> &'static str {
        match self {
            Self::InvalidToken => INVALID_TOKEN,
            Self::NotParsed => NOT_PARSED,
            Self::StatementNotAllowed => STATEMENT_NOT_ALLOWED,
            Self::FeatureNotAllowed => FEATURE_NOT_ALLOWED,
            Self::StatementTooLarge => STATEMENT_TOO_LARGE,
            Self::RelationUnknown => RELATION_UNKNOWN,
            Self::NameUnknown => NAME_UNKNOWN,
            Self::RelationReadOnly => RELATION_READ_ONLY,
            Self::ColumnUnknown => COLUMN_UNKNOWN,
            Self::FunctionNotAllowed => FUNCTION_NOT_ALLOWED,
            Self::OperatorNotAllowed => OPERATOR_NOT_ALLOWED,
            Self::TypeNotAllowed => TYPE_NOT_ALLOWED,
            Self::SettingNotAllowed => SETTING_NOT_ALLOWED,
            Self::TenantMismatch => TENANT_MISMATCH,
            Self::ConflictTarget => CONFLICT_TARGET,
            Self::KeyOracle => KEY_ORACLE,
            Self::NoTenant => NO_TENANT,
            Self::AuditUnavailable => AUDIT_UNAVAILABLE,
            Self::ReadingsDisagree => READINGS_DISAGREE,
        }
    }
}

const AUDIT_UNAVAILABLE: &str = "\
The tenant's rules demand that what it does is on record, durably, before any
answer leaves (durability in the config's [audit]). The spool of records is
full or cannot be written, so nothing is done at all.

Try again later. The operator finds the reason in Partywall's log, and in the
metrics partywall_audit_refused_total, partywall_audit_write_errors_total and
partywall_audit_sink_up.";

const INVALID_TOKEN: &str = "\
The text cannot be cut into the words, numbers and strings of PostgreSQL's
language: a quote that nobody closes, a number with letters behind it, a byte
that is not UTF-8, an identifier of more than 63 bytes. Where versions of
PostgreSQL cut a text differently, it is refused too.

Mend the text at the position that the error names. Where the error is about
an identifier's length, shorten it: PostgreSQL would cut it, and could then
mean another table.";

const NOT_PARSED: &str = "\
The statement is not understood: PostgreSQL would refuse it as well, or it is
one of the rare forms that Partywall cannot read. What is not understood is
never sent on, since nobody could say whose rows it reaches.

If the text is right for PostgreSQL, write it in another form. Rare forms
usually have a common one: a cast as CAST (x AS type), a name without U&, a
statement of its own in place of several.";

const STATEMENT_NOT_ALLOWED: &str = "\
A kind of statement that does not pass: changes of the schema, of roles and of
privileges, procedures and anonymous blocks, maintenance. They reach beyond
the rows of one tenant, or run code that nobody has read.

Run it as the owner of the schema on a connection of its own to PostgreSQL,
not through Partywall. For an ORM that migrates when it starts, give the
migration its own connection string.";

const FEATURE_NOT_ALLOWED: &str = "\
A clause or form inside of an allowed statement that does not pass, because
through it the rows, names or statistics of other tenants could be met, or
because its meaning would change once the statement is guarded. The error's
message names the form.

The hint names another way to write it, where there is one. EXPLAIN and some
others depend on the policy.";

const STATEMENT_TOO_LARGE: &str = "\
The statement is longer, deeper or has more parts than the limits allow.
Reading a statement takes memory and time in proportion, and no client may
take those from the others.

Split it: fewer rows in one INSERT (or COPY), shorter lists (or = ANY of one
array parameter), fewer levels. The limits stand in partywall.toml under
[limits].";

const RELATION_UNKNOWN: &str = "\
There is no table or view of that name, or it is not for clients: Partywall
does not tell which. A table is for clients if it has the tenant column or if
the policy lists it; all others do not exist. So do most of PostgreSQL's
system catalogs, and the parts of them that tell of other tenants.

If the table should be reached, the policy needs a section for it:

    [table.\"schema.name\"]
    kind = \"shared\"              # read by all, written by none
    # or: column = \"client_id\"   # scoped by this column

\"partywall check --online\" lists the tables that nobody has classified. A
view is reached if all that it reads is.";

const NAME_UNKNOWN: &str = "\
A string stands for the name of a type, function, schema or operator (as in
'mood'::regtype), and there is none of that name, or it is not for clients:
Partywall does not tell which. Of schemas and types those are for clients that
hold, or are part of, something that they can reach; of functions PostgreSQL's
own, by their names in pg_catalog.

Use the name of something that can be reached, or the OID.";

const RELATION_READ_ONLY: &str = "\
A write, or a lock on rows, of a relation that clients only read: a table that
all tenants share, a view, or a table on which triggers or rules run code that
the policy does not trust.

A shared table can be made writable for all (kind = \"shared-writable\"), with
the consequence that tenants see each other's rows in it. Triggers are trusted
by name (trusted_triggers = [\"…\"]) once somebody has read them: they run on
the server, where no filter reaches.";

const COLUMN_UNKNOWN: &str = "\
The relation has no column of that name. System columns (ctid, xmin, tableoid,
…) do not exist here either: they tell where rows lie and who has written
beside them, and so of other tenants.

Use the primary key in place of ctid, and a version column of your own in
place of xmin.";

const FUNCTION_NOT_ALLOWED: &str = "\
A function that is not on the list. Functions can run SQL of their own, look
names up, read files, settings and other sessions; so none is called that is
not known to touch only its arguments. Those of PostgreSQL are listed in
Partywall, those of the database in the policy, by schema, name and argument
types:

    [function.\"public.slug(text)\"]
    reason = \"puts words together\"

A function that reads tables sees the rows of all tenants, whoever calls it.
List it only if it reads none, or if it filters by itself.";

const OPERATOR_NOT_ALLOWED: &str = "\
An operator that the database defines anew, so that the text could mean that
one: its function would run unseen.

Write OPERATOR(pg_catalog.=), with the symbol in question, if PostgreSQL's own
is meant.";

const TYPE_NOT_ALLOWED: &str = "\
A type that is not on the list. To read a value of a type is to call its input
function, and some of those look names up in the catalogue (regclass and its
like): their errors would tell what exists.

Use text, or the name itself.";

const SETTING_NOT_ALLOWED: &str = "\
A setting that does more than change the form of the session's own answers:
one that changes what names and strings mean, who the session is, how the
server plans, or what it logs. Or a value of a harmless one that has such an
effect.

Leave it out. If a driver sends it on its own, look for the driver's option.
Time zone, date style, application name, time-outs and the like can be set.";

const TENANT_MISMATCH: &str = "\
A write that would put a row under another tenant than the session's, or that
could.

Leave the tenant column out: Partywall fills it in. Or supply the session's
own tenant, as a literal or a parameter. A row is moved to another tenant by
the database's owner alone.";

const CONFLICT_TARGET: &str = "\
ON CONFLICT acts on a row that is already there. Where the key does not carry
the tenant column, that row could be another tenant's.

Name a key that carries it: ON CONFLICT (client_id, email). The tenant column
can be part of the target although the statement does not supply it.";

const KEY_ORACLE: &str = "\
The statement supplies a value for a key that all tenants share. The error of
a duplicate, or of a missing referenced row, would tell that another tenant
has that value.

Leave the column to its default (identity, sequence, uuid), or have the key
made to include the tenant column: UNIQUE (client_id, email), FOREIGN KEY
(client_id, project_id). \"partywall check\" grades every table. The policy
can accept the oracle per table: key_oracles = \"accept\".";

const NO_TENANT: &str = "\
The session speaks for no tenant, or for one that the column's type has no
value for, and the statement reaches rows that belong to tenants.

Log in as a login that is bound to a tenant, or, where the login may act for
several, choose one: SET LOCAL partywall.tenant = 'acme' in a transaction, or
SET for the rest of the session. Without a tenant, shared tables can be read.";

const READINGS_DISAGREE: &str = "\
Every statement is read more than once before it is sent: as it came, as it
will go out, and by PostgreSQL's own grammar. The readings of this one differ,
so that it was not sent. It is a fault of Partywall's, or somebody is trying
hard.

Please report the statement. Until it is mended, write it in another form. The
operator sees these in the metric partywall_disagreements_total, which must
stay at 0.";
