"""Server-sent events, cut out of a stream of bytes as they come.

Source: WHATWG HTML Living Standard, section 9.2.6 "Interpreting an event stream".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

MOST: Final = 1 << 20  # bytes of one event; without it, a stream that never ends an event fills the memory
_BOM: Final = b"\xef\xbb\xbf"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event."""

    data: bytes  # its data lines, joined by line feeds
    name: str = ""  # "" is a plain message


class NotAnEvent(ValueError):
    """The stream holds an event without an end."""


class Events:
    """Cuts a stream into events; keeps what is not whole yet.

    What the stream leaves unfinished at its end is no event, as the standard has it.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rest = bytearray()  # of a line without an end
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""
        self._begun = False  # the first line is past, before which a byte order mark may stand
        self._after_return = False  # a line ended in a carriage return: a line feed that follows belongs to it

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that are whole now.

        Raises:
            NotAnEvent: one has become longer than allowed.
        """
        for line in self._lines(data):
            if line:
                self._field(line)
                continue
            event = Event(data=b"\n".join(self._data), name=self._name.decode("utf-8", "replace"))
            ended = bool(self._data)
            self._data, self._name, self._size = [], b"", 0
            if ended:
                yield event

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value
        self._size += len(line)
        self._check(self._size)

    def _lines(self, data: bytes) -> Iterator[bytes]:
        """Lines end in LF, in CR, or in both, and both may come apart."""
        if self._after_return and data:
            self._after_return = False
            data = data.removeprefix(b"\n")
        rest = self._rest
        at = 0
        while True:
            feed, back = data.find(b"\n", at), data.find(b"\r", at)
            end = min(feed, back) if feed >= 0 and back >= 0 else max(feed, back)
            if end < 0:
                rest += data[at:]
                self._check(len(rest) + self._size)
                return
            rest += data[at:end]
            at = end + 1
            if end == back:
                if at == len(data):
                    self._after_return = True
                elif data[at] == 10:
                    at += 1
            line = bytes(rest)
            rest.clear()
            if not self._begun:
                self._begun = True
                line = line.removeprefix(_BOM)
            yield line

    def _check(self, size: int) -> None:
        if size > self._most:
            raise NotAnEvent(f"an event of the stream has more than {self._most:,} bytes")
