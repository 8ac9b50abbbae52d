"""May this record go to where the target is? Every record is asked about before a byte of it leaves.

What the guard does with it, once for each contract and once for each call::

    gatekeeper = Gatekeeper(page, system="claims-reader", classes=field_classes(contract), default=classification)

    admitted = gatekeeper.admit(
        target.destination, record, now_ns=time.time_ns(), key=key, consequence=decision_type.consequence
    )
    if admitted.verdict is EgressVerdict.REFUSED:
        ...                                     # disposition `refused`, why=admitted.why; the target is never called
    returned = target.ask(Ask(record=admitted.outgoing, …))   # never the record itself
    output = admitted.restore(returned.output)  # pseudonyms turned back; before the output contract is checked
    if admitted.verdict is EgressVerdict.NEEDS_PERSON:
        ...                                     # disposition `held`, why=admitted.why, whatever the tier says
    record_of_decision.egress = admitted.note   # never admitted itself: it holds values

- ``admit`` never raises: whatever goes wrong in it is a refusal. Only an exception that ends the process gets through.
- The record is not changed; ``outgoing`` is the record itself where nothing of it is touched.
- For a fallback target with another destination ``admit`` is asked again. So is it for a shadow copy.
- ``key`` is secret, at least 16 bytes. One for each decision (``secrets.token_bytes(32)``) makes pseudonyms that cannot
  be linked between decisions; one that is kept makes them the same from call to call.
- ``admitted.restorer()`` does what ``restore`` does for a text that comes in pieces. ``restore`` belongs to `reasons`
  and `sources` of a result, too: a target can quote there what it was sent.
- Rulings are per class and destination; a field's class is the contract's, else the manifest's ``data.classification``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from plimsoll.model.egress import EgressNote, EgressVerdict, FoundUndeclared
from plimsoll.model.field_classes import FieldClasses
from plimsoll.model.governance import IN_PROCESS, UNKNOWN, Governance, Undeclared
from plimsoll.model.manifest import Classification, Consequence
from plimsoll.policy.egress_plan import RANK, Leaf, Node, Planner
from plimsoll.policy.personal import scan_text, text_of_number
from plimsoll.policy.pseudonyms import CannotApply, Pseudonyms, StreamRestorer, fresh_salts, restore
from plimsoll.policy.rulings import Effect, Places, Ruled, ends_ns, is_current, rule_on, starts_ns

UNDECLARED: Final = "personal data stands where the contract declares none: "
REDACTED: Final = "[redacted]"  # in place of a text; anything else becomes null
_MOST_KNOWN: Final = 256  # destinations whose place is remembered
_Key = bytes | Callable[[], bytes]


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """What may leave of one record. Holds values: `note` is what may be recorded."""

    note: EgressNote
    outgoing: Any = None  # None where nothing may
    pseudonyms: Mapping[str, Any] = {}  # what each stands for

    @property
    def verdict(self) -> EgressVerdict:
        """Whether the record may go."""
        return self.note.verdict

    @property
    def why(self) -> str:
        """Why it may not, or why a person looks at the answer; "" when neither."""
        return self.note.why

    def restore(self, output: Any) -> Any:
        """An output with the values back in place of their pseudonyms."""
        return restore(output, self.pseudonyms)

    def restorer(self) -> StreamRestorer:
        """The same for a text that comes in pieces."""
        return StreamRestorer(self.pseudonyms)

    def __repr__(self) -> str:
        return f"Admitted({self.note!r}, …)"  # a log line must not hold what may not leave


class TextRuling(msgspec.Struct, frozen=True, kw_only=True):
    """How a text may leave in pieces. Without either of these it just leaves."""

    whole: bool = False  # not at all: something in it may be changed, or a person looks at it, or none of it leaves
    cut: Ruled | None = None  # as long as nothing personal stands in it; by this rule


class Gatekeeper:
    """Rules on the records of one system and one contract. Safe to use from several threads at once."""

    def __init__(
        self,
        governance: Governance | None,
        *,
        system: str,
        classes: FieldClasses,
        default: Classification,
    ) -> None:
        """Compile.

        Args:
            governance: the organisation's page; None: there is none, and nothing but public data may leave.
            system: as the manifest names it; its exceptions count.
            classes: of the contract of the records (``plimsoll.contract.field_classes``).
            default: the manifest's ``data.classification``, for what the contract does not classify.
        """
        self._governance = governance
        self._system = system
        self._classes = classes
        self._default = default
        self._places = Places(governance)
        self._known: dict[str, str] = {}
        granted = () if governance is None else tuple(governance.exceptions_of(system))
        self._turns = sorted({turn for g in granted for turn in (starts_ns(g), ends_ns(g))})
        self._plans: dict[tuple[str, int], tuple[Node, tuple[str, ...]]] = {}
        self._reviewed = frozenset() if governance is None else frozenset(governance.review.consequence)

    def admit(
        self,
        destination: str,
        record: Any,
        *,
        now_ns: int,
        key: _Key = b"",
        consequence: Consequence | None = None,
    ) -> Admitted:
        """What may leave of a record; never raises.

        Args:
            destination: where the target is: "" in this process or its workers, else a host.
            record: after its contract's coercions.
            now_ns: UTC nanoseconds since the epoch; exceptions count by it.
            key: at least 16 secret bytes, for pseudonyms, or what makes them when they are needed. Without it, what
                needs them is refused.
            consequence: of the decision type.
        """
        place = UNKNOWN
        try:
            place = self._place(destination)
            return self._admit(place, record, now_ns, key, consequence)
        except CannotApply as why:
            return _refused(place, "error", f"the page could not be applied: {why}")
        except Exception as why:  # noqa: BLE001 - whatever goes wrong, nothing leaves
            return _refused(place, "error", f"the page could not be applied ({type(why).__name__})")

    def release(self, place: str, output: Any, *, now_ns: int, key: bytes) -> Admitted:
        """What may leave of an output, to who asked; never raises. The classes are those of the output's contract.

        Args:
            place: who gets it, as the page names them.
            output: as JSON reads it.
            now_ns: as for `admit`.
            key: as for `admit`; what is pseudonymised for somebody who asks is not turned back.
        """
        try:
            return self._admit(place, output, now_ns, key, None)
        except CannotApply as why:
            return _refused(place, "error", f"the page could not be applied: {why}")
        except Exception as why:  # noqa: BLE001 - whatever goes wrong, nothing leaves
            return _refused(place, "error", f"the page could not be applied ({type(why).__name__})")

    def ruling_on_text(self, place: str, *, now_ns: int) -> TextRuling:
        """How a text that no contract classifies may leave in pieces; `release` rules on the whole of it alike."""
        leaf = self._plan(place, now_ns)[0].leaf
        if leaf.review or leaf.ruled.effect is not Effect.KEEP:
            return TextRuling(whole=True)
        if leaf.found is None or leaf.found.effect is Effect.KEEP:
            return TextRuling()
        if leaf.found.effect is Effect.REFUSE:
            return TextRuling(cut=leaf.found)
        return TextRuling(whole=True)

    def _admit(self, place: str, record: Any, now_ns: int, key: _Key, consequence: Consequence | None) -> Admitted:
        closed = self._closed(place, now_ns)
        if closed is not None:
            return _refused(place, closed.rule, closed.why)
        root, exceptions = self._plan(place, now_ns)
        reviewed = consequence is not None and consequence in self._reviewed
        if root.passes and not reviewed:
            return Admitted(
                note=EgressNote(verdict=EgressVerdict.ALLOWED, place=place, exceptions=exceptions), outgoing=record
            )
        for salt in fresh_salts():
            passage = _Passage(key, salt)
            outgoing = passage.send(root, record)
            if passage.is_unambiguous(record):
                break
        else:
            return _refused(place, "fields", "the record holds what looks like pseudonyms of its own values")
        if passage.refused:
            return passage.refusal(place, exceptions)
        why, rule, fields = passage.review
        if not rule and reviewed and consequence is not None:
            why = f"answers with a {consequence.value} consequence are looked at by a person"
            rule = f"review.consequence: {consequence.value}"
        return Admitted(
            note=EgressNote(
                verdict=EgressVerdict.NEEDS_PERSON if rule else EgressVerdict.ALLOWED,
                place=place,
                rule=rule,
                why=why,
                fields=fields,
                redacted=tuple(passage.redacted),
                pseudonymised=tuple(passage.pseudonymised),
                undeclared=tuple(passage.found),
                exceptions=exceptions,
            ),
            outgoing=outgoing,
            pseudonyms=passage.values,
        )

    def _place(self, destination: str) -> str:
        place = self._known.get(destination)
        if place is None:
            place = self._places.of(destination)
            if len(self._known) < _MOST_KNOWN:
                self._known[destination] = place
        return place

    def _closed(self, place: str, now_ns: int) -> Ruled | None:
        """Why nothing at all may go there; None when the rulings on classes decide."""
        if self._governance is None:
            if place == IN_PROCESS or self._default is Classification.PUBLIC:
                return None
        elif place != UNKNOWN:
            return None
        return rule_on(self._governance, data=self._default, place=place, system=self._system, now_ns=now_ns)

    def _plan(self, place: str, now_ns: int) -> tuple[Node, tuple[str, ...]]:
        at = (place, bisect_right(self._turns, now_ns))
        plan = self._plans.get(at)
        if plan is None:  # two threads may both make it; they make the same
            plan = self._plans[at] = self._compiled(place, now_ns)
        return plan

    def _compiled(self, place: str, now_ns: int) -> tuple[Node, tuple[str, ...]]:
        page = self._governance
        ruled = {
            data: rule_on(page, data=data, place=place, system=self._system, now_ns=now_ns) for data in Classification
        }
        planner = Planner(
            ruled,
            default=self._default,
            words={} if page is None else page.words,
            looks=page is not None,
            acts=page is not None and page.undeclared is Undeclared.AS_PERSONAL,
            review=() if page is None else page.review.data,
        )
        granted = () if page is None else page.exceptions_of(self._system)
        current = tuple(f"{g.data.value} until {g.until}" for g in granted if g.to == place and is_current(g, now_ns))
        return planner.plan(self._classes), current


def _refused(place: str, rule: str, why: str) -> Admitted:
    return Admitted(note=EgressNote(verdict=EgressVerdict.REFUSED, place=place, rule=rule, why=why))


class _Passage:
    """One record on its way through a plan. Lives for one call, in one thread."""

    __slots__ = ("_key", "_made", "_review", "_salt", "found", "pseudonymised", "redacted", "refused")

    def __init__(self, key: _Key, salt: int) -> None:
        self._key = key
        self._salt = salt
        self._made: Pseudonyms | None = None
        self._review: Leaf | None = None
        self.refused: dict[str, tuple[Leaf, Ruled]] = {}
        self.redacted: dict[str, None] = {}
        self.pseudonymised: dict[str, None] = {}
        self.found: dict[FoundUndeclared, None] = {}

    # -- what came of it

    @property
    def values(self) -> Mapping[str, Any]:
        """What each pseudonym stands for."""
        return {} if self._made is None else self._made.values

    def is_unambiguous(self, record: Any) -> bool:
        """Whether every pseudonym can be told from what the record holds by itself."""
        return self._made is None or not self._made.stand_in(record)

    @property
    def review(self) -> tuple[str, str, tuple[str, ...]]:
        """Why a person looks at the answer, by which rule, for which field; empty when nobody has to."""
        leaf = self._review
        if leaf is None:
            return "", "", ()
        why = f"answers to records with {leaf.data.value} data are looked at by a person"
        return why, f"review.data: {leaf.data.value}", (leaf.path,)

    def refusal(self, place: str, exceptions: tuple[str, ...]) -> Admitted:
        """Nothing of the record may go: by the rule on the closest class that is in it."""
        leaf, ruled = max(self.refused.values(), key=lambda pair: (pair[1] is pair[0].ruled, RANK[pair[0].data]))
        lead = "" if ruled is leaf.ruled else UNDECLARED
        note = EgressNote(
            verdict=EgressVerdict.REFUSED,
            place=place,
            rule=ruled.rule,
            why=lead + ruled.why,
            fields=tuple(self.refused),
            undeclared=tuple(self.found),
            exceptions=exceptions,
        )
        return Admitted(note=note)

    # -- the walk

    def send(self, node: Node, value: Any) -> Any:
        """What goes in place of a value."""
        if value is None or node.passes:
            return value
        if isinstance(value, dict) and (node.fields is not None or node.value is not None):
            return self._object(node, value)
        if node.items is not None and isinstance(value, list | tuple):
            items = node.items
            sent = [self.send(items, item) for item in value]
            return tuple(sent) if type(value) is tuple else sent
        return self._leaf(node.leaf, value)

    def _object(self, node: Node, value: dict[Any, Any]) -> dict[Any, Any]:
        fields = node.fields or {}
        out: dict[Any, Any] = {}
        for name, item in value.items():
            field = fields.get(name)
            if field is not None:
                out[name] = item if field.passes else self.send(field, item)
            elif node.value is not None and node.key is not None:
                self._named(node.key, name, self.send(node.value, item), out)
            else:
                assert node.rest is not None, "an object that declares fields rules on all others"
                self._named(node.rest, name, None if item is None else self._leaf(node.rest, item), out)
        return out

    def _named(self, leaf: Leaf, name: Any, sent: Any, out: dict[Any, Any]) -> None:
        """Put what goes under a name that the contract does not declare; such a name is data, too."""
        effect = leaf.ruled.effect
        if effect is Effect.KEEP and leaf.found is not None and isinstance(name, str) and (spans := scan_text(name)):
            for span in spans:
                self.found[FoundUndeclared(leaf.path, span.kind.value)] = None
            effect = leaf.found.effect
            if effect is Effect.REFUSE:
                self.refused[leaf.path] = (leaf, leaf.found)
        if effect is Effect.KEEP:
            out[name] = sent
        elif effect is Effect.PSEUDONYMISE:
            out[self._pseudonym(leaf, name)] = sent
        elif effect is Effect.REDACT:
            self.redacted[leaf.path] = None
        else:
            self.refused.setdefault(leaf.path, (leaf, leaf.ruled))

    def _leaf(self, leaf: Leaf, value: Any) -> Any:
        if leaf.review and (self._review is None or RANK[leaf.data] > RANK[self._review.data]):
            self._review = leaf
        if leaf.ruled.effect is not Effect.KEEP:
            return self._instead(leaf, leaf.ruled, value)
        return value if leaf.found is None else self._looked(leaf, leaf.found, value)

    def _instead(self, leaf: Leaf, ruled: Ruled, value: Any) -> Any:
        """What goes in place of a value that does not."""
        if ruled.effect is Effect.PSEUDONYMISE:
            return self._pseudonym(leaf, value)
        if ruled.effect is Effect.REDACT:
            self.redacted[leaf.path] = None
            return REDACTED if isinstance(value, str) else None
        self.refused.setdefault(leaf.path, (leaf, ruled))
        return None

    def _pseudonym(self, leaf: Leaf, value: Any) -> str:
        if self._made is None:
            self._made = Pseudonyms(self._key() if callable(self._key) else self._key, self._salt)
        self.pseudonymised[leaf.path] = None
        return self._made.of(value)

    # -- personal data where none is declared

    def _looked(self, leaf: Leaf, ruled: Ruled, value: Any) -> Any:
        """A value that may go, without what is personal in it where that may not."""
        kind = type(value)
        if kind is str or isinstance(value, str):
            return self._text(leaf, ruled, value)
        if kind is bool or kind is float or value is None:
            return value
        if kind is int:
            return self._number(leaf, ruled, value)
        if isinstance(value, dict):
            out: dict[Any, Any] = {}
            for name, item in value.items():
                self._named(leaf, name, self._looked(leaf, ruled, item), out)
            return out
        if isinstance(value, list | tuple):
            sent = [self._looked(leaf, ruled, item) for item in value]
            return tuple(sent) if kind is tuple else sent
        plain = _plain(value)
        looked = None if plain is None else self._looked(leaf, ruled, plain)
        return value if looked == plain else looked

    def _text(self, leaf: Leaf, ruled: Ruled, value: str) -> str:
        spans = scan_text(value, leaf.name)
        if not spans:
            return value
        for span in spans:
            self.found[FoundUndeclared(leaf.path, span.kind.value)] = None
        if ruled.effect is Effect.KEEP:
            return value
        parts, at = [], 0
        for span in spans:
            parts += [value[at : span.start], str(self._instead(leaf, ruled, value[span.start : span.end]))]
            at = span.end
        return "".join((*parts, value[at:]))

    def _number(self, leaf: Leaf, ruled: Ruled, value: int) -> Any:
        text = text_of_number(value)
        spans = () if text is None else scan_text(text, leaf.name)
        for span in spans:
            self.found[FoundUndeclared(leaf.path, span.kind.value)] = None
        return self._instead(leaf, ruled, value) if spans and ruled.effect is not Effect.KEEP else value


def _plain(value: Any) -> Any:
    """A value of another type as JSON has it, to be looked through; None where no text can be read in it."""
    if isinstance(value, bytes | bytearray | memoryview) or getattr(value, "dtype", None) is not None:
        kind = getattr(getattr(value, "dtype", None), "kind", "b")
        return value.tolist() if kind in "OSU" else None  # bytes, and arrays of numbers
    if hasattr(value, "tolist"):
        return value.tolist()
    return msgspec.to_builtins(value)
