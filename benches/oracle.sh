#!/usr/bin/env bash
# Two-world differences, as one figure: over the known ways, over generated statements, over SQLsmith's. All must be 0.
#
#   benches/oracle.sh                       40,000 generated statements and 10,000 of SQLsmith's
#   STATEMENTS=200000 SQLSMITH=50000 SEED=7 benches/oracle.sh
#
# In portions of 20,000 and 5,000, each with a seed of its own. SQLsmith is Debian's package of that name.
set -euo pipefail
cd "$(dirname "$0")/.."
statements=${STATEMENTS:-40000}
sqlsmith=${SQLSMITH:-10000}
seed=${SEED:-1}
differences=0

# run TEST [OPTIONS]: counts a failed test as what it found.
run() {
    local log status=0
    log=$(mktemp)
    cargo test --quiet --test live "$1" -- --nocapture "${@:2}" >"$log" 2>&1 || status=$?
    grep -E '(statements|cases).*(:|heard)' "$log" | head -3 || true
    if [ "$status" != 0 ]; then
        differences=$((differences + $(grep -c -E '^# .*(seed|corpus)|: (ERRORS|ROWS|TAGS|WRITTEN|alone and|the shared)' "$log" || echo 1)))
        cat "$log" >&2
    fi
    rm -f "$log"
}

echo "== known ways and the corpus"
run bypass::the_known_ways
run oracle::the_corpus_as_if_alone
echo "== generated"
for ((done = 0; done < statements; done += 20000)); do
    PARTYWALL_ORACLE_SEED=$seed PARTYWALL_ORACLE_STATEMENTS=$((statements - done < 20000 ? statements - done : 20000)) \
        run oracle::generated_statements
    seed=$((seed + 1))
done
echo "== SQLsmith"
for ((done = 0; done < sqlsmith; done += 5000)); do
    PARTYWALL_ORACLE_SEED=$seed PARTYWALL_SQLSMITH_STATEMENTS=$((sqlsmith - done < 5000 ? sqlsmith - done : 5000)) \
        run sqlsmith::sqlsmith_as_if_alone
    seed=$((seed + 1))
done
echo "differences: $differences"
[ "$differences" = 0 ]
