"""A guard of several releases: which of them takes a decision, as the control entries say now.

Each release is a guard of its own, with its contracts, tiers and target, on the same ledger. The release that lies in
the project answers until one is promoted. The live release and the one before it are kept ready, so that going back
starts nothing; so are a canary and a shadow. What is in flight ends on the release that it began with.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from plimsoll.contract.arrivals import SourceRule
from plimsoll.errors import PlimsollError
from plimsoll.guard.canary import Block, Comparison, Tally
from plimsoll.guard.guard import Guard
from plimsoll.guard.path import Path
from plimsoll.guard.stream import Sink
from plimsoll.guard.target import Target
from plimsoll.ledger import Draft, Entry, Taken
from plimsoll.model.control import Action, Control
from plimsoll.model.decision import Answer
from plimsoll.model.manifest import FallbackWord
from plimsoll.model.principal import Principal
from plimsoll.policy import Beside, Obeyed, is_in_share

COUNTED: Final = "canary.counted"
_LOG: Final = logging.getLogger("plimsoll.guard")
_BLOCK_S: Final = 1.0  # a block of the comparison ends by the clock
_SHADOWS: Final = 256  # copies that wait; beyond it a copy is left out, since nobody waits for it
_AGAIN_S: Final = 1.0  # between two tries to open a release
OPENING: Final = "the release that is to answer is not open here yet"  # why such a decision is held


class Fleet(Guard):
    """The guard of the release that lies here, and of those that control entries name.

    Args:
        open_release: opens the guard of a kept release by its digest; on the same ledger, which it does not close.
        parts: as of `Guard`.
    """

    _followed = ("control", COUNTED)

    def __init__(self, *, open_release: Callable[[str], Guard] | None = None, **parts: Any) -> None:
        self._open_release = open_release
        self._apart: dict[str, _Apart] = {}  # guards of other releases that are open, by digest
        self._failed: dict[str, str] = {}  # digest -> why it cannot be opened
        self._last = ""  # digest of the release that answered before the live one was open
        self._compared: dict[str, Comparison] = {}  # by canary
        self._change = threading.Condition()
        self._ending = False
        self._keeper: threading.Thread | None = None
        self._tally = Tally()
        self._copies: queue.Queue[tuple[Any, ...]] = queue.Queue(_SHADOWS)
        self._copier: threading.Thread | None = None
        parts["others"] = _Standby(parts.get("others", {}), lambda: self._before(self))
        super().__init__(**parts)
        if self._state.releases:
            self._open_wanted()

    # -- the calls

    def _decide(
        self,
        path: Path,
        type_: str,
        given: Any,
        subject: str | None = None,
        source: str = "",
        key: str = "",
        replay_of: str = "",
        deadline_s: float | None = None,
        via: str = "",
        hold: str = "",
        principal: Principal | None = None,
        offset: str = "",
    ) -> Answer:
        asked = (type_, given, subject, source, key, replay_of, deadline_s)
        # A wrapped function is of the release that lies here.
        if not self._state.names_a_release or path is not self._live:
            return super()._decide(path, *asked, via=via, hold=hold, principal=principal, offset=offset)
        guard, via, hold = self._choose(subject or key or _content(given))
        started = time.perf_counter()
        with self._in_flight(guard):
            # Called by class: of the release that lies here this is the overridden one, which would choose again.
            chosen = guard._live  # noqa: SLF001 - guards are of one kind
            answer = Guard._decide(guard, chosen, *asked, via=via, hold=hold, principal=principal, offset=offset)  # noqa: SLF001
        self._after(answer, via, started, (*asked[:4], principal))
        return answer

    async def _adecide(
        self,
        type: str,  # noqa: A002 - the word the manifest uses
        input: Any,  # noqa: A002 - the word the manifest uses
        subject: str | None,
        source: str,
        key: str,
        replay_of: str,
        deadline_s: float | None,
        via: str = "",
        hold: str = "",
        sink: Sink | None = None,
        principal: Principal | None = None,
        offset: str = "",
    ) -> Answer:
        asked = (type, input, subject, source, key, replay_of, deadline_s)
        if not self._state.names_a_release:
            return await super()._adecide(*asked, via=via, hold=hold, sink=sink, principal=principal, offset=offset)
        guard, via, hold = self._choose(subject or key or _content(input))
        started = time.perf_counter()
        with self._in_flight(guard):
            answer = await Guard._adecide(  # noqa: SLF001 - as above
                guard, *asked, via=via, hold=hold, sink=sink, principal=principal, offset=offset
            )
        self._after(answer, via, started, (*asked[:4], principal))
        return answer

    def judged(self, release: str, *, wrong: bool) -> None:
        """A person has judged an answer of this release; counts for a canary that is compared."""
        self._tally.judged(release, wrong=wrong)

    @property
    def live(self) -> str:
        """The digest of the release that answers now."""
        return self._state.live or self.settings.release

    @property
    def trouble(self) -> str:
        """Why a release that should be ready is not; "" when all are."""
        wanted = self._wanted()
        failed = [f"{digest}: {why}" for digest, why in self._failed.items() if digest in wanted]
        opening = [digest for digest in wanted if digest not in self._apart and digest not in self._failed]
        return "; ".join([*failed, *(f"{digest} is being opened" for digest in opening)])

    @property
    def comparison(self) -> Comparison | None:
        """What is known of the canary that runs now; None: none runs."""
        canary = self._state.canary
        return None if canary is None else self._compared.get(canary.release, Comparison())

    # -- which release

    @property
    def _state(self) -> Obeyed:
        return self._admission.controls.obeyed

    def _choose(self, key: str) -> tuple[Guard, str, str]:
        """The guard that takes a decision with this key, by which way, and why it is to be held (or "")."""
        state = self._state
        canary = state.canary
        if canary is not None and is_in_share(key, canary.release, canary.share):
            beside = self._guard_of(canary.release)
            if beside is not None:
                return beside, "canary", ""
        live = self._guard_of(self.live)
        if live is not None:
            self._last = self.live
            return live, "", ""
        # One that was promoted is not open yet: the one before it goes on. One that was gone back from does not.
        former = self._guard_of(self._last) if self._last in state.before else None
        return (former, "", "") if former is not None else (self, "", OPENING)

    def _guard_of(self, release: str) -> Guard | None:
        if release == self.settings.release:
            return self
        found = self._apart.get(release)
        return None if found is None else found.guard

    @property
    def _source_rules(self) -> Mapping[str, SourceRule]:
        live = self._guard_of(self.live)
        return (live or self)._admission.rules  # noqa: SLF001 - guards are of one kind

    def _before(self, asking: Guard) -> Target | None:
        """What answers for the release before the asking one; before a canary it is the live one. None: not here."""
        state, release = self._state, asking.settings.release
        former = (state.before[-1:] or ("",))[0] if release == self.live else self.live
        found = self._guard_of(former) if former and former != release else None
        return None if found is None else found.target

    @contextlib.contextmanager
    def _in_flight(self, guard: Guard) -> Iterator[None]:
        apart = self._apart.get(guard.settings.release) if guard is not self else None
        if apart is None:
            yield
            return
        with self._change:
            apart.inside += 1
        try:
            yield
        finally:
            with self._change:
                apart.inside -= 1
                self._change.notify_all()

    def _after(self, answer: Answer, via: str, started: float, asked: tuple[Any, ...]) -> None:
        canary, shadow = self._state.canary, self._state.shadow
        if canary is not None and not answer.replayed:
            self._tally.add(answer, by_canary=via == "canary", seconds=time.perf_counter() - started)
        if shadow is not None and not answer.replayed and is_in_share(answer.record, shadow.release, shadow.share):
            with contextlib.suppress(queue.Full):
                self._copies.put_nowait((shadow.release, answer.record, *asked))

    # -- keeping them ready

    def _take_in(self, entry: Entry) -> None:
        if entry.kind == COUNTED:
            self._compare(msgspec.json.decode(self.ledger.body(entry), type=Block))
            return
        super()._take_in(entry)
        with self._change:
            self._failed.clear()
            self._change.notify_all()
        if self._follower is not None and self._state.releases:
            self._start_keeper()

    def _wanted(self) -> frozenset[str]:
        return self._state.releases - {self.settings.release}

    def _open_wanted(self) -> None:
        """Open the live release here and now, and let the keeper see to the others."""
        if self.live in self._wanted():
            self._open(self.live)
        self._start_keeper()

    def _start_keeper(self) -> None:
        with self._change:
            if self._keeper is None and not self._ending:
                self._keeper = threading.Thread(target=self._keep, name="plimsoll-releases", daemon=True)
                self._keeper.start()

    def _keep(self) -> None:
        """Open what is wanted and not open, close what is open and not wanted, count blocks, run shadows."""
        counted = time.monotonic()
        while not self._ending:
            for release in sorted(self._wanted() - set(self._apart), key=lambda r: r != self.live):
                self._open(release)
            self._close_unwanted()
            if self._state.shadow is not None and self._copier is None:
                self._copier = threading.Thread(target=self._copy, name="plimsoll-shadow", daemon=True)
                self._copier.start()
            if time.monotonic() - counted >= _BLOCK_S:
                counted = time.monotonic()
                self._count()
            with self._change:
                if not self._ending:
                    self._change.wait(_AGAIN_S if self._state.canary is None else _BLOCK_S / 4)

    def _open(self, release: str) -> None:
        if self._open_release is None:
            self._failed[release] = "this guard was put together without a way to open another release"
            return
        try:
            guard = self._open_release(release)
        except PlimsollError as error:
            self._failed[release] = str(error)
            _LOG.error("the release %s cannot be opened: %s", release, error)
            return
        guard.used = self.used  # what a release used stays counted when it is closed
        guard._admission.arrivals = self._admission.arrivals  # noqa: SLF001 - a source sends its records to all of them
        guard.stand_by(_Standby(guard.others, lambda: self._before(guard)))
        with self._change:
            self._failed.pop(release, None)
            self._apart = self._apart | {release: _Apart(guard)}

    def _close_unwanted(self) -> None:
        wanted = self._wanted()
        for release, apart in tuple(self._apart.items()):
            if release in wanted:
                continue
            with self._change:
                if apart.inside:
                    continue  # what is in flight ends first
                self._apart = {digest: kept for digest, kept in self._apart.items() if digest != release}
            apart.guard.close()

    # -- the canary

    def _count(self) -> None:
        canary = self._state.canary
        block = self._tally.take("" if canary is None else canary.release, self.live)
        if canary is None or block is None:
            return
        with contextlib.suppress(PlimsollError):  # what cannot be written is no part of the comparison
            self.ledger.append(Draft(kind=COUNTED, system=self.settings.system, body=msgspec.json.encode(block)))

    def _compare(self, block: Block) -> None:
        seen = self._compared.get(block.canary, Comparison()).after(block)
        self._compared[block.canary] = seen
        canary = self._state.canary
        if canary is None or canary.release != block.canary or self._follower is None:
            return
        why = seen.why_worse(canary.alpha)
        if why:
            self._take_back(canary, why)

    def _take_back(self, canary: Beside, why: str) -> None:
        """End the canary, once for all the guards that see it is worse."""
        system = self.settings.system
        try:
            self.ledger.reserve(f"canary:{system}", canary.release, expires_ns=time.time_ns() + 10 * 10**9)
        except Taken:
            return
        said = f"it is worse than the live release (false alarm in at most {canary.alpha:.1%} of canaries): {why}"
        control = Control(action=Action.END, by="the comparison of canaries", reason=said, release=canary.release)
        self.ledger.append(Draft(kind="control", system=system, body=msgspec.json.encode(control)))

    # -- the shadow

    def _copy(self) -> None:
        while not self._ending:
            try:
                release, record, type_, given, subject, source, principal = self._copies.get(timeout=0.2)
            except queue.Empty:
                continue
            guard = self._guard_of(release)
            if guard is not None:
                try:
                    with self._in_flight(guard):
                        guard.shadow(type_, given, of=record, subject=subject, source=source, principal=principal)
                except PlimsollError as error:
                    _LOG.warning("a shadow copy was not recorded: %s", error)

    # -- life

    def _after_fork(self) -> None:
        """The parent's threads and worker processes are not here: what is wanted is opened anew."""
        self._change = threading.Condition()
        self._apart, self._failed, self._keeper, self._copier = {}, {}, None, None
        self._copies = queue.Queue(_SHADOWS)
        self._tally = Tally()
        super()._after_fork()
        if self._state.releases:
            self._open_wanted()

    def close(self) -> None:
        """Close the guards of all releases; see `Guard.close`."""
        with self._change:
            self._ending = True
            self._change.notify_all()
        for thread in (self._keeper, self._copier):
            if thread is not None and thread is not threading.current_thread():
                thread.join(timeout=10)
        with contextlib.ExitStack() as steps:
            steps.callback(super().close)
            for apart in self._apart.values():
                steps.callback(apart.guard.close)


class _Standby(Mapping[str, Target]):
    """The targets of a fallback chain, and with them that of the release before, which its own guard closes."""

    def __init__(self, own: Mapping[str, Target], before: Callable[[], Target | None]) -> None:
        self._own = own
        self._before = before

    def __getitem__(self, name: str) -> Target:
        found = self._before() if name == FallbackWord.PREVIOUS_RELEASE.value else self._own[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


class _Apart:
    """The guard of another release, and how many calls are inside."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.inside = 0


def _content(given: Any) -> str:
    """What makes the same record fall to the same release, where nothing names it."""
    return bytes(given).decode("utf-8", "replace") if isinstance(given, bytes | bytearray) else repr(given)
