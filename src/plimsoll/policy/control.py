"""What the running guards obey now: a pure fold over the system's control entries."""

from __future__ import annotations

import msgspec

from plimsoll.model.control import Action, Control


class Obeyed(msgspec.Struct, frozen=True, kw_only=True):
    """The state that control entries add up to."""

    stopped: frozenset[str] = frozenset()  # decision types that are human-only now; "" is all of them
    reasons: tuple[tuple[str, str], ...] = ()  # (decision type, reason and by whom), for those stopped

    def stop_reason(self, type_: str) -> str:
        """Why a decision type is stopped; "" when it is not."""
        if "" not in self.stopped and type_ not in self.stopped:
            return ""
        said = dict(self.reasons)
        return said.get(type_) or said.get("", "stopped")


def obey(state: Obeyed, control: Control) -> Obeyed:
    """The state after one more control entry. A resume takes back exactly the stop of the same scope."""
    reasons = tuple(pair for pair in state.reasons if pair[0] != control.type)
    if control.action is Action.STOP:
        return Obeyed(
            stopped=state.stopped | {control.type},
            reasons=(*reasons, (control.type, f"{control.reason} (stopped by {control.by})")),
        )
    return Obeyed(stopped=state.stopped - {control.type}, reasons=reasons)
