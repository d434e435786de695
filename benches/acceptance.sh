#!/usr/bin/env bash
# How much of what applications send passes, and is answered as if the tenant were alone. One figure a script, one a folder,
# and the refusals, ranked.
#
#   benches/acceptance.sh FOLDER…           folders of psql scripts for one tenant (tests/live/acceptance.rs says more)
#   benches/acceptance.sh --log FILE… -- DATABASE FOLDER     makes a folder of a server's JSON log (log_statement = all)
#   KEYS=shared benches/acceptance.sh …     keys stay as they are, instead of being extended by the tenant column
#   LIST=file benches/acceptance.sh …       every statement that is not equal, with the reason
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" = --log ]; then
    shift
    logs=()
    while [ "$1" != -- ]; do logs+=("$1"); shift; done
    mkdir -p "$3"
    exec python3 - "$2" "$3/log.sql" "${logs[@]}" <<'PYTHON'
import json
import re
import sys

database, target, *logs = sys.argv[1:]
count = 0
with open(target, "w") as script:
    for path in sorted(logs):
        for line in open(path):
            record = json.loads(line)
            match = re.match(r"(?:statement|execute [^:]*): (.*)", record.get("message", ""), re.S)
            # Parameters are not in the text: such statements are left out.
            if record.get("dbname") != database or not match or record.get("detail", "").startswith("parameters: "):
                continue
            sql = match.group(1).strip().rstrip(";")
            if sql:
                script.write(sql + ";\n")
                count += 1
print(f"{count} statements in {target}")
PYTHON
fi
folders=
for folder in "$@"; do folders=$folders:$(cd "$folder" && pwd); done
cd "$root"
[ -z "$folders" ] || export PARTYWALL_ACCEPTANCE=${folders#:}
export PARTYWALL_KEYS=${KEYS:-} PARTYWALL_ACCEPTANCE_LIST=${LIST:-/dev/null}
cargo test --quiet --test live acceptance::applications -- --nocapture
