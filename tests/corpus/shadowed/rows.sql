-- Rows of one tenant, for the comparison of worlds: BASE and ROWS tell them from those of others.
INSERT INTO notes SELECT 'TENANT', n, 'title ' || n, 'body ' || BASE FROM generate_series(1, ROWS) n;
INSERT INTO public.pg_class SELECT 'TENANT', BASE + n FROM generate_series(1, ROWS) n;
