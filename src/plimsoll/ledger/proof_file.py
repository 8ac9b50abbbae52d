"""What a proof file holds, and the chain of links that it is checked by."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec

from plimsoll.errors import VerificationFailed
from plimsoll.ledger.entry import frame
from plimsoll.ledger.merkle import HASH, check_inclusion, leaf_hash
from plimsoll.ledger.records import Heads, StreamSealed

VERSION: Final = 1
_MOST_BYTES: Final = 100_000_000  # of a proof file; the body of its entry is nearly all of it


class Framed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry, exactly the fields that its leaf hash is taken over."""

    stream: str
    seq: int
    time_ns: str  # decimal, as text: readers that know only floating point would round it
    kind: str
    system: str
    subject: str
    refs: str
    type: str
    tier: str
    called: int
    disposition: str
    sealed: int
    body: bytes  # base64 in the file; ciphertext when sealed

    def leaf(self) -> bytes:
        """Its leaf hash. Raises VerificationFailed when a field holds what no entry can."""
        if str(_number(self.time_ns)) != self.time_ns:
            raise VerificationFailed(f"{self.id}: the time is no plain decimal number")
        try:
            framed = frame(
                self.stream, self.seq, int(self.time_ns), self.kind, self.system, self.subject, self.refs, self.type,
                self.tier, self.called, self.disposition, self.sealed, self.body,
            )  # fmt: skip
        except (OverflowError, UnicodeEncodeError) as error:
            raise VerificationFailed(f"{self.id}: a field holds what no entry can hold") from error
        return leaf_hash(framed)

    @property
    def id(self) -> str:
        """How it is referred to."""
        return f"{self.stream}-{self.seq}"


class Inclusion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way from a leaf to a root."""

    size: int  # leaves of the tree
    path: tuple[bytes, ...]  # RFC 9162, 2.1.3; base64 in the file


class ProofFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the file."""

    plimsoll_proof: int
    entry: Framed
    in_stream: Inclusion | None  # None: the entry is one of the root stream itself
    checkpoint: Framed | None  # the entry of the root stream that names the stream's size and root
    in_root: Inclusion
    note: str  # the signed checkpoint of the root stream
    body_key: bytes | None = None  # opens the entry's body, when it was disclosed


class _Versioned(msgspec.Struct, frozen=True):
    plimsoll_proof: int


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


@contextlib.contextmanager
def link(name: str) -> Iterator[None]:
    """Let a failure say which link of the chain does not hold."""
    try:
        yield
    except VerificationFailed as error:
        raise VerificationFailed(f"the proof does not hold at {name}: {error.message}", fix=error.fix) from error


def read_proof(raw: bytes) -> ProofFile:
    """A proof from its bytes. Raises VerificationFailed."""
    with link("its form"):
        if len(raw) > _MOST_BYTES:
            raise VerificationFailed(f"it has {len(raw):,} bytes, more than {_MOST_BYTES:,}")
        try:
            version = msgspec.json.decode(raw, type=_Versioned).plimsoll_proof
            if version != VERSION:
                raise VerificationFailed(
                    f"it is of version {version}, this one reads version {VERSION}", fix="upgrade plimsoll-ai"
                )
            return msgspec.json.decode(raw, type=ProofFile)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise VerificationFailed(f"it is no proof file: {error}", fix="ask for the file again") from error


def check_chain(proof: ProofFile, size: int, root: bytes) -> None:
    """Check all links between the entry and a root of the root stream that is vouched for.

    Args:
        proof: the proof.
        size: entries of the root stream below the root.
        root: 32 bytes.

    Raises:
        VerificationFailed: which link does not hold, and why.
    """
    top = proof.entry if proof.checkpoint is None else proof.checkpoint
    with link("the inclusion in the root stream"):
        if proof.in_root.size != size:
            raise VerificationFailed(f"it is for {proof.in_root.size:,} entries, the signed checkpoint covers {size:,}")
        _check_inclusion(top, proof.in_root, root)
    if proof.checkpoint is None:
        return
    with link("the checkpoint entry"):
        if proof.in_stream is None:
            raise VerificationFailed("the way from the entry to its stream's root is left out")
        named, stream_root = named_in(proof.checkpoint, proof.entry.stream)
        if named != proof.in_stream.size:
            raise VerificationFailed(
                f"{proof.checkpoint.id} does not name the entry's stream with {proof.in_stream.size:,} entries"
            )
    with link("the inclusion in the stream"):
        _check_inclusion(proof.entry, proof.in_stream, stream_root)


def _check_inclusion(entry: Framed, inclusion: Inclusion, root: bytes) -> None:
    if any(len(digest) != HASH for digest in inclusion.path):
        raise VerificationFailed("its path holds something else than hashes")
    if not check_inclusion(entry.leaf(), entry.seq, inclusion.size, inclusion.path, root):
        raise VerificationFailed(
            f"{entry.id}, as it stands in the file, is not below this root: one of the two was altered"
        )


def named_in(checkpoint: Framed, stream: str) -> tuple[int, bytes]:
    """The size and root that an entry of the root stream gives for a stream; (0, b"") when it gives none."""
    try:
        if checkpoint.kind == "stream.sealed":
            sealed = msgspec.json.decode(checkpoint.body, type=StreamSealed)
            if sealed.stream == stream:
                return sealed.size, bytes.fromhex(sealed.root)
        elif checkpoint.kind == "checkpoint":
            for head in msgspec.json.decode(checkpoint.body, type=Heads).heads:
                if head.stream == stream:
                    return head.size, bytes.fromhex(head.root)
    except (msgspec.DecodeError, ValueError) as error:
        raise VerificationFailed(f"{checkpoint.id} cannot be read") from error
    return 0, b""
