-- agency acme
SELECT t.oid, t.typname FROM pg_catalog.pg_type t WHERE t.typname = 'project_status'