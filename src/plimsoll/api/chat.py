"""Chat completions in OpenAI's form: an existing client changes its base URL, and names ``system/type`` as its model.

The whole request is the record of a decision. Errors have OpenAI's shape here; a held answer is a 422, which clients do
not send again, or the message that the manifest declares for it.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, Final

import msgspec

from plimsoll.access import Identity, Scope
from plimsoll.api.decisions import about, plain, problem_about
from plimsoll.api.exchange import JSON, Exchange
from plimsoll.api.parts import Parts
from plimsoll.api.principal import principal_of
from plimsoll.api.problem import HttpProblem
from plimsoll.guard.chat import Piece
from plimsoll.guard.stream import Streamed
from plimsoll.model.decision import Answer, Disposition

_EVENTS: Final = b"text/event-stream"
_NAMES: Final = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}


class _Request(msgspec.Struct):
    """What of a chat request decides how it is answered; all else is for the target."""

    model: str
    stream: bool = False


_read: Final = msgspec.json.Decoder(_Request).decode
_encode: Final = msgspec.json.Encoder(enc_hook=plain).encode


async def complete(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``POST /v1/chat/completions``."""
    if exchange.content_type != JSON:
        raise HttpProblem(415, "request.media", "a chat request is application/json", fix="set Content-Type")
    raw, whole = await exchange.body(parts.limits.body_bytes)
    if not whole:
        raise HttpProblem(413, "request.size", f"a request is at most {parts.limits.body_bytes:,} bytes", close=True)
    try:
        request = _read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise await _refused(parts, "", raw, 400, "request.json", "the body is no chat request with a model") from None
    settings = parts.guard.settings
    system, _, type_ = request.model.partition("/")
    if system != settings.system or type_ not in settings.types:
        raise await _refused(parts, request.model, raw, 404, "model_not_found", "there is no such model here")
    if not who.may(Scope.DECIDE, type_):
        raise HttpProblem(403, "no-access", f"the token '{who.name}' is not for this decision type")
    subject = exchange.text_header(b"plimsoll-subject") or None
    source = exchange.text_header(b"plimsoll-source")
    principal = principal_of(exchange, who)
    if request.stream:
        streamed = parts.guard.stream(type_, raw, subject=subject, source=source, principal=principal)
        await _stream(exchange, parts, type_, request.model, streamed)
        return
    answer = await parts.guard.adecide(
        type_,
        raw,
        subject=subject,
        source=source,
        key=exchange.text_header(b"idempotency-key"),
        principal=principal,
    )
    parts.meter.decision(type_, answer)
    message, finish = _message(answer, parts, type_)
    body = {
        "id": f"chatcmpl-{answer.record}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        **({"usage": usage} if (usage := _usage(answer)) else {}),
    }
    await exchange.respond(200, _encode(body), headers=about(answer))


async def models(exchange: Exchange, parts: Parts, _who: Identity) -> None:
    """``GET /v1/models``: the decision types, as a client names them."""
    settings = parts.guard.settings
    data = [
        {"id": f"{settings.system}/{name}", "object": "model", "created": 0, "owned_by": settings.system}
        for name in settings.types
    ]
    await exchange.respond(200, msgspec.json.encode({"object": "list", "data": data}))


async def _refused(parts: Parts, type_: str, raw: bytes, status: int, code: str, detail: str) -> HttpProblem:
    """What names no decision type is refused by the guard, too, and so on record."""
    answer = await parts.guard.adecide(type_, raw)
    parts.meter.decision(type_, answer)
    settings = parts.guard.settings
    known = ", ".join(f"{settings.system}/{name}" for name in settings.types)
    return HttpProblem(status, code, detail, fix=f"name a model: {known}", record=answer.record, headers=about(answer))


def _message(answer: Answer, parts: Parts, type_: str) -> tuple[dict[str, Any], str]:
    """The message of an answer, and why it ended.

    Raises:
        HttpProblem: it is no answer, and the manifest declares no message for it.
    """
    if answer.disposition is Disposition.ANSWERED:
        message = _as_message(answer.output)
        finish = message.pop("finish_reason", None) or ("tool_calls" if message.get("tool_calls") else "stop")
        return message, str(finish)
    kind = parts.guard.settings.types.get(type_)
    if answer.disposition is Disposition.HELD:
        if kind is not None and kind.held_message:
            return {"role": "assistant", "content": kind.held_message}, "content_filter"
        raise HttpProblem(
            422,
            "held_for_review",
            f"a person decides this: {answer.why}",
            fix="ask for it again at the status URL",
            record=answer.record,
            disposition=answer.disposition.value,
            next=answer.next,
            headers=about(answer),
        )
    raise problem_about(answer)


def _as_message(output: Any) -> dict[str, Any]:
    if isinstance(output, dict) and output.get("role") == "assistant":
        return {"content": None, "refusal": None, **output}
    text = output if isinstance(output, str) else _encode(output).decode()
    return {"role": "assistant", "content": text, "refusal": None}


def _usage(answer: Answer) -> dict[str, int]:
    found = {theirs: int(answer.usage[ours]) for ours, theirs in _NAMES.items() if ours in answer.usage}
    return {**found, "total_tokens": sum(found.values())} if len(found) == len(_NAMES) else {}


async def _stream(exchange: Exchange, parts: Parts, type_: str, model: str, streamed: Streamed) -> None:
    """Hand the pieces on as they come; the terminator comes after the decision is on record."""
    begun = int(time.time())

    def chunk(delta: dict[str, Any], finish: str | None) -> bytes:
        body = {
            "id": "chatcmpl-stream",
            "object": "chat.completion.chunk",
            "created": begun,
            "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        return b"data: " + _encode(body) + b"\n\n"

    finished = ""
    try:
        async for piece in streamed:
            if not exchange.started:
                await exchange.begin(200, _EVENTS)
                await exchange.piece(chunk({"role": "assistant", "content": ""}, None))
            finished = piece.finish or finished  # sent when the decision has ended, with what it ended as
            if delta := _delta(piece):
                await exchange.piece(chunk(delta, None))
        answer = await streamed.answer()
    except BaseException:
        streamed.cancel()
        raise
    parts.meter.decision(type_, answer)
    if exchange.started and answer.disposition is not Disposition.ANSWERED:
        problem = problem_about(answer)
        await exchange.piece(b"data: " + error_body(problem) + b"\n\n")
        await exchange.piece(b"", last=True)
        return
    if not exchange.started:
        message, finish = _message(answer, parts, type_)
        await exchange.begin(200, _EVENTS, about(answer))
        delta = {key: value for key, value in message.items() if value is not None}
        for at, call in enumerate(delta.get("tool_calls") or ()):
            call.setdefault("index", at)
        await exchange.piece(chunk(delta, None))
        finished = finish
    await exchange.piece(chunk({}, finished or "stop"))
    await exchange.piece(b"data: [DONE]\n\n", last=True)


def _delta(piece: Piece) -> dict[str, Any]:
    delta: dict[str, Any] = {}
    if piece.text:
        delta["content"] = piece.text
    if piece.refusal:
        delta["refusal"] = piece.refusal
    if piece.tool_calls:
        delta["tool_calls"] = piece.tool_calls
    return delta


_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    422: "invalid_request_error",
}


def error_body(problem: HttpProblem) -> bytes:
    """A problem in OpenAI's shape, with what clients may want beside it."""
    document = problem.document
    held = document.code == "held_for_review"
    error: dict[str, Any] = {
        "message": f"{document.detail}. {document.fix}" if document.fix else document.detail,
        "type": "held_for_review" if held else _TYPES.get(document.status, "server_error"),
        "param": None,
        "code": document.code,
    }
    if document.record:
        error |= {"record": document.record, "status_url": f"/v1/decisions/{document.record}"}
    if document.next:
        error["next"] = document.next
    if document.reasons:
        error["reasons"] = document.reasons
    return msgspec.json.encode({"error": error})


async def refuse(exchange: Exchange, problem: HttpProblem) -> None:
    """End a chat request with an error in OpenAI's shape."""
    if not exchange.started:
        close = ((b"connection", b"close"),) if problem.close else ()
        with contextlib.suppress(TimeoutError):
            await exchange.respond(problem.status, error_body(problem), JSON, (*problem.headers, *close))
