"""API tokens: a secret that a client holds, of which the ledger keeps only the digest.

A token reads ``plim_<id>_<secret>``. The secret is 256 random bits, so a plain SHA-256 of it cannot be guessed back
and needs no salt; a slow hash is for what people choose themselves. Making and revoking are entries of the ledger: who,
when and why stay on record, and every running server follows them.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from plimsoll.errors import InputError, NoAccess, PlimsollError
from plimsoll.ledger import Draft, Entry, Follower, Ledger

MADE: Final = "token.made"
REVOKED: Final = "token.revoked"
PREFIX: Final = "plim_"
_NOBODY: Final = hashlib.sha256(b"no token has this digest").hexdigest()


class Scope(enum.StrEnum):
    """What a token may be used for."""

    DECIDE = "decide"  # ask for decisions
    READ = "read"  # read decisions that were taken
    FEEDBACK = "feedback"  # say what became of a decision
    OPERATE = "operate"  # stop, and roll back
    METRICS = "metrics"  # read /metrics
    ACT_FOR = "act-for"  # say for which person it asks, and which of the token's labels they hold


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as the ledger keeps it: everything but its secret. The body of a ``token.made`` entry."""

    id: str
    name: str  # of the client that holds it
    digest: str  # SHA-256 of the secret, hex
    scopes: tuple[Scope, ...]
    types: tuple[str, ...] = ()  # decision types it may ask for and read; empty: all
    labels: tuple[str, ...] = ()  # access labels that a caller may claim through it
    made_by: str = ""
    made_at: str = ""  # RFC 3339, UTC
    expires_at: str = ""  # RFC 3339, UTC; a token always expires


class _Revoked(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    by: str
    reason: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as their token says."""

    id: str
    name: str
    scopes: frozenset[str]
    types: frozenset[str] = frozenset()  # empty: all
    labels: frozenset[str] = frozenset()

    def may(self, scope: Scope, type_: str = "") -> bool:
        """Whether it may do this, and (where one is named) for this decision type."""
        return scope in self.scopes and (not type_ or not self.types or type_ in self.types)


class Tokens:
    """The tokens of one system, in step with the ledger within a second.

    Args:
        ledger: where they are made and revoked.
        system: tokens of another system open nothing here.
        clock_ns: UTC nanoseconds since the epoch.
    """

    def __init__(self, ledger: Ledger, system: str, *, clock_ns: Callable[[], int]) -> None:
        self._ledger = ledger
        self._system = system
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[Token, int, Identity]] = {}
        self._revoked: set[str] = set()
        self._unreadable = ""  # an entry about tokens that this version cannot read
        after: dict[str, int] = {}
        for entry in ledger.entries(kinds=(MADE, REVOKED), system=system):
            self._add(entry)
            after[entry.stream] = entry.seq
        self._follower: Follower = ledger.follow((MADE, REVOKED), self._add, after=after)

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def identify(self, presented: str) -> Identity:
        """Who presents this token.

        The time it takes does not tell how much of a guess was right: the digest of what was presented is compared
        with a digest in constant time, for an unknown id too.

        Raises:
            NoAccess: unknown, expired or revoked.
        """
        id_, _, secret = presented.removeprefix(PREFIX).partition("_")
        found = self._tokens.get(id_)
        expected = _NOBODY if found is None else found[0].digest
        right = hmac.compare_digest(_digest(secret), expected)
        if self._unreadable:
            raise NoAccess(f"the entry {self._unreadable} about tokens cannot be read, so none counts", known=False)
        if found is None or not right or not presented.startswith(PREFIX) or id_ in self._revoked:
            raise NoAccess("the token is not known here, or was revoked", known=False)
        if self._clock_ns() >= found[1]:
            raise NoAccess("the token has expired", known=False)
        return found[2]

    def _add(self, entry: Entry) -> None:
        if entry.system != self._system:
            return
        try:
            self._take(entry.kind, self._ledger.body(entry))
        except (msgspec.DecodeError, PlimsollError, ValueError):
            self._unreadable = entry.id  # it may be a revocation: refuse everybody rather than the wrong one

    def _take(self, kind: str, raw: bytes) -> None:
        with self._lock:
            if kind == REVOKED:
                self._revoked.add(msgspec.json.decode(raw, type=_Revoked).id)
                return
            token = msgspec.json.decode(raw, type=Token)
            identity = Identity(
                id=token.id,
                name=token.name,
                scopes=frozenset(scope.value for scope in token.scopes),
                types=frozenset(token.types),
                labels=frozenset(token.labels),
            )
            self._tokens[token.id] = (token, _ns(token.expires_at), identity)


def new_token(
    ledger: Ledger,
    system: str,
    *,
    name: str,
    scopes: Iterable[Scope],
    types: Iterable[str] = (),
    labels: Iterable[str] = (),
    by: str,
    now_ns: int,
    lives_s: float,
    chance: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[str, Token]:
    """Make a token; gives what the client presents, which is shown once and kept nowhere, and the token on record.

    Args:
        ledger: of the system.
        system: the system it opens.
        name: of the client.
        scopes: what it may be used for; at least one.
        types: decision types it may ask for; none: all.
        labels: access labels that a caller may claim through it.
        by: contact of who makes it.
        now_ns: UTC nanoseconds since the epoch.
        lives_s: seconds until it expires, above 0 and at most a year.
        chance: gives so many random bytes.

    Raises:
        InputError: no name, no scope, or a life that is not between a second and 366 days.
    """
    given = tuple(dict.fromkeys(scopes))
    if not name.strip() or not given:
        raise InputError("a token has a name and at least one scope", fix="name the client that will hold it")
    if not 1 <= lives_s <= 366 * 86400:
        raise InputError("a token lives from a second to 366 days", fix="give --expires, such as 90days")
    id_, secret = chance(8).hex(), chance(32).hex()
    token = Token(
        id=id_,
        name=name.strip(),
        digest=_digest(secret),
        scopes=given,
        types=tuple(types),
        labels=tuple(labels),
        made_by=by,
        made_at=_text(now_ns),
        expires_at=_text(now_ns + int(lives_s * 1e9)),
    )
    ledger.append(Draft(kind=MADE, system=system, body=msgspec.json.encode(token)))
    return f"{PREFIX}{id_}_{secret}", token


def revoke_token(ledger: Ledger, system: str, id_: str, *, by: str, reason: str) -> str:
    """Take a token back; every server refuses it within a second. Gives the id of the entry.

    Raises:
        InputError: there is no such token, it is revoked already, or no reason is given.
    """
    found = {token.id: revoked for token, revoked in tokens_of(ledger, system)}
    if id_ not in found:
        raise InputError(f"there is no token '{id_}'", fix="`plimsoll token list` names them")
    if found[id_]:
        raise InputError(f"the token '{id_}' is revoked already", fix="nothing more is to be done")
    if not reason.strip():
        raise InputError("a token is revoked for a reason", fix="say why: --reason '…'")
    body = msgspec.json.encode(_Revoked(id=id_, by=by, reason=reason.strip()))
    return ledger.append(Draft(kind=REVOKED, system=system, body=body))


def tokens_of(ledger: Ledger, system: str) -> tuple[tuple[Token, bool], ...]:
    """Every token of a system, the oldest first, and whether it was revoked."""
    made: list[Token] = []
    revoked: set[str] = set()
    for entry in ledger.entries(kinds=(MADE, REVOKED), system=system):
        raw = ledger.body(entry)
        if entry.kind == MADE:
            made.append(msgspec.json.decode(raw, type=Token))
        else:
            revoked.add(msgspec.json.decode(raw, type=_Revoked).id)
    return tuple((token, token.id in revoked) for token in sorted(made, key=lambda t: t.made_at))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _text(time_ns: int) -> str:
    at = dt.datetime.fromtimestamp(time_ns // 10**9, tz=dt.UTC)
    return at.isoformat().replace("+00:00", "Z")


def _ns(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) * 10**9
