"""One run of one assessment: its start is recorded before anything is measured, its evidence when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Draft, Entry, Header, Ledger
from plimsoll.ledger.entry import frame
from plimsoll.ledger.merkle import leaf_hash
from plimsoll.model.canonical import digest
from plimsoll.model.evidence import Draw, Ended, Evidence, Provenance, Sample, Started

_ENCODE: Final = msgspec.json.Encoder().encode


T = TypeVar("T")


def body_of(ledger: Ledger, entry: Entry, type_: type[T]) -> T:
    """The body of an entry as a value, if it is what was written there.

    Raises:
        VerificationFailed: it was altered; or its subject was erased.
    """
    if not is_as_written(ledger, entry):
        raise VerificationFailed(
            f"{entry.id}: the entry is not what was written there", fix="`plimsoll ledger verify` says what else is not"
        )
    return decoded(ledger, entry, type_)


def decoded(ledger: Ledger, entry: Entry, type_: type[T]) -> T:
    """The body of an entry as a value, without a look at its hash.

    Raises:
        VerificationFailed: it is none, so it was altered; or its subject was erased.
    """
    try:
        return msgspec.json.decode(ledger.body(entry), type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as why:
        raise VerificationFailed(
            f"{entry.id}: its body is not what an entry of the kind '{entry.kind}' holds",
            fix="it was altered; `plimsoll ledger verify` says what else was",
        ) from why


def is_as_written(ledger: Ledger, entry: Entry) -> bool:
    """Whether the stored hash is that of the entry, header and body. Who altered both, the checkpoints tell."""
    header = entry.header or Header(type="", tier="", called=False, disposition="")
    framed = frame(
        entry.stream, entry.seq, entry.time_ns, entry.kind, entry.system, entry.subject, " ".join(entry.refs),
        header.type, header.tier, int(header.called), header.disposition, int(entry.sealed), entry.body,
    )  # fmt: skip
    number = ledger.reader.number_of(entry.stream)
    return number is not None and ledger.reader.nodes(number).leaf(entry.seq) == leaf_hash(framed)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is about: the same for every assessment of one check."""

    system: str
    release: str  # digest
    threshold: str  # digest
    people: str  # digest


class Run:
    """Collects what one run measures; use it as a context manager.

    Entering records ``assessment.started``, so that a run which is broken off, or repeated until it pleases, shows.
    Leaving records the evidence and ``assessment.ended`` in one transaction; leaving by an error records why instead.

    Args:
        ledger: where it is recorded.
        about: the release and threshold it is for.
        assessment: its name, as in the metric catalogue.
        protocol: how it is measured: settings and digests of what it is measured on, never of a result.
        uncovered: gives what was opened or reached so far and is not covered; evidence taken with any does not bind.
        of_people: whether what is measured depends on who is named, so that naming others voids it.
        unenforced: contract rules that nothing enforces yet; ``contracts.valid_rate`` rests on them.
        declared: services that what is measured rests on; who answers there is only declared.
        unseen: decision types that the AI may answer and that there is no sample of; no figure of the run then counts.
    """

    def __init__(
        self,
        ledger: Ledger,
        about: About,
        *,
        assessment: str,
        protocol: Mapping[str, Any],
        uncovered: Callable[[], tuple[str, ...]] = tuple,
        of_people: bool = False,
        unenforced: tuple[str, ...] = (),
        declared: tuple[str, ...] = (),
        unseen: tuple[str, ...] = (),
    ) -> None:
        self._ledger = ledger
        self.about = about
        self.assessment = assessment
        self.protocol = digest({"assessment": assessment, **protocol})
        self._uncovered = uncovered
        self._of_people = of_people
        self._unenforced = unenforced
        self._declared = declared
        self._unseen = unseen
        self._given: list[dict[str, Any]] = []
        self._detail: Any = None
        self.id = ""

    def __enter__(self) -> Self:
        started = Started(
            assessment=self.assessment,
            release=self.about.release,
            protocol=self.protocol,
            threshold=self.about.threshold,
        )
        self.id = self._ledger.append(Draft(kind="assessment.started", system=self.about.system, body=_ENCODE(started)))
        return self

    def leave(self, rules: tuple[str, ...]) -> None:
        """Contract rules that turned out, while it was measured, not to be enforced as far as they promise."""
        self._unenforced = (*self._unenforced, *rules)

    def give(
        self,
        metric: str,
        sample: Sample,
        *,
        draw: Draw,
        finding: str,
        provenance: Provenance = Provenance.MEASURED,
        unhealthy: str = "",
        window_s: float | None = None,
        of_people: bool = False,
    ) -> None:
        """Add one piece of evidence.

        Args:
            metric: a name of the catalogue.
            sample: what was counted.
            draw: whether a second run would look at the same cases or at fresh ones.
            finding: one plain sentence.
            provenance: simulated, when a scripted person or a key made on the spot had a part in it.
            unhealthy: why the instrument itself cannot be trusted this time; "" when it can.
            window_s: how long the shortest load window under it lasted; None: it rests on none.
            of_people: this figure alone depends on who is named, so that naming others voids it.
        """
        self._given.append(
            {
                "metric": metric,
                "sample": sample,
                "draw": draw,
                "finding": finding,
                "provenance": provenance,
                "healthy": not unhealthy,
                "why_unhealthy": unhealthy,
                "window_s": window_s,
                "people": self.about.people if of_people or self._of_people else "",
            }
        )

    def draw_with(self, detail: msgspec.Struct) -> None:
        """Keep what the report draws of this run (a struct of ``model.details``)."""
        self._detail = detail

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            said = f"{type(error).__name__}: {error}"[:500]
            self._ledger.append(self._ended(Ended(run=self.id, problem=said)))
            return
        outside = self._uncovered()
        evidence = [
            Evidence(
                release=self.about.release,
                run=self.id,
                protocol=self.protocol,
                threshold=self.about.threshold,
                binds=not outside,
                uncovered=outside,
                declared=self._declared,
                unenforced=self._unenforced if given["metric"] == "contracts.valid_rate" else (),
                unseen=self._unseen,
                artifact="" if self._detail is None else digest(self._detail),
                **given,
            )
            for given in self._given
        ]
        detail = msgspec.Raw(b"{}" if self._detail is None else _ENCODE(self._detail))
        self._ledger.transact(
            [
                *(Draft(kind="evidence", system=self.about.system, body=_ENCODE(e), refs=(self.id,)) for e in evidence),
                self._ended(Ended(run=self.id, detail=detail)),
            ]
        )

    def _ended(self, ended: Ended) -> Draft:
        return Draft(kind="assessment.ended", system=self.about.system, body=_ENCODE(ended), refs=(self.id,))
