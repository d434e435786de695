#!/usr/bin/env bash
# What a round trip costs: pgbench direct, through PgBouncer and through Partywall, in interleaved rounds.
#
#   cargo build --release && benches/pgbench.sh
#
# Starts a PostgreSQL of its own and the two proxies on loopback, and cleans up. Needs PostgreSQL's programs, pgbench,
# PgBouncer and openssl (Debian: postgresql, pgbouncer, openssl). Variables, with their defaults:
#   ROUNDS=3 SECONDS_PER_RUN=5 CLIENTS="8 32" PROTOCOLS="simple extended prepared" TLS="off on"
#   POLICY=scoped    pgbench's tables filtered by tenant; shared: as they are
#   AUDIT=on         a record for every statement
#   PARTYWALL=target/release/partywall   PG_BIN=…   PGBOUNCER=/usr/sbin/pgbouncer
# With other work on the machine the absolute numbers mean little; the ratios hold better.
set -euo pipefail
cd "$(dirname "$0")/.."

ROUNDS=${ROUNDS:-3}
SECONDS_PER_RUN=${SECONDS_PER_RUN:-5}
CLIENTS=${CLIENTS:-8 32}
PROTOCOLS=${PROTOCOLS:-simple extended prepared}
TLS=${TLS:-off on}
POLICY=${POLICY:-scoped}
AUDIT=${AUDIT:-on}
PARTYWALL=$(realpath "${PARTYWALL:-target/release/partywall}")
PGBOUNCER=${PGBOUNCER:-/usr/sbin/pgbouncer}
PG_BIN=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}

fail() { echo "pgbench.sh: $*" >&2; exit 1; }
[ -x "$PARTYWALL" ] || fail "no $PARTYWALL: cargo build --release"
[ -x "$PGBOUNCER" ] || fail "no $PGBOUNCER: apt-get install pgbouncer"
[ -x "$PG_BIN/postgres" ] || fail "no PostgreSQL in $PG_BIN"

folder=$(mktemp -d /tmp/partywall-bench.XXXXXX)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    "${as_nobody[@]}" "$PG_BIN/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# PostgreSQL and PgBouncer refuse to run as root.
as_nobody=()
if [ "$(id -u)" = 0 ]; then
    as_nobody=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres "$folder"
fi
mkdir "$folder/socket" && chmod 755 "$folder" && chmod 777 "$folder/socket"

# Below the range from which outgoing connections take theirs.
free_port() {
    local port
    while :; do
        port=$((RANDOM % 12000 + 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

until_true() { # what, command…
    local what=$1 deadline=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $deadline ]; then
            tail -n 5 "$folder"/partywall-*/log "$folder"/*.log >&2 || true
            fail "$what: not within 30 s"
        fi
        read -rt 0.1 <> <(:) || true
    done
}

echo "setting up in $folder" >&2
password=$(openssl rand -hex 16)
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${key[@]}" -days 2 -subj "/CN=bench authority" -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
openssl req "${key[@]}" -subj /CN=localhost -keyout "$folder/server.key" -out "$folder/server.csr" 2>/dev/null
openssl x509 -req -in "$folder/server.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo subjectAltName=DNS:localhost) -out "$folder/server.crt" 2>/dev/null
chmod 600 "$folder/server.key"
chmod 644 "$folder"/*.crt
printf '%s' "$password" >"$folder/password"
if [ "$(id -u)" = 0 ]; then chown postgres "$folder/server.key" "$folder/server.crt" "$folder/password"; fi
"${as_nobody[@]}" "$PG_BIN/initdb" -D "$folder/data" -U postgres -A scram-sha-256 --pwfile="$folder/password" -N >/dev/null
pg_port=$(free_port)
cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $pg_port
unix_socket_directories = '$folder/socket'
ssl = on
ssl_cert_file = '$folder/server.crt'
ssl_key_file = '$folder/server.key'
max_connections = 300
fsync = off
CONF
"${as_nobody[@]}" "$PG_BIN/pg_ctl" -D "$folder/data" -w -l "$folder/postgres.log" start >/dev/null
export PGPASSWORD=$password PGCONNECT_TIMEOUT=10
psql=("$PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -d postgres)
"${psql[@]}" -p "$pg_port" -U postgres -c "CREATE ROLE bench LOGIN PASSWORD '$password'" -c "GRANT CREATE ON SCHEMA public TO bench"
# Scale 1: pgbench takes its scale from the rows that it can see, and a tenant sees its own.
"$PG_BIN/pgbench" -i -s 1 -q -h 127.0.0.1 -p "$pg_port" -U bench postgres 2>/dev/null

declare -A port pid
start_pgbouncer() { # tls
    local ini=$folder/pgbouncer-$1.ini mode=disable
    [ "$1" = on ] && mode=verify-full
    port[pgbouncer-$1]=$(free_port)
    echo "\"bench\" \"$password\"" >"$folder/userlist"
    cat >"$ini" <<INI
[databases]
postgres = host=localhost port=$pg_port dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port[pgbouncer-$1]}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/userlist
; As Partywall does it: a connection of its own for each client.
pool_mode = session
default_pool_size = 100
server_tls_sslmode = $mode
server_tls_ca_file = $folder/ca.crt
ignore_startup_parameters = extra_float_digits
logfile = $folder/pgbouncer-$1.log
INI
    "${as_nobody[@]}" "$PGBOUNCER" -q "$ini" >/dev/null 2>&1 &
    pid[pgbouncer-$1]=$!
    pids+=($!)
}

start_partywall() { # tls
    local home=$folder/partywall-$1
    mkdir "$home"
    port[partywall-$1]=$(free_port)
    local tls='tls = "disable"'
    [ "$1" = on ] && tls="tls_ca_file = \"$folder/ca.crt\""
    {
        printf '[listen]\naddress = "127.0.0.1:%s"\n' "${port[partywall-$1]}"
        printf '[upstream.main]\nhost = "localhost"\nport = %s\ndatabase = "postgres"\nuser = "bench"\n' "$pg_port"
        printf 'password = { env = "PGPASSWORD" }\n%s\n[policy]\nfile = "policy.toml"\n' "$tls"
        [ "$AUDIT" = on ] && printf '[audit.file]\npath = "audit.jsonl"\n'
    } >"$home/partywall.toml"
    {
        if [ "$POLICY" = scoped ]; then
            printf '[tenancy]\ncolumn = "bid"\n'
        else
            printf '[tenancy]\n'
            for table in accounts branches tellers history; do
                printf '[table."public.pgbench_%s"]\nkind = "shared-writable"\n' "$table"
            done
        fi
        printf '[login.bench]\ntenant = "1"\npassword = { env = "PGPASSWORD" }\n'
    } >"$home/policy.toml"
    "$PARTYWALL" run --config "$home/partywall.toml" 2>"$home/log" &
    pid[partywall-$1]=$!
    pids+=($!)
}

ask() { "${psql[@]}" -p "$1" -U bench -c "SELECT count(*) FROM pgbench_branches" | grep -qx 1; }
for tls in $TLS; do
    start_pgbouncer "$tls"
    start_partywall "$tls"
    until_true "PgBouncer (TLS $tls)" ask "${port[pgbouncer-$tls]}"
    until_true "Partywall (TLS $tls)" ask "${port[partywall-$tls]}"
done

# User and system time of a process, in ticks of 10 ms.
cpu_ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

run() { # target tls protocol clients: "tps latency_ms cpu_us_per_transaction"
    local target=$1 tls=$2 sslmode=disable at=$pg_port process= before=0 after=0 output
    if [ "$target" = direct ]; then
        [ "$tls" = on ] && sslmode=verify-full
    else
        at=${port[$target-$tls]}
        process=${pid[$target-$tls]}
        before=$(cpu_ticks "$process")
    fi
    output=$(PGSSLMODE=$sslmode PGSSLROOTCERT=$folder/ca.crt "$PG_BIN/pgbench" -n -S -M "$3" -c "$4" -j 2 \
        -T "$SECONDS_PER_RUN" -h localhost -p "$at" -U bench postgres 2>&1) || fail "pgbench through $target: $output"
    [ -n "$process" ] && after=$(cpu_ticks "$process")
    # Records of this run are of no use to the next.
    [ -f "$folder/partywall-$tls/audit.jsonl" ] && : >"$folder/partywall-$tls/audit.jsonl"
    awk -v ticks=$((after - before)) '
        /transactions actually processed/ { split($0, part, ": "); transactions = part[2] + 0 }
        /^latency average/ { latency = $4 }
        /^tps/ { tps = $3 }
        END { printf "%.0f %.3f %.1f\n", tps, latency, transactions ? ticks * 10000 / transactions : 0 }' <<<"$output"
}

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
column() { cut -d ' ' -f "$1" "$2" | median; }

printf '%s, %s, policy %s, audit %s, %s cores, %s rounds of %s s, medians\n\n' "$("$PARTYWALL" --version)" \
    "$("$PGBOUNCER" --version | head -n 1)" "$POLICY" "$AUDIT" "$(nproc)" "$ROUNDS" "$SECONDS_PER_RUN"
printf '%-9s %-4s %-3s  %-10s %9s %11s %12s %14s\n' protocol TLS c target tps latency/ms 'CPU us/txn' 'tps/PgBouncer'
for tls in $TLS; do
    for protocol in $PROTOCOLS; do
        for clients in $CLIENTS; do
            rm -f "$folder"/result.*
            for _ in $(seq "$ROUNDS"); do
                for target in direct pgbouncer partywall; do
                    run "$target" "$tls" "$protocol" "$clients" >>"$folder/result.$target"
                done
            done
            reference=$(column 1 "$folder/result.pgbouncer")
            for target in direct pgbouncer partywall; do
                result=$folder/result.$target
                printf '%-9s %-4s %-3s  %-10s %9s %11s %12s %14s\n' "$protocol" "$tls" "$clients" "$target" \
                    "$(column 1 "$result")" "$(column 2 "$result")" "$(column 3 "$result")" \
                    "$(awk -v a="$(column 1 "$result")" -v b="$reference" 'BEGIN { printf "%.2f", a / b }')"
            done
        done
    done
done
