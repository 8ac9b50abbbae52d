"""What the running guards obey now: a pure fold over the system's control entries."""

from __future__ import annotations

import hashlib

import msgspec

from plimsoll.model.control import Action, Control


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """A release that runs beside the live one, as canary or as shadow."""

    release: str
    share: float  # of the traffic, in (0, 1]
    alpha: float = 0.0


class Obeyed(msgspec.Struct, frozen=True, kw_only=True):
    """The state that control entries add up to."""

    stopped: frozenset[str] = frozenset()  # decision types that are human-only now; "" is all of them
    reasons: tuple[tuple[str, str], ...] = ()  # (decision type, reason and by whom), for those stopped
    live: str = ""  # the release that answers; "": none was ever promoted, so the one that lies in the project
    before: tuple[str, ...] = ()  # what was live before it, the latest last
    canary: Beside | None = None
    shadow: Beside | None = None

    def stop_reason(self, type_: str) -> str:
        """Why a decision type is stopped; "" when it is not."""
        if "" not in self.stopped and type_ not in self.stopped:
            return ""
        said = dict(self.reasons)
        return said.get(type_) or said.get("", "stopped")

    @property
    def names_a_release(self) -> bool:
        """Whether there are `releases` at all; every decision asks."""
        return bool(self.live or self.canary or self.shadow or any(self.before[-1:]))

    @property
    def releases(self) -> frozenset[str]:
        """The releases that a guard keeps warm: so that going back needs no start of anything."""
        beside = (b.release for b in (self.canary, self.shadow) if b is not None)
        return frozenset(r for r in (self.live, *self.before[-1:], *beside) if r)


def obey(state: Obeyed, control: Control) -> Obeyed:
    """The state after one more control entry. A resume takes back exactly the stop of the same scope."""
    match control.action:
        case Action.STOP | Action.RESUME:
            return _stop(state, control)
        case Action.PROMOTE:
            return _live(state, control.release, (*state.before, state.live))
        case Action.ROLLBACK:
            return _back(state, control.release)
        case Action.CANARY:
            beside = Beside(release=control.release, share=control.share, alpha=control.alpha)
            return msgspec.structs.replace(state, canary=beside)
        case Action.SHADOW:
            return msgspec.structs.replace(state, shadow=Beside(release=control.release, share=control.share))
        case Action.END:
            return _without(state, control.release)


def _stop(state: Obeyed, control: Control) -> Obeyed:
    reasons = tuple(pair for pair in state.reasons if pair[0] != control.type)
    if control.action is Action.STOP:
        said = (control.type, f"{control.reason} (stopped by {control.by})")
        return msgspec.structs.replace(state, stopped=state.stopped | {control.type}, reasons=(*reasons, said))
    return msgspec.structs.replace(state, stopped=state.stopped - {control.type}, reasons=reasons)


def _live(state: Obeyed, release: str, before: tuple[str, ...]) -> Obeyed:
    """With another release live. It is not beside itself any more."""
    kept = tuple(r for r in before if r and r != release)
    return _without(msgspec.structs.replace(state, live=release, before=kept), release)


def _back(state: Obeyed, release: str) -> Obeyed:
    """Back to a release; whatever ran beside is ended too: at three in the morning nobody wants a share of anything."""
    before = state.before[: state.before.index(release)] if release in state.before else state.before
    return msgspec.structs.replace(_live(state, release, before), canary=None, shadow=None)


def _without(state: Obeyed, release: str) -> Obeyed:
    return msgspec.structs.replace(
        state,
        canary=None if state.canary is None or state.canary.release == release else state.canary,
        shadow=None if state.shadow is None or state.shadow.release == release else state.shadow,
    )


def is_in_share(key: str, release: str, share: float) -> bool:
    """Whether what has this key falls into a release's share: the same key always does, and two releases draw apart.

    Args:
        key: subject, or whatever makes a caller's work stay together.
        release: digest of the release.
        share: in [0, 1].

    >>> sum(is_in_share(f"claim-{n}", "sha256:0", 0.05) for n in range(10_000))
    513
    """
    drawn = hashlib.blake2b(f"{release}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(drawn, "big") < share * 2**64
