-- Other tenants' rows, TENANTS, for each table in which only ours are: copies of ours with other values, so that an answer
-- in which one of them takes part is another answer. Values of keys stay, so that they would be found by joins, unless
-- keys are shared. KEYS: "extended" or "shared".
DO $seed$
DECLARE
    item record;
    tenant text;
    n integer;
    present boolean[];
    source text;
    columns text;
    changed text;
    same text;
    seeded integer := 0;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR item IN
        SELECT c.oid, c.oid::regclass::text AS name, c.relkind
        FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
        JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition AND s.nspname NOT LIKE 'pg\_%'
    LOOP
        source := CASE item.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || item.name;
        EXECUTE format('SELECT ARRAY[EXISTS (SELECT FROM %s WHERE tenant_id = ''acme''), EXISTS (SELECT FROM %s WHERE tenant_id <> ''acme'')]',
            source, source) INTO present;
        CONTINUE WHEN NOT present[1] OR present[2];
        n := 0;
        seeded := seeded + 1;
        FOREACH tenant IN ARRAY 'TENANTS'::text[] LOOP
            n := n + 1;
            SELECT string_agg(quote_ident(a.attname), ', '),
                string_agg(CASE
                    WHEN NOT in_key THEN CASE a.atttypid
                        WHEN 'int2'::regtype THEN format('(%I %% 1000 + %s)::int2', a.attname, n)
                        WHEN 'int4'::regtype THEN format('%I %% 100000000 + %s', a.attname, n)
                        WHEN 'int8'::regtype THEN format('%I %% 1000000000000 + %s', a.attname, n)
                        WHEN 'numeric'::regtype THEN format('%I + %s', a.attname, n)
                        WHEN 'float4'::regtype THEN format('%I / 2', a.attname)
                        WHEN 'float8'::regtype THEN format('%I / 2', a.attname)
                        WHEN 'bool'::regtype THEN format('NOT %I', a.attname)
                        WHEN 'text'::regtype THEN format('reverse(%I)', a.attname)
                        WHEN 'varchar'::regtype THEN format('reverse(%I)', a.attname)
                        WHEN 'date'::regtype THEN format('%I + %s', a.attname, n)
                        WHEN 'timestamp'::regtype THEN format('%I + interval ''%s days''', a.attname, n)
                        WHEN 'timestamptz'::regtype THEN format('%I + interval ''%s days''', a.attname, n)
                        ELSE quote_ident(a.attname) END
                    WHEN 'KEYS' = 'shared' THEN CASE a.atttypid
                        WHEN 'int4'::regtype THEN format('%I + %s * 1000000', a.attname, n)
                        WHEN 'int8'::regtype THEN format('%I + %s * 1000000', a.attname, n)
                        WHEN 'text'::regtype THEN format('%L || %I', tenant, a.attname)
                        WHEN 'varchar'::regtype THEN format('%L || %I', tenant, a.attname)
                        WHEN 'uuid'::regtype THEN format('md5(%L || %I)::uuid', tenant, a.attname)
                        ELSE quote_ident(a.attname) END
                    ELSE quote_ident(a.attname) END, ', '),
                string_agg(quote_ident(a.attname), ', ')
            INTO columns, changed, same
            FROM (
                SELECT a.*, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = item.oid AND i.indisunique AND a.attnum = ANY (i.indkey))
                    OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = item.oid AND k.contype IN ('f', 'x') AND a.attnum = ANY (k.conkey))
                    AS in_key
                FROM pg_attribute a
                WHERE a.attrelid = item.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'tenant_id' AND a.attgenerated = ''
            ) a;
            CONTINUE WHEN columns IS NULL;
            BEGIN
                EXECUTE format('INSERT INTO %s (%s, tenant_id) OVERRIDING SYSTEM VALUE SELECT %s, %L FROM %s WHERE tenant_id = ''acme''',
                    item.name, columns, changed, tenant, source);
            EXCEPTION WHEN OTHERS THEN
                BEGIN
                    EXECUTE format('INSERT INTO %s (%s, tenant_id) OVERRIDING SYSTEM VALUE SELECT %s, %L FROM %s WHERE tenant_id = ''acme''',
                        item.name, columns, same, tenant, source);
                EXCEPTION WHEN OTHERS THEN
                    RAISE WARNING 'no other tenants in %: %', item.name, SQLERRM;
                END;
            END;
        END LOOP;
    END LOOP;
    PERFORM set_config('partywall_test.told', seeded::text, false);
END $seed$;
