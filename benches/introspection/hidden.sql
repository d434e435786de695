-- What only the shared servers have: tables, partitions, types, roles, databases and rows that are called after another
-- tenant, :other, and of which nobody else may learn. Run as the superuser; what can be is the application's own.
\set t 'hidden_' :other
\set name :t '_role'
CREATE ROLE :"name";
COMMENT ON ROLE :"name" IS :'t';
\set name :t '_database'
CREATE DATABASE :"name";
\set name :t '_tablespace'
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE :"name" LOCATION '';
\set name :t '_publication'
CREATE PUBLICATION :"name" FOR TABLE customers;
\set name :t '_server'
CREATE FOREIGN DATA WRAPPER :"name";
CREATE SERVER :"name" FOREIGN DATA WRAPPER :"name" OPTIONS (host :'t');
SET ROLE app;
CREATE TABLE :"t" (id serial PRIMARY KEY, body text);
COMMENT ON TABLE :"t" IS :'t';
COMMENT ON COLUMN :"t".body IS :'t';
\set name :t '_idx'
CREATE INDEX :"name" ON :"t" (body);
\set name :t '_view'
CREATE VIEW :"name" AS SELECT id, body AS :"t" FROM :"t";
\set name :t '_references'
CREATE TABLE :"name" (country char(2) REFERENCES countries (code));
\set name 'events_' :t
CREATE TABLE :"name" PARTITION OF events FOR VALUES IN (:'other');
\set name 'events_of_' :t
CREATE TABLE :"name" PARTITION OF events FOR VALUES IN (:'t');
\set name 'orders_' :t
CREATE TABLE :"name" () INHERITS (archive.orders);
\set name :t '_schema'
CREATE SCHEMA :"name";
CREATE TABLE :"name".:"t" (id integer PRIMARY KEY);
CREATE TYPE :"name".kinds AS ENUM (:'t', 'b');
\set name :t '_function'
CREATE FUNCTION :"name"() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
COMMENT ON FUNCTION :"name"() IS :'t';
\set name :t '_seq'
CREATE SEQUENCE :"name" START :many;
\set name :t '_statistics'
CREATE STATISTICS :"name" ON tenant_id, total FROM orders;
\set role :t '_role'
GRANT SELECT ON orders TO :"role";
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO :"role";
\set name :t '_policy'
CREATE POLICY :"name" ON orders USING (tenant_id = :'t' OR true);
INSERT INTO customers (tenant_id, email, name) SELECT :'other', 'c' || n || '@' || :'t', :'t' FROM generate_series(1, :many) AS n;
INSERT INTO orders (tenant_id, customer_id, total) SELECT :'other', n, n FROM generate_series(1, :many) AS n;
SELECT setval('ticket_numbers', :many * 1000);
-- Parts of a table that all may see, made for one tenant.
\set name :t '_orders'
CREATE INDEX :"name" ON orders (placed_at) WHERE tenant_id = :'t';
\set name :t '_check'
ALTER TABLE orders ADD CONSTRAINT :"name" CHECK (tenant_id <> :'t' OR total < 1000000);
ALTER TABLE rooms ALTER COLUMN tenant_id SET DEFAULT :'t';
