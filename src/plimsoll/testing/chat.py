"""What a chat model says, in the shapes of OpenAI's chat completions: whole, and as the events of a stream.

Source: the API reference of chat completions, https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

_CREATED: Final = 1_700_000_000
_TOKEN: Final = re.compile(r"\s*\S+|\s+$")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the model wants to be called."""

    name: str
    arguments: str  # JSON, as the model wrote it
    id: str = "call_1"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says to one request.

    Args:
        text: None where it only calls tools.
        calls: tools it wants to be called.
        finish: why it ended.
        refusal: why it will not answer; None: it does.
        logprobs: the natural logarithm of each token's probability; None: -0.1 for each, where they are asked for.
        prompt_tokens: for the usage; None: words of the messages.
    """

    text: str | None = ""
    calls: tuple[Call, ...] = ()
    finish: str = "stop"
    refusal: str | None = None
    logprobs: tuple[float, ...] | None = None
    prompt_tokens: int | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The text in pieces: a word each, with the blanks before it."""
        return tuple(_TOKEN.findall(self.text or ""))


def last_words(asked: Any) -> str:
    """The text of the last message."""
    content = asked["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def echo_chat(asked: Any) -> Said:
    """A model that repeats what it was told last."""
    return Said(text=last_words(asked))


def completion(asked: Any, said: Said) -> dict[str, Any]:
    """The whole reply."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": said.refusal}
    if said.calls:
        message["tool_calls"] = [_call(call) for call in said.calls]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": _CREATED,
        "model": asked.get("model", ""),
        "choices": [{"index": 0, "message": message, "logprobs": _logprobs(asked, said), "finish_reason": said.finish}],
        "usage": _usage(asked, said),
    }


def events(asked: Any, said: Said) -> Iterator[bytes]:
    """The data of each event of the stream, ``[DONE]`` at last."""
    usage = bool((asked.get("stream_options") or {}).get("include_usage"))

    def chunk(delta: dict[str, Any] | None, finish: str | None = None, of: int | None = None) -> bytes:
        logprobs = None if of is None else _logprobs(asked, said, of)
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        value = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": _CREATED,
            "model": asked.get("model", ""),
            "choices": [] if delta is None else [choice],
            **({"usage": _usage(asked, said) if delta is None else None} if usage else {}),
        }
        return msgspec.json.encode(value)

    yield chunk({"role": "assistant", "content": "" if said.text is not None else None})
    for at, token in enumerate(said.tokens):
        yield chunk({"content": token}, of=at)
    for index, call in enumerate(said.calls):
        begun = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield chunk({"tool_calls": [begun]})
        half = len(call.arguments) // 2
        for part in (call.arguments[:half], call.arguments[half:]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield chunk({}, said.finish)
    if usage:
        yield chunk(None)
    yield b"[DONE]"


def _call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _logprobs(asked: Any, said: Said, of: int | None = None) -> Any:
    if not asked.get("logprobs"):
        return None
    values = said.logprobs or (-0.1,) * len(said.tokens)
    content = [
        {"token": token, "logprob": value, "bytes": list(token.encode()), "top_logprobs": []}
        for token, value in zip(said.tokens, values, strict=True)
    ]
    return {"content": content if of is None else [content[of]], "refusal": None}


def _usage(asked: Any, said: Said) -> dict[str, int]:
    words = said.prompt_tokens
    if words is None:
        words = sum(len(str(message.get("content") or "").split()) for message in asked.get("messages", ()))
    made = len(said.tokens) + sum(len(call.arguments.split()) for call in said.calls)
    return {"prompt_tokens": words, "completion_tokens": made, "total_tokens": words + made}
