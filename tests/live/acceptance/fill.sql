-- Random rows for tables that have none: numbers from a small range, so that joins find something; texts and dates from the
-- literals of the corpus, so that conditions do. They are one tenant's, where there is a tenant column.
DO $fill$
DECLARE
    item record;
    columns text;
    list text;
    words text[] := LITERALS;
    days date[];
    filled boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    PERFORM setseed(0.5);
    SELECT array_agg(word::date) INTO days FROM unnest(words) word
    WHERE word ~ '^(19|20)\d\d-(0[1-9]|1[0-2])-([01]\d|2[0-8])$';
    days := coalesce(days, '{2001-05-05}');
    words := words || '{a,b}'::text[];
    FOR item IN
        SELECT c.oid, c.oid::regclass AS name FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND s.nspname NOT LIKE 'pg\_%' AND s.nspname <> 'information_schema'
            AND c.relpersistence <> 't'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', item.name) INTO filled;
        CONTINUE WHEN filled;
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
            string_agg(format('(%s)::%s',
                CASE
                    WHEN a.attname = 'tenant_id' THEN '''TENANT'''
                    WHEN k.place = 1 AND t.typcategory = 'N' THEN 'n'
                    WHEN a.attname ~ 'year' AND t.typcategory = 'N' THEN '1998 + floor(random() * 6)'
                    WHEN t.typcategory = 'N' AND k.place IS NULL AND NOT a.attnotnull THEN
                        'CASE WHEN random() < 0.9 THEN floor(random() * random() * 60) END'
                    WHEN t.typcategory = 'N' THEN 'floor(random() * random() * 60)'
                    WHEN t.typname = 'date' OR t.typname LIKE 'timestamp%' THEN
                        format('%L::date[]', days) || ' [1 + floor(random() * ' || array_length(days, 1) || ')::int] + floor(random() * 40)::int'
                    WHEN t.typcategory = 'S' AND k.place IS NOT NULL THEN format('''%s'' || n', left(item.name::text, 2))
                    WHEN t.typcategory = 'S' THEN
                        format('%L::text[]', words) || ' [1 + floor(random() * ' || array_length(words, 1) || ')::int]'
                    WHEN t.typname = 'bool' THEN 'random() < 0.5'
                    WHEN t.typcategory = 'E' THEN format('(enum_range(NULL::%s))[1]', t.oid::regtype)
                    WHEN t.typname = 'uuid' THEN 'md5(n::text || random())'
                    WHEN t.typname = 'time' THEN '''10:00''::time + n * interval ''1 minute'''
                    WHEN t.typname = 'interval' THEN 'n * interval ''1 hour'''
                    WHEN t.typname IN ('json', 'jsonb') THEN '''{"a": '' || n || '', "b": ["x", null]}'''
                    ELSE 'NULL' END,
                format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
        INTO columns, list
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN LATERAL (
            SELECT array_position(i.indkey::int2[], a.attnum) + 1 AS place FROM pg_index i
            WHERE i.indrelid = item.oid AND i.indisunique AND a.attnum = ANY (i.indkey) LIMIT 1) k ON true
        WHERE a.attrelid = item.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        CONTINUE WHEN columns IS NULL;
        BEGIN
            EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM generate_series(1, ROWS) n ON CONFLICT DO NOTHING',
                item.name, columns, list);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'no rows for %: %', item.name, SQLERRM;
        END;
    END LOOP;
    PERFORM set_config('partywall_test.told', '', false);
END $fill$;
