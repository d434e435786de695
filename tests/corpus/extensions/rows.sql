-- Those of others hold what fails: texts that are no patterns, arrays with NULLs, labels without end.
INSERT INTO members SELECT 'TENANT', BASE + n, 'Member' || n || '@Example.org', 'Mémber ' || (BASE + n),
    hstore(ARRAY['n', n::text, 'divisor', CASE WHEN BASE = 0 THEN n ELSE 0 END::text]), ('top.a' || n % 2 || '.b' || n)::ltree,
    CASE WHEN BASE = 0 THEN ARRAY[n, 2] ELSE ARRAY[n, NULL] END,
    CASE WHEN BASE = 0 THEN crypt('secret' || n, '$1$abcdefgh') ELSE '*' END, tstzrange('2025-01-01', '2025-02-01')
    FROM generate_series(1, ROWS) n;
INSERT INTO members SELECT 'TENANT', BASE + 90, 'last@example.org', repeat('x', CASE WHEN BASE = 0 THEN 20 ELSE 300 END),
    'n=>NULL, "a b"=>"("', '', '{}', NULL, NULL;
