"""Data contracts: read ODCS, compile rules, check a record."""

from __future__ import annotations

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
