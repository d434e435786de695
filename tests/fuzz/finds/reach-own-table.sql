-- agency acme
CREATE TEMP TABLE z AS SELECT public.projects.id FROM public.projects WHERE public.projects.id = 1
