"""The reference says what the code does: tables, codes, methods, formats."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs.codes import finding_codes, problem_codes
from docs.generate import TABLES, error_classes, made, pages
from docs.pages import DOCS, Block, all_pages, blocks, named

from plimsoll.assess.accountability import SAMPLE
from plimsoll.assess.stability_plan import LEAST_WINDOWS
from plimsoll.attest import read_trust
from plimsoll.contract import read_contract
from plimsoll.contract.coerce import COERCIONS
from plimsoll.contract.custom import OURS
from plimsoll.contract.reasons import MAX_REASONS
from plimsoll.guard.intake import MAX_BYTES, MAX_DEPTH
from plimsoll.guard.once import KEPT_S
from plimsoll.ledger import FORMAT, Draft, Ledger, LedgerSettings
from plimsoll.model.board import Standing
from plimsoll.model.decision import Disposition, Fault, Tier
from plimsoll.model.governance_reader import read_governance
from plimsoll.model.health_page import read_health_page
from plimsoll.model.manifest_reader import read_manifest
from plimsoll.model.metrics import METRICS, Kind

REFERENCE = DOCS / "reference"


def _text(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


def _named(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


# ── made from the code ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", pages(), ids=named)
def test_tables_are_as_the_code_gives_them(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert made(text) == text, "run: python docs/generate.py"


def test_every_table_is_on_a_page() -> None:
    used = set(re.findall(r"<!-- made: ([a-z ]+) -->", "".join(p.read_text(encoding="utf-8") for p in pages())))

    assert used == set(TABLES)


# ── examples are read as what they are ───────────────────────────────────────────────────────────────────────────────


def _yaml() -> list[tuple[Path, Block]]:
    return [(page, block) for page in all_pages() for block in blocks(page) if block.language == "yaml"]


@pytest.mark.parametrize(("page", "block"), _yaml(), ids=lambda v: named(v) if isinstance(v, Path) else str(v.line))
def test_every_yaml_example_is_read_without_a_problem(page: Path, block: Block) -> None:
    read = {
        "plimsoll:": read_manifest,
        "governance:": read_governance,
        "health:": read_health_page,
        "plimsoll-trust:": read_trust,
        "apiVersion:": read_contract,
    }

    read[block.text.split()[0]](block.text, named(page))


def test_the_tutorial_and_the_reference_show_the_same_manifest() -> None:
    """So that who compares them finds no difference to wonder about."""
    both = [(p, b) for p, b in _yaml() if p.parent.name == "reference" or p.name == "tutorial.md"]
    shown = [read_manifest(b.text, named(p)) for p, b in both if b.text.startswith("plimsoll: 1")]

    assert len(shown) > 1
    assert all(manifest == shown[0] for manifest in shown)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_problem_code_has_its_row() -> None:
    said = _named(_text("errors"))

    assert problem_codes() - said == set()
    assert {f"gate.{s.value.replace(' ', '-')}" for s in Standing if s is not Standing.MET} - said == set()


def test_every_finding_of_a_verification_has_its_row() -> None:
    assert finding_codes() - _named(_text("errors")) == set()


def test_no_row_is_about_a_code_that_nothing_gives() -> None:
    rows = re.findall(r"^\| `([a-z][a-z.-]*)` \|", _text("errors"), re.MULTILINE)
    gate = {f"gate.{s.value.replace(' ', '-')}" for s in Standing}

    assert set(rows) - problem_codes() - finding_codes() - gate == set()


def test_every_error_class_says_what_to_do() -> None:
    what_to_do = _text("errors").partition("## What to do")[2].partition("## YAML")[0]

    assert {e.__name__ for e in error_classes()} - _named(what_to_do) == set()


# ── metrics and statistics ───────────────────────────────────────────────────────────────────────────────────────────


def test_each_metric_stands_under_the_method_of_its_kind() -> None:
    text = _text("statistics")
    headings = {
        "Proportions": Kind.PROPORTION,
        "Quantiles": Kind.QUANTILE,
        "Bounded means": Kind.BOUNDED_MEAN,
        "Maxima": Kind.MAXIMUM,
        "Censuses": Kind.CENSUS,
    }
    for heading, kind in headings.items():
        section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        listed = section.partition("of this kind:")[2] or section
        assert _named(listed) & set(METRICS) == {m.name for m in METRICS.values() if m.kind is kind}, heading


def test_metrics_that_are_not_measured_are_said_to_be_so() -> None:
    text = _text("metrics")
    for metric in METRICS.values():
        section = text.partition(f"### `{metric.name}`")[2].partition("\n### ")[0]
        assert ("**not in this version**" in section) is not metric.measurable


# ── contracts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_coercion_and_custom_property_is_described() -> None:
    text = _text("contracts")
    rows = set(re.findall(r"^\| `([A-Za-z-]+)` \|", text, re.MULTILINE))

    assert set(COERCIONS) | set(OURS) <= rows


def test_every_fault_is_named() -> None:
    assert {fault.value for fault in Fault} <= _named(_text("contracts"))


# ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_table_of_the_file_is_described_with_its_columns(tmp_path: Path) -> None:
    text = _text("ledger-format").partition("## The file")[2].partition("\n## ")[0]
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.append(Draft(kind="note", body=b""))
        tables = [r[0] for r in ledger.reader.rows("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in tables:
            if table.startswith("sqlite_"):
                continue
            row = next(line for line in text.splitlines() if f"`{table}`" in f"{line}||".split("|")[1])
            columns = [r[1] for r in ledger.reader.rows(f"PRAGMA table_info({table})")]
            if table not in {"projections", "positions", "kept"}:  # views are no record
                assert re.findall(r"`(\w+)`", row.split("|")[2]) == columns, table


def test_the_format_described_is_the_format_written() -> None:
    assert f"This is format version {FORMAT}." in _text("ledger-format")


# ── bounds and windows that pages name ───────────────────────────────────────────────────────────────────────────────


def test_bounds_that_pages_name_are_those_of_the_code() -> None:
    ledger, guard = (_flat(DOCS / "explanation" / f"{name}.md") for name in ("ledger", "guard"))
    contracts, statistics = (_flat(REFERENCE / f"{name}.md") for name in ("contracts", "statistics"))
    settings = LedgerSettings()

    assert f"within {settings.flush_ms:g} ms" in ledger
    assert f"at most {settings.waiting:,} entries wait" in ledger
    assert f"every {settings.checkpoint_entries:,} entries" in ledger
    assert (settings.checkpoint_s, "made each minute" in ledger) == (60, True)
    assert f"for {KEPT_S // 3600} hours" in guard
    assert (MAX_BYTES, "more than 1 MiB" in contracts) == (1 << 20, True)
    assert f"nesting of more than {MAX_DEPTH}" in contracts
    assert f"at most {MAX_REASONS}." in contracts
    assert f"at most {SAMPLE} decisions" in statistics
    assert (LEAST_WINDOWS, "at least three windows" in statistics) == (3, True)


def _flat(page: Path) -> str:
    """A page without its line breaks."""
    return " ".join(page.read_text(encoding="utf-8").split())


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = {
    "system", "target", "decision type", "tier", "contract", "release", "decision", "disposition", "ledger", "evidence",
    "metric", "condition", "threshold", "gate", "verdict", "attestation", "control", "manifest", "guard", "assessment",
    "board", "bound", "standing", "quarantine", "witness", "checkpoint", "entry", "stream", "acceptance", "fallback",
}  # fmt: skip


def _glossary() -> list[str]:
    return re.findall(r"^\*\*([^*]+)\*\*", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_glossary_has_every_word_of_the_design_in_order() -> None:
    words = [word.split(",")[0] for word in _glossary()]

    assert set(words) >= WORDS
    assert words == sorted(words, key=lambda w: w.casefold().replace("-", " "))
    assert len(set(words)) == len(words)


def test_the_page_of_the_guard_names_every_disposition_and_every_tier() -> None:
    text = (DOCS / "explanation" / "guard.md").read_text(encoding="utf-8").casefold()

    assert all(f"`{d.value}`" in text for d in Disposition)
    assert all(tier.value in text for tier in Tier)


def test_every_package_stands_in_the_architecture() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "explanation" / "architecture.md").read_text("utf-8"), re.MULTILINE)
    source = DOCS.parent / "src" / "plimsoll"
    packages = {p.name for p in source.iterdir() if (p / "__init__.py").exists()} | {"errors"}

    assert set(rows) == packages
