-- agency acme
MERGE INTO tags t USING contacts s ON t . label = s . first_name WHEN COLLATE "C" MATCHED THEN DELETE