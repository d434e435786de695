-- Types, operators and functions of PostgreSQL's own extensions.
CREATE EXTENSION btree_gist;
CREATE EXTENSION citext;
CREATE EXTENSION fuzzystrmatch;
CREATE EXTENSION hstore;
CREATE EXTENSION intarray;
CREATE EXTENSION ltree;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION unaccent;
CREATE EXTENSION "uuid-ossp";
-- Not in the policy, and not to be.
CREATE EXTENSION tablefunc;

CREATE TABLE members (
    tenant_id text NOT NULL,
    id integer NOT NULL,
    email citext NOT NULL,
    name text NOT NULL,
    settings hstore NOT NULL DEFAULT '',
    place ltree,
    groups integer[],
    password text,
    during tstzrange,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)
);
CREATE INDEX members_name ON members USING gin (name gin_trgm_ops);
CREATE INDEX members_place ON members USING gist (place);
