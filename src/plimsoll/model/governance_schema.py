"""The JSON Schema of a governance page, made from its types: editors complete and check with it while one types.

It is the shape alone; what takes two values to see is said when the file is read. Whatever the reader accepts, the
schema accepts.

``python -m plimsoll.model.governance_schema`` prints it; what is shipped is ``governance.schema.json`` beside this
file.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from plimsoll.model.governance import Governance
from plimsoll.model.manifest_schema import schema_of, shipped_text

GOVERNANCE_SHIPPED: Final = "governance.schema.json"  # beside this module


def governance_schema() -> dict[str, Any]:
    """The schema as a JSON value."""
    return schema_of(Governance, id_="urn:plimsoll:governance:1", title="governance.yaml")


def governance_schema_text() -> str:
    """The schema as the shipped file holds it."""
    return shipped_text(governance_schema())


if __name__ == "__main__":
    sys.stdout.write(governance_schema_text())
