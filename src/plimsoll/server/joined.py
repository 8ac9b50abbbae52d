"""A transport that sends the head of a response together with its body: one packet, and one system call for both."""

from __future__ import annotations

import asyncio
from typing import Any


class Joined(asyncio.Transport):
    """Holds what is written until something else is, or the loop comes round; all else is the transport's.

    uvicorn writes head and body one after the other, and each by itself would wake the client.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, at the latest when the loop comes round."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._held = bytes(data)
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """Send what is held, and close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close, and forget what was not sent."""
        self._held = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Take no more bytes in."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes in again."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows of its connection."""
        return self._transport.get_extra_info(name, default)
