"""What it costs to list the quarantine and to send a group of it through again, and how that grows.

    python benchmarks/quarantine.py [--json] [--sizes 10000,1000000] [--dir FOLDER_ON_THE_DISK_THAT_COUNTS]

For each size: so many broken records of three sources are offered to a guard with its real defaults (batched; payloads
encrypted) and quarantined; then, in this order,

    fold        the view is forgotten and folded anew from the first entry; a guard at work does it bit by bit, so its
                rate of quarantining (``quarantined_per_s``) has most of it inside
    list        the groups with counts, owner and example, as `plimsoll quarantine list` asks for them: the best of five,
                once in this process, and once as the whole command
    preview     what a JSON Patch would do to one group: every record of it is mended and checked
    replay      all groups, mended by the patch, with an instant target: until everything is on the disk; and the
                processor's time for one (``replay_cpu_us``)
    fold replays    the view is brought up to date with what was decided, before the next group

``lost`` counts records that are neither closed nor waiting afterwards, ``twice`` those with more than one decision.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import hooks
from plain import classify

from plimsoll.contract.patch import parse_patch
from plimsoll.guard.quarantine import grouped
from plimsoll.guard.quarantine_group import Fix, preview, replay_group
from plimsoll.guard.quarantine_view import QuarantineView, totals_of

PATCH = '[{"op": "replace", "path": "/kind", "value": "auto"}]'
SOURCES = 3


def record(at: int) -> bytes:
    """A claim whose kind is none; 250 bytes, as `benchmarks/guard.py` sends them."""
    text = "rear bumper damaged in a car park. " * 5
    return b'{"claim_id": "c-%d", "amount": %d, "kind": "boat", "text": "%s"}' % (at, at % 10_000, text.encode())


def measure(size: int, scratch: Path) -> dict[str, Any]:
    """All figures at one size."""
    folder = scratch / str(size)
    folder.mkdir()
    guard = hooks.open_guard(str(folder), classify, durability="batched")
    ledger, found = guard.ledger, dict[str, Any]()
    began = time.perf_counter()
    for at in range(size):
        guard.decide("classify", record(at), source=f"source-{at % SOURCES}", offset=f"feed.jsonl:{at}")
    ledger.flush()
    found["quarantined_per_s"] = round(size / (time.perf_counter() - began))
    ledger.drop(QuarantineView.name)
    began = time.perf_counter()
    view = ledger.view(QuarantineView())
    found["fold_per_s"] = round(size / (time.perf_counter() - began))
    found["list_s"] = round(min(timed(lambda: grouped(ledger, system="bench"))[0] for _ in range(5)), 4)
    found["list_command_s"] = round(min(timed(lambda: listed(folder))[0] for _ in range(3)), 3)
    groups = grouped(ledger, system="bench")
    assert sum(group.count for group in groups) == size, groups
    fix = Fix(patch=parse_patch(PATCH.encode()), text=PATCH)
    checker = guard.checker_of("")
    seconds, seen = timed(lambda: preview(ledger, "bench", groups[0].group, fix, checker, samples=3))
    assert seen.would_pass == groups[0].count, seen
    found["preview_per_s"] = round(groups[0].count / seconds)
    replaying = folding = spent = 0.0
    for group in groups:
        before = time.process_time()
        seconds, outcome = timed(lambda name=group.group: replay_group(guard, name, fix, by="claims-ops@example.org"))
        spent += time.process_time() - before
        assert outcome.ended == {"answered": group.count}, outcome
        replaying += seconds
        folding += timed(lambda: ledger.view(QuarantineView()))[0]
    found["replay_per_s"] = round(size / replaying)
    found["replay_cpu_us"] = round(spent / size * 1e6, 1)
    found["fold_replays_per_s"] = round(size / folding)
    view = ledger.view(QuarantineView())
    totals = totals_of(view, "bench")
    found["lost"] = size - totals.records.get("fixed", 0) - totals.waiting
    decided = hooks.stored(ledger.path) - size
    found["twice"] = decided - totals.records.get("fixed", 0)
    guard.close()
    found["bytes_per_record"] = round(sum(f.stat().st_size for f in folder.rglob("ledger.db*")) / size)
    return found


def timed(work: Any) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def listed(folder: Path) -> None:
    """The command itself, in a process of its own."""
    command = str(Path(sys.executable).with_name("plimsoll"))
    subprocess.run([command, "quarantine", "list"], cwd=folder, check=True, capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout, the table on stderr")
    parser.add_argument("--sizes", default="10000,1000000", help="records, the largest last")
    parser.add_argument("--dir", help="where the files go; default: the temporary folder")
    options = parser.parse_args()
    if options.json:
        sys.stdout = sys.stderr
    scratch = Path(tempfile.mkdtemp(prefix="quarantine-", dir=options.dir))
    try:
        measured = {}
        for size in map(int, options.sizes.split(",")):
            measured[size] = measure(size, scratch)
            print(f"{size:>9,}: {measured[size]}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    smallest, largest = measured[min(measured)], measured[max(measured)]
    figures = {
        "quarantine_list_s": largest["list_s"],
        "quarantine_list_command_s": largest["list_command_s"],
        "replay_per_s": largest["replay_per_s"],
        "replay_cpu_us": largest["replay_cpu_us"],
        "list_growth": round(largest["list_s"] / smallest["list_s"], 2),
        "replay_growth": round(smallest["replay_per_s"] / largest["replay_per_s"], 2),
        "lost": sum(each["lost"] for each in measured.values()),
        "twice": sum(each["twice"] for each in measured.values()),
        "sizes": measured,
    }
    if options.json:
        sys.__stdout__.write(json.dumps(figures, indent=1) + "\n")  # type: ignore[union-attr]  # a script has one
    return 0 if figures["lost"] == figures["twice"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
