#!/usr/bin/env bash
# What the rewriting costs the planner: each statement as Partywall sends it, and with the tenant's filter written by hand.
#
#   cargo build --release && benches/planning.sh
#
# Prints, for each statement, the ratio of the execution times and of the planning times: of the least of interleaved runs
# by EXPLAIN (ANALYZE, TIMING OFF), since other work on the machine only adds; and of the blocks that are looked at, to which
# it does not add. Starts a PostgreSQL of its own and cleans up. Variables, with their defaults:
#   ROUNDS=9   WORKLOADS="tpch orm"   PARTYWALL=target/release/partywall   PG_BIN=…   TENANT=t4
#   PLANS=1 also prints both plans where the ratio is above 1.2
set -euo pipefail
cd "$(dirname "$0")/.."

ROUNDS=${ROUNDS:-9}
WORKLOADS=${WORKLOADS:-tpch orm}
TENANT=${TENANT:-t4}
PLANS=${PLANS:-}
PARTYWALL=$(realpath "${PARTYWALL:-target/release/partywall}")
PG_BIN=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}

fail() { echo "planning.sh: $*" >&2; exit 1; }
[ -x "$PARTYWALL" ] || fail "no $PARTYWALL: cargo build --release"
[ -x "$PG_BIN/postgres" ] || fail "no PostgreSQL in $PG_BIN"

folder=$(mktemp -d /tmp/partywall-planning.XXXXXX)
as_nobody=()
if [ "$(id -u)" = 0 ]; then
    as_nobody=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres "$folder"
fi
cleanup() {
    "${as_nobody[@]}" "$PG_BIN/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
mkdir "$folder/socket" && chmod 755 "$folder" && chmod 777 "$folder/socket"

free_port() {
    local port
    while :; do
        port=$((RANDOM % 12000 + 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}
port=$(free_port)
printf planning >"$folder/password"
chmod 644 "$folder/password"
"${as_nobody[@]}" "$PG_BIN/initdb" -D "$folder/data" -U postgres -A scram-sha-256 --pwfile="$folder/password" -N -E UTF8 --locale=C.UTF-8 >/dev/null
cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder/socket'
fsync = off
shared_buffers = 256MB
max_parallel_workers_per_gather = 0
autovacuum = off
jit = off
timezone = 'UTC'
CONF
"${as_nobody[@]}" "$PG_BIN/pg_ctl" -D "$folder/data" -w -l "$folder/postgres.log" start >/dev/null
export PGPASSWORD=planning
psql=("$PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U postgres)

# By hand: `[t x]` becomes the filter on x. The client's own statement has nothing in its place.
by_hand() { sed -E "s/\[t ([a-z0-9]+)\]/\1.tenant = '$TENANT' AND/g" <<<"$1"; }
of_client() { sed -E 's/\[t [a-z0-9]+\] //g' <<<"$1"; }

least() { sort -n | head -n 1; }

measure() { # file with EXPLAINs in turn: by hand, as sent; prints "execution planning blocks" of either
    # The first line of buffers is that of the whole plan.
    "${psql[@]}" -d "$1" -f "$2" | awk '
        /^Planning:/ { seen = 1 }
        /Buffers:/ && !seen { seen = 1; while (match($0, /(hit|read)=[0-9]+/)) { split(substr($0, RSTART, RLENGTH), part, "="); blocks += part[2]; $0 = substr($0, RSTART + RLENGTH) } }
        /^Planning Time/ { planning = $3 }
        /^Execution Time/ { print $3, planning, blocks + 0; seen = 0; blocks = 0 }'
}

# Partywall reads the catalogue as an ordinary role.
"${psql[@]}" -d postgres -c "CREATE ROLE app LOGIN PASSWORD 'planning'"

total_ratios=$folder/ratios
: >"$total_ratios"
for workload in $WORKLOADS; do
    "${psql[@]}" -d postgres -c "CREATE DATABASE $workload"
    "${psql[@]}" -d "$workload" -f "benches/planning/$workload.schema.sql" >/dev/null
    "${psql[@]}" -d "$workload" -c "VACUUM ANALYZE" -c "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app"
    printf '[tenancy]\ncolumn = "tenant"\n' >"$folder/policy.toml"
    for table in region nation; do
        [ "$workload" = tpch ] && printf '[table."public.%s"]\nkind = "shared"\n' "$table" >>"$folder/policy.toml"
    done
    "$PARTYWALL" catalog --url "postgres://app:planning@127.0.0.1:$port/$workload?sslmode=disable" >"$folder/catalog.json"
    printf '\n%s\n%3s %10s %10s %7s %9s %7s  %s\n' "$workload" no hand/ms sent/ms ratio planning blocks statement
    number=0
    while IFS= read -r line; do
        case $line in ''|--*) continue ;; esac
        number=$((number + 1))
        line=${line%;}
        hand=$(by_hand "$line")
        client=$(of_client "$line")
        decision=$("$PARTYWALL" explain --policy "$folder/policy.toml" --catalog "$folder/catalog.json" --tenant "$TENANT" "$client" || true)
        if [ "$(head -n 1 <<<"$decision")" != forward ]; then
            printf '%3s refused: %s\n' "$number" "$(tr '\n' ' ' <<<"$decision" | cut -c 1-200)"
            continue
        fi
        sent=$(sed -n 2p <<<"$decision")
        {
            echo "$hand" | sed 's/^/EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) /; s/$/;/'
            echo "$sent" | sed 's/^/EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) /; s/$/;/'
        } >"$folder/pair.sql"
        # The answers must be the same, or the figures mean nothing.
        "${psql[@]}" -d "$workload" -c "$hand" | sort >"$folder/hand.rows"
        "${psql[@]}" -d "$workload" -c "$sent" | sort >"$folder/sent.rows"
        cmp -s "$folder/hand.rows" "$folder/sent.rows" || printf '%3s DIFFERENT ROWS: %s\n' "$number" "$client"
        for _ in $(seq "$((ROUNDS + 1))"); do cat "$folder/pair.sql"; done >"$folder/rounds.sql"
        # The first round warms up.
        measure "$workload" "$folder/rounds.sql" | tail -n +3 >"$folder/times"
        hand_ms=$(awk 'NR % 2 == 1 { print $1 }' "$folder/times" | least)
        sent_ms=$(awk 'NR % 2 == 0 { print $1 }' "$folder/times" | least)
        hand_plan=$(awk 'NR % 2 == 1 { print $2 }' "$folder/times" | least)
        sent_plan=$(awk 'NR % 2 == 0 { print $2 }' "$folder/times" | least)
        ratio=$(awk -v a="$sent_ms" -v b="$hand_ms" 'BEGIN { printf "%.2f", a / b }')
        planning=$(awk -v a="$sent_plan" -v b="$hand_plan" 'BEGIN { printf "%.2f", a / b }')
        blocks=$(awk 'NR % 2 == 1 { hand = $3 } NR % 2 == 0 { sent = $3 } END { printf "%.2f", (sent + 1) / (hand + 1) }' "$folder/times")
        guarded=$(grep -o 'CASE WHEN [a-z0-9_]*\.tenant OPERATOR\|OFFSET 0' <<<"$sent" | wc -l || true)
        echo "$ratio $planning $guarded $blocks" >>"$total_ratios"
        printf '%3s %10s %10s %7s %9s %7s  %s%s\n' "$number" "$hand_ms" "$sent_ms" "$ratio" "$planning" "$blocks" \
            "$([ "$guarded" -gt 0 ] && echo "[$guarded guarded] ")" "$(cut -c 1-90 <<<"$client")"
        if [ -n "$PLANS" ] && awk -v r="$ratio" 'BEGIN { exit !(r > 1.2) }'; then
            "${psql[@]}" -d "$workload" -f "$folder/pair.sql"
        fi
    done <"benches/planning/$workload.statements.sql"
done
echo
awk '{ all[NR] = $1; plan[NR] = $2; if ($3 == 0) { total[++n] = $1; if ($4 > most) most = $4 } }
     function sorted(list, size,  i, j, held) {
         for (i = 2; i <= size; i++) { held = list[i]; for (j = i - 1; j > 0 && list[j] > held; j--) list[j + 1] = list[j]; list[j + 1] = held }
     }
     END {
         sorted(all, NR); sorted(plan, NR); sorted(total, n)
         printf "all %d statements: execution median %.2f, worst %.2f; planning median %.2f, worst %.2f\n", NR, all[int((NR + 1) / 2)], all[NR], plan[int((NR + 1) / 2)], plan[NR]
         printf "the %d in which everything is total: execution median %.2f, worst %.2f; blocks worst %.2f\n", n, total[int((n + 1) / 2)], total[n], most
     }' "$total_ratios"
