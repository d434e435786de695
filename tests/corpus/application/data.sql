INSERT INTO people (email, name, joined, active) SELECT 'p' || n || '@team.example', 'Person ' || n, '2025-01-01'::date + n, n % 4 <> 0 FROM generate_series(1, 12) n;
INSERT INTO boards (title, settings) VALUES ('Web', '{"columns": ["todo", "done"], "limit": 5}'), ('Shop', '{"limit": null}'), ('Empty', '{}');
INSERT INTO issues (board_id, number, title, state, author_id, points, labels, opened, parent_id) SELECT 1 + n % 2, n, 'Issue ' || n, (ARRAY['open', 'review', 'done'])[1 + n % 3]::state, 1 + n % 12, n / 2.0, CASE WHEN n % 3 = 0 THEN '{bug,ui}'::text[] ELSE '{}' END, '2025-02-01 08:00+00'::timestamptz + n * interval '5 hours', NULL FROM generate_series(1, 40) n;
UPDATE issues SET parent_id = id / 2 WHERE id > 3;
INSERT INTO comments (issue_id, author_id, body) SELECT 1 + n % 40, 1 + n % 7, 'Comment ' || n FROM generate_series(1, 90) n;
INSERT INTO watchers SELECT DISTINCT 1 + n % 40, 1 + (n * 7) % 12 FROM generate_series(1, 100) n;
