"""A ledger and a plain model of it, driven through any order of events: appends, reservations, erasures, crashes.

::

    class MyLedger(LedgerMachine):
        def open_store(self, place: Path, **options: Any) -> Ledger:
            return Ledger.open(place / "ledger.db", **options)

    TestMyLedger = MyLedger.TestCase

Needs ``hypothesis``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plimsoll.errors import UsageError
from plimsoll.ledger import Draft, Erased, Ledger, LedgerSettings, Op, Release, Replace, Reservation, Reserve, Taken
from plimsoll.testing.store import ManualClock, ManualHost, Tally, check_trees, refused

_KINDS = st.sampled_from(["decision", "control", "note"])
_BODIES = st.binary(max_size=40)
_SUBJECTS = st.sampled_from([None, "claim-1", "claim-2", "claim-3"])
_KEYS = st.sampled_from(["a", "b"])


class _Known:
    """What the model knows of one entry."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.erased = False


class LedgerMachine(RuleBasedStateMachine):
    """Subclass it, and say how your store is opened."""

    def open_store(self, place: Path, **options: Any) -> Ledger:
        """Open the store of this place for writing; see `StoreConformance.open_store`."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        """An empty store and an empty model."""
        self.place = Path(tempfile.mkdtemp(prefix="plimsoll-"))
        self.clock = ManualClock()
        self.gone: set[str] = set()
        self.starts = 0
        self.known: dict[str, _Known] = {}
        self.waiting: dict[str, Draft] = {}
        self.held: dict[str, Reservation] = {}
        self.highest = dict.fromkeys("ab", 0)
        self.open_again()

    def open_again(self) -> None:
        """A new process opens the store."""
        self.starts += 1
        host = ManualHost(f"process-{self.starts}", self.gone)
        settings = LedgerSettings(flush_ms=10_000_000, subjects=2)  # only `flush` and `close` write what is enqueued
        self.ledger = self.open_store(self.place, clock=self.clock, host=host, settings=settings)

    def teardown(self) -> None:
        """Close it and clean up."""
        if hasattr(self, "ledger"):
            self.ledger.close()
            shutil.rmtree(self.place)

    # ── writing ──

    @rule(kind=_KINDS, body=_BODIES, subject=_SUBJECTS, seal=st.booleans())
    def append(self, kind: str, body: bytes, subject: str | None, seal: bool) -> None:  # noqa: FBT001 - drawn
        """One durable entry."""
        draft = Draft(kind=kind, body=body, subject=subject, seal=seal)
        self.known[self.ledger.append(draft)] = _Known(draft)

    @rule(kind=_KINDS, bodies=st.lists(_BODIES, max_size=300), subject=_SUBJECTS)
    def transact(self, kind: str, bodies: list[bytes], subject: str | None) -> None:
        """Many at once, across tiles."""
        drafts = [Draft(kind=kind, body=body, subject=subject, seal=subject is not None) for body in bodies]
        ids = self.ledger.transact(drafts)
        self.known.update({id_: _Known(draft) for id_, draft in zip(ids, drafts, strict=True)})

    @rule(body=_BODIES, subject=_SUBJECTS)
    def enqueue(self, body: bytes, subject: str | None) -> None:
        """One that waits."""
        draft = Draft(kind="note", body=body, subject=subject, seal=True)
        self.waiting[self.ledger.enqueue(draft)] = draft

    @rule()
    def flush(self) -> None:
        """What waits is written."""
        self.ledger.flush()
        self._flushed()

    def _flushed(self) -> None:
        self.known.update({id_: _Known(draft) for id_, draft in self.waiting.items()})
        self.waiting.clear()

    # ── reservations ──

    @rule(key=_KEYS, value=_BODIES, lasts_s=st.sampled_from([0, 5]))
    def reserve(self, key: str, value: bytes, lasts_s: int) -> None:
        """With an entry; refused when it is held."""
        expires = self.clock.now_ns + lasts_s * 1_000_000_000 if lasts_s else 0
        op = Reserve(space="s", key=key, value=value, expires_ns=expires)
        held = self.held.get(key)
        self._try(op, free=held is None or 0 < held.expires_ns <= self.clock.now_ns)

    @rule(key=_KEYS, value=_BODIES, stale=st.booleans())
    def replace(self, key: str, value: bytes, stale: bool) -> None:  # noqa: FBT001 - drawn
        """Only with the token that counts."""
        held = self.held.get(key)
        fence = (held.fence if held else 1) - int(stale)
        self._try(Replace(space="s", key=key, fence=fence, value=value), free=held is not None and not stale)

    @rule(key=_KEYS)
    def release(self, key: str) -> None:
        """Give it back."""
        held = self.held.get(key)
        self._try(Release(space="s", key=key, fence=held.fence if held else 0), free=held is not None)

    def _try(self, op: Op, *, free: bool) -> None:
        draft = Draft(kind="control", body=op.key.encode())
        if not free:
            with refused(Taken):
                self.ledger.append(draft, [op])
            return
        self.known[self.ledger.append(draft, [op])] = _Known(draft)
        now = self.ledger.reservation("s", op.key)
        if isinstance(op, Release):
            assert now is None
            self.held.pop(op.key)
            return
        assert now is not None
        assert (now.value, now.expires_ns) == (op.value, op.expires_ns)
        assert now.fence > self.highest[op.key], "a token was given twice"
        self.highest[op.key] = now.fence
        self.held[op.key] = now

    @rule(seconds=st.sampled_from([1, 10, -0.5]))
    def time_passes(self, seconds: float) -> None:
        """Forward, or a little back."""
        self.clock.move(seconds)

    # ── erasing, ending, beginning ──

    @rule(subject=_SUBJECTS.filter(bool))
    def erase(self, subject: str) -> None:
        """Its sealed bodies are gone, its other entries stay."""
        about = [known for known in self.known.values() if known.draft.subject == subject and not known.erased]
        if not about:
            return
        try:
            self.ledger.erase(subject, by="dpo@example.org", reason="asked for")
        except UsageError:
            assert not about, "something was kept of it"
        for known in about:
            known.erased = True

    @rule()
    def close_and_open(self) -> None:
        """In good order; what waits is written."""
        self.ledger.close()
        self._flushed()
        self.open_again()

    @rule(noticed=st.booleans())
    def crash_and_open(self, noticed: bool) -> None:  # noqa: FBT001 - drawn
        """What waited is lost, and only that."""
        self.ledger.abandon()
        if noticed:
            self.gone.add(f"process-{self.starts}")
        self.waiting.clear()
        self.open_again()

    @precondition(lambda self: self.starts % 2)
    @rule()
    def checkpoint(self) -> None:
        """At any time."""
        assert self.ledger.checkpoint() == self.ledger.checkpoint()

    # ── what always holds ──

    @rule()
    def every_entry_is_as_the_model_says(self) -> None:
        """Bodies, subjects, order; nothing more, nothing less."""
        stored = {entry.id: entry for entry in self.ledger.entries(kinds=["decision", "control", "note"])}
        assert stored.keys() == self.known.keys()
        for id_, known in self.known.items():
            entry, draft = stored[id_], known.draft
            assert entry.kind == draft.kind
            assert self.ledger.subject_of(entry) == (None if known.erased else draft.subject)
            if known.erased and draft.seal:
                with refused(Erased):
                    self.ledger.body(entry)
            else:
                assert self.ledger.body(entry) == draft.body
        check_trees(self.ledger)

    @rule()
    def the_view_counts_what_the_model_has(self) -> None:
        """And is equal when it is folded anew."""
        projection = Tally("decision", "control", "note")
        view = dict(self.ledger.view(projection).scan())
        for kind in projection.kinds:
            count = sum(known.draft.kind == kind for known in self.known.values())
            assert int(view.get(f"count/{kind}", b"0")) == count

    @rule()
    def a_view_of_its_own_is_equal_when_rebuilt(self) -> None:
        """Counting only: a body that was erased since is not folded in again."""
        projection = Tally("decision", "control", "note")
        before = dict(self.ledger.view(projection).scan("count/"))
        self.ledger.rebuild(projection)
        assert dict(self.ledger.view(projection).scan("count/")) == before

    @invariant()
    def reservations_are_as_the_model_says(self) -> None:
        """Of every key, after every step."""
        for key in "ab":
            held = self.held.get(key)
            if held is not None and 0 < held.expires_ns <= self.clock.now_ns:
                held = None
            assert self.ledger.reservation("s", key) == held
