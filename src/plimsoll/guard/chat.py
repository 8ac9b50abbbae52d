"""OpenAI's chat completions as values: requests, whole replies, and the pieces of a stream.

Source: the API reference of chat completions, https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from plimsoll.guard.http_target import confidence_of
from plimsoll.guard.target import TargetFault
from plimsoll.model.decision import Result
from plimsoll.model.endpoint import Certainty, ChatEndpoint, Form
from plimsoll.model.pointer import look_up, parse_pointer

# Fields of a chat request that a record cannot set: the manifest says them, or who asks.
_NOT_FROM_RECORD: Final = frozenset({"model", "stream", "stream_options", "n"})


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream, as soon as it has come.

    Args:
        text: what the answer's text goes on with.
        refusal: what the model's refusal goes on with.
        tool_calls: what its tool calls go on with, each with its ``index``, as the endpoint sent it.
        finish: why it ended; "" while it goes on.
        usage: token counts by our names, in the piece that has them.
        logprobs: natural logarithms of the probabilities of the tokens in this piece.
        model: which model says it answers.
        raw: the event's data, byte for byte.
    """

    text: str = ""
    refusal: str = ""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish: str = ""
    usage: dict[str, float] = {}
    logprobs: tuple[float, ...] = ()
    model: str = ""
    raw: bytes = b""


class _Logprob(msgspec.Struct, frozen=True):
    logprob: float


class _Logprobs(msgspec.Struct, frozen=True):
    content: tuple[_Logprob, ...] | None = None


class _Message(msgspec.Struct, frozen=True):
    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[dict[str, Any], ...] | None = None


class _Choice(msgspec.Struct, frozen=True):
    index: int = 0
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    def counts(self) -> dict[str, float]:
        """By our names: what was read, what was written, and what of the former was read from a cache."""
        found = {"input_tokens": float(self.prompt_tokens), "output_tokens": float(self.completion_tokens)}
        cached = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        return {**found, "cached_input_tokens": float(cached)} if cached else found


class _Reply(msgspec.Struct, frozen=True):
    """What is read of a completion, and of a chunk of one; all else is the endpoint's own."""

    choices: tuple[_Choice, ...]
    model: str = ""
    usage: _Usage | None = None


class _ErrorEvent(msgspec.Struct, frozen=True):
    error: Any = None


_REPLY: Final = msgspec.json.Decoder(_Reply)


def form_of(endpoint: ChatEndpoint) -> Form:
    """What of a reply is the answer."""
    if endpoint.output is not None:
        return endpoint.output
    settings = endpoint.settings.value if endpoint.settings is not None else {}
    kind = (settings.get("response_format") or {}).get("type", "")
    if endpoint.schema or str(kind).startswith("json"):
        return Form.JSON
    return Form.MESSAGE if endpoint.messages is None or "tools" in settings else Form.TEXT


def request_from(record: Any) -> dict[str, Any]:
    """A record that is a chat request itself, without what it cannot set.

    Raises:
        TargetFault: "invalid": it is none.
    """
    if not isinstance(record, dict) or not isinstance(record.get("messages"), list | tuple) or not record["messages"]:
        raise TargetFault("invalid", "the record is no chat request: it has no list of messages")
    return {key: value for key, value in record.items() if key not in _NOT_FROM_RECORD}


class Gathered:
    """A reply in the making: of the pieces of a stream, or of one whole reply."""

    def __init__(self) -> None:
        self.finish = ""
        self.usage: dict[str, float] = {}
        self.model = ""
        self._text: list[str] = []
        self._has_text = False
        self._refusal: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._logprobs: list[float] = []

    def add(self, piece: Piece) -> None:
        """One piece more."""
        self._text.append(piece.text)
        self._has_text |= bool(piece.text)
        self._refusal.append(piece.refusal)
        for call in piece.tool_calls:
            index = call.get("index")
            _join(self._calls.setdefault(index if isinstance(index, int) else len(self._calls), {}), call)
        self.finish = piece.finish or self.finish
        self.usage = piece.usage or self.usage
        self.model = piece.model or self.model
        self._logprobs += piece.logprobs

    @property
    def text(self) -> str | None:
        """What it said; None where it said nothing and calls tools, or refuses."""
        return "".join(self._text) if self._has_text or not (self._calls or any(self._refusal)) else None

    @property
    def message(self) -> dict[str, Any]:
        """The message in OpenAI's form, with its ``finish_reason``; without what is null in it."""
        refusal = "".join(self._refusal)
        calls = [self._calls[index] for index in sorted(self._calls)]
        return {
            "role": "assistant",
            "content": self.text,
            **({"refusal": refusal} if refusal else {}),
            **({"tool_calls": calls} if calls else {}),
            "finish_reason": self.finish,
        }

    @property
    def logprobs(self) -> Sequence[float]:
        """Natural logarithms of the tokens' probabilities, in their order."""
        return self._logprobs


def _join(call: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """What comes of a tool call later goes on where it stood: its arguments are one text in many pieces."""
    for key, value in delta.items():
        if key == "index" or value is None:
            continue
        if key == "function" and isinstance(value, dict):
            function = call.setdefault("function", {})
            for part, text in value.items():
                goes_on = part == "arguments" and isinstance(text, str)
                function[part] = (function.get(part) or "") + text if goes_on else text or function.get(part)
        else:
            call[key] = value


def whole(body: bytes) -> Gathered:
    """A whole reply.

    Raises:
        TargetFault: "invalid": it is no chat completion.
    """
    try:
        reply = _REPLY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        raise TargetFault("invalid", "the reply is no chat completion") from why
    choice = next((c for c in reply.choices if c.index == 0), None)
    if choice is None or choice.message is None:
        raise TargetFault("invalid", "the reply has no message in it")
    gathered = Gathered()
    message = choice.message
    gathered.add(_piece(reply, choice, message, b""))
    return gathered


def piece_of(data: bytes) -> Piece:
    """One event of a stream.

    Raises:
        TargetFault: "invalid": it is no chunk of a completion; "error": the endpoint says that it failed.
    """
    try:
        if b'"error"' in data and msgspec.json.decode(data, type=_ErrorEvent).error is not None:
            raise TargetFault("error", "it said in mid-stream that it failed")
        reply = _REPLY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        raise TargetFault("invalid", "an event of the stream is no part of a chat completion") from why
    choice = next((c for c in reply.choices if c.index == 0), _Choice())
    return _piece(reply, choice, choice.delta or _Message(), data)


def _piece(reply: _Reply, choice: _Choice, said: _Message, raw: bytes) -> Piece:
    probabilities = choice.logprobs.content if choice.logprobs is not None else None
    return Piece(
        text=said.content or "",
        refusal=said.refusal or "",
        tool_calls=said.tool_calls or (),
        finish=choice.finish_reason or "",
        usage={} if reply.usage is None else reply.usage.counts(),
        logprobs=tuple(each.logprob for each in probabilities or ()),
        model=reply.model,
        raw=raw,
    )


class AnswerReader:
    """Makes an answer of what a chat endpoint said.

    Args:
        endpoint: what the manifest says of it.
        identity: which model must say that it answers; "": any.
        fits: whether a parsed answer has the declared schema; gives where it has not, or "".
    """

    def __init__(self, endpoint: ChatEndpoint, identity: str, fits: Callable[[Any], str] = lambda _: "") -> None:
        self.form = form_of(endpoint)
        self._identity = identity
        self._certainty = endpoint.confidence
        self._at = None if endpoint.confidence_at is None else parse_pointer(endpoint.confidence_at)
        self._fits = fits

    def __call__(self, said: Gathered) -> Result:
        """The answer.

        Raises:
            TargetFault: "invalid": another model answers, it refuses, it was cut off, or it is not in the form that
                was asked for. What it said is not repeated in the message.
        """
        if self._identity and not said.model:
            raise TargetFault("invalid", f"it does not say which model answers; {self._identity!a} is declared")
        self.check_model(said.model)
        output = self._output(said)
        return Result(
            output,
            confidence=self._confidence(said, output),
            reasons=() if said.finish in {"", "stop"} else (f"finish_reason: {said.finish}",),
            usage=said.usage,
        )

    def check_piece(self, piece: Piece, model: str) -> None:
        """Refuse a piece that no answer of the declared form can have, before it leaves.

        Args:
            piece: one of a stream.
            model: which model the stream has named so far; "": none yet.

        Raises:
            TargetFault: "invalid".
        """
        says = piece.text or piece.refusal or piece.tool_calls
        if says and self._identity and not model:
            raise TargetFault("invalid", f"it does not say which model answers; {self._identity!a} is declared")
        if self.form is Form.MESSAGE:
            return
        if piece.refusal:
            raise TargetFault("invalid", "it refuses to answer")
        if piece.tool_calls:
            raise TargetFault("invalid", "it calls a tool instead of answering")

    def check_model(self, model: str) -> None:
        """Refuse another model than the declared one, where a reply names one.

        Raises:
            TargetFault: "invalid".
        """
        if self._identity and model and model != self._identity:
            raise TargetFault("invalid", f"{model[:80]!a} answers, and {self._identity!a} is declared")

    def _output(self, said: Gathered) -> Any:
        message = said.message
        if self.form is Form.MESSAGE:
            return message
        for key, what in (("refusal", "it refuses to answer"), ("tool_calls", "it calls a tool instead of answering")):
            if key in message:
                raise TargetFault("invalid", what)
        if said.finish == "content_filter":
            raise TargetFault("invalid", "its answer was cut off by a content filter")
        if self.form is Form.TEXT:
            return said.text
        cut = ": it was cut off at its length" if said.finish == "length" else ""
        try:
            output = msgspec.json.decode(said.text or "")
        except (msgspec.DecodeError, RecursionError) as why:
            raise TargetFault("invalid", f"its answer is not JSON{cut}") from why
        wrong = self._fits(output)
        if wrong:
            raise TargetFault("invalid", f"its answer does not have the declared schema: {wrong}")
        return output

    def _confidence(self, said: Gathered, output: Any) -> float | None:
        if self._at is not None:
            try:
                return confidence_of(look_up(output, self._at))
            except LookupError:
                raise TargetFault("invalid", "its answer has nothing in the place of confidence") from None
        if self._certainty is None:
            return None
        if not said.logprobs:
            if said.text:
                raise TargetFault("invalid", "it gave no log probabilities, which the confidence is made of")
            return None
        return certainty(self._certainty, said.logprobs)


def certainty(how: Certainty, logprobs: Sequence[float]) -> float:
    """A confidence of the natural logarithms of tokens' probabilities, at least one.

    >>> certainty(Certainty.JOINT, [math.log(0.9), math.log(0.5)])
    0.45
    >>> certainty(Certainty.LEAST, [math.log(0.9), math.log(0.5)])
    0.5
    """
    if how is Certainty.LEAST:
        log = min(logprobs)
    else:
        log = math.fsum(logprobs) / (len(logprobs) if how is Certainty.MEAN else 1)
    # Endpoints round, and some say 0.0001 for what is as good as certain.
    return round(math.exp(min(0.0, log)), 12)
