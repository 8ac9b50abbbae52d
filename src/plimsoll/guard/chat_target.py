"""A chat endpoint as a target: OpenAI's own, or any that speaks the same chat completions; whole and streamed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from plimsoll.engine.sse import Events, NotAnEvent
from plimsoll.guard.chat import AnswerReader, Gathered, Piece, piece_of, request_from, whole
from plimsoll.guard.http_target import filled
from plimsoll.guard.intake import to_json
from plimsoll.guard.service import Service
from plimsoll.guard.target import Ask, TargetFault
from plimsoll.model.decision import Result
from plimsoll.model.endpoint import ChatEndpoint, Form, Header
from plimsoll.model.template import compile_template

_DONE: Final = b"[DONE]"
_LAST_BYTES_S: Final = 0.05  # for the end of a stream's last chunk, so that its connection can be used again


class ChatTarget:
    """An endpoint of chat completions.

    Asking twice changes nothing there, so a request on a connection that had been closed is sent again.

    Args:
        declared: what the manifest says of it.
        identity: which model its replies must name; "": any.
        folder: that files are relative to.
        texts: of the files that the request is made of.
        schema: the JSON Schema of the answer, where one is declared.
        fits: whether an answer has that schema; gives where it has not, or "".
        connections: open at once in one event loop, at most.

    Raises:
        TargetError: a secret is not set, or the URL or a header cannot be sent.
    """

    is_async = True

    def __init__(
        self,
        declared: ChatEndpoint,
        *,
        identity: str,
        folder: Path,
        texts: Mapping[str, str],
        schema: Any = None,
        fits: Callable[[Any], str] = lambda _: "",
        connections: int,
    ) -> None:
        self.name = f"{declared.model} at {declared.url}"
        headers = dict(declared.headers)
        if declared.key is not None:
            headers["authorization"] = Header(env=declared.key.env, file=declared.key.file, prefix="Bearer ")
        self._service = Service(
            f"{declared.url.rstrip('/')}/chat/completions",
            headers=headers,
            folder=folder,
            authorities=folder / declared.authorities if declared.authorities else None,
            connections=connections,
            repeatable=True,
        )
        self.destination = self._service.host
        self._declared = declared
        self._messages = None if declared.messages is None else compile_template(declared.messages, texts)
        self._settings = None if declared.settings is None else compile_template(declared.settings, texts)
        self._own = _own_fields(declared, schema)
        self.read = AnswerReader(declared, identity, fits)

    async def ask(self, ask: Ask) -> Result:
        """Ask for a whole reply.

        Raises:
            TargetFault: it did not answer in time, or not in the form that the manifest declares; see its kinds.
        """
        if ask.push is not None and self.read.form is not Form.JSON:  # whether JSON keeps its form shows at its end
            gathered = self.gather()
            async with contextlib.aclosing(self.stream(ask)) as pieces:
                async for piece in pieces:
                    gathered.add(piece)
                    self.read.check_piece(piece, gathered.model)
                    await ask.push(piece)
            return self.read(gathered)
        reply = await self._service.ask(self._body(ask.record), ask)
        return self.read(whole(reply.body))

    async def stream(self, ask: Ask) -> AsyncGenerator[Piece, None]:
        """Ask for a stream, and give each piece as soon as the endpoint has sent it.

        The pieces of a stream make up the same answer as a whole reply: ``Gathered`` puts them together, and ``read``
        makes the answer of it. Leaving the stream early (``aclose``) closes its connection.

        Raises:
            TargetFault: the stream does not begin, breaks, is no stream of a chat, or another model answers.
        """
        more: dict[str, Any] = {"stream": True}
        if self._declared.stream_usage:
            more["stream_options"] = {"include_usage": True}
        async with self._service.stream(self._body(ask.record, more), ask) as reply:
            if not reply.header("content-type").lower().startswith("text/event-stream"):
                raise TargetFault("invalid", "the reply is no stream of events")
            events, finished = Events(), False
            try:
                while data := await reply.read():
                    for event in events.feed(data):
                        if event.data == _DONE:
                            await reply.ends_within(_LAST_BYTES_S)
                            return
                        piece = piece_of(event.data)
                        self.read.check_model(piece.model)
                        finished |= bool(piece.finish)
                        yield piece
            except NotAnEvent as why:
                raise TargetFault("invalid", str(why)) from why
            if not finished:
                raise TargetFault("error", "the stream ended before the answer did")

    def gather(self) -> Gathered:
        """Where the pieces of a stream are put together."""
        return Gathered()

    def close(self) -> None:
        """Close every connection."""
        self._service.close()

    def _body(self, record: Any, more: Mapping[str, Any] | None = None) -> bytes:
        try:
            asked = request_from(record) if self._messages is None else {"messages": filled(self._messages, record)}
            settings = {} if self._settings is None else filled(self._settings, record)
            return to_json({**asked, **settings, **self._own, **(more or {})})
        except TypeError as why:
            raise TargetFault("invalid", f"the record cannot be sent: {why}") from why


def _own_fields(declared: ChatEndpoint, schema: Any) -> dict[str, Any]:
    own: dict[str, Any] = {"model": declared.model}
    if schema is not None:
        own["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        }
    if declared.confidence is not None:
        own["logprobs"] = True
    return own
