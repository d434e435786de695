-- A schema for one tenant becomes a schema for many: each table gets the tenant column, and its keys and foreign keys are
-- extended by it (unless KEYS says "shared"). Says the same when it is run again.
DO $multiply$
DECLARE
    item record;
    added text[] := '{}';
    command text;
BEGIN
    FOR item IN
        SELECT c.oid::regclass AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition AND c.reloftype = 0
            AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
            AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
        ORDER BY c.oid
    LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS tenant_id text NOT NULL DEFAULT ''acme''', item.name);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'no tenant column for %: %', item.name, SQLERRM;
        END;
    END LOOP;

    IF 'KEYS' = 'shared' THEN
        RETURN;
    END IF;

    FOR item IN
        SELECT k.conname, k.conrelid::regclass AS name, pg_get_constraintdef(k.oid) AS def,
            (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n)
                FROM unnest(k.conkey) WITH ORDINALITY u (num, n) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num)
                AS columns
        FROM pg_constraint k
        JOIN pg_attribute t ON t.attrelid = k.conrelid AND t.attname = 'tenant_id'
        JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attname = 'tenant_id'
        WHERE k.contype = 'f' AND k.conparentid = 0 AND t.attnum <> ALL (k.conkey)
    LOOP
        command := format('ALTER TABLE %s ADD CONSTRAINT %I %s', item.name, item.conname,
            regexp_replace(regexp_replace(regexp_replace(item.def,
                '^FOREIGN KEY \(', 'FOREIGN KEY (tenant_id, '),
                '(REFERENCES [^(]+)\(', '\1(tenant_id, '),
                'ON DELETE SET (NULL|DEFAULT)( \([^)]*\))?', 'ON DELETE SET \1 (' || item.columns || ')'));
        BEGIN
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', item.name, item.conname);
            added := added || command;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'foreign key % stays: %', item.conname, SQLERRM;
        END;
    END LOOP;

    FOR item IN
        SELECT k.conname, k.conrelid::regclass AS name, pg_get_constraintdef(k.oid) AS def
        FROM pg_constraint k JOIN pg_attribute t ON t.attrelid = k.conrelid AND t.attname = 'tenant_id'
        WHERE k.contype IN ('p', 'u') AND k.conparentid = 0 AND k.coninhcount = 0 AND t.attnum <> ALL (k.conkey)
        ORDER BY k.oid
    LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', item.name, item.conname, item.conname,
                regexp_replace(item.def, '^([A-Z ]+)\(', '\1(tenant_id, '));
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'key % stays: %', item.conname, SQLERRM;
        END;
    END LOOP;

    FOR item IN
        SELECT i.indexrelid::regclass AS name, pg_get_indexdef(i.indexrelid) AS def
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_attribute t ON t.attrelid = i.indrelid AND t.attname = 'tenant_id'
        WHERE i.indisunique AND NOT c.relispartition AND t.attnum <> ALL (i.indkey)
            AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
            AND i.indrelid >= 16384
    LOOP
        BEGIN
            EXECUTE format('DROP INDEX %s', item.name);
            EXECUTE replace(regexp_replace(item.def, '(USING \w+) \(', '\1 (tenant_id, '), ' ON ONLY ', ' ON ');
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'index % stays: %', item.name, SQLERRM;
        END;
    END LOOP;

    FOREACH command IN ARRAY added LOOP
        BEGIN
            EXECUTE command;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'foreign key is left out: %: %', command, SQLERRM;
        END;
    END LOOP;
END $multiply$;
