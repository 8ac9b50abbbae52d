"""Change control: what is tightened counts at once, what is loosened waits.

The lines that a setter has signed are given in the order in which they were signed, each with the moment from which a
witness holds it. A line that was loosened goes on being judged beside the new one until the cooling-off is over that
was in force when the change was first witnessed; so of each condition the strictest of all lines in force is judged. A
line that no witness holds, or that nobody has signed, relieves none before it. The first line of a system counts at
once.

When a loosened condition counts, it is judged on evidence newer than the witnessed change: a limit may not be fitted to
figures that are known. What was measured before still counts against the release where it is on the wrong side.

Whoever sets the threshold is part of it: another setter is a loosening too, so nothing is eased by a new one before the
old one's cooling-off is over (ADR 16).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from plimsoll.gate.verdict import judge
from plimsoll.model.board import Row, Standing
from plimsoll.model.evidence import Dated
from plimsoll.model.threshold import Condition, Threshold

NS: Final = 1_000_000_000
SETTER: Final = "set_by"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One thing beside the conditions that makes a threshold stricter or looser."""

    name: str  # of a field of `Threshold` that holds a quantity, or nothing at all
    more_is_stricter: bool
    touches: str | None  # metrics whose names begin so are judged by it; "" all of them; None: it judges no evidence

    def of(self, threshold: Threshold) -> float:
        """Larger for stricter."""
        value: Any = getattr(threshold, self.name)
        base = 0.0 if value is None else value.base
        return base if self.more_is_stricter else -base


# All that a threshold holds beside its conditions and people; a new field is one more line.
SETTINGS: Final = (
    Setting(name="confidence", more_is_stricter=True, touches=""),
    Setting(name="max_age", more_is_stricter=False, touches=""),
    Setting(name="load_window", more_is_stricter=True, touches="stability."),
    Setting(name="cooling_off", more_is_stricter=True, touches=None),
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold in the order of the signatures."""

    threshold: Threshold
    entry: str = ""  # the ledger entry of the setter's signature; "": nobody has signed it
    signed_ns: int = 0  # as the signature says
    held_ns: int | None = None  # when the first witnessed checkpoint that holds the signature was made; None: none does


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in which a line differs from the one before it."""

    what: str  # a metric, the name of a setting, or "set_by"
    was: str  # "evaluation.accuracy >= 95%"; "" where there was nothing
    now: str  # "" where nothing is left
    looser: bool  # else it is tightened


class Loosened(msgspec.Struct, frozen=True, kw_only=True):
    """A change of which the line before was stricter than the one that lies here."""

    change: Change
    by: str  # who set the line that holds it
    entry: str  # "": nobody has signed it
    signed_ns: int
    held_ns: int | None
    counts_from_ns: int | None  # None: it cannot be said, for no witness holds it yet
    counts: bool  # False: until then the line before is judged


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged now."""

    threshold: Threshold  # the strictest of all lines in force
    earlier: tuple[str, ...]  # conditions of it that the last line does not hold: they are an earlier line's
    loosened: tuple[Loosened, ...]
    since: Mapping[str, int]  # metric -> its evidence must be newer than this (UTC nanoseconds)


def in_force(lines: Sequence[Line], now_ns: int) -> InForce:
    """What is judged now, given all lines.

    Args:
        lines: oldest first; the last is the threshold that lies here now, signed or not. At least one.
        now_ns: UTC nanoseconds since the epoch.

    >>> old, new = (Threshold(set_by="a@b.org", conditions=(Condition.parse(f"evaluation.accuracy >= {limit}"),))
    ...             for limit in ("95%", "90%"))
    >>> lines = [Line(threshold=old, entry="e-1", held_ns=0), Line(threshold=new, entry="e-2", held_ns=1)]
    >>> [str(in_force(lines, day * 86_400 * NS).threshold.conditions[0]) for day in (1, 8)]
    ['evaluation.accuracy >= 95%', 'evaluation.accuracy >= 90%']
    """
    last = lines[-1].threshold
    retired = _retired(lines)
    active = [i for i, at in enumerate(retired) if at is None or at > now_ns]
    strictest = _strictest([lines[i].threshold for i in active])
    waits = [(lines[i].threshold, retired[i]) for i in active if i < len(lines) - 1]
    loosened = tuple(_loosened(lines, strictest, waits))
    held = {str(c) for c in last.conditions}
    return InForce(
        threshold=strictest,
        earlier=tuple(str(c) for c in strictest.conditions if str(c) not in held),
        loosened=loosened,
        since=_since(loosened, strictest),
    )


def effects(lines: Sequence[Line]) -> tuple[int | None, ...]:
    """When what each line loosens counts, in nanoseconds since the epoch; the first at once (0), None: never so far.

    The cooling-off is the longest of the lines in force when the change was first witnessed, so one that was shortened
    itself does not help before the shortening counts.
    """
    found: list[int | None] = []
    for at, line in enumerate(lines):
        if at == 0:
            found.append(0)
        elif line.held_ns is None:
            found.append(None)
        else:
            retired = _retired_by(found, at)
            standing = [lines[i].threshold for i in range(at) if (r := retired[i]) is None or r > line.held_ns]
            found.append(line.held_ns + round(max(t.cooling_off.base for t in standing) * NS))
    return tuple(found)


def compare(old: Threshold, new: Threshold) -> tuple[Change, ...]:
    """In what a threshold differs from the one before; what says the same in other words is no change."""
    changes = []
    for metric in dict.fromkeys(c.metric for c in (*old.conditions, *new.conditions)):
        was, now = _on(old, metric), _on(new, metric)
        looser = not all(_holds(new, c) for c in was)
        if looser or not all(_holds(old, c) for c in now):
            changes.append(Change(what=metric, was=_text(was), now=_text(now), looser=looser))
    for setting in SETTINGS:
        if setting.of(old) != setting.of(new):
            was_value, now_value = (str(getattr(t, setting.name)) for t in (old, new))
            looser = setting.of(new) < setting.of(old)
            changes.append(Change(what=setting.name, was=was_value, now=now_value, looser=looser))
    if old.set_by != new.set_by:
        changes.append(Change(what=SETTER, was=old.set_by, now=new.set_by, looser=True))
    return tuple(changes)


def judge_in_force(
    line: InForce,
    release: str,
    evidence: Sequence[Dated],
    now_ns: int,
    *,
    people: str = "",
    begun: Mapping[str, int] | None = None,
) -> tuple[Row, ...]:
    """The verdict on each condition in force; of one that was loosened, on evidence newer than the change.

    Args:
        line: what `in_force` gave.
        release: digest.
        evidence: all there is.
        now_ns: UTC nanoseconds since the epoch.
        people: as for `verdict.judge`.
        begun: run -> when it began; a run that began before the change says what was known then. None: as recorded.
    """
    rows = judge(line.threshold, release, evidence, now_ns, people=people)
    if not line.since:
        return rows

    def is_newer(piece: Dated) -> bool:
        since = line.since.get(piece.evidence.metric)
        return since is None or (begun or {}).get(piece.evidence.run, piece.time_ns) > since

    newer = judge(line.threshold, release, [d for d in evidence if is_newer(d)], now_ns, people=people)
    return tuple(_of_both(line, whole, new) for whole, new in zip(rows, newer, strict=True))


def say_loosened(loosened: Loosened, cooling_off: str) -> str:
    """One sentence for the board: who, when, from, to, and until when the old one counts.

    Args:
        loosened: the change.
        cooling_off: as it is in force, for a change that no witness holds yet.
    """
    change = loosened.change
    was, now = (text if change.what in text else f"{change.what} {text}" for text in (change.was, change.now))
    now = now if change.now else "nothing"
    if change.what == SETTER:
        was, now = f"what {change.was} has set", f"{change.now} in that place"
    if not loosened.entry:
        return f"{was} still counts: the manifest holds {now}, which nobody has signed since"
    signed = f"{loosened.by} put {now} instead, signed {moment(loosened.signed_ns)}"
    if loosened.counts and loosened.held_ns is not None and loosened.counts_from_ns is not None:
        return (
            f"{was} was loosened: {signed}; it counts since {moment(loosened.counts_from_ns)}, on evidence newer than "
            f"{moment(loosened.held_ns)}, and verdicts given before are void"
        )
    if loosened.counts_from_ns is None:
        return f"{was} still counts: {signed}; it counts {cooling_off} after a witness holds it, and none does yet"
    return f"{was} still counts, until {moment(loosened.counts_from_ns)}: {signed}"


def moment(time_ns: int) -> str:
    """A moment as a person reads it.

    >>> moment(1_795_228_200 * NS)
    '2026-11-21 02:30 UTC'
    """
    return datetime.fromtimestamp(time_ns // NS, UTC).strftime("%Y-%m-%d %H:%M UTC")


# -- lines over time --------------------------------------------------------------------------------------------------


def _retired(lines: Sequence[Line]) -> list[int | None]:
    return _retired_by(effects(lines), len(lines))


def _retired_by(effect: Sequence[int | None], count: int) -> list[int | None]:
    """When each of the first so many lines is no longer judged: as soon as any line after it counts."""
    retired: list[int | None] = []
    for at in range(count):
        later = [e for e in effect[at + 1 :] if e is not None]
        retired.append(min(later) if later else None)
    return retired


def _strictest(thresholds: Sequence[Threshold]) -> Threshold:
    """Of each condition and setting the strictest; conditions in the order of the last, then of those before it."""
    newest_first = list(reversed(thresholds))
    metrics = dict.fromkeys(c.metric for t in newest_first for c in t.conditions)
    conditions = [c for metric in metrics for c in _minimal([c for t in newest_first for c in _on(t, metric)])]
    settings = {s.name: getattr(max(newest_first, key=s.of), s.name) for s in SETTINGS}
    return msgspec.structs.replace(newest_first[0], conditions=tuple(conditions), **settings)


def _minimal(conditions: Sequence[Condition]) -> list[Condition]:
    """Those that no other one implies; of several that say the same, the first."""
    kept: list[Condition] = []
    for condition in conditions:
        if not any(other.implies(condition) for other in kept):
            kept = [*(other for other in kept if not condition.implies(other)), condition]
    return kept


def _on(threshold: Threshold, metric: str) -> tuple[Condition, ...]:
    return tuple(c for c in threshold.conditions if c.metric == metric)


def _holds(threshold: Threshold, condition: Condition) -> bool:
    """Whether what meets the threshold meets the condition, too."""
    return any(c.implies(condition) for c in threshold.conditions)


def _text(conditions: Sequence[Condition]) -> str:
    return " and ".join(str(c) for c in conditions)


# -- what was loosened ------------------------------------------------------------------------------------------------


def _loosened(
    lines: Sequence[Line], strictest: Threshold, waits: Sequence[tuple[Threshold, int | None]]
) -> Iterator[Loosened]:
    """Each loosening that the last line has not taken back, the newest of several that say the same."""
    effect = effects(lines)
    found: dict[Change, Loosened] = {}
    for at in range(1, len(lines)):
        old, line = lines[at - 1].threshold, lines[at]
        for change in compare(old, line.threshold):
            if not change.looser or _is_as_strict(lines[-1].threshold, old, change.what):
                continue
            if change.what == SETTER:
                counts, from_ns = effect[at] is not None, effect[at]
                counts = counts and not any(t.set_by == old.set_by for t, _ in waits)
            else:
                counts, from_ns = not _is_as_strict(strictest, old, change.what), effect[at]
            if not counts:
                from_ns = _until(waits, lines[-1].threshold, change.what)
            found[change] = Loosened(
                change=change,
                by=line.threshold.set_by,
                entry=line.entry,
                signed_ns=line.signed_ns,
                held_ns=_held(lines, at),
                counts_from_ns=from_ns,
                counts=counts,
            )
    yield from found.values()


def _is_as_strict(one: Threshold, other: Threshold, what: str) -> bool:
    """Whether a threshold is at least as strict as another in one metric or setting."""
    if what == SETTER:
        return one.set_by == other.set_by
    for setting in SETTINGS:
        if setting.name == what:
            return setting.of(one) >= setting.of(other)
    return all(_holds(one, c) for c in _on(other, what))


def _until(waits: Sequence[tuple[Threshold, int | None]], last: Threshold, what: str) -> int | None:
    """When the last of the earlier lines that are stricter in this is no longer judged; None: it cannot be said."""
    ends = [end for threshold, end in waits if not _is_as_strict(last, threshold, what)]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _held(lines: Sequence[Line], at: int) -> int | None:
    """Since when a witness holds the change: that line, or where none holds it a later one."""
    later = [line.held_ns for line in lines[at:] if line.held_ns is not None]
    return lines[at].held_ns if lines[at].held_ns is not None else min(later, default=None)


def _since(loosened: Sequence[Loosened], strictest: Threshold) -> dict[str, int]:
    """For each metric whose condition was loosened: when the last change that counts was first witnessed."""
    since: dict[str, int] = {}
    touches = {setting.name: setting.touches for setting in SETTINGS}
    for each in loosened:
        what = each.change.what
        if not each.counts or each.held_ns is None:
            continue
        for metric in {c.metric for c in strictest.conditions}:
            prefix = touches.get(what)
            if metric == what or (prefix is not None and metric.startswith(prefix)):
                since[metric] = max(since.get(metric, 0), each.held_ns)
    return since


def _of_both(line: InForce, whole: Row, newer: Row) -> Row:
    """The row on newer evidence; that on all of it where it speaks against the release."""
    if whole.standing is Standing.NOT_MET:
        return whole
    if newer.standing is Standing.NOT_MEASURED and whole.standing is not Standing.NOT_MEASURED:
        since = moment(line.since[newer.metric])
        return msgspec.structs.replace(
            newer, why=f"It was measured before the line was loosened; only evidence newer than {since} counts."
        )
    return newer
