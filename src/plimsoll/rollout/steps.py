"""What is done with releases: shadow, canary, promote, roll back. Each is one control entry that every guard obeys.

Who may is for the caller to see to; what must hold for a step is looked at here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from plimsoll.attest import Trust, verify_attestation
from plimsoll.attest.moments import to_text
from plimsoll.errors import InputError, NotReady, VerificationFailed
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.control import Action, Control
from plimsoll.policy import Obeyed, obey

BUILT = "release.built"
KEPT = "release.kept"
ATTESTED = "attestation"  # kind of the entry that holds an attestation as it was used
EXCEPTED = "exception.signed"  # kind of the entry that holds an exception; its body is the signed envelope
STEPS = frozenset({Action.PROMOTE, Action.ROLLBACK, Action.CANARY, Action.SHADOW, Action.END})
_ALPHA = 0.05


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done with a release."""

    entry: str
    time: str  # RFC 3339, UTC
    action: str
    release: str
    by: str
    reason: str
    share: float = 0.0
    attestation: str = ""  # id of the entry that holds the attestation it rests on
    exception: str = ""  # id of the entry that holds the setter's exception it rests on, in place of one


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One release of a system, as `plimsoll rollout list` shows it."""

    release: str
    state: str  # live, previous, canary, shadow, or ""
    built: str  # RFC 3339, UTC; "" for one that was never recorded as built
    kept: bool  # whether it can run from its copy
    share: float = 0.0
    steps: tuple[Step, ...] = ()  # the oldest first
    excepted: str = ""  # of the live one: on whose exception it is live, until when, in a sentence


def steered(ledger: Ledger, system: str) -> Obeyed:
    """What the guards of a system obey now."""
    state = Obeyed()
    for _, _, control in _controls(ledger, system):
        state = obey(state, control)
    return state


def history(ledger: Ledger, system: str) -> tuple[Step, ...]:
    """Everything that was done with releases, the oldest first."""
    return tuple(
        Step(
            entry=id_,
            time=to_text(time_ns),
            action=control.action.value,
            release=control.release,
            by=control.by,
            reason=control.reason,
            share=control.share,
            **_rests_on(ledger, id_),
        )
        for time_ns, id_, control in _controls(ledger, system)
        if control.action in STEPS
    )


def listing(ledger: Ledger, system: str, kept: Collection[str]) -> tuple[Line, ...]:
    """The releases of a system, the latest first, with what was done with each.

    Args:
        ledger: of the system.
        system: its name.
        kept: digests of the releases that can run from a copy here.
    """
    state, steps = steered(ledger, system), history(ledger, system)
    built: dict[str, tuple[int, str]] = {}
    for entry in ledger.entries(kinds=(BUILT,), system=system):
        digest = msgspec.json.decode(ledger.body(entry), type=_Built).digest
        built.setdefault(digest, (entry.time_ns, to_text(entry.time_ns)))
    names = dict.fromkeys((*built, *(step.release for step in steps), *kept))
    lines = [
        Line(
            release=name,
            state=_state_of(state, name),
            built=built[name][1] if name in built else "",
            kept=name in kept,
            share=next((b.share for b in (state.canary, state.shadow) if b is not None and b.release == name), 0.0),
            steps=tuple(step for step in steps if step.release == name),
        )
        for name in names
        if name
    ]
    return tuple(sorted(lines, key=lambda line: built.get(line.release, (0, ""))[0], reverse=True))


class _Built(msgspec.Struct):
    digest: str


def _state_of(state: Obeyed, release: str) -> str:
    if release == state.live:
        return "live"
    if state.canary is not None and release == state.canary.release:
        return "canary"
    if state.shadow is not None and release == state.shadow.release:
        return "shadow"
    return "previous" if release in state.before[-1:] else ""


def _rests_on(ledger: Ledger, id_: str) -> dict[str, str]:
    """What a step rests on, by the field of `Step` that names it."""
    entry = ledger.get(id_)
    if entry is None or not entry.refs:
        return {}
    held = ledger.get(entry.refs[0])
    return {"exception" if held is not None and held.kind == EXCEPTED else "attestation": entry.refs[0]}


def stands_on(ledger: Ledger, system: str) -> str:
    """The entry of the exception on which the live release is live; "": on an attestation, or none is live."""
    live = steered(ledger, system).live
    steps = [s for s in history(ledger, system) if s.action == Action.PROMOTE.value and s.release == live]
    return steps[-1].exception if live and steps else ""


def _controls(ledger: Ledger, system: str) -> Iterator[tuple[int, str, Control]]:
    """The control entries of a system, in the order in which guards fold them: by time, then by id."""
    entries = ledger.entries(kinds=("control",), system=system)
    found = [(e.time_ns, e.id, msgspec.json.decode(ledger.body(e), type=Control)) for e in entries]
    return iter(sorted(found, key=lambda c: c[:2]))


def promote(
    ledger: Ledger,
    system: str,
    release: str,
    *,
    attestation: bytes,
    trust: Trust,
    by: str,
    reason: str,
    now_ns: int,
    allow_simulated: bool = False,
) -> str:
    """Make a release live, on an attestation for exactly its digest; gives the id of the control entry.

    Args:
        ledger: of the system.
        system: its name.
        release: digest of a kept release.
        attestation: the file that `plimsoll gate --attest` wrote.
        trust: whose keys count.
        by: contact of who does it.
        reason: why, for everyone who looks at it later.
        now_ns: UTC nanoseconds since the epoch.
        allow_simulated: whether a demonstration may pass.

    Raises:
        VerificationFailed: the attestation does not hold, or is about another release or system.
        NotReady: it is live already, and on an attestation.
    """
    verified = verify_attestation(
        attestation, subject=release, trust=trust, now_ns=now_ns, allow_simulated=allow_simulated
    )
    if verified.system != system:
        raise VerificationFailed(
            f"the attestation is about the system '{verified.system}', not about '{system}'",
            fix="name the file that was written for this one",
        )
    if steered(ledger, system).live == release and not stands_on(ledger, system):
        raise NotReady(f"{release} is live already", fix="nothing more is to be done")
    held = ledger.append(Draft(kind=ATTESTED, system=system, body=attestation))
    return write_promoted(ledger, system, release, by=by, reason=reason, on=held)


def write_promoted(ledger: Ledger, system: str, release: str, *, by: str, reason: str, on: str) -> str:
    """Write that a release is live from now on; gives the id of the control entry.

    Args:
        ledger: of the system.
        system: its name.
        release: digest.
        by: contact of who does it.
        reason: why.
        on: the entry that it rests on: an attestation, or an exception, that was checked just before.
    """
    return _write(ledger, system, Control(action=Action.PROMOTE, by=by, reason=reason, release=release), refs=(on,))


def roll_back(ledger: Ledger, system: str, *, to: str = "", by: str, reason: str) -> tuple[str, str]:
    """Make a release that was live before live again; gives the id of the control entry, and the release.

    It needs no attestation: it had one, and going back must not wait for anything.

    Args:
        ledger: of the system.
        system: its name.
        to: digest of a release that was live before; "": the last one.
        by: contact of who does it.
        reason: why.

    Raises:
        NotReady: nothing was live before.
        InputError: ``to`` was never live.
    """
    state = steered(ledger, system)
    if not state.before:
        raise NotReady(
            "there is nothing to go back to: no release was live before this one",
            fix="`plimsoll control stop` leaves every decision to people at once",
        )
    if to and to not in state.before:
        raise InputError(f"{to} was not live before", fix=f"there are: {', '.join(reversed(state.before))}")
    release = to or state.before[-1]
    return _write(ledger, system, Control(action=Action.ROLLBACK, by=by, reason=reason, release=release)), release


def way_back(ledger: Ledger, system: str, release: str) -> str:
    """The release that a rollback from this one leads to, now or once it is live; "": there is none to go back to.

    Args:
        ledger: of the system.
        system: its name.
        release: digest of the release that is live, or is to be.
    """
    state = steered(ledger, system)
    return (state.before[-1:] or ("",))[0] if state.live == release else state.live


def run_beside(
    ledger: Ledger,
    system: str,
    release: str,
    *,
    share: float,
    action: Action,
    by: str,
    reason: str,
    alpha: float = _ALPHA,
) -> str:
    """Run a release beside the live one, as canary or shadow; gives the id of the control entry.

    Args:
        ledger: of the system.
        system: its name.
        release: digest of a kept release.
        share: of the traffic, in (0, 1]; of a canary at most one half, since it is to be compared with the other part.
        action: `Action.CANARY` or `Action.SHADOW`.
        by: contact of who does it.
        reason: why.
        alpha: of a canary: the probability, in (0, 1), with which one that is no worse is taken back all the same.

    Raises:
        InputError: the share or ``alpha`` is out of its range.
        NotReady: it is live already, or no release was promoted yet that it could run beside.
    """
    most = 0.5 if action is Action.CANARY else 1.0
    if not 0 < share <= most:
        raise InputError(f"a share of {share:.0%} is not above 0% and at most {most:.0%}", fix="write --share 5%")
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}; it must be between 0 and 1", fix="write --alpha 0.05")
    state = steered(ledger, system)
    if state.live == release:
        raise NotReady(f"{release} is live; nothing runs beside itself", fix="build another release")
    control = Control(
        action=action,
        by=by,
        reason=reason,
        release=release,
        share=share,
        alpha=alpha if action is Action.CANARY else 0.0,
    )
    return _write(ledger, system, control)


def end_beside(ledger: Ledger, system: str, release: str, *, by: str, reason: str) -> str:
    """End a canary or shadow; gives the id of the control entry.

    Raises:
        NotReady: no such release runs beside the live one.
    """
    state = steered(ledger, system)
    running = [b.release for b in (state.canary, state.shadow) if b is not None]
    if release not in running:
        raise NotReady(
            f"{release} does not run beside the live release",
            fix=f"there run: {', '.join(running)}" if running else "nothing does",
        )
    return _write(ledger, system, Control(action=Action.END, by=by, reason=reason, release=release))


def _write(ledger: Ledger, system: str, control: Control, *, refs: tuple[str, ...] = ()) -> str:
    if not control.reason.strip():
        raise InputError("a control entry has a reason", fix="say why: --reason '…'")
    return ledger.append(Draft(kind="control", system=system, body=msgspec.json.encode(control), refs=refs))
