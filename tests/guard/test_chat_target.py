"""A chat endpoint as a target: requests, answers in every form, confidence, streams."""

from __future__ import annotations

import asyncio
import json
import math
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import TargetError
from plimsoll.guard import Ask, TargetFault
from plimsoll.guard.chat import Gathered, Piece, certainty, piece_of, whole
from plimsoll.guard.targets import load_target
from plimsoll.model.decision import Result
from plimsoll.model.endpoint import Certainty, ChatEndpoint, Form, Header, Secret
from plimsoll.model.manifest import Target
from plimsoll.model.template import read_template
from plimsoll.testing.chat import Call, Said, completion, events
from plimsoll.testing.upstream import Does, Upstream

MESSAGES = read_template([{"role": "user", "content": {"as_text": "{/q}"}}])
CHAT = {"messages": [{"role": "user", "content": "hello there world"}]}


@pytest.fixture
def service():
    with Upstream() as up:
        yield up


@pytest.fixture
def target(service, tmp_path):
    """Load a target with these keys under openai."""
    opened = []

    def load(identity="", **declared):
        endpoint = ChatEndpoint(url=service.url + "/v1", model="m-1", **declared)
        opened.append(load_target(Target(openai=endpoint, identity=identity), tmp_path))
        return opened[-1]

    yield load
    for each in opened:
        each.close()


def ask(target, record=None, **more):
    return asyncio.run(
        target.ask(Ask(record={"q": "a b"} if record is None else record, **{"deadline_s": 5.0, **more}))
    )


def fault_of(target, record=None, **more):
    with pytest.raises(TargetFault) as caught:
        ask(target, record, **more)
    return caught.value


async def pieces_of(target, record=None, **more):
    return [piece async for piece in target.stream(Ask(record=record or CHAT, **{"deadline_s": 5.0, **more}))]


def stream(target, record=None, **more):
    return asyncio.run(pieces_of(target, record, **more))


# ── what is asked ──


def test_a_request_is_made_of_the_manifest_and_the_record(service, target, tmp_path, monkeypatch):
    monkeypatch.setenv("KEY", "sk-1")
    (tmp_path / "system.txt").write_text("Be {brief}.")
    messages = [
        {"role": "system", "content": {"from_file": "system.txt"}},
        {"role": "user", "content": {"as_text": "Q: {/q}"}},
    ]
    ask(
        target(
            key=Secret(env="KEY"),
            headers={"x-org": Header(value="o")},
            messages=read_template(messages),
            settings=read_template({"temperature": 0, "max_tokens": {"pointer": "/most", "else": 5}}),
        ),
        {"q": "why?"},
        key="k1",
    )
    (seen,) = service.seen
    assert seen.path == "/v1/chat/completions"
    assert (seen.headers["authorization"], seen.headers["x-org"], seen.headers["idempotency-key"]) == (
        "Bearer sk-1",
        "o",
        "k1",
    )
    assert seen.value == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "Be {brief}."}, {"role": "user", "content": "Q: why?"}],
        "temperature": 0,
        "max_tokens": 5,
    }


def test_a_chat_request_goes_through_and_cannot_set_what_the_manifest_sets(service, target):
    record = {
        **CHAT,
        "model": "dearer",
        "stream": True,
        "n": 7,
        "temperature": 2,
        "tools": [{"type": "function"}],
        "user": "u",
    }
    ask(target(settings=read_template({"temperature": 0})), record)
    assert service.seen[0].value == {
        **CHAT,
        "model": "m-1",
        "temperature": 0,
        "tools": [{"type": "function"}],
        "user": "u",
    }


@pytest.mark.parametrize("record", [{}, [], "x", {"messages": []}, {"messages": "hello"}, {"messages": None}])
def test_a_record_that_is_no_chat_request_is_not_sent(service, target, record):
    assert fault_of(target(), record).kind == "invalid"
    assert not service.seen


def test_a_schema_is_asked_for_as_structured_output(service, target, tmp_path):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    service.chat = lambda _: Said(text='{"a": 5}')
    assert ask(target(messages=MESSAGES, schema="s.json")).output == {"a": 5}
    assert service.seen[0].value["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ('{"type": "objec"}', "not a JSON Schema"),
        ('{"$ref": "http://127.0.0.1:9/x"}', "not a JSON Schema"),
    ],
)
def test_a_schema_that_is_none_is_said_at_once(target, tmp_path, text, said):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(TargetError, match=said):
        target(messages=MESSAGES, schema="s.json")


@pytest.mark.parametrize(
    "declared",
    [
        {"schema": "none.json"},
        {"messages": read_template([{"content": {"from_file": "none.txt"}}])},
        {"key": Secret(env="NOT_SET_ANYWHERE")},
    ],
)
def test_what_it_needs_and_is_not_there_is_said_at_once(target, declared):
    with pytest.raises(TargetError) as caught:
        target(**declared)
    assert "none" in caught.value.message or "NOT_SET" in caught.value.message
    assert caught.value.fix


# ── what is answered ──


def test_the_text_is_the_answer_to_messages_of_ones_own(target):
    assert ask(target(messages=MESSAGES)) == Result("a b", usage={"input_tokens": 2.0, "output_tokens": 2.0})


def test_the_whole_message_is_the_answer_to_a_chat_request(service, target):
    service.chat = lambda _: Said(text=None, calls=(Call(name="look", arguments='{"x": 1}'),), finish="tool_calls")
    result = ask(target(), CHAT)
    assert result.output == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"x": 1}'}}],
        "finish_reason": "tool_calls",
    }
    assert result.reasons == ("finish_reason: tool_calls",)


@pytest.mark.parametrize(
    ("said", "form", "output"),
    [
        (Said(text=""), None, ""),
        (Said(text="cut", finish="length"), None, "cut"),
        (Said(text="[1]"), Form.JSON, [1]),
        (Said(text=" null "), Form.JSON, None),
        (Said(text="x"), Form.MESSAGE, {"role": "assistant", "content": "x", "finish_reason": "stop"}),
        (Said(text=None, refusal="no"), Form.MESSAGE, {"role": "assistant", "content": None, "refusal": "no", "finish_reason": "stop"}),
    ],
)  # fmt: skip
def test_an_answer_has_the_form_that_is_declared(service, target, said, form, output):
    service.chat = lambda _: said
    assert ask(target(messages=MESSAGES, output=form)).output == output


@pytest.mark.parametrize(
    ("said", "form", "message"),
    [
        (Said(text=None, refusal="secret"), Form.TEXT, "it refuses to answer"),
        (Said(text=None, refusal="secret"), Form.JSON, "it refuses to answer"),
        (Said(text="secret", calls=(Call(name="f", arguments="{}"),)), Form.TEXT, "it calls a tool"),
        (Said(text="secret", finish="content_filter"), Form.TEXT, "content filter"),
        (Said(text="secret"), Form.JSON, "not JSON"),
        (Said(text='{"a": 1', finish="length"), Form.JSON, "cut off at its length"),
        (Said(text=""), Form.JSON, "not JSON"),
        (Said(text="[" * 5000), Form.JSON, "not JSON"),
        (Said(text='{"a": "secret"}'), None, "breaks its rule 'type'"),
        (Said(text='"secret"'), None, "'' breaks its rule 'type'"),
    ],
)
def test_what_is_no_answer_in_that_form_is_a_failure_and_is_not_repeated(
    service, target, tmp_path, said, form, message
):
    (tmp_path / "s.json").write_text('{"type": "object", "properties": {"a": {"type": "integer"}}}')
    service.chat = lambda _: said
    fault = fault_of(target(messages=MESSAGES, output=form, schema=None if form else "s.json"))
    assert fault.kind == "invalid"
    assert message in str(fault)
    assert "secret" not in str(fault)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"index": 1}]}', b'{"choices": [{"index": 0}]}', b'{"choices": 5}',
     b'{"choices": [{"message": {"content": 5}}]}', b"\xff", b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_chat_completion_is_a_failure(body):
    with pytest.raises(TargetFault) as caught:
        whole(body)
    assert caught.value.kind == "invalid"


def test_what_is_cached_counts_apart(service, target):
    def chat(asked):
        return Said(text="x")

    service.chat = chat
    reply = completion({}, Said(text="x", prompt_tokens=100))
    reply["usage"]["prompt_tokens_details"] = {"cached_tokens": 64}
    assert whole(msgspec.json.encode(reply)).usage == {
        "input_tokens": 100.0,
        "output_tokens": 1.0,
        "cached_input_tokens": 64.0,
    }


def test_another_model_than_the_declared_one_is_no_answer(target):
    assert ask(target("m-1", messages=MESSAGES)).output == "a b"
    assert "'m-1' answers, and 'm-2' is declared" in str(fault_of(target("m-2", messages=MESSAGES)))
    with pytest.raises(TargetFault, match="'m-2' is declared"):
        stream(target("m-2"))


# ── confidence ──


@pytest.mark.parametrize(
    ("how", "confidence"),
    [(Certainty.JOINT, 0.9 * 0.5), (Certainty.MEAN, math.sqrt(0.9 * 0.5)), (Certainty.LEAST, 0.5)],
)
def test_a_confidence_is_made_of_the_tokens_probabilities(service, target, how, confidence):
    service.chat = lambda _: Said(text="a b", logprobs=(math.log(0.9), math.log(0.5)))
    assert ask(target(messages=MESSAGES, confidence=how)).confidence == pytest.approx(confidence)
    assert service.seen[0].value["logprobs"] is True


@given(logprobs=st.lists(st.floats(-10_000, 0.001), min_size=1), how=st.sampled_from(Certainty))
def test_a_confidence_is_always_a_probability_and_joint_is_the_smallest(logprobs, how):
    assert 0.0 <= certainty(how, logprobs) <= 1.0
    below_one = [min(0.0, each) for each in logprobs]
    assert certainty(Certainty.JOINT, below_one) <= certainty(Certainty.LEAST, below_one) + 1e-9
    assert certainty(Certainty.LEAST, below_one) <= certainty(Certainty.MEAN, below_one) + 1e-9


def test_probabilities_that_were_asked_for_and_do_not_come_are_a_failure(service, target):
    service.does = lambda _: Does(raw=_http(completion({}, Said(text="x"))))
    assert "no log probabilities" in str(fault_of(target(messages=MESSAGES, confidence=Certainty.JOINT)))


def test_a_model_may_say_itself_how_sure_it_is(service, target):
    service.chat = lambda _: Said(text='{"answer": 5, "sure": 0.25}')
    loaded = target(messages=MESSAGES, output=Form.JSON, confidence_at="/sure")
    assert ask(loaded).confidence == 0.25
    service.chat = lambda _: Said(text='{"answer": 5, "sure": "very"}')
    assert "no number from 0 to 1" in str(fault_of(loaded))
    service.chat = lambda _: Said(text='{"answer": 5}')
    assert "nothing in the place of confidence" in str(fault_of(loaded))


def _http(value):
    body = msgspec.json.encode(value)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


# ── streams ──

SAID = [
    Said(text="hello there world"),
    Said(text=""),
    Said(text="a \U0001f6a2 grün\n\ndata: x"),
    Said(text=None, calls=(Call(name="look", arguments='{"x": [1, 2]}'), Call(name="go", arguments="", id="call_2")), finish="tool_calls"),
    Said(text="first", calls=(Call(name="f", arguments='{"a": "ü"}'),), finish="tool_calls"),
    Said(text="cut", finish="length"),
]  # fmt: skip


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("piece", [0, 1])
def test_a_stream_makes_up_the_same_answer_as_a_whole_reply(service, target, said, piece):
    service.chat = lambda _: said
    loaded = target(confidence=Certainty.JOINT)
    gathered = loaded.gather()
    for each in stream(loaded):
        gathered.add(each)
    assert loaded.read(gathered) == ask(loaded, CHAT)
    assert service.seen[0].value["stream"] is True
    assert service.seen[0].value["stream_options"] == {"include_usage": True}
    assert "stream" not in service.seen[1].value


def test_each_piece_comes_when_the_endpoint_has_sent_it(service, target):
    """The caller has the first token before the endpoint has made the last."""
    service.does = Does(pause_s=0.1)

    async def main():
        return [(piece, time.perf_counter()) async for piece in target().stream(Ask(record=CHAT, deadline_s=5.0))]

    came = asyncio.run(main())
    texts = [(piece.text, at) for piece, at in came if piece.text]
    assert [text for text, _ in texts] == ["hello", " there", " world"]
    assert texts[-1][1] - texts[0][1] > 0.15
    assert came[-1][1] - texts[0][1] > 0.35  # two tokens, the end, the usage


def test_a_piece_has_the_events_own_bytes(service, target):
    pieces = stream(target())
    sent = list(
        events({**CHAT, "model": "m-1", "stream_options": {"include_usage": True}}, Said(text="hello there world"))
    )
    assert [piece.raw for piece in pieces] == sent[:-1]
    assert pieces[-2].finish == "stop"
    assert pieces[-1].usage == {"input_tokens": 3.0, "output_tokens": 3.0}


def test_usage_is_not_asked_for_where_it_is_not_known(service, target):
    assert stream(target(stream_usage=False))[-1].usage == {}
    assert "stream_options" not in service.seen[0].value


def test_a_stream_gives_its_connection_back(service, target):
    async def main():
        loaded = target()
        for _ in range(3):
            await pieces_of(loaded)

    asyncio.run(main())
    assert service.connections == 1


def test_leaving_a_stream_closes_its_connection(service, target):
    service.does = Does(pause_s=0.05)

    async def main():
        pieces = target().stream(Ask(record=CHAT, deadline_s=5.0))
        async for piece in pieces:
            if piece.text:
                break
        await pieces.aclose()
        for _ in range(100):
            if not service.open:
                return True
            await asyncio.sleep(0.01)
        return False

    assert asyncio.run(main())


async def _until_it_breaks(pieces, faults):
    try:
        async for piece in pieces:
            yield piece
    except TargetFault as why:
        faults.append(why)


def raw_stream(*datas, end=b"0\r\n\r\n", kind=b"text/event-stream"):
    body = b"".join(b"data: " + data + b"\n\n" for data in datas)
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n%b" % (
        kind,
        len(body),
        body,
        end,
    )


TOKEN = b'{"choices":[{"index":0,"delta":{"content":"hi"}}]}'
END = b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'


@pytest.mark.parametrize(
    ("does", "kind", "texts"),
    [
        (Does(raw=raw_stream(TOKEN, b'{"error": {"message": "secret"}}')), "error", ["hi"]),
        (Does(raw=raw_stream(TOKEN, b"not json secret")), "invalid", ["hi"]),
        (Does(raw=raw_stream(TOKEN, b'{"choices": 5}')), "invalid", ["hi"]),
        (Does(raw=raw_stream(TOKEN)), "error", ["hi"]),
        (Does(raw=raw_stream(TOKEN, end=b""), close=True), "error", ["hi"]),
        (Does(raw=raw_stream(TOKEN, b"x" * 2_000_000)), "invalid", ["hi"]),
        (Does(raw=raw_stream(TOKEN, kind=b"application/json")), "invalid", []),
        (Does(status=429), "unavailable", []),
        (Does(status=500), "error", []),
        (Does(cut_at=0), "error", []),
        (Does(never=True), "timeout", []),
        (Does(pause_s=1.0), "timeout", [""]),
        (Does(garbage=True), "invalid", []),
    ],
)
def test_a_stream_that_breaks_gives_what_came_and_then_says_of_which_kind_it_was(service, target, does, kind, texts):
    service.does = does

    async def main():
        pieces = target().stream(Ask(record=CHAT, deadline_s=0.3))
        came.extend([piece.text async for piece in _until_it_breaks(pieces, fault)])

    came, fault = [], []
    asyncio.run(main())
    (fault,) = fault
    assert (came, fault.kind) == (texts, kind)
    assert "secret" not in str(fault)


def test_a_stream_without_its_last_word_is_whole_when_the_answer_has_ended(service, target):
    service.does = Does(raw=raw_stream(TOKEN, END))
    assert [piece.text for piece in stream(target())] == ["hi", ""]


def test_the_word_error_in_a_text_is_no_error():
    said = msgspec.json.encode({"choices": [{"delta": {"content": '{"error": 1}'}}], "error": None})
    assert piece_of(said).text == '{"error": 1}'


def test_a_slow_caller_of_a_stream_is_served_while_others_wait(service, target):
    """Nothing is lost and nothing is shared between streams of one target."""

    async def main():
        loaded = target()
        records = [{"messages": [{"role": "user", "content": f"one {n} three"}]} for n in range(10)]
        return await asyncio.gather(*(pieces_of(loaded, record) for record in records))

    service.does = Does(pause_s=0.01)
    for n, pieces in enumerate(asyncio.run(main())):
        assert "".join(piece.text for piece in pieces) == f"one {n} three"


@given(
    deltas=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "index": st.integers(0, 3) | st.none(),
                "id": st.text() | st.none(),
                "function": st.fixed_dictionaries(
                    {}, optional={"name": st.text() | st.none(), "arguments": st.text() | st.none()}
                ),
            },
        )
    )
)
def test_whatever_tool_calls_come_they_are_gathered(deltas):
    gathered = Gathered()
    for delta in deltas:
        gathered.add(Piece(tool_calls=(delta,)))
    msgspec.json.encode(gathered.message)
