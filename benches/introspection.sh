#!/usr/bin/env bash
# What tools ask of the catalogue, through Partywall and at a server that holds one tenant alone: do they see the same?
#
#   benches/introspection.sh [TOOL…]      one file of benches/introspection/tools each; without a name all whose program is here
#   benches/introspection.sh --keep       leaves everything running and prints how to reach it, until a key is pressed
#
# Three servers are made: a tenant alone, and two that it shares with others, which differ in the names, number and rows of
# whatever is the others'. Each tool prints what it learned, a line a thing. Printed for each tool: how many different
# queries it sent to the server, how many of them Partywall forwards, and how many of its lines are the same behind
# Partywall. A line that differs between the two shared servers is a leak. What differs lies in OUT. Variables:
#   OUT=target/introspection   PARTYWALL=target/debug/partywall   PG_BIN=…   PYTHON=… (with the drivers)   NODE_PATH=…
#   JARS=/usr/share/java/postgresql.jar   QUERIES=folder of files with one query as JSON a line, for the tool "replay"
set -euo pipefail
cd "$(dirname "$0")/.."

here=benches/introspection
OUT=${OUT:-target/introspection}
PARTYWALL=$(realpath "${PARTYWALL:-target/debug/partywall}")
PG_BIN=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
PYTHON=${PYTHON:-target/clients/python/bin/python}
export NODE_PATH=${NODE_PATH:-$PWD/target/clients/node/node_modules}
export JARS=${JARS:-/usr/share/java/postgresql.jar}
export QUERIES=${QUERIES:-}
export PG_BIN

fail() { echo "introspection.sh: $*" >&2; exit 1; }
[ -x "$PARTYWALL" ] || fail "no $PARTYWALL: cargo build"
[ -x "$PG_BIN/postgres" ] || fail "no PostgreSQL in $PG_BIN"

folder=$(mktemp -d /tmp/partywall-introspection.XXXXXX)
as_nobody=()
if [ "$(id -u)" = 0 ]; then
    as_nobody=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres "$folder"
fi
proxies=()
cleanup() {
    for process in "${proxies[@]}"; do kill "$process" 2>/dev/null || true; done
    for world in alone shared1 shared2; do
        "${as_nobody[@]}" "$PG_BIN/pg_ctl" -D "$folder/$world" -m immediate stop >/dev/null 2>&1 || true
    done
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
chmod 755 "$folder"
mkdir -p "$OUT"

free_port() {
    local port
    while :; do
        port=$((RANDOM % 12000 + 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}
declare -A port
for world in alone shared1 shared2 proxy1 proxy2 admin1 admin2; do port[$world]=$(free_port); done

server() { "${as_nobody[@]}" "$PG_BIN/pg_ctl" -D "$folder/$1" -w -l "$folder/$1.log" -o "-p ${port[$1]}" "$2" >/dev/null; }
psql() { "$PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 -h "$folder" -p "${port[$1]}" -U postgres "${@:2}"; }

# The structure is made once and copied, so that OIDs are the same everywhere.
printf introspection >"$folder/password"
"${as_nobody[@]}" "$PG_BIN/initdb" -D "$folder/alone" -U postgres --auth-local=trust --auth-host=scram-sha-256 \
    --pwfile="$folder/password" -N -E UTF8 --locale=C.UTF-8 >/dev/null
cat >>"$folder/alone/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
fsync = off
shared_buffers = 32MB
autovacuum = off
jit = off
timezone = 'UTC'
logging_collector = on
log_destination = 'jsonlog'
log_directory = '$folder/log'
log_filename = 'alone'
log_file_mode = 0644
CONF
server alone start
psql alone -d postgres -c "CREATE ROLE app LOGIN PASSWORD 'introspection'" -c "CREATE DATABASE app OWNER app"
psql alone -d app -f $here/structure.sql
server alone stop
for world in shared1 shared2; do
    "${as_nobody[@]}" cp -r "$folder/alone" "$folder/$world"
    sed -i "s/^log_filename.*/log_filename = '$world'/" "$folder/$world/postgresql.conf"
    server $world start
done
server alone start
psql shared1 -d app -v other=globex -v many=5 -f $here/hidden.sql >/dev/null
psql shared2 -d app -v other=initech -v many=300 -f $here/hidden.sql >/dev/null
for world in alone shared1 shared2; do
    psql $world -d app -f $here/own.sql
    psql $world -d app -c "ALTER SYSTEM SET log_statement = 'all'" -c "SELECT pg_reload_conf()" >/dev/null
done

export UPSTREAM_PASSWORD=introspection APP_PASSWORD=introspection PGUSER=app PGDATABASE=app PGPASSWORD=introspection PGHOST=127.0.0.1
for number in 1 2; do
    mkdir "$folder/proxy$number"
    cp $here/policy.toml "$folder/proxy$number/"
    cat >"$folder/proxy$number/partywall.toml" <<TOML
[listen]
address = "127.0.0.1:${port[proxy$number]}"
[admin]
address = "127.0.0.1:${port[admin$number]}"
[upstream.main]
host = "127.0.0.1"
port = ${port[shared$number]}
database = "app"
user = "app"
password = { env = "UPSTREAM_PASSWORD" }
tls = "disable"
[policy]
file = "policy.toml"
TOML
    "$PARTYWALL" run --config "$folder/proxy$number/partywall.toml" >"$folder/proxy$number/log" 2>&1 &
    proxies+=($!)
done
ready() { "$PG_BIN/psql" -Xqc 'SELECT 1' -p "$1" >/dev/null 2>&1; }
for number in 1 2; do
    for _ in $(seq 300); do ready "${port[proxy$number]}" && break; read -rt 0.1 <> <(:) || true; done
    ready "${port[proxy$number]}" || { cat "$folder/proxy$number/log"; fail "Partywall does not answer"; }
done
"$PARTYWALL" catalog --url "postgres://app:introspection@127.0.0.1:${port[shared1]}/app?sslmode=disable" >"$folder/catalog.json"
cp "$folder/catalog.json" "$OUT/"

if [ "${1:-}" = --keep ]; then
    for name in "${!port[@]}"; do echo "$name: ${port[$name]}"; done
    printf '%s\n' "folder: $folder" "user, database: app; password: introspection"
    read -r _ || { sleep infinity & wait; }
    exit
fi

# run TOOL PORT: what the tool learned.
run() {
    local file
    file=$(ls $here/tools/"$1".*)
    case $file in
        *.py) PGPORT=$2 timeout 120 "$PYTHON" "$file" ;;
        *.js) PGPORT=$2 timeout 120 node "$file" ;;
        *.rb) PGPORT=$2 timeout 120 ruby "$file" ;;
        *.php) PGPORT=$2 timeout 120 php "$file" ;;
        *.java) PGPORT=$2 timeout 120 java -cp "$JARS" "$file" ;;
        *.sh) PGPORT=$2 timeout 120 bash "$file" ;;
        *) fail "what runs $file?" ;;
    esac 2>&1 || echo "ERROR ended with $?"
}

tools=("$@")
[ ${#tools[@]} -gt 0 ] || mapfile -t tools < <(ls $here/tools | sed 's/\..*//')
printf '%-16s %8s %9s %8s %8s %7s\n' tool queries forwarded lines same leaks
for tool in "${tools[@]}"; do
    from=$(($(wc -l <"$folder/log/alone.json")))
    run "$tool" "${port[alone]}" >"$OUT/$tool.alone"
    if grep -qE 'ModuleNotFoundError|Cannot find module|LoadError|ClassNotFound|No suitable driver' "$OUT/$tool.alone"; then
        printf '%-16s not here\n' "$tool"
        continue
    fi
    tail -n +$((from + 1)) "$folder/log/alone.json" >"$folder/queries.log"
    run "$tool" "${port[proxy1]}" >"$OUT/$tool.shared1"
    run "$tool" "${port[proxy2]}" >"$OUT/$tool.shared2"
    python3 $here/queries.py <"$folder/queries.log" >"$folder/queries"
    "$PARTYWALL" explain --policy $here/policy.toml --catalog "$folder/catalog.json" --tenant acme - <"$folder/queries" >"$folder/decisions" || true
    paste "$folder/decisions" "$folder/queries" >"$OUT/$tool.decisions"
    read -r lines same leaks < <(python3 $here/compare.py "$OUT/$tool".{alone,shared1,shared2,diff,leaks})
    printf '%-16s %8s %9s %8s %8s %7s\n' "$tool" "$(wc -l <"$folder/queries")" \
        "$(grep -c '^{"decision":"\(forward\|answer\)' "$folder/decisions" || true)" "$lines" "$same" "$leaks"
done
