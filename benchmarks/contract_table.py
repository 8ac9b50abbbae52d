"""A table held to its contract: the command that a comparison with other tools runs.

    python benchmarks/contract_table.py CONTRACT DATA [--split DIR]

The last line is JSON: ``{"checks": {"claim_id.pattern": 296, ...}, "rows": N}``. A field with a lower and an upper bound has
them together as ``range``: a row breaks one of them at most.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from plimsoll.assembly.table_checking import Asked, check_table

_BOUNDS = {"minimum", "maximum"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contract")
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path)
    arguments = parser.parse_args()
    check = check_table(Asked(files=(arguments.data,), contract=arguments.contract, split=arguments.split))
    declared = {(r.field, r.rule) for r in check.rules}
    counts: Counter[str] = Counter()
    for rule in check.rules:
        both = all((rule.field, bound) in declared for bound in _BOUNDS)
        name = "range" if rule.rule in _BOUNDS and both else rule.rule
        counts[f"{rule.field.partition('.')[2]}.{name}"] += rule.failed
    print(json.dumps({"checks": dict(counts), "rows": check.rows}))


if __name__ == "__main__":
    main()
