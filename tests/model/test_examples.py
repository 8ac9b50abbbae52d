"""The examples in the docstrings of the vocabulary hold."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import plimsoll.model


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(plimsoll.model.__path__)])
def test_the_examples_of_a_module_hold(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(f"plimsoll.model.{name}"))
    assert failed == 0
