"""A compiled contract: checks records one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs
import msgspec

from plimsoll.contract.coerce import mend, plan_for
from plimsoll.contract.patterns import ENGINE
from plimsoll.contract.reasons import Explainer, Node, not_json, parts_of
from plimsoll.contract.rules import Contract, Field, RuleName
from plimsoll.contract.schema import DRAFT, Formats, to_schema
from plimsoll.contract.stateful import stateful_rules
from plimsoll.contract.window import SourceWindow
from plimsoll.errors import UsageError
from plimsoll.model.decision import Fault, Reason


class Checked(msgspec.Struct, frozen=True, gc=False):
    """What became of one record."""

    value: Any  # after declared coercions; the very object that was given when there were none
    coerced: tuple[str, ...] = ()  # JSON Pointers of values that a coercion changed, or that were renamed
    reasons: tuple[Reason, ...] = ()  # empty: it keeps its contract


class Checker:
    """Checks records against one contract. Holds no state of a record; may be used by several threads at once."""

    def __init__(self, contract: Contract, *, classification: str = "") -> None:
        """Compile; `compile_contract` is the way in.

        Args:
            contract: as read.
            classification: of the records as a whole, when every value must stay hidden in reasons.
        """
        self.contract = contract
        self.label = contract.label
        self._formats = Formats()
        record = contract.record
        self.schema: dict[str, Any] = {"$schema": DRAFT, **(to_schema(record, self._formats) if record else {})}
        self.classification = classification.strip().casefold()
        self.stateful = stateful_rules(contract)
        self._alone: dict[str, tuple[Any, Callable[[Any], bool]]] = {}  # fields by themselves, as they are asked for
        self._plan = plan_for(record) if record is not None else None
        self._node = self._compile(record) if record is not None else None
        self._is_valid = self._validator(self.schema, self._formats).is_valid
        self._is_surely = self._strict(record)

    def check(self, value: Any) -> Checked:
        """Make the declared coercions, then check. Never raises, and never changes what it is given.

        Args:
            value: a record as JSON reads it: dict, list, str, int, float, bool, None.

        Returns:
            The value, what was coerced, and every reason why it breaks the contract; none when it keeps it.
        """
        coerced: tuple[str, ...] = ()
        if self._plan is not None:
            value, coerced = mend(self._plan, value)
        try:
            if (self._is_surely is not None and self._is_surely(value)) or self._is_valid(value):
                return Checked(value, coerced)
            return Checked(value, coerced, self._reasons(value))
        except (ValueError, TypeError, OverflowError, RecursionError):  # what the library cannot take as JSON
            return Checked(value, coerced, (not_json(value),))

    def window(self) -> SourceWindow | None:
        """An empty memory of the records of one source; None: the contract compares none with each other."""
        declared = self.contract.terms.window
        if declared is None or not self.stateful:
            return None
        return SourceWindow(self.stateful, declared, classification=self.classification)

    def fits(self, field: Field, value: Any) -> bool:
        """Whether a value that stands elsewhere would keep the rules of a field, after its coercions."""
        at = f"{field.line}:{field.column}:{field.name}"
        if at not in self._alone:
            formats = Formats()
            validator = self._validator({"$schema": DRAFT, **to_schema(field, formats)}, formats)
            self._alone[at] = (plan_for(field), validator.is_valid)
        plan, is_valid = self._alone[at]
        try:
            return is_valid(value if plan is None else mend(plan, value)[0])
        except (ValueError, TypeError, OverflowError, RecursionError):
            return False

    def _reasons(self, value: Any) -> tuple[Reason, ...]:
        assert self._node is not None, "without a schema object every record is valid"
        found = Explainer(self._formats.by_name, classification=self.classification).explain(self._node, value)
        if found:
            return found
        said = "the record as a whole"
        return (Reason(fault=Fault.RULE_BROKEN, path="", rule="schema", expected="what the contract says", found=said),)

    def _compile(self, field: Field) -> Node:
        formats = Formats()
        validator = self._validator({"$schema": DRAFT, **to_schema(field, formats)}, formats)
        parts: Mapping[str, Node] = {name: self._compile(part) for name, part in parts_of(field).items()}
        named = tuple(name for rule in field.rules if rule.name is RuleName.REQUIRED for name in rule.value)
        return Node(
            field=field,
            is_valid=validator.is_valid,
            errors=validator.iter_errors,
            fields={f.name: self._compile(f) for f in field.fields},
            named=named,
            hides=bool(field.hides),
            known=frozenset((*named, *(f.name for f in field.fields))),
            items=parts.get("items"),
            key=parts.get("key"),
            value=parts.get("value"),
        )

    def _strict(self, record: Field | None) -> Callable[[Any], bool] | None:
        """A check without any format of ours, which takes no record that the contract refuses; None: there is none."""
        formats = Formats(strict=True)
        schema = {"$schema": DRAFT, **(to_schema(record, formats) if record else {})}
        if formats.by_name or not self._formats.by_name:
            return None
        return self._validator(schema, formats).is_valid

    @staticmethod
    def _validator(schema: dict[str, Any], formats: Formats) -> jsonschema_rs.Validator:
        # To be given formats, be it none, costs each check a quarter of a microsecond.
        ours: dict[str, Any] = {"formats": formats.callables} if formats.by_name else {}
        return jsonschema_rs.validator_for(
            schema,
            **ours,
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=ENGINE,
        )


def compile_contract(contract: Contract, *, record: str = "", classification: str = "") -> Checker:
    """Make a contract ready to check records.

    Args:
        contract: as read by `read_contract`.
        record: name of the schema object that a record is; empty: the one that the contract chooses.
        classification: of the records as a whole, as the manifest gives it: anything but public and internal hides
            every value in reasons. Empty: what the contract classifies is hidden.

    Raises:
        UsageError: the contract has no schema object of that name.
    """
    if record:
        named = next((o for o in contract.objects if o.name == record), None)
        if named is None:
            known = ", ".join(o.name for o in contract.objects) or "none"
            raise UsageError(f"contract '{contract.id}' has no schema object '{record}'; it has {known}")
        contract = msgspec.structs.replace(contract, record=named)
    hides = classification.strip().casefold() not in {"", "public", "internal"}
    return Checker(contract, classification=classification if hides else "")
