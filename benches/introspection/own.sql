-- The tenant's own rows.
INSERT INTO countries VALUES ('AT', 'Austria'), ('DE', 'Germany') ON CONFLICT DO NOTHING;
INSERT INTO customers (tenant_id, id, email, name, home, extra, created_at, token) VALUES
    ('acme', 1000000, 'a@acme', 'Anna', ROW ('Main', 'Graz', '8010'), 'a=>1', '2026-01-01', 'aaaaaaaa-0000-0000-0000-000000000001'),
    ('acme', 1000001, 'b@acme', 'Ben', NULL, NULL, '2026-01-02', 'aaaaaaaa-0000-0000-0000-000000000002');
INSERT INTO orders (tenant_id, id, customer_id, total, placed_at) VALUES
    ('acme', 1000000, 1000000, 10, '2026-01-01'), ('acme', 1000001, 1000000, 20, '2026-02-01');
REFRESH MATERIALIZED VIEW monthly;
ANALYZE;
