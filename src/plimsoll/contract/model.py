"""A Pydantic model taken in as a contract, through the JSON Schema that it gives of itself."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from plimsoll.contract.read import read_contract
from plimsoll.contract.rules import Contract
from plimsoll.errors import UsageError


def contract_of_model(model: Any, *, file: str = "") -> Contract:
    """The contract of a Pydantic model; Pydantic itself is not needed here.

    A record is what the model takes as JSON. Validators written in Python are no part of its schema and are not
    enforced.

    Args:
        model: a class with ``model_json_schema()``.
        file: its name for messages; "" is its module and name.

    Raises:
        UsageError: it is no such class.
        InvalidFile: its schema cannot be read.
    """
    name = file or f"{getattr(model, '__module__', '')}:{getattr(model, '__qualname__', model)}"
    give = getattr(model, "model_json_schema", None)
    if not isinstance(model, type) or not callable(give):
        raise UsageError(f"'{name}' is no Pydantic model", fix="name a class that has model_json_schema()")
    contract = read_contract(json.dumps(give(), indent=2, ensure_ascii=False), name)
    return msgspec.structs.replace(contract, standard="pydantic")
