"""What decisions used and cost, added up by release and decision type: a view of the record that grows with it.

Asking costs what has come since somebody asked last, and not the whole of history.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from plimsoll.errors import PlimsollError
from plimsoll.ledger import Entry, Table
from plimsoll.ledger.reading import Reading
from plimsoll.model.decision import DecisionRecord, Disposition
from plimsoll.policy.spend import NANO, nano_of, tokens_of

UNDECLARED: Final = "undeclared"  # a type that somebody made up gets no line of its own: they could make up millions


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What decisions of one release and one type used and cost."""

    decisions: int = 0
    answered: int = 0
    input_tokens: int = 0  # as targets report them
    output_tokens: int = 0
    nano: dict[str, int] = {}  # billionths by currency, each decision's rounded up
    unpriced: int = 0  # decisions that say nothing of their cost


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    release: str  # digest; "" of records that were erased before they were counted
    type: str
    measured: bool  # taken by an assessment, and not in earnest
    decisions: int
    answered: int
    input_tokens: int
    output_tokens: int
    cost: tuple[str, ...]  # by currency, such as "12.5 EUR"
    per_answered: tuple[str, ...]  # cost of an answered decision; empty where none was answered
    unpriced: int


class CostsView:
    """The projection: `Sums` by system, release, whether an assessment took it, and type."""

    name: Final = "costs.by-release"
    version: Final = 1
    kinds: Final = frozenset({"decision"})

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
        """Add one decision."""
        record = _read(body)
        declared = entry.header is not None and entry.header.tier != UNDECLARED
        type_ = entry.header.type if entry.header is not None and declared else UNDECLARED
        use = "measured" if record is not None and record.run else "earnest"
        key = f"{entry.system}/{'' if record is None else record.release}/{use}/{type_}"
        kept = table.get(key)
        table.put(key, msgspec.json.encode(_added(Sums() if kept is None else _SUMS.decode(kept), entry, record)))


def costs(ledger: Reading, system: str) -> tuple[Costs, ...]:
    """What each release of a system used and cost, by type.

    Args:
        ledger: where it is recorded.
        system: as the manifest names it.
    """
    found = []
    for key, raw in ledger.view(CostsView()).scan(f"{system}/"):
        _, release, use, type_ = key.split("/", 3)
        sums = _SUMS.decode(raw)
        found.append(
            Costs(
                release=release,
                type=type_,
                measured=use == "measured",
                decisions=sums.decisions,
                answered=sums.answered,
                input_tokens=sums.input_tokens,
                output_tokens=sums.output_tokens,
                cost=_money(sums.nano, 1),
                per_answered=_money(sums.nano, sums.answered) if sums.answered else (),
                unpriced=sums.unpriced,
            )
        )
    return tuple(found)


def _added(sums: Sums, entry: Entry, record: DecisionRecord | None) -> Sums:
    read, written = (0, 0) if record is None else tokens_of(record.usage)
    nano = dict(sums.nano)
    amount, _, currency = ("" if record is None else record.cost).partition(" ")
    cost = _amount(amount)
    if cost is not None:
        nano[currency] = nano.get(currency, 0) + nano_of(cost)
    return Sums(
        decisions=sums.decisions + 1,
        answered=sums.answered + (entry.header is not None and entry.header.disposition == Disposition.ANSWERED.value),
        input_tokens=sums.input_tokens + read,
        output_tokens=sums.output_tokens + written,
        nano=nano,
        unpriced=sums.unpriced + (cost is None),
    )


def _amount(text: str) -> Decimal | None:
    """An amount as a record says it, with as many places as it takes; None where it says none."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _read(body: bytes | None) -> DecisionRecord | None:
    try:
        return None if body is None else _RECORD.decode(body)
    except (msgspec.DecodeError, PlimsollError):
        return None


def _money(nano: dict[str, int], among: int) -> tuple[str, ...]:
    """Amounts as they are read, each a share of what was spent, to a billionth."""
    amounts = {name: (Decimal(-(-count // among)).scaleb(-NANO)).normalize() for name, count in sorted(nano.items())}
    return tuple(f"{amount:f} {currency}" for currency, amount in amounts.items())


_SUMS: Final = msgspec.json.Decoder(Sums)
_RECORD: Final = msgspec.json.Decoder(DecisionRecord)
