-- A project tracker as ORMs make it: ids of all tenants in one sequence, an index for each foreign key, and some for search.
CREATE EXTENSION pg_trgm;
CREATE TYPE task_state AS ENUM ('new', 'open', 'blocked', 'done');
CREATE TABLE users (id bigint PRIMARY KEY, tenant text NOT NULL, email varchar(255) NOT NULL, name varchar(100) NOT NULL,
    active boolean NOT NULL, last_login timestamptz, settings jsonb NOT NULL);
CREATE TABLE projects (id bigint PRIMARY KEY, tenant text NOT NULL, owner_id bigint NOT NULL, title varchar(200) NOT NULL,
    archived boolean NOT NULL, budget numeric(12, 2), starts_on date, labels text[] NOT NULL);
CREATE TABLE tasks (id bigint PRIMARY KEY, tenant text NOT NULL, project_id bigint NOT NULL, assignee_id bigint,
    title varchar(200) NOT NULL, state task_state NOT NULL, priority integer NOT NULL, due_on date, created_at timestamptz NOT NULL,
    meta jsonb NOT NULL, words tsvector NOT NULL, during tstzrange NOT NULL);
CREATE TABLE comments (id bigint PRIMARY KEY, tenant text NOT NULL, task_id bigint NOT NULL, author_id bigint NOT NULL,
    body text NOT NULL, created_at timestamptz NOT NULL);
SELECT setseed(0.5);
CREATE TEMP TABLE tenants AS SELECT 't' || n AS tenant, n FROM generate_series(1, 10) n;
INSERT INTO users SELECT (n - 1) * 1000 + k, tenant, 'User' || k || '@' || tenant || '.example', 'User ' || k, k % 7 <> 0,
    now() - k * interval '1 hour', jsonb_build_object('theme', (ARRAY['dark', 'light'])[1 + k % 2], 'plan', 'p' || k % 9) FROM tenants, generate_series(1, 200) k;
INSERT INTO projects SELECT (n - 1) * 1000 + k, tenant, (n - 1) * 1000 + 1 + k % 200, 'Project ' || k, k % 5 = 0, k * 100,
    date '2025-01-01' + k, ARRAY['l' || k % 4, 'm' || k % 6] FROM tenants, generate_series(1, 60) k;
INSERT INTO tasks SELECT (n - 1) * 100000 + k, tenant, (n - 1) * 1000 + 1 + k % 60, (n - 1) * 1000 + 1 + (k * 7) % 200, 'Task ' || k,
    (ARRAY['new', 'open', 'blocked', 'done'])[1 + k % 4]::task_state, k % 5, date '2025-01-01' + k % 365, now() - k * interval '3 minutes',
    jsonb_build_object('source', 's' || k % 50, 'n', k), to_tsvector('english', 'task number ' || k || ' word' || k % 300),
    tstzrange(now() - k * interval '1 hour', now() - k * interval '1 hour' + interval '40 minutes') FROM tenants, generate_series(1, 3000) k;
INSERT INTO comments SELECT (n - 1) * 100000 + k, tenant, (n - 1) * 100000 + 1 + k % 3000, (n - 1) * 1000 + 1 + k % 200,
    'Some words about ' || k || CASE WHEN k % 97 = 0 THEN ' urgent' ELSE '' END, now() - k * interval '2 minutes' FROM tenants, generate_series(1, 4000) k;
CREATE INDEX ON users (tenant);
CREATE INDEX ON users (lower(email));
CREATE INDEX ON users (tenant, email);
CREATE INDEX ON projects (tenant);
CREATE INDEX ON projects (owner_id);
CREATE INDEX ON projects USING gin (labels);
CREATE INDEX ON tasks (tenant, project_id);
CREATE INDEX ON tasks (project_id);
CREATE INDEX ON tasks (assignee_id);
CREATE INDEX ON tasks (tenant, created_at, id);
CREATE INDEX ON tasks ((meta ->> 'source'));
CREATE INDEX ON tasks USING gin (meta jsonb_path_ops);
CREATE INDEX ON tasks USING gin (words);
CREATE INDEX ON tasks USING gin (title gin_trgm_ops);
CREATE INDEX ON tasks (title varchar_pattern_ops);
CREATE INDEX ON tasks USING gist (during);
CREATE INDEX ON comments (task_id);
CREATE INDEX ON comments (tenant, created_at);
