-- An agency's books, shared by its clients. The schema that most cases use, and the oracle.

CREATE TYPE project_status AS ENUM ('planned', 'open', 'paused', 'closed');
CREATE DOMAIN cents AS integer CHECK (VALUE >= 0);
CREATE DOMAIN email_address AS text CHECK (VALUE ~ '^[^@]+@[^@]+$');
CREATE TYPE money_pair AS (amount numeric, currency text);

-- Shared: the same for all.
CREATE TABLE countries (
    code char(2) PRIMARY KEY,
    name text NOT NULL,
    currency text NOT NULL,
    vat numeric(5, 2)
);

-- Shared, written by all.
CREATE TABLE bulletins (
    id integer PRIMARY KEY,
    title text NOT NULL
);

-- Scoped by its own key.
CREATE TABLE clients (
    id text PRIMARY KEY,
    name text NOT NULL,
    country char(2) REFERENCES countries (code),
    since date
);

CREATE TABLE projects (
    client_id text NOT NULL REFERENCES clients (id),
    id integer NOT NULL,
    name text NOT NULL,
    status project_status NOT NULL DEFAULT 'planned',
    budget numeric(12, 2),
    starts_on date,
    ends_on date,
    labels text[] NOT NULL DEFAULT '{}',
    parent_id integer,
    PRIMARY KEY (client_id, id),
    UNIQUE (client_id, name),
    FOREIGN KEY (client_id, parent_id) REFERENCES projects (client_id, id)
);

CREATE TABLE invoices (
    client_id text NOT NULL,
    id integer NOT NULL,
    project_id integer,
    number text NOT NULL,
    total numeric(12, 2) NOT NULL DEFAULT 0,
    paid boolean NOT NULL DEFAULT false,
    issued_on date NOT NULL DEFAULT '2025-01-01',
    due_at timestamptz,
    note text,
    meta jsonb,
    PRIMARY KEY (client_id, id),
    CONSTRAINT invoices_number_key UNIQUE (client_id, number),
    CONSTRAINT invoices_total_check CHECK (total >= 0),
    FOREIGN KEY (client_id, project_id) REFERENCES projects (client_id, id)
);
CREATE INDEX invoices_open ON invoices (client_id, issued_on) WHERE NOT paid;

-- The tenant column is a varchar and stands in the middle.
CREATE TABLE invoice_lines (
    invoice_id integer NOT NULL,
    line integer NOT NULL,
    client_id varchar(40) NOT NULL,
    description text,
    quantity integer NOT NULL DEFAULT 1,
    unit_price cents NOT NULL DEFAULT 0,
    discount integer,
    PRIMARY KEY (client_id, invoice_id, line),
    FOREIGN KEY (client_id, invoice_id) REFERENCES invoices (client_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);

-- A key that all tenants share: serial, and a unique address.
CREATE TABLE contacts (
    id serial PRIMARY KEY,
    client_id text NOT NULL,
    email email_address UNIQUE,
    first_name text NOT NULL,
    last_name text,
    phone text,
    iban text,
    created_at timestamptz NOT NULL DEFAULT '2025-01-01 00:00+00',
    avatar bytea
);
CREATE INDEX contacts_by_client ON contacts (client_id);

CREATE TABLE time_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL,
    project_id integer,
    contact_id integer,
    worked_on date NOT NULL,
    minutes integer NOT NULL,
    hours numeric GENERATED ALWAYS AS (minutes / 60.0) STORED,
    what text,
    FOREIGN KEY (client_id, project_id) REFERENCES projects (client_id, id)
);

CREATE TABLE tags (
    client_id text NOT NULL,
    label text NOT NULL,
    color text,
    weights integer[],
    PRIMARY KEY (client_id, label)
);

CREATE TABLE settings (
    client_id text NOT NULL DEFAULT 'nobody',
    key text NOT NULL,
    value jsonb NOT NULL DEFAULT '{}',
    raw text,
    PRIMARY KEY (client_id, key)
);

-- Values that fail in an expression, in the rows of others.
CREATE TABLE intake (
    client_id text NOT NULL,
    id integer NOT NULL,
    kind text,
    raw text,
    pattern text,
    divisor integer,
    big numeric,
    small integer,
    doc text,
    data bytea,
    arr integer[],
    at text,
    PRIMARY KEY (client_id, id)
);

-- The same, where the key does not carry the tenant and no index does.
CREATE TABLE readings (
    id integer PRIMARY KEY,
    client_id text NOT NULL,
    kind text,
    raw text,
    pattern text,
    divisor integer,
    big numeric,
    doc text,
    arr integer[]
);

-- Rows without a tenant.
CREATE TABLE drafts (
    client_id text,
    id integer NOT NULL,
    body text,
    score integer,
    UNIQUE (client_id, id)
);

CREATE TABLE "Order Lines" (
    "client_id" text NOT NULL,
    "Id" integer NOT NULL,
    "select" text,
    "Say ""hi""" text,
    "Client_Id" text,
    PRIMARY KEY (client_id, "Id")
);

-- Differs from the other by case alone.
CREATE TABLE "Projects" (
    client_id text NOT NULL,
    id integer NOT NULL,
    secret text,
    PRIMARY KEY (client_id, id)
);

CREATE TABLE events (
    client_id text NOT NULL,
    id bigint NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    payload jsonb,
    PRIMARY KEY (client_id, id)
) PARTITION BY LIST (client_id);
CREATE TABLE events_acme PARTITION OF events FOR VALUES IN ('acme');
CREATE TABLE events_globex PARTITION OF events FOR VALUES IN ('globex');
CREATE TABLE events_rest PARTITION OF events DEFAULT;

CREATE TABLE measures (
    client_id text NOT NULL,
    day date NOT NULL,
    name text NOT NULL,
    value double precision,
    PRIMARY KEY (client_id, day, name)
) PARTITION BY RANGE (day);
CREATE TABLE measures_2024 PARTITION OF measures FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE measures_2025 PARTITION OF measures FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');

CREATE TABLE documents (
    client_id text NOT NULL,
    id integer NOT NULL,
    title text
);
CREATE TABLE signed_documents (
    signature bytea
) INHERITS (documents);

CREATE TABLE bookings (
    client_id text NOT NULL,
    room integer NOT NULL,
    during int4range NOT NULL,
    EXCLUDE USING gist (during WITH &&)
);

-- Without a tenant column and without a rule in the policy.
CREATE TABLE internal_notes (
    id integer PRIMARY KEY,
    body text
);

-- Declared hidden.
CREATE TABLE payroll (
    client_id text NOT NULL,
    id integer PRIMARY KEY,
    salary numeric
);

-- A table of its own name in another schema, which is not on the search path.
CREATE SCHEMA archive;
CREATE TABLE archive.invoices (
    client_id text NOT NULL,
    id integer NOT NULL,
    total numeric,
    PRIMARY KEY (client_id, id)
);

CREATE VIEW invoice_totals AS SELECT client_id, count(*) AS invoices, sum(total) AS total FROM invoices GROUP BY client_id;
CREATE VIEW contact_names AS SELECT id, first_name, last_name FROM contacts;
CREATE MATERIALIZED VIEW totals_by_country AS
    SELECT c.country, sum(i.total) AS total FROM invoices i JOIN clients c ON c.id = i.client_id GROUP BY c.country;

CREATE TABLE counted (
    client_id text NOT NULL,
    id integer NOT NULL,
    PRIMARY KEY (client_id, id)
);
CREATE FUNCTION count_all() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE NOTICE 'there are % rows', (SELECT count(*) FROM counted); RETURN NEW; END $$;
CREATE TRIGGER count_all AFTER INSERT ON counted FOR EACH ROW EXECUTE FUNCTION count_all();

-- Its trigger was read and keeps to the row.
CREATE TABLE stamped (
    client_id text NOT NULL,
    id integer NOT NULL,
    body text,
    changes integer NOT NULL DEFAULT 0,
    PRIMARY KEY (client_id, id)
);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.changes := coalesce(OLD.changes, 0) + 1; RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();

CREATE TABLE ruled (
    client_id text NOT NULL,
    id integer NOT NULL,
    v text,
    PRIMARY KEY (client_id, id)
);
CREATE RULE ruled_also AS ON UPDATE TO ruled DO ALSO UPDATE tags SET color = NEW.v;

CREATE FUNCTION full_name(text, text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN $1 || ' ' || $2;
CREATE FUNCTION full_name(text) RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT string_agg(last_name, ',') FROM contacts $$;
CREATE FUNCTION every_iban() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
    AS $$ SELECT iban FROM contacts $$;
CREATE FUNCTION iban_of(integer) RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT iban FROM contacts WHERE id = $1 $$;
CREATE FUNCTION resembles(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0001
    AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
CREATE OPERATOR <<< (LEFTARG = text, RIGHTARG = text, FUNCTION = resembles);
CREATE PROCEDURE tidy_up() LANGUAGE sql AS $$ DELETE FROM drafts $$;
CREATE AGGREGATE last_of(text) (SFUNC = pg_catalog.textcat, STYPE = text, INITCOND = '');

-- Its name and a sister's differ after the 63rd byte, where PostgreSQL cuts.
CREATE TABLE a_table_whose_name_is_exactly_as_long_as_postgresql_lets_it_be_ (
    client_id text NOT NULL,
    id integer NOT NULL,
    PRIMARY KEY (client_id, id)
);

-- Views that can be expanded, of every kind.
CREATE VIEW open_invoices AS SELECT * FROM invoices WHERE NOT paid;
CREATE VIEW line_texts AS
    SELECT invoice_id, line, client_id AS owner, description AS "Text", quantity * 2 AS doubled, discount
    FROM invoice_lines WHERE line > 0;
CREATE VIEW open_numbers AS SELECT id, number, client_id, total FROM open_invoices WHERE id > 2;
CREATE VIEW red_tags AS SELECT * FROM tags WHERE color = 'red' WITH CHECK OPTION;
CREATE VIEW parsed_intake AS SELECT id, kind, raw::integer AS number, pattern, divisor, arr FROM intake;
CREATE VIEW matching_readings AS SELECT id, client_id, raw, divisor FROM readings WHERE 'abc' ~ pattern;
CREATE VIEW project_sums AS
    SELECT p.id, p.name, p.status, count(i.id) AS invoices, coalesce(sum(i.total), 0.00) AS total
    FROM projects p LEFT JOIN invoices i ON i.client_id = p.client_id AND i.project_id = p.id
    GROUP BY p.client_id, p.id;
CREATE VIEW named_things AS
    SELECT 'project' AS kind, id, name FROM projects
    UNION ALL SELECT 'draft', id, body FROM drafts
    UNION SELECT 'country', vat::integer, name FROM countries;
CREATE VIEW ranked_readings AS
    SELECT id, raw, row_number() OVER (ORDER BY id) AS place, max(divisor) OVER (PARTITION BY kind) AS top FROM readings;
CREATE VIEW noted_invoices WITH (security_barrier) AS SELECT id, client_id, note, total FROM invoices WHERE note IS NOT NULL;
CREATE VIEW open_sums AS
    WITH open AS (SELECT project_id, total FROM open_invoices)
    SELECT o.project_id, p.name, sum(o.total) AS total FROM open o JOIN project_sums p ON p.id = o.project_id
    GROUP BY o.project_id, p.name;
CREATE VIEW project_paths AS
    WITH RECURSIVE tree AS (
        SELECT id, parent_id, name, 0 AS depth FROM projects WHERE parent_id IS NULL
        UNION ALL SELECT p.id, p.parent_id, p.name, t.depth + 1 FROM projects p JOIN tree t ON t.id = p.parent_id)
    SELECT id, name, depth FROM tree;
CREATE VIEW merged_lines AS
    SELECT invoice_id, line, i.number FROM invoice_lines JOIN invoices i USING (client_id)
    WHERE i.id = invoice_id AND EXISTS (SELECT FROM contacts c WHERE c.client_id = i.client_id);
CREATE VIEW latest_events AS SELECT DISTINCT ON (kind) kind, id, at, payload FROM events ORDER BY kind, at DESC, id;
CREATE VIEW countries_in_use WITH (security_invoker) AS
    SELECT c.code, c.name FROM countries c WHERE c.code IN (SELECT country FROM clients);

-- Views that cannot be expanded: an unlisted function, a hidden table, statistics.
CREATE VIEW contact_ibans AS SELECT id, iban_of(id) AS iban FROM contacts;
CREATE VIEW salaries AS SELECT client_id, salary FROM payroll;
CREATE VIEW sizes AS SELECT relname, reltuples FROM pg_class;
CREATE VIEW similar_tags AS SELECT label FROM tags WHERE label <<< 'x';

-- A view that is written by a trigger of its own, and one by a rule.
CREATE VIEW stamped_ids AS SELECT client_id, id, body FROM stamped;
CREATE TRIGGER stamp_instead INSTEAD OF UPDATE ON stamped_ids FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE VIEW draft_bodies AS SELECT client_id, id, body FROM drafts;
CREATE RULE draft_bodies_also AS ON DELETE TO draft_bodies DO INSTEAD DELETE FROM drafts;

-- Declared as scoped.
CREATE MATERIALIZED VIEW client_totals AS SELECT client_id, count(*) AS invoices, max(note) AS note FROM invoices GROUP BY client_id;
CREATE VIEW declared_readings AS SELECT id, client_id, raw::integer AS number, pattern FROM readings;

-- Column types of the database's own, in every form; generated and identity columns; keys of all sorts.
CREATE DOMAIN client_code AS text CHECK (VALUE ~ '^[a-z]+$');
CREATE TYPE span AS RANGE (subtype = integer);
CREATE TABLE shelves (
    client_id client_code NOT NULL,
    id integer NOT NULL,
    slot integer GENERATED BY DEFAULT AS IDENTITY,
    label text,
    statuses project_status[] NOT NULL DEFAULT '{}',
    prices cents[],
    price cents,
    worth money_pair,
    width span,
    open_on daterange,
    raw text,
    size integer GENERATED ALWAYS AS (length(label) * 2) STORED,
    PRIMARY KEY (client_id, id),
    UNIQUE NULLS NOT DISTINCT (client_id, label),
    CONSTRAINT shelves_price_key UNIQUE (client_id, price) DEFERRABLE INITIALLY DEFERRED
);
-- Its only key can be deferred: nothing depends on it.
CREATE TABLE loose_shelves (
    client_id text NOT NULL,
    id integer NOT NULL,
    label text,
    PRIMARY KEY (client_id, id) DEFERRABLE
);

-- Partitions of partitions.
CREATE TABLE logs (
    client_id text NOT NULL,
    id integer NOT NULL,
    day date NOT NULL,
    raw text,
    PRIMARY KEY (client_id, id, day)
) PARTITION BY RANGE (day);
CREATE TABLE logs_2024 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (client_id);
CREATE TABLE logs_2024_acme PARTITION OF logs_2024 FOR VALUES IN ('acme');
CREATE TABLE logs_2024_rest PARTITION OF logs_2024 DEFAULT;
CREATE TABLE logs_rest PARTITION OF logs DEFAULT;
CREATE VIEW recent_logs AS SELECT client_id, id, day, raw::integer AS number FROM logs WHERE day > '2024-06-01';
CREATE VIEW shelf_sums AS SELECT s.client_id, s.id, s.label, count(l.id) AS logs, s.statuses
    FROM shelves s LEFT JOIN logs l USING (client_id, id) GROUP BY s.client_id, s.id;
