-- Rows of one tenant, for the comparison of worlds: BASE and ROWS tell them from those of others.
INSERT INTO accounts SELECT 'TENANT', ('00000000-0000-4000-8000-' || lpad((BASE + n)::text, 12, '0'))::uuid,
    'account ' || n, n * 10 + BASE FROM generate_series(1, ROWS) n;
INSERT INTO transfers SELECT ('00000000-0000-4000-9000-' || lpad((BASE + n)::text, 12, '0'))::uuid, 'TENANT',
    ('00000000-0000-4000-8000-' || lpad((BASE + n)::text, 12, '0'))::uuid, CASE WHEN BASE = 0 THEN n ELSE 0 END
    FROM generate_series(1, ROWS) n;
