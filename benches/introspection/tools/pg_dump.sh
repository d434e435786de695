# pg_dump: what it gets of structure and rows.
for options in "--data-only" "--schema-only" "--schema-only --table=orders" "--data-only --table=countries" "--data-only --column-inserts" ""; do
    echo "## $options"
    "$PG_BIN/pg_dump" --no-sync $options 2>&1 | grep -vE '^--|^$|^SET |pg_catalog.set_config'
done
