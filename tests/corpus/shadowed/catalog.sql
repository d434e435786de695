-- Objects of the database's owner that bear the names of PostgreSQL's own.
CREATE TABLE notes (
    tenant_id text NOT NULL,
    id integer NOT NULL,
    title varchar(80),
    body text,
    PRIMARY KEY (tenant_id, id)
);
CREATE FUNCTION always(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE FUNCTION always(varchar, varchar) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = always);
CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT string_agg(body, ',') FROM notes $$;
CREATE TYPE "text" AS ENUM ('a', 'b');
CREATE TABLE pg_class (
    tenant_id pg_catalog.text NOT NULL,
    id integer NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
