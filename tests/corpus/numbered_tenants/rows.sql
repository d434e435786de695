-- Rows of one tenant, for the comparison of worlds: BASE and ROWS tell them from those of others.
INSERT INTO shops VALUES (TENANT, 'shop TENANT');
INSERT INTO orders SELECT TENANT, 10 + n, CASE WHEN BASE = 0 THEN n ELSE 0 END, '2025-01-01' FROM generate_series(1, ROWS) n;
INSERT INTO items SELECT TENANT, 10 + n, 'sku ' || BASE, n FROM generate_series(1, ROWS) n;
INSERT INTO shelves SELECT TENANT, 10 + n FROM generate_series(0, ROWS) n;
