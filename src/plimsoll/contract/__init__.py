"""Data contracts: read ODCS, compile rules, check a record.

Names are loaded when they are first used: who checks a table needs nothing of what compares or infers contracts.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from `typing`, as in `plimsoll`
if TYPE_CHECKING:
    from typing import Any

    from plimsoll.contract.check import Checked, Checker, compile_contract
    from plimsoll.contract.classes import field_classes
    from plimsoll.contract.compare import compare_contracts
    from plimsoll.contract.infer import infer_contract
    from plimsoll.contract.model import contract_of_model
    from plimsoll.contract.parse import Parsed, parse_record
    from plimsoll.contract.read import read_contract, read_contract_bytes
    from plimsoll.contract.rules import Contract, Unenforced

__all__ = [
    "Checked",
    "Checker",
    "Contract",
    "Parsed",
    "Unenforced",
    "compare_contracts",
    "compile_contract",
    "contract_of_model",
    "field_classes",
    "infer_contract",
    "parse_record",
    "read_contract",
    "read_contract_bytes",
]

_WHERE = {
    "Checked": "check",
    "Checker": "check",
    "Contract": "rules",
    "Parsed": "parse",
    "Unenforced": "rules",
    "compare_contracts": "compare",
    "compile_contract": "check",
    "contract_of_model": "model",
    "field_classes": "classes",
    "infer_contract": "infer",
    "parse_record": "parse",
    "read_contract": "read",
    "read_contract_bytes": "read",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'plimsoll.contract' has no attribute '{name}'")
    import importlib  # noqa: PLC0415 - only when a name is asked for

    return getattr(importlib.import_module(f"plimsoll.contract.{_WHERE[name]}"), name)
