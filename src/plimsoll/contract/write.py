"""A contract's document written back as YAML: what was read, nothing lost and nothing changed in kind."""

from __future__ import annotations

from typing import Any

import yaml

from plimsoll.model.yaml_source import resolve


class _Dumper(yaml.SafeDumper):
    """Puts every text in quotes that a reader could take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name that PyYAML calls
        """Write every value out: what is shared in memory is not shared in the file."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = resolve(text) == text
    except ValueError:  # a number too long, or not finite
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def write_document(document: Any) -> str:
    """A document as YAML that reads back as the same values, in the same order.

    Args:
        document: as `Contract.document` keeps it: dict, list, str, int, float, bool, None.

    Returns:
        YAML 1.2. Comments are not part of the values; the file itself keeps them.
    """
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
