"""What must hold for every record, every contract and every page: nothing forbidden leaves, and nothing gets lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy.a_page import KEY, NOW_NS, PLACES, C, granted, page

from plimsoll.model.egress import EgressVerdict
from plimsoll.model.field_classes import FieldClasses as Fc
from plimsoll.model.governance import FieldRule, Governance, Ruling, Undeclared
from plimsoll.policy import Gatekeeper
from plimsoll.policy.pseudonyms import StreamRestorer, restore_text

RANK = list(C)
DESTINATION = {"in-process": "", "here": "here.example.org", "there": "x.there.example.org"}
NAMES = ("a", "b", "c", "d")
WORDS = ("", "", "", *(c.value for c in C), "pii", "who knows")
MEANS = {"pii": C.PERSONAL}

# -- records whose every value can be told from every other in the bytes that leave


def records() -> st.SearchStrategy[Any]:
    """JSON with placeholders for its texts and numbers."""
    leaf = st.sampled_from([str, int, float])
    names = st.sampled_from([*NAMES, "x", "y"])
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
    )


class Maker:
    """Puts a value in place of each placeholder, none of them the same as another."""

    def __init__(self) -> None:
        self.count = 0

    def fill(self, shape: Any) -> Any:
        if isinstance(shape, dict):
            # Undeclared names are data: they are told apart, too.
            return {(n if n in NAMES else f"name{self.next()}"): self.fill(v) for n, v in shape.items()}
        if isinstance(shape, list):
            return [self.fill(item) for item in shape]
        number = self.next()
        return {str: f"value{number}", int: int(f"77{number}77"), float: float(f"0.55{number}55")}[shape]

    def next(self) -> str:
        self.count += 1
        return f"{self.count:03d}"


def classes() -> st.SearchStrategy[Fc]:
    word = st.sampled_from(WORDS)
    leaf = st.builds(Fc, word=word)
    return st.recursive(
        leaf,
        lambda inner: (
            st.builds(Fc, word=word, fields=st.dictionaries(st.sampled_from(NAMES), inner, max_size=4))
            | st.builds(Fc, word=word, items=inner)
            | st.builds(Fc, word=word, key=st.none() | leaf, value=inner)
        ),
        max_leaves=12,
    )


@st.composite
def pages(draw: st.DrawFn) -> Governance:
    rulings = {c: {p: draw(st.sampled_from(list(Ruling))) for p in PLACES} for c in C}
    rules = st.dictionaries(st.sampled_from(list(C)), st.sampled_from(list(FieldRule)), max_size=5)
    fields = {p: draw(rules) for p in PLACES[1:] if draw(st.booleans())}
    approved = [granted(c, p) for c in C for p in PLACES if draw(st.integers(0, 3)) == 0]
    return page(
        rulings,
        fields=fields,
        undeclared=draw(st.sampled_from(list(Undeclared))),
        words=MEANS,
        granted=approved,
    )


# -- an account of its own of what may leave


EMPTY = object()


def may_leave(governance: Governance, c: C, place: str) -> str:
    """'kept', 'masked' or 'never'."""
    rules = governance.fields.get(place)
    rule = getattr(rules, c.value) if rules is not None else FieldRule.KEEP
    if rule is not FieldRule.KEEP:
        return "masked"
    ruling = getattr(governance.data, c.value)[place]
    approved = any(g.data is c and g.to == place for g in governance.exceptions.granted)
    ok = ruling is Ruling.ALLOWED or (ruling is Ruling.NEEDS_APPROVAL and approved)
    return "kept" if ok else "never"


def class_of(word: str, default: C) -> C:
    if word == "":
        return default
    return C(word) if word in {c.value for c in C} else MEANS.get(word, C.SPECIAL)


def closest(*found: C) -> C:
    return max(found, key=RANK.index)


def every_class(fc: Fc, floor: C, default: C) -> set[C]:
    """Every class that anything in a value declared so may have."""
    mine, below = step(fc, floor, default)
    found = {mine}
    for part in (*fc.fields.values(), *(p for p in (fc.items, fc.value) if p is not None)):
        found |= every_class(part, below, default)
    if fc.value is not None:
        found.add(key_class(fc, mine, below, default))
    if fc.fields:
        found.add(closest(default, below))
    return found


def step(fc: Fc, floor: C, default: C) -> tuple[C, C]:
    """The class of a value, and the least that anything below it has."""
    mine = closest(class_of(fc.word, default), floor)
    closed = fc.word != "" and RANK.index(mine) >= RANK.index(C.CONFIDENTIAL)
    return mine, (mine if closed else floor)


def key_class(fc: Fc, mine: C, below: C, default: C) -> C:
    return mine if fc.key is None else closest(class_of(fc.key.word, default), below)


class Leaf(NamedTuple):
    value: Any
    classes: set[C]  # that it may have
    under: frozenset[C] = frozenset()  # classes of the names of maps that it stands under


def leaves(value: Any, fc: Fc, default: C, floor: C = C.PUBLIC, under: frozenset[C] = frozenset()) -> list[Leaf]:
    """Each value and each undeclared name."""
    mine, below = step(fc, floor, default)
    if isinstance(value, dict) and (fc.fields or fc.value is not None):
        found: list[Leaf] = []
        for name, item in value.items():
            if name in fc.fields:
                found += leaves(item, fc.fields[name], default, below, under)
            elif fc.value is not None:
                key = key_class(fc, mine, below, default)
                found += [Leaf(name, {key}, under), *leaves(item, fc.value, default, below, under | {key})]
            else:
                found += [Leaf(v, {closest(default, below)}, under) for v in (name, *atoms(item))]
        return found
    if isinstance(value, list) and fc.items is not None:
        return [leaf for item in value for leaf in leaves(item, fc.items, default, below, under)]
    return [Leaf(v, every_class(fc, floor, default), under) for v in atoms(value)]


def atoms(value: Any) -> list[Any]:
    if value in ([], {}):
        return [EMPTY]  # that a list of illnesses is empty says something, too
    if isinstance(value, dict):
        return [a for name, item in value.items() for a in ([name] if name not in NAMES else []) + atoms(item)]
    return [a for item in value for a in atoms(item)] if isinstance(value, list) else [value]


@given(
    shape=records(), fc=classes(), governance=pages(), default=st.sampled_from(list(C)), place=st.sampled_from(PLACES)
)
@settings(max_examples=600)
def test_no_value_leaves_that_the_page_does_not_let_go(shape, fc, governance, default, place):
    record = Maker().fill(shape)
    gatekeeper = Gatekeeper(governance, system="s", classes=fc, default=default)
    admitted = gatekeeper.admit(DESTINATION[place], record, now_ns=NOW_NS, key=KEY)

    sent = msgspec.json.encode(admitted.outgoing).decode()
    assert "Error" not in admitted.why

    def ways(found: Iterable[C]) -> set[str]:
        return {may_leave(governance, c, place) for c in found}

    found = leaves(record, fc, default)
    # A name that is declared elsewhere in the record cannot be told apart, and neither can nothing.
    told = [leaf for leaf in found if leaf.value is not EMPTY and leaf.value not in NAMES]
    for leaf in told:
        text = msgspec.json.encode(leaf.value).decode().strip('"')
        if ways(leaf.classes) != {"kept"}:
            assert text not in sent, (text, leaf)
        assert text not in repr(admitted.note)
    if any("never" in ways(leaf.classes) for leaf in found):
        assert admitted.verdict is EgressVerdict.REFUSED
        return
    assert admitted.verdict is EgressVerdict.ALLOWED
    for leaf in told:
        # What stands under a redacted name goes with it.
        if ways(leaf.classes) == {"kept"} and ways(leaf.under) <= {"kept"}:
            assert msgspec.json.encode(leaf.value).decode().strip('"') in sent


# -- what is masked comes back

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just("PSN-"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
KEEPS = st.sampled_from([FieldRule.KEEP, FieldRule.PSEUDONYMISE])


@given(
    record=JSON_VALUES,
    fc=classes(),
    default=st.sampled_from(list(C)),
    rules=st.fixed_dictionaries(dict.fromkeys(C, KEEPS)),
)
@settings(max_examples=400)
def test_what_was_only_pseudonymised_comes_back_as_it_was(record, fc, default, rules):
    governance = page(fields={"there": rules}, words=MEANS)
    admitted = Gatekeeper(governance, system="s", classes=fc, default=default).admit(
        DESTINATION["there"], record, now_ns=NOW_NS, key=KEY
    )
    assert admitted.verdict is EgressVerdict.ALLOWED
    back = admitted.restore(msgspec.json.decode(msgspec.json.encode(admitted.outgoing)))
    assert msgspec.json.encode(back) == msgspec.json.encode(record)


@given(
    values=st.lists(st.text(), min_size=1, max_size=5),
    words=st.lists(st.text() | st.integers(0, 9), max_size=12),
    cuts=st.data(),
)
def test_pseudonyms_are_found_in_any_text_and_in_any_pieces(values, words, cuts):
    governance = page(fields={"there": {C.PERSONAL: FieldRule.PSEUDONYMISE}})
    admitted = Gatekeeper(governance, system="s", classes=Fc(items=Fc(word="personal")), default=C.PUBLIC).admit(
        DESTINATION["there"], values, now_ns=NOW_NS, key=KEY
    )
    marks = admitted.outgoing
    plain = [w if isinstance(w, str) else w % len(values) for w in words]
    said = "".join(w if isinstance(w, str) else marks[w] for w in plain)
    meant = "".join(w if isinstance(w, str) else values[w] for w in plain)

    assert restore_text(said, admitted.pseudonyms) == meant
    restorer, out, rest = StreamRestorer(admitted.pseudonyms), "", said
    while rest:
        at = cuts.draw(st.integers(1, len(rest)))
        out += restorer.feed(rest[:at])
        rest = rest[at:]
    assert out + restorer.end() == meant


def test_a_stream_holds_back_less_than_one_pseudonym():
    restorer = StreamRestorer({"PSN-" + "0" * 20: "Ann"})
    text = "PSN-" + "0" * 19
    assert restorer.feed("x" + text) == "x"
    assert restorer.feed("zzz") == text + "zzz"


# -- whatever goes wrong, nothing leaves


class Breaks:
    """Fails in every way in which it is looked at."""

    def __init__(self, error: type[BaseException]) -> None:
        object.__setattr__(self, "error", error)

    def _fail(self, *_: Any) -> Any:
        raise object.__getattribute__(self, "error")("the secret value")

    __getattr__ = __eq__ = __hash__ = __str__ = __repr__ = __iter__ = __len__ = __bool__ = _fail  # type: ignore[assignment]
    __lt__ = __le__ = __call__ = __contains__ = __getitem__ = _fail


class BrokenDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("the secret value")


class BrokenList(list[Any]):
    def __iter__(self) -> Any:
        raise MemoryError("the secret value")


class BrokenText(str):
    __slots__ = ()

    def encode(self, *_: Any) -> Any:
        raise UnicodeError("the secret value")


ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    RecursionError,
    MemoryError,
    AttributeError,
    AssertionError,
    OSError,
    StopIteration,
)
MASKS = page(fields={"there": {C.PERSONAL: FieldRule.PSEUDONYMISE}}, undeclared=Undeclared.AS_PERSONAL)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("word", ["personal", "internal"])  # what is masked, and what is looked into
def test_a_value_that_breaks_is_refused(error, word):
    gatekeeper = Gatekeeper(MASKS, system="s", classes=Fc(fields={"a": Fc(word=word)}), default=C.PUBLIC)
    admitted = gatekeeper.admit(DESTINATION["there"], {"a": Breaks(error)}, now_ns=NOW_NS, key=KEY)
    assert (admitted.verdict, admitted.outgoing, admitted.pseudonyms) == (EgressVerdict.REFUSED, None, {})
    assert "secret" not in admitted.why


@pytest.mark.parametrize(
    "record",
    [
        BrokenDict(a=1),
        {"a": BrokenDict(b=1)},
        {"a": BrokenList([1])},
        {"a": {1, 2}.__iter__()},
        {"a": object()},
        {"a": lambda: 0},
    ],
    ids=lambda r: type(r).__name__,
)
def test_a_record_that_breaks_is_refused(record):
    gatekeeper = Gatekeeper(MASKS, system="s", classes=Fc(fields={"a": Fc(word="internal")}), default=C.PUBLIC)
    admitted = gatekeeper.admit(DESTINATION["there"], record, now_ns=NOW_NS, key=KEY)
    assert (admitted.verdict, admitted.outgoing) == (EgressVerdict.REFUSED, None)


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "bad",
    [
        {"destination": None}, {"destination": 7}, {"destination": b"x.there.example.org"}, {"destination": ["x"]},
        {"destination": Breaks(ValueError)}, {"now_ns": "today"}, {"now_ns": None}, {"key": None}, {"key": "text"},
        {"record": {"a": nested(100_000)}}, {"record": {"b": nested(100_000)}},
    ],
)  # fmt: skip
def test_a_call_that_makes_no_sense_is_refused(bad):
    classes = Fc(fields={"a": Fc(word="personal"), "b": Fc(word="internal")})
    governance = page(
        {C.PERSONAL: {"there": Ruling.NEEDS_APPROVAL}}, fields={"there": {C.PERSONAL: FieldRule.PSEUDONYMISE}},
        granted=[granted(C.INTERNAL, "there")],
    )  # fmt: skip
    given = {"destination": DESTINATION["there"], "record": {"a": "x"}, "now_ns": NOW_NS, "key": KEY} | bad
    gatekeeper = Gatekeeper(governance, system="s", classes=classes, default=C.PUBLIC)
    admitted = gatekeeper.admit(given["destination"], given["record"], now_ns=given["now_ns"], key=given["key"])
    assert (admitted.verdict, admitted.outgoing) == (EgressVerdict.REFUSED, None)


def test_classes_that_break_are_refused_at_every_call():
    gatekeeper = Gatekeeper(MASKS, system="s", classes=Breaks(ValueError), default=C.PUBLIC)  # type: ignore[arg-type]
    for _ in range(2):
        assert gatekeeper.admit(DESTINATION["there"], {}, now_ns=NOW_NS, key=KEY).verdict is EgressVerdict.REFUSED


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_gets_through(error):
    gatekeeper = Gatekeeper(MASKS, system="s", classes=Fc(fields={"a": Fc(word="internal")}), default=C.PUBLIC)
    with pytest.raises(error):
        gatekeeper.admit(DESTINATION["there"], {"a": Breaks(error)}, now_ns=NOW_NS, key=KEY)


def test_the_mark_is_what_the_code_says():
    admitted = Gatekeeper(MASKS, system="s", classes=Fc(fields={"a": Fc(word="personal")}), default=C.PUBLIC).admit(
        DESTINATION["there"], {"a": BrokenText("Ann")}, now_ns=NOW_NS, key=KEY
    )
    assert re.fullmatch(r"PSN-[0-9a-f]{20}", admitted.outgoing["a"])
