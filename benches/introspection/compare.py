"""compare.py ALONE SHARED1 SHARED2 DIFFERENCES LEAKS: writes what differs, prints lines, lines that are the same, leaks."""

import difflib
import sys

alone, first, second = (open(path, errors="replace").read().splitlines() for path in sys.argv[1:4])
# Tools ask for things of the first server's others by name; an answer about them differs between the two. These nobody names.
UNKNOWN = "initech"
known = set(alone)
different = list(difflib.unified_diff(alone, first, "alone", "shared", n=0, lineterm=""))
leaks = list(difflib.unified_diff(first, second, "shared1", "shared2", n=0, lineterm=""))
leaks += [line for line in first + second if line not in known and UNKNOWN in line.lower()]
open(sys.argv[4], "w").write("\n".join(different))
open(sys.argv[5], "w").write("\n".join(leaks))
same = len(alone) - sum(line.startswith("-") and not line.startswith("---") for line in different)
print(len(alone), same, len(leaks))
