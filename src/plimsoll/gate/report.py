"""The report: board and details as one HTML file that needs nothing else, to be read, printed, forwarded.

It loads nothing (no script, no font, no picture from elsewhere, and its own policy forbids it), and everything that
came from outside is escaped.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import msgspec

from plimsoll.gate.charts import interval_svg, latency_svg, percent, rates_svg, scale_of, shares_svg, surely_below
from plimsoll.gate.figures import age_text, declared_text, duration_text, plural
from plimsoll.gate.mark import css_class, glyph_svg, mark_svg
from plimsoll.gate.sources import consumer_row, cut_row
from plimsoll.gate.svg import Svg, element
from plimsoll.model.board import Board, Outcome, Row, Standing
from plimsoll.model.details import (
    ContractsDetail,
    EvaluationDetail,
    LoadStage,
    ReportDetails,
    Segment,
    SourceDetail,
    StabilityDetail,
)
from plimsoll.model.evidence import Provenance
from plimsoll.model.metrics import METRICS, Kind

if TYPE_CHECKING:
    from jinja2 import Environment

_CODE: Final = re.compile(r"`([^`]+)`")
_MOST_PARTS: Final = 40  # of a release, shown; a target of a thousand files would bury the rest of the page


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do next."""

    title: str
    text: str
    owner: str
    state: str  # class


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for quarantine, over all sources."""

    rule: str
    count: int
    sources: tuple[str, ...]


def render_report(board: Board, details: ReportDetails) -> str:
    """One HTML page about one release.

    Args:
        board: the verdict.
        details: what each assessment left to be drawn; what is absent is said to be not measured.

    Returns:
        The whole file, UTF-8 text. The same arguments give the same text.
    """
    return (
        _environment()
        .get_template("report.html")
        .render(
            board=board,
            details=details,
            state=_state(board),
            steps=_steps(board, details),
            dimensions=_by_dimension(board.rows),
            mark=mark_svg(board),
            mark_narrow=mark_svg(board, narrow=True),
            legend=tuple((glyph_svg(s), s.value) for s in Standing if any(r.standing is s for r in board.rows)),
            stability=_stability(details.stability),
            evaluation=_evaluation(details.evaluation),
            contracts=_contracts(details.contracts),
            verify=details.verify or _usual_commands(board, details),
            parts=details.release_parts[:_MOST_PARTS],
            parts_left=max(len(details.release_parts) - _MOST_PARTS, 0),
        )
    )


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _state(board: Board) -> dict[str, str]:
    """The verdict as the end of a title, and the class that colours it."""
    words = {
        Outcome.READY: ("is ready", Standing.MET),
        Outcome.NOT_READY: ("is not ready", Standing.NOT_MET),
        Outcome.CANNOT_SAY: ("cannot be judged yet", Standing.INSUFFICIENT),
    }
    text, standing = words[board.outcome]
    if board.outcome is Outcome.READY and board.draft:
        text, standing = "would be ready: the threshold is a draft", Standing.INSUFFICIENT
    elif board.outcome is Outcome.READY and board.demonstration:
        text, standing = "is ready, as a demonstration", Standing.INSUFFICIENT
    return {"text": text, "css": css_class(standing)}


def _by_dimension(rows: Sequence[Row]) -> dict[str, list[tuple[int, Row]]]:
    groups: dict[str, list[tuple[int, Row]]] = {}
    for position, row in enumerate(rows, 1):
        groups.setdefault(row.dimension, []).append((position, row))
    return groups


def _steps(board: Board, details: ReportDetails) -> tuple[Step, ...]:
    """What is to be done, the worst first; what is done with one action is said once."""
    order = [Standing.NOT_MET, Standing.STALE, Standing.INSUFFICIENT, Standing.NOT_MEASURED]
    same: dict[tuple[Standing, str, str, str], list[Row]] = {}
    for row in sorted((r for r in board.rows if r.standing in order), key=lambda r: order.index(r.standing)):
        same.setdefault((row.standing, row.gap, row.next, row.owner), []).append(row)
    steps = [
        Step(title=_title(rows), text=then, owner=owner, state=css_class(standing))
        for (standing, _, then, owner), rows in same.items()
    ]
    if board.draft:
        steps.insert(
            0,
            Step(
                title="The threshold is a draft",
                text="Sign it with `plimsoll threshold sign`; until then nothing passes.",
                owner=board.set_by,
                state=css_class(Standing.INSUFFICIENT),
            ),
        )
    if board.demonstration:
        text = (
            "Pin the keys of the ledger and of real persons in trust.yaml; what those persons sign and accept counts."
        )
        steps.append(
            Step(title="To make it count for real", text=text, owner="", state=css_class(Standing.INSUFFICIENT))
        )
    if board.outcome is Outcome.READY and not (board.draft or board.demonstration):
        file = details.attestation or "FILE"
        text = f"Verify the attestation where it is deployed: `plimsoll verify {file}`. The gate keeps running after."
        steps.insert(0, Step(title="Deploy what was measured", text=text, owner="", state=css_class(Standing.MET)))
    return tuple(steps)


def _title(rows: Sequence[Row]) -> str:
    if len(rows) > 1:
        return f"{', '.join(row.metric for row in rows)}: {rows[0].standing.value}"
    [row] = rows
    said = row.gap if row.standing is Standing.NOT_MET else row.needed if row.standing is Standing.INSUFFICIENT else ""
    return f"{row.metric}: {said or row.standing.value}"


# ── the assessments ──────────────────────────────────────────────────────────────────────────────────────────────────


def _stability(detail: StabilityDetail | None) -> dict[str, Any] | None:
    if detail is None or not detail.stages:
        return None
    scale = scale_of(detail.stages, detail.latency_limit_s, detail.error_limit)
    top = max(detail.stages, key=lambda stage: stage.multiple)
    worst = max((w.p99_s for w in top.windows), default=None)
    errors = max((w.error_rate for w in top.windows), default=None)
    sentence = f"At {top.multiple:g}× the declared peak of {detail.peak_per_s:g}/s"
    if worst is None or errors is None:
        sentence += " nothing came back."
    else:
        sentence += f" the slowest window's 99th percentile was {_kept(duration_text(worst))}"
        sentence += f", and at worst {percent(errors)} of the calls failed, were shed or came too late."
    if detail.degradation is not None:
        sentence += f" That is {detail.degradation:.3g}× as slow as at 1×."
    growing = [f"{stage.multiple:g}×" for stage in detail.stages if stage.backlog == "growing"]
    if growing:
        sentence += f" At {' and '.join(growing)} the backlog grew through the window: for longer it would not be held."
    return {
        "sentence": sentence,
        "stages": [
            {
                "stage": stage,
                "title": f"{stage.multiple:g}× · {stage.offered_per_s:g}/s",
                "windows": _windows(stage),
                "latency": latency_svg(stage, scale, detail.latency_limit_s),
                "rates": rates_svg(stage, scale, detail.error_limit),
                "driver": _driver(stage),
                "sums": _sums(stage),
            }
            for stage in sorted(detail.stages, key=lambda stage: stage.multiple)
        ],
    }


def _windows(stage: LoadStage) -> str:
    """How many windows a stage had, and how long they lasted."""
    count = plural(len(stage.windows), "window")
    return f"{count} of {_kept(duration_text(stage.window_s))}" if stage.window_s else count


def _driver(stage: LoadStage) -> str:
    """How the load driver itself fared: out of breath, it says nothing of the system."""
    if not stage.healthy:
        return f"driver out of breath: {stage.why or 'no reason given'}. These figures say nothing of the system"
    lag = stage.lag_p99_s
    return "driver healthy" + ("" if lag is None else f": 99% sent within {_kept(duration_text(lag))}")


def _sums(stage: LoadStage) -> dict[str, str]:
    """The figures of a stage: medians and 99th percentiles of its windows, never averaged."""
    windows = stage.windows
    if not windows:
        return dict.fromkeys(("window", "calls", "p50", "p99", "bound", "errors", "shed", "waiting"), "–")
    bounds = [w.p99_bound_s for w in windows]
    known = [b for b in bounds if b is not None]
    grew_most = max(windows, key=lambda w: w.waiting_end - w.waiting_middle)
    return {
        "window": _kept(duration_text(stage.window_s)) if stage.window_s else "–",
        "calls": f"{sum(w.n for w in windows):,}",
        "p50": duration_text(max(w.p50_s for w in windows)),
        "p99": duration_text(max(w.p99_s for w in windows)),
        "bound": duration_text(max(known)) if len(known) == len(bounds) else "too few calls",
        "errors": percent(max(w.error_rate for w in windows)),
        "shed": percent(max(w.shed_rate for w in windows)),
        "waiting": f"{grew_most.waiting_middle:,} → {grew_most.waiting_end:,}" if stage.backlog else "–",
    }


def _evaluation(detail: EvaluationDetail | None) -> dict[str, Any] | None:
    if detail is None:
        return None
    everything = (detail.overall, *detail.segments)
    lowest = min((s.lower for s in everything if s.lower is not None), default=0.0)
    low = max(0.0, min(int(lowest * 10) / 10, 0.9))
    all_of = detail.overall
    sentence = f"{all_of.right:,} of {all_of.answered:,} answers were right; "
    sentence += f"{plural(all_of.held, 'case')} of {all_of.n:,} went to a person instead"
    sentence += f", and {plural(all_of.other, 'case')} ended in another way." if all_of.other else "."
    groups: dict[str, list[Segment]] = defaultdict(list)
    for segment in detail.segments:
        groups[segment.name].append(segment)
    return {
        "sentence": sentence,
        "low": percent(low),
        "rows": [("", [_interval(all_of, low, detail.accuracy_limit, "all cases")])]
        + [
            (name, [_interval(s, low, detail.accuracy_limit, s.value) for s in segments])
            for name, segments in groups.items()
        ],
        "confidence": percent(detail.confidence),
    }


def _interval(segment: Segment, low: float, limit: float | None, label: str) -> dict[str, Any]:
    rate = percent(segment.right / segment.answered) if segment.answered else "–"
    known = segment.lower is not None and segment.upper is not None
    return {
        "label": label,
        "segment": segment,
        "rate": rate,
        "range": f"{percent(segment.lower or 0.0)} to {percent(segment.upper or 0.0)}" if known else "–",
        "strip": interval_svg(segment, low, limit),
        "below": surely_below(segment, limit),
    }


def _contracts(detail: ContractsDetail | None) -> dict[str, Any] | None:
    if detail is None or not detail.sources:
        return None
    offered = sum(s.offered for s in detail.sources)
    kept = sum(s.valid + s.coerced for s in detail.sources)
    mended = sum(s.coerced for s in detail.sources)
    quarantined = sum(s.quarantined for s in detail.sources)
    sentence = f"{kept:,} of {offered:,} records kept their contract"
    sentence += f", {mended:,} of them after a declared mend" if mended else ""
    sentence += f"; {quarantined:,} were quarantined with every reason."
    if detail.lost is not None:
        sentence += (
            " None was lost." if detail.lost == 0 else f" {plural(detail.lost, 'record')} cannot be found again."
        )
    return {
        "sentence": sentence,
        "sources": [_source(s, detail.valid_limit) for s in sorted(detail.sources, key=lambda s: s.name)],
        "causes": _causes(detail.sources),
        "dispositions": " · ".join(f"{count:,} {name}" for name, count in detail.dispositions.items()),
        "cuts": [cut_row(cut) for cut in detail.cuts],
        "consumers": [consumer_row(consumer) for consumer in detail.consumers],
    }


def _source(source: SourceDetail, limit: float | None) -> dict[str, Any]:
    whole = max(source.offered, 1)
    rate = (source.valid + source.coerced) / whole
    parts = (("met", source.valid), ("mended met", source.coerced), ("not-met", source.quarantined))
    label = f"{source.name}: {percent(rate)} of {source.offered:,} kept the contract"
    return {
        "source": source,
        "rate": percent(rate) if source.offered else "–",
        "below": limit is not None and source.offered > 0 and rate < limit,
        "bar": shares_svg([(css, count / whole) for css, count in parts], label, limit),
    }


def _causes(sources: Iterable[SourceDetail]) -> tuple[Cause, ...]:
    """Every reason, the most frequent first; a record that breaks two rules counts under both."""
    counts: Counter[str] = Counter()
    where: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        for reason in source.reasons:
            counts[reason.rule] += reason.count
            where[reason.rule].append(source.name)
    return tuple(
        Cause(rule=rule, count=count, sources=tuple(sorted(where[rule]))) for rule, count in counts.most_common()
    )


def _usual_commands(board: Board, details: ReportDetails) -> tuple[str, ...]:
    file = quote(details.attestation) if details.attestation else "FILE"
    leave = " --allow-simulated" if board.demonstration else ""
    witness = details.checkpoint.witness if details.checkpoint else ""
    return (
        f"plimsoll verify {file} --subject {board.release} --trust trust.yaml{leave}",
        "plimsoll ledger verify" + (f" --witness {quote(witness)}" if witness else ""),
    )


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def moment(time_ns: int | None) -> str:
    """A moment for a person to read, in UTC.

    >>> moment(1_795_228_200_000_000_000)
    '21 Nov 2026, 02:30 UTC'
    """
    if time_ns is None:
        return "–"
    at = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def _kept(text: str) -> str:
    """A figure whose unit does not slip to the next line."""
    return text.replace(" ", "\u00a0")


def bound_text(row: Row) -> str:
    """A row's bound; a census has none, because it is exact."""
    if row.bound is None and row.estimate is not None and METRICS[row.metric].kind is Kind.CENSUS:
        return "exact"
    return row.bound_text


def short(digest: str) -> str:
    """A digest, shortened for a person to compare."""
    return f"{digest[:15]}…{digest[-4:]}" if len(digest) > 24 else digest


def coded(text: str) -> Svg:
    """A sentence with what stands in backticks as code; all of it escaped.

    >>> coded("run `a <b>` & see")
    'run <code>a &lt;b&gt;</code> &amp; see'
    """
    pieces = _CODE.split(text)
    return Svg("".join(element("code", piece) if at % 2 else escape(piece) for at, piece in enumerate(pieces)))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only who writes a report pays

    environment = Environment(
        loader=PackageLoader("plimsoll.gate", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=moment,
        short=short,
        coded=coded,
        bound=bound_text,
        age=age_text,
        css=css_class,
        declared=declared_text,
        percent=percent,
        plural=plural,
    )
    environment.globals.update(glyph=glyph_svg, SIMULATED=Provenance.SIMULATED.value, Standing=Standing)
    return environment
