"""What a worker process and its owner say to each other: frames over a socket, MessagePack inside, never pickle.

A frame is 4 bytes length of the payload (unsigned, big-endian), one byte that says what it is, then the payload. One
question is under way at a time.
"""

from __future__ import annotations

import socket
import struct
from datetime import datetime
from typing import Any, Final

import msgspec

HEADER: Final = struct.Struct(">Ic")
MOST: Final = 64 << 20  # bytes of a payload; a longer one is no record and no answer

# From the owner.
SETUP: Final = b"S"
QUESTION: Final = b"Q"
# From the worker.
READY: Final = b"R"
NO_START: Final = b"N"
ANSWER: Final = b"A"
FAULT: Final = b"F"

_WHOLE: Final = 1  # MessagePack's extension code for whole numbers beyond 64 bits
_SMALL: Final = range(-(1 << 63), 1 << 64)


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must know before it begins.

    Args:
        reference: the callable, as ``package.module:callable``.
        folders: to import from, before what is installed.
        memory_mib: of address space, at most (RLIMIT_AS); None: what the machine has.
    """

    reference: str
    folders: tuple[str, ...]
    memory_mib: int | None = None


class NoStart(msgspec.Struct, frozen=True, kw_only=True):
    """Why a worker cannot begin."""

    message: str
    fix: str = ""


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What the callable returned. ``bare``: the output alone; the rest is of a `Result`, as it came."""

    output: Any
    bare: bool = True
    confidence: Any = None
    sources: Any = ()
    reasons: Any = ()
    usage: Any = {}
    opened: tuple[str, ...] = ()  # files that were opened since the last answer, where a watcher looks on


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """What the callable raised, or why what it returned cannot be sent."""

    kind: str
    message: str
    retry_after_s: float | None = None
    opened: tuple[str, ...] = ()


def encode(value: Any) -> bytes:
    """The payload of a frame.

    Raises:
        TypeError: it has a part that no other process could be given.
    """
    try:
        try:
            return _ENCODER.encode(value)
        except OverflowError:
            return _ENCODER.encode(_wrapped(msgspec.to_builtins(value, builtin_types=_AS_IS, enc_hook=_plain)))
    except (ValueError, RecursionError, NotImplementedError) as why:
        raise TypeError(f"{type(why).__name__}: {why}") from why


def decode(payload: bytes, type_: Any = Any) -> Any:
    """The value of a payload.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.msgpack.decode(payload, type=type_, ext_hook=_unwrapped)


def frame(kind: bytes, payload: bytes) -> bytes:
    """The bytes of a frame."""
    return HEADER.pack(len(payload), kind) + payload


def receive(connection: socket.socket) -> tuple[bytes, bytes] | None:
    """The next frame from a blocking socket: what it is, and its payload; None when the other side is gone."""
    head = _exactly(connection, HEADER.size)
    if head is None:
        return None
    length, kind = HEADER.unpack(head)
    payload = _exactly(connection, length) if length <= MOST else None
    return None if payload is None else (kind, payload)


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        got = connection.recv(min(size - len(parts), 1 << 20))
        if not got:
            return None
        parts += got
    return bytes(parts)


def _plain(value: Any) -> Any:
    """NumPy arrays and scalars, and all that behaves like them, as plain lists and numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} cannot be sent to another process")


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return {_wrapped(key): _wrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_wrapped(item) for item in value]
    if isinstance(value, int) and value not in _SMALL:
        return msgspec.msgpack.Ext(_WHOLE, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    return value


def _unwrapped(code: int, data: memoryview) -> Any:
    if code == _WHOLE:
        return int.from_bytes(data, "big", signed=True)
    return msgspec.msgpack.Ext(code, data.tobytes())


_AS_IS: Final = (bytes, datetime)
_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_plain)
