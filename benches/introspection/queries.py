"""The different statements of a server's JSON log, each as a JSON string a line."""

import json
import re
import sys

seen = set()
for line in sys.stdin:
    record = json.loads(line)
    match = re.match(r"(?:statement|execute [^:]*): (.*)", record.get("message", ""), re.S)
    if match and match.group(1).strip() and match.group(1) not in seen:
        seen.add(match.group(1))
        print(json.dumps(match.group(1)))
