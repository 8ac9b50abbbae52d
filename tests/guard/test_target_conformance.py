"""Every kind of target passes the suite that every target has to pass."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from plimsoll.guard.chat_target import ChatTarget
from plimsoll.guard.http_target import HttpTarget
from plimsoll.guard.target import PythonTarget
from plimsoll.guard.targets import load_target
from plimsoll.model.endpoint import ChatEndpoint, HttpService, Mapping, Secret
from plimsoll.model.manifest import Target
from plimsoll.model.template import read_template
from plimsoll.testing.chat import Said, last_words
from plimsoll.testing.target import FailingTargetConformance, SlowTargetConformance, TargetConformance
from plimsoll.testing.upstream import Does, Upstream

HERE = Path(__file__).parent

# What the services below do when a record asks for it, and which kind of failure that is.
BAD = {
    "429": Does(status=429, headers=(("Retry-After", "3"),)),
    "503": Does(status=503),
    "408": Does(status=408),
    "504": Does(status=504),
    "400": Does(status=400),
    "401": Does(status=401),
    "404": Does(status=404),
    "302": Does(status=302, headers=(("Location", "/elsewhere"),)),
    "500": Does(status=500),
    "502": Does(status=502),
    "never": Does(never=True),
    "cut": Does(cut_at=0),
    "cut in the head": Does(cut_at=20),
    "cut in the body": Does(cut_at=76),
    "garbage": Does(garbage=True),
    "no JSON": Does(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html></h"),
    "nothing": Does(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "compressed": Does(headers=(("Content-Encoding", "gzip"),)),
    "other JSON": Does(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
}
KINDS = {
    "unavailable": ("429", "503"),
    "timeout": ("408", "504", "never"),
    "error": ("500", "502", "cut", "cut in the head", "cut in the body"),
    "invalid": ("400", "401", "404", "302", "garbage", "no JSON", "nothing", "compressed", "other JSON"),
}


def as_told(order):
    """What a request orders; a number is seconds to wait."""
    return Does(wait_s=float(order)) if order.replace(".", "").isdigit() and "." in order else BAD.get(order, Does())


class Recorded:
    """Records that say the value and what to do."""

    def record(self, value):
        return {"value": value}

    def slow(self, value, seconds):
        return {"value": value, "do": str(float(seconds))}

    def faults(self):
        return {kind: tuple({"value": "x", "do": order} for order in orders) for kind, orders in KINDS.items()}


# ── Python ──


class TestPython(TargetConformance, FailingTargetConformance):
    reference = "target_work:work"

    @contextmanager
    def open_target(self, _place):
        target = load_target(Target(python=self.reference, path=(".",)), HERE)
        assert isinstance(target, PythonTarget)
        try:
            yield target
        finally:
            target.close()

    def record(self, value):
        return {"value": value}

    def faults(self):
        return {
            "error": ({"do": "raise"}, {}),
            "timeout": ({"do": "time out"},),
            "unavailable": ({"do": "refuse"},),
        }


class TestAsynchronousPython(TestPython):
    reference = "target_work:work_later"


class TestWorkers(TargetConformance, FailingTargetConformance, SlowTargetConformance):
    reference = "target_work:work"

    @contextmanager
    def open_target(self, _place):
        target = load_target(Target(python=self.reference, workers=4), HERE)
        try:
            yield target
        finally:
            target.close()

    def record(self, value):
        return {"value": value}

    def slow(self, value, seconds):
        return {"value": value, "s": seconds}

    def faults(self):
        return {
            "error": ({"do": "raise"}, {}),
            "timeout": ({"do": "time out"},),
            "unavailable": ({"do": "refuse"}, {"do": "say unavailable"}),
            "invalid": ({"do": "say invalid"}, {"value": object()}),
            "crash": ({"do": "exit"}, {"do": "abort"}),
        }


class TestAsynchronousWorkers(TestWorkers):
    reference = "target_work:work_later"


# ── services ──


class TestHttp(Recorded, TargetConformance, FailingTargetConformance, SlowTargetConformance):
    def service(self):
        return Upstream(
            does=lambda seen: as_told(seen.value.get("do", "")), answer=lambda asked: {"output": asked["value"]}
        )

    def declared(self, url):
        return HttpService(url=url, response=Mapping(output="/output"))

    @contextmanager
    def open_target(self, place):
        with self.service() as service:
            target = load_target(Target(http=self.declared(service.url), identity="v1"), place)
            assert isinstance(target, HttpTarget)
            assert target.destination == "127.0.0.1"
            try:
                yield target
            finally:
                target.close()


class TestHttpWithTemplate(TestHttp):
    def service(self):
        return Upstream(
            does=lambda seen: as_told(seen.value["order"] or ""),
            answer=lambda asked: {"answers": [{"it": asked["inputs"][0]}], "of": {"version": "v1"}, "sure": 0.5},
        )

    def declared(self, url):
        template = {"inputs": [{"pointer": "/value"}], "order": {"pointer": "/do", "else": None}}
        return HttpService(
            url=url,
            request=read_template(template),
            response=Mapping(output="/answers/0/it", confidence="/sure", identity="/of/version"),
        )


class TestChat(TargetConformance, FailingTargetConformance, SlowTargetConformance):
    """The record is rendered into messages; the text is the answer."""

    settings = None
    form = None

    def said(self, asked):
        return Said(text=last_words(asked))

    def service(self):
        return Upstream(does=lambda seen: as_told(seen.value["messages"][0]["content"]), chat=self.said)

    def declared(self, url):
        messages = [
            {"role": "system", "content": {"pointer": "/do", "else": ""}},
            {"role": "user", "content": {"as_text": "{/value}"}},
        ]
        return ChatEndpoint(url=url + "/v1", model="m", messages=read_template(messages))

    @contextmanager
    def open_target(self, place):
        (place / "key").write_text("sk-test\n")
        with self.service() as service:
            target = load_target(Target(openai=self.declared(service.url)), place)
            assert isinstance(target, ChatTarget)
            try:
                yield target
            finally:
                target.close()

    def record(self, value):
        return {"value": value}

    def slow(self, value, seconds):
        return {"value": value, "do": str(float(seconds))}

    def faults(self):
        return Recorded.faults(self)


class TestChatInJson(TestChat):
    """The answer is structured output, with a schema and the tokens' probabilities."""

    def said(self, asked):
        return Said(text=json.dumps(last_words(asked)))

    def declared(self, url):
        messages = [
            {"role": "system", "content": {"pointer": "/do", "else": ""}},
            {"role": "user", "content": {"pointer": "/value"}},
        ]
        return ChatEndpoint(
            url=url + "/v1/", model="m", messages=read_template(messages), schema="schema.json", confidence="least",
            key=Secret(file="key"),
        )  # fmt: skip

    @contextmanager
    def open_target(self, place):
        (place / "schema.json").write_text('{"type": "string"}')
        with super().open_target(place) as target:
            yield target


class TestChatPassedThrough(TestChat):
    """The record is a chat request itself; the message is the answer."""

    def declared(self, url):
        return ChatEndpoint(url=url + "/v1", model="m")

    @contextmanager
    def open_target(self, place):
        with super().open_target(place) as target:
            yield Unwrapped(target)

    def record(self, value):
        return {"messages": [{"role": "system", "content": ""}, {"role": "user", "content": value}]}

    def slow(self, value, seconds):
        return {"messages": [{"role": "system", "content": str(float(seconds))}, {"role": "user", "content": value}]}

    def faults(self):
        return {
            kind: tuple(
                {"messages": [{"role": "system", "content": order}, {"role": "user", "content": "x"}]}
                for order in orders
            )
            for kind, orders in KINDS.items()
        }


class Unwrapped:
    """Looks at the content of the message alone, so that one suite fits all."""

    def __init__(self, target):
        self.target = target
        self.name, self.is_async, self.destination = target.name, target.is_async, target.destination

    async def ask(self, asked):
        return (await self.target.ask(asked)).output["content"]

    def close(self):
        self.target.close()


def test_a_suite_that_a_bad_target_passes_would_be_worth_nothing(tmp_path):
    """Each of these breaks one claim, and the test of that claim fails."""

    class Bad(TargetConformance, SlowTargetConformance):
        def __init__(self, target):
            self.target = target

        @contextmanager
        def open_target(self, _place):
            yield self.target

        def record(self, value):
            return {"value": value}

        def slow(self, value, seconds):
            return {"value": value, "s": seconds}

    class Honest:
        name, destination, is_async = "bad", "", False

        def ask(self, asked):
            return asked.record["value"]

        def close(self):
            pass

    class Liar(Honest):
        is_async = True

    class Changes(Honest):
        def ask(self, asked):
            return asked.record.pop("value")

    class Forgets(Honest):
        def ask(self, asked):
            return asked.record["value"][:100_000]

    class Late(Honest):
        is_async = True

        async def ask(self, asked):
            await asyncio.sleep(min(asked.record.get("s", 0), (asked.deadline_s or 0) + 0.2))
            raise TimeoutError

    Bad(Honest()).test_it_says_truly_whether_it_is_asynchronous(tmp_path)
    for bad, check in (
        (Liar(), "test_it_says_truly_whether_it_is_asynchronous"),
        (Changes(), "test_a_record_is_not_changed_by_being_asked"),
        (Forgets(), "test_it_answers_each_record_with_its_own_answer"),
        (Late(), "test_the_time_left_is_kept_to_within_fifty_milliseconds"),
    ):
        with pytest.raises((AssertionError, TypeError, TimeoutError)):
            getattr(Bad(bad), check)(tmp_path)
