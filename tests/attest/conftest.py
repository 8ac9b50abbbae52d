"""A small world to attest in: keys, a trust file, a signed threshold, a board on which every condition is met."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from plimsoll.attest.dsse import sign_envelope
from plimsoll.attest.keys import PrivateKey, generate
from plimsoll.attest.line import sign_threshold
from plimsoll.attest.statements import make_attestation
from plimsoll.attest.trust import Role, Trust, read_trust, trust_entry
from plimsoll.attest.verify import Verified, verify_attestation
from plimsoll.model.attestation import IN_TOTO
from plimsoll.model.board import Board, Outcome, Row, Standing
from plimsoll.model.threshold import Condition, Threshold

NOW = 1_795_228_200_000_000_000  # 2026-11-21T02:30:00Z
DAY = 86_400_000_000_000
LEADER = "coo@example.org"
FIGURES = {
    "stability.latency_p99 <= 500 ms": (0.3124, 0.347),
    "stability.error_rate <= 0.5%": (0.0021, 0.0034),
    "evaluation.accuracy >= 95%": (0.985, 0.9612),
    "contracts.valid_rate >= 95%": (0.969, 0.963),
    "contracts.lost_records = 0": (0.0, None),
    "organisation.accepted = 100%": (1.0, None),
    "accountability.complete = 100%": (1.0, None),
}


class World:
    """Real keys, real files, real signatures; the clock is an argument."""

    leader = LEADER
    now = NOW
    day = DAY

    def __init__(self, kind: str = "ed25519") -> None:
        self.gate = generate(kind)
        self.setter = generate(kind)
        self.stranger = generate(kind)
        self.trust = self.pin((LEADER, [Role.SETTER, Role.OWNER], self.setter), ("pipeline", [Role.GATE], self.gate))
        self.threshold = Threshold(set_by=LEADER, conditions=tuple(Condition.parse(text) for text in FIGURES))
        self.board = Board(
            system="claims-reader",
            release="sha256:" + "4b" * 32,
            threshold=self.threshold.digest,
            people="sha256:" + "11" * 32,
            outcome=Outcome.READY,
            draft=False,
            demonstration=False,
            rows=tuple(self.row(text) for text in FIGURES),
            time_ns=NOW - 3600 * 1_000_000_000,
            set_by=LEADER,
            price=("18% of the cases are held: 540 a day, 270 reviewer minutes of 480",),
        )
        self.signed = self.sign()

    @staticmethod
    def row(
        text: str, *, standing: Standing = Standing.MET, provenance: str = "measured", age_s: float = 3600.0
    ) -> Row:
        condition = Condition.parse(text)
        estimate, bound = FIGURES[text]
        return Row(
            condition=str(condition),
            metric=condition.metric,
            op=condition.op.value,
            limit=str(condition.limit),
            dimension=condition.dimension.value,
            standing=standing,
            estimate=estimate,
            bound=bound,
            counts="197 of 200",
            window_s=5.0 if condition.entry.in_windows else None,
            provenance=provenance,
            age_s=age_s,
            entries=("0190aaaa-1", "0190aaaa-2"),
        )

    @staticmethod
    def payload(raw: bytes) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(base64.b64decode(json.loads(raw)["payload"]))
        return value

    @staticmethod
    def pin(*entries: tuple[str, list[Role], PrivateKey], simulated: bool = False, until: str = "") -> Trust:
        text = "plimsoll-trust: 1\nkeys:\n"
        for who, roles, key in entries:
            text += trust_entry(who, roles, key.public, simulated=simulated)
            text += f"    until: {until}\n" if until else ""
        return read_trust(text)

    def sign(self, key: PrivateKey | None = None, *, system: str = "claims-reader", **changes: Any) -> bytes:
        threshold = msgspec.structs.replace(self.threshold, **{k: v for k, v in changes.items() if k != "simulated"})
        return sign_threshold(
            threshold,
            system=system,
            key=key or self.setter,
            now_ns=NOW - 2 * DAY,
            simulated=bool(changes.get("simulated")),
        )

    def attest(self, board: Board | None = None, *, key: PrivateKey | None = None, **more: Any) -> bytes:
        more.setdefault("signed_threshold", self.signed)
        more.setdefault("threshold", self.threshold)
        return make_attestation(board or self.board, key=key or self.gate, **more)

    def change(self, **fields: Any) -> Board:
        return msgspec.structs.replace(self.board, **fields)

    def verify(self, raw: bytes, **more: Any) -> Verified:
        more.setdefault("subject", self.board.release)
        more.setdefault("trust", self.trust)
        more.setdefault("now_ns", NOW)
        return verify_attestation(raw, **more)

    def resign(self, raw: bytes, change: Callable[[dict[str, Any]], None], *, kind: str = IN_TOTO) -> bytes:
        """What an attestation would look like if the gate itself had signed something else."""
        statement = self.payload(raw)
        change(statement)
        return sign_envelope(kind, json.dumps(statement).encode(), self.gate)


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def attestation(world: World) -> bytes:
    return world.attest(protocols={"stability": ["sha256:" + "77" * 32]}, version="0.1.0")
