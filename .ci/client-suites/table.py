"""Prints the results of all suites as a table; exits 1 when one failed.

A line of the input: library, version, interaction, result (ok, refused, failed, not offered yet), note.
"""

import sys

with open(sys.argv[1], encoding="utf-8") as file:
    rows = [line.rstrip("\n").split("\t") for line in file]
if not rows:
    sys.exit("no suite reported anything")

print("| library | version | interaction | result | note |")
print("|---|---|---|---|---|")
for row in rows:
    print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
counts = {}
for row in rows:
    counts[row[3]] = counts.get(row[3], 0) + 1
print("\n" + ", ".join(f"{count} {result}" for result, count in sorted(counts.items())))
sys.exit(1 if set(counts) - {"ok", "refused", "not offered yet"} else 0)
