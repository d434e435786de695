-- WHAT: "count" returns other tenants' rows as one text, "drop" removes them, "turn" lays our rows down in the
-- other order, once: it returns the OIDs of the tables that it has turned, and leaves out those in TURNED.
-- NAMES: of these tables alone, unless it is empty.
DO $others$
DECLARE
    item record;
    source text;
    one text;
    total text := '';
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR item IN
        SELECT c.oid, c.oid::regclass::text AS name, c.relkind,
            (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
        FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
        JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition AND s.nspname NOT LIKE 'pg\_%'
            AND ('NAMES' = '{}' OR c.relname = ANY ('NAMES'::text[]))
        ORDER BY 2
    LOOP
        source := CASE item.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || item.name;
        IF 'WHAT' = 'count' THEN
            EXECUTE format('SELECT count(*) || '' '' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM %s t WHERE tenant_id <> ''acme''',
                source) INTO one;
            total := total || item.name || E'\t' || one || E'\n';
        ELSIF 'WHAT' = 'drop' THEN
            EXECUTE format('DELETE FROM %s WHERE tenant_id <> ''acme''', source);
        ELSIF item.oid <> ALL ('TURNED'::oid[]) THEN
            BEGIN
                EXECUTE format('SELECT 1 FROM %s LIMIT 1', source) INTO one;
                CONTINUE WHEN one IS NULL;
                total := total || ',' || item.oid;
                EXECUTE format('CREATE TEMP TABLE turned_ AS SELECT *, ctid AS place_ FROM %s WHERE tenant_id = ''acme''', source);
                EXECUTE format('DELETE FROM %s WHERE tenant_id = ''acme''', source);
                EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM turned_ ORDER BY place_ DESC',
                    item.name, item.columns, item.columns);
                DROP TABLE turned_;
            EXCEPTION WHEN OTHERS THEN
                RAISE WARNING 'not turned: %: %', item.name, SQLERRM;
            END;
        END IF;
    END LOOP;
    PERFORM set_config('partywall_test.told', total, false);
END $others$;
