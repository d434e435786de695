# psql's backslash commands. A heading a command, so that a difference has a place. With "main" only those that people type.
main=('\d' '\d+' '\dt' '\di+' '\dv' '\dm' '\ds' '\d customers' '\d+ orders' '\d+ order_lines' '\d+ events' '\d "Odd Names"'
    '\d archive.orders' '\d+ countries' '\d rooms' '\d+ open_orders' '\d+ monthly' '\d ticket_numbers' '\d orders_pkey'
    '\d address' '\d nowhere' '\d hidden_globex' '\d events_hidden_globex' '\dn' '\df full_name' '\df hidden*' '\dT+ order_status'
    '\dT hidden*' '\dD' '\dp orders' '\dd customers' '\l' '\du' '\dx' '\dX' '\dP' '\dRp' '\des' '\sf full_name' '\sv open_orders'
    '\dS pg_class' '\conninfo')
more=('\dt+' '\di' '\dv+' '\dm+' '\ds+' '\dE' '\dtvmsE' '\dt *.*' '\d+ customers' '\d orders' '\d order_lines' '\d events'
    '\d+ archive.orders' '\d countries' '\d+ rooms' '\d open_orders' '\d+ customer_totals' '\d orders_id_seq' '\d+ orders_open'
    '\d ord*' '\dn+' '\df' '\df+' '\df+ full_name' '\dfa' '\dT' '\dT+' '\dD+' '\dC' '\dC+' '\do' '\do+ =' '\dO' '\dO+' '\dc'
    '\dc+' '\dF' '\dF+' '\dFd' '\dFd+' '\dFp' '\dFp+' '\dFt' '\dL' '\dL+' '\dA' '\dA+' '\dAc' '\dAc+' '\dAf' '\dAo btree'
    '\dAp btree' '\dd' '\dp' '\z' '\ddp' '\drds' '\du+' '\dg' '\l+' '\db' '\db+' '\dx+' '\dx+ hstore' '\dy' '\dy+' '\dRp+'
    '\dRs' '\dP+' '\dPi' '\dPt' '\dX orders*' '\des+' '\dew' '\dew+' '\deu' '\det' '\dconfig' '\dconfig *conn*' '\dl'
    '\sf+ full_name' '\sf stamp' '\sv+ customer_totals' '\encoding' '\d pg_catalog.pg_type' '\d information_schema.tables'
    '\dtS' '\dvS' '\dT *.*' '\dfS lower' '\d *.customers' '\dt public.*' '\dt archive.*')
commands=("${main[@]}")
[ "${1:-}" = main ] || commands+=("${more[@]}")
for command in "${commands[@]}"; do
    printf '%s\n' "\\echo '## ${command#?}'" "$command"
done | "${PG_BIN:+$PG_BIN/}psql" -X -P format=unaligned -v VERBOSITY=verbose 2>&1 |
    sed -E 's/(port )"?[0-9]+"?/\1N/; s/^psql:<stdin>:[0-9]+: //'
