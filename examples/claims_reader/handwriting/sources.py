"""The eleven sources of the feed: what each sends, and what is wrong with it.

Every source gets forms in the common format, in the order in which they came, and returns the lines it sends. All of
this is composed: the faults are of the kinds that are met in practice, their shares are chosen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from handwriting.forms import Form, line

Sender = Callable[[Sequence[Form], random.Random], list[str]]


class Source(NamedTuple):
    """One source of claim forms."""

    name: str
    records: int  # lines in the feed
    send: Sender
    note: str  # what there is to know about it
    bad_scans: int = 0  # forms that are rotated or noisy, in the pixels
    repeats: int = 0  # lines that are sent twice


def _common(forms: Sequence[Form], _rng: random.Random) -> list[str]:
    return [line(form) for form in forms]


def _incomplete(forms: Sequence[Form], rng: random.Random) -> list[str]:
    """60 forms without a branch, 6 without a claim number, 4 whose boxes were all missed."""
    odd = rng.sample(range(len(forms)), 70)
    without_branch, without_claim, without_boxes = set(odd[:60]), set(odd[60:66]), set(odd[66:])
    lines = []
    for place, form in enumerate(forms):
        sent = dict(form)
        if place in without_branch:
            del sent["branch"]
        if place in without_claim:
            del sent["claim"]
        if place in without_boxes:
            sent["scan"] = {**form["scan"], "digits": []}
        lines.append(line(sent))
    return lines


def _stale(forms: Sequence[Form], rng: random.Random) -> list[str]:
    """6 forms are stamped with a date of years ago: found in a drawer, or by a clock without a battery."""
    old = set(rng.sample(range(len(forms)), 6))
    return [
        line({**form, "received": f"{rng.choice((2000, 2019, 2021))}{form['received'][4:]}"} if place in old else form)
        for place, form in enumerate(forms)
    ]


def _cut(forms: Sequence[Form], rng: random.Random) -> list[str]:
    """3% of the lines end in the middle."""
    broken = set(rng.sample(range(len(forms)), round(0.03 * len(forms))))
    lines = []
    for place, form in enumerate(forms):
        text = line(form)
        lines.append(text[: int(len(text) * rng.uniform(0.2, 0.9))] if place in broken else text)
    return lines


def _renamed(forms: Sequence[Form], _rng: random.Random) -> list[str]:
    """From the middle on, ``claim`` is called ``claim_id``. Nobody was told."""
    middle = len(forms) // 2
    return [
        line(form if place < middle else {"claim_id" if key == "claim" else key: item for key, item in form.items()})
        for place, form in enumerate(forms)
    ]


def _retyped(forms: Sequence[Form], _rng: random.Random) -> list[str]:
    """From the middle on, the scanner's figures are texts with a decimal comma. Nobody was told."""
    middle = len(forms) // 2
    lines = []
    for place, form in enumerate(forms):
        scan = form["scan"]
        changed = {**scan, "skew_degrees": _comma(scan["skew_degrees"]), "contrast": _comma(scan["contrast"])}
        lines.append(line(form if place < middle else {**form, "scan": changed}))
    return lines


def _archive_host(forms: Sequence[Form], _rng: random.Random) -> list[str]:
    """A mainframe: own names in capitals, padded texts, dates as dd.mm.yyyy, every number a text, ink as a table."""
    return [
        line(
            {
                "SCHADEN": f"{form['claim']:<16}",
                "EINGANG": _dmy(form["received"]),
                "KANAL": form["channel"],
                "FILIALE": f"{form['branch']:<12}",
                "VN": form["policyholder"],
                "WAEHRUNG": form["currency"],
                "SEITEN": f"{form['pages']:>3}",
                "ORIGINAL": "true" if form["original"] else "false",
                "BILD": {
                    "NEIGUNG": _comma(form["scan"]["skew_degrees"]),
                    "KONTRAST": _comma(form["scan"]["contrast"]),
                    "ZIFFERN": [_table(box) for box in form["scan"]["digits"]],
                },
            }
        )
        for form in forms
    ]


def _branch_fax(forms: Sequence[Form], _rng: random.Random) -> list[str]:
    """A fax gateway: other names, dates as mm/dd/yyyy, numbers as texts."""
    return [
        line(
            {
                "claim_number": form["claim"],
                "date_received": _mdy(form["received"]),
                "channel": form["channel"],
                "office": form["branch"],
                "policy_holder": form["policyholder"],
                "currency": form["currency"],
                "page_count": str(form["pages"]),
                "is_original": "yes" if form["original"] else "no",
                "image": {
                    "skew": str(form["scan"]["skew_degrees"]),
                    "contrast": str(form["scan"]["contrast"]),
                    "boxes": form["scan"]["digits"],
                },
            }
        )
        for form in forms
    ]


def _reinsurer_exchange(forms: Sequence[Form], _rng: random.Random) -> list[str]:
    """An exchange format of the nineties: keys are bare numbers, dates as dd.mm.yyyy, decimal commas, spaces around."""
    return [
        line(
            {
                "claim": int(form["claim"].replace("C-2026-", "2026")),
                "received": _dmy(form["received"]),
                "channel": form["channel"],
                "branch": f" {form['branch']} ",
                "policyholder": int(form["policyholder"].removeprefix("P-")),
                "currency": f"{form['currency']} ",
                "pages": str(form["pages"]),
                "original": "1" if form["original"] else "0",
                "scan": {
                    "skew_degrees": _comma(form["scan"]["skew_degrees"]),
                    "contrast": _comma(form["scan"]["contrast"]),
                    "digits": form["scan"]["digits"],
                },
            }
        )
        for form in forms
    ]


def _comma(number: float) -> str:
    return str(number).replace(".", ",")


def _dmy(date: str) -> str:
    year, month, day = date.split("-")
    return f"{day}.{month}.{year}"


def _mdy(date: str) -> str:
    year, month, day = date.split("-")
    return f"{month}/{day}/{year}"


def _table(box: str) -> str:
    """A box as eight lines of eight numbers."""
    inks = [str(int(cell, 17)) for cell in box]
    return "\n".join(" ".join(inks[row : row + 8]) for row in range(0, 64, 8))


SOURCES: Final = (
    Source("counter", 400, _common, "scanned at the counter while the customer waits"),
    Source("mailroom", 380, _common, "letters; the gateway sends 20 forms twice", repeats=20),
    Source("agent-desk", 320, _incomplete, "typed by agents: 60 without a branch, 6 without a claim, 4 without boxes"),
    Source("mobile-app", 320, _common, "photographs; 75 are rotated or noisy", bad_scans=75),
    Source("broker-portal", 300, _cut, "the upload breaks off in 3% of the records"),
    Source("workshop-terminal", 200, _stale, "6 forms bear a date of years ago"),
    Source("partner-clinics", 230, _renamed, "half-way, a field is renamed; undocumented"),
    Source("garage-network", 240, _retyped, "half-way, two numbers become texts with a decimal comma; undocumented"),
    Source("archive-host", 220, _archive_host, "legacy: a mainframe"),
    Source("branch-fax", 200, _branch_fax, "legacy: a fax gateway"),
    Source("reinsurer-exchange", 190, _reinsurer_exchange, "legacy: an exchange format of the nineties"),
)
