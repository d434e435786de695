-- agency acme
INSERT INTO tags (label) SELECT DATE_TRUNC('month', "invoices"."due_at" AT TIME ZONE 'U') AS "month", SUM("invoices"."total") AS "sum" FROM "invoices" GROUP BY 1