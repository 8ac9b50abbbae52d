"""Records held to their contract one by one, with all reasons of each: the check that the guard makes.

    python benchmarks/contract_lines.py CONTRACT DATA LIMIT

The last line is JSON: ``{"bad": N}``, the lines of the first LIMIT that are no record or break the contract.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from plimsoll.contract import compile_contract, parse_record, read_contract_bytes


def count_bad(contract: Path, data: Path, limit: int) -> int:
    check = compile_contract(read_contract_bytes(contract.read_bytes(), str(contract))).check
    bad = 0
    with data.open("rb") as lines:
        for number, line in enumerate(lines):
            if number >= limit:
                break
            parsed = parse_record(line)
            if parsed.reasons or check(parsed.value).reasons:
                bad += 1
    return bad


def main() -> None:
    contract, data, limit = sys.argv[1:4]
    print(json.dumps({"bad": count_bad(Path(contract), Path(data), int(limit))}))


if __name__ == "__main__":
    main()
