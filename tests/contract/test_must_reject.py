"""Every kind of file that the standard's own repository says must be rejected: it is, at its line, for that one thing.

The standard (github.com/bitol-io/open-data-contract-standard) keeps files that its schema must reject, under
``src/script/negative-tests`` and one under ``docs/examples/fundamentals``. Each name below is one of theirs; the documents
are ours. Each has one fault, on the line that ends with ``#!``. Mended there, the same document must be taken, by us and by
the standard's own JSON Schema, which must reject it before: so a case that would not be a fault fails too.
"""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from plimsoll.contract import read_contract
from plimsoll.errors import InvalidFile
from plimsoll.model import yaml_source

HEAD = """\
apiVersion: v3.2.0
kind: DataContract
id: orders
version: 1.0.0
status: active
"""
ORACLES = {
    version: jsonschema_rs.validator_for(
        json.loads((Path(__file__).parent / "standard" / f"odcs-{version}.schema.json").read_text())
    )
    for version in ("3.0.2", "3.2.0")
}


def of_property(text: str) -> str:
    """A document with one property, which has these lines."""
    lines = "".join(f"    {line}\n" for line in text.strip("\n").splitlines())
    return f"{HEAD}schema:\n- name: orders\n  properties:\n  - name: x\n{lines}"


def of_quality(text: str) -> str:
    """A document with one quality rule."""
    lines = [f"  {line}" for line in text.strip("\n").splitlines()]
    lines[0] = "- " + lines[0][2:]
    return of_property("logicalType: string\nquality:\n" + "\n".join(lines))


def of_server(text: str) -> str:
    """A document with one server; what is missing is missing from its first line."""
    lines = [f"  {line}" for line in text.strip("\n").splitlines()]
    lines[0] = "- " + lines[0][2:]
    return f"{HEAD}servers:\n" + "\n".join(lines) + "\nschema: [{name: orders}]\n"


# The file that must be rejected, a document with its fault, and what mends it in that document.
CASES: dict[str, tuple[str, tuple[str, str]]] = {
    "additional-unknown-property": (HEAD + "unheardOf: yes #!\n", ("unheardOf: yes #!\n", "")),
    "invalid-api-version": (HEAD.replace("v3.2.0", "v4.0.0 #!"), ("v4.0.0", "v3.2.0")),
    "invalid-kind": (HEAD.replace("DataContract", "Contract #!"), ("Contract", "DataContract")),
    "missing-required-fields": (
        "version: 1.0.0 #!\nkind: DataContract\nid: orders\nstatus: active\n",
        ("version", "apiVersion: v3.2.0\nversion"),
    ),
    # schema
    "schema-property-missing-name": (
        f"{HEAD}schema:\n- name: orders\n  properties:\n  - logicalType: string #!\n",
        ("logicalType: string", "name: x\n    logicalType: string"),
    ),
    "schema-property-invalid-logicaltype": (of_property("logicalType: varchar #!"), ("varchar", "string")),
    "deprecated-wrong-type": (of_property("deprecated: soon #!"), ("soon", "true")),
    "stable-id-denied-characters": (
        f"{HEAD}schema:\n- id: a.b #!\n  name: orders\n",
        ("a.b", "a-b"),
    ),
    "synonym-missing-term": (
        of_property("synonyms:\n- description: as the branch calls it #!"),
        ("description", "synonym: y\n      description"),
    ),
    "enum-duplicate-values": (
        of_property("logicalType: string\nenum:\n- value: new\n- value: new #!"),
        ("new #!", "old"),
    ),
    "enum-empty": (of_property("logicalType: string\nenum: [] #!"), ("[]", "[{value: a}]")),
    "enum-missing-value": (of_property("logicalType: string\nenum:\n- label: New #!"), ("label", "value: n\n      label")),
    "map-missing-block": (
        of_property("logicalType: map").replace("  - name: x", "  - name: x #!"),
        ("logicalType: map", "logicalType: map\n    map: {key: {logicalType: string}, value: {logicalType: string}}"),
    ),
    "map-missing-key": (
        of_property("logicalType: map\nmap: {value: {logicalType: string}} #!"),
        ("{value", "{key: {logicalType: string}, value"),
    ),
    "map-missing-value": (
        of_property("logicalType: map\nmap: {key: {logicalType: string}} #!"),
        ("{key", "{value: {logicalType: string}, key"),
    ),
    "vector-missing-dimensions": (
        of_property("logicalType: vector\nlogicalTypeOptions: {elementType: float32}").replace("name: x", "name: x #!"),
        ("{elementType", "{dimensions: 3, elementType"),
    ),
    "relationship-property-level-with-from": (
        of_property("relationships:\n- to: customers.id\n  from: orders.x #!"),
        ("      from: orders.x #!\n", ""),
    ),
    "relationship-schema-level-missing-from-to": (
        f"{HEAD}schema:\n- name: orders\n  relationships:\n  - type: foreignKey #!\n",
        ("type: foreignKey", "from: orders.x\n    to: customers.id"),
    ),
    "variables-in-integer-field": (
        of_property('primaryKey: true\nprimaryKeyPosition: "${PLACE}" #!'),
        ('"${PLACE}"', "1"),
    ),
    # quality
    "invalid-quality-dimension": (
        of_quality("metric: rowCount\nmustBe: 1\ndimension: beauty #!"),
        ("beauty", "completeness"),
    ),
    "invalid-quality-metric": (of_quality("metric: beauty #!\nmustBe: 1"), ("beauty", "nullValues")),
    "invalid-quality-type": (of_quality("type: magic #!\nmetric: nullValues\nmustBe: 1"), ("magic", "library")),
    "quality-custom-missing-implementation": (
        of_quality("type: custom #!\nengine: soda"),
        ("engine: soda", "engine: soda\n      implementation: x"),
    ),
    "quality-element-field": (
        of_quality("type: text\ndescription: good\nelement: orders.x #!"),
        ("      element: orders.x #!\n", ""),
    ),
    "quality-library-missing-metric": (of_quality("type: library #!\nmustBe: 0"), ("mustBe", "metric: nullValues\n      mustBe")),
    "quality-multiple-operators": (
        of_quality("metric: nullValues #!\nmustBe: 0\nmustBeLessThan: 5"),
        ("      mustBeLessThan: 5\n", ""),
    ),
    "quality-mustbebetween-wrong-size": (of_quality("metric: nullValues\nmustBeBetween: [1] #!"), ("[1]", "[1, 2]")),
    "quality-sql-missing-query": (
        of_quality("type: sql #!\nmustBe: 0"),
        ("type: sql", "query: SELECT 1\n      type: sql"),
    ),
    # around the data
    "sla-missing-required-value": (f"{HEAD}slaProperties:\n- property: latency #!\n  unit: d\n", ("unit", "value: 4\n  unit")),
    "sla-authoritativedefinition-missing-type": (
        f"{HEAD}slaProperties:\n- property: latency\n  value: 4\n  unit: d\n  authoritativeDefinitions:\n  - url: https://x.org #!\n",
        ("url", "type: tutorial\n    url"),
    ),
    "vendor-wrong-type": (f"{HEAD}customProperties:\n- property: cost\n  value: 1\n  vendor: 12 #!\n", ("12", "acme")),
    # servers
    "server-invalid-type": (of_server("server: s\ntype: abacus #!"), ("type: abacus", "type: custom")),
    "server-missing-required-fields": (
        of_server("type: local #!\npath: p\nformat: csv"),
        ("type", "server: s\n  type"),
    ),
    "server-missing-conditional-fields": (
        of_server("server: s #!\ntype: athena\nstagingDir: s3://a"),
        ("stagingDir", "schema: x\n  stagingDir"),
    ),
    "server-encoding-wrong-type": (
        of_server("server: s\ntype: s3\nlocation: s3://a\nformat: csv\nencoding: 65001 #!"),
        ("65001", "utf-8"),
    ),
    "btrieve-missing-host": (of_server("server: s #!\ntype: btrieve\ndatabase: d"), ("database", "host: h\n  database")),
    "exasol-missing-host": (of_server("server: s #!\ntype: exasol"), ("type: exasol", "type: exasol\n  host: h")),
    "fastobjects-missing-database": (
        of_server("server: s #!\ntype: fastobjects\nhost: h"),
        ("host: h", "host: h\n  database: d"),
    ),
    "hana-missing-host": (of_server("server: s #!\ntype: hana"), ("type: hana", "type: hana\n  host: h\n  port: 1")),
    "iceberg-missing-catalogurl": (
        of_server("server: s #!\ntype: iceberg\ncatalog: c"),
        ("catalog: c", "catalog: c\n  catalogUrl: https://x.org"),
    ),
    "ingres-missing-host": (of_server("server: s #!\ntype: ingres\ndatabase: d"), ("database", "host: h\n  database")),
    "teradata-missing-host": (of_server("server: s #!\ntype: teradata"), ("type: teradata", "type: teradata\n  host: h")),
    "vectorwise-missing-database": (
        of_server("server: s #!\ntype: vectorwise\nhost: h"),
        ("host: h", "host: h\n  database: d"),
    ),
    "versant-missing-database": (
        of_server("server: s #!\ntype: versant\nhost: h"),
        ("host: h", "host: h\n  database: d"),
    ),
}  # fmt: skip


def faults(text: str) -> list[tuple[int, str]]:
    """Line and code of every problem."""
    try:
        read_contract(text, "c.odcs.yaml")
    except InvalidFile as invalid:
        return [(p.where.line, p.code) for p in invalid.problems if p.where]
    return []


def taken_by_the_standard(text: str, version: str = "3.2.0") -> bool:
    return bool(ORACLES[version].is_valid(yaml_source.load(text, "c.odcs.yaml").data))


@pytest.mark.parametrize("name", CASES)
def test_what_the_standard_must_reject_is_rejected_at_its_line_and_taken_once_that_is_mended(name):
    text, (old, new) = CASES[name]
    (line,) = (number for number, said in enumerate(text.splitlines(), 1) if said.endswith("#!"))
    assert not taken_by_the_standard(text)
    assert {at for at, _ in faults(text)} == {line}
    assert text.count(old) == 1
    mended = text.replace(old, new)
    assert taken_by_the_standard(mended)
    assert faults(mended) == []


# What each part of a contract does not know: refused by every version (``#!``), or from 3.1 on (``#+``).
STRICT = """\
apiVersion: v3.0.2
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
- name: orders
  unheardOf: 1 #!
  properties:
  - name: x
    logicalType: string
    unheardOf: 1 #!
    quality:
    - metric: nullValues
      mustBe: 0
      unheardOf: 1 #+
  - name: y
    logicalType: integer
    logicalTypeOptions:
      minimum: 1
      minLength: 2 #!
customProperties:
- property: cost
  value: 1
  unheardOf: 1 #+
roles:
- role: r
  unheardOf: 1 #+
authoritativeDefinitions:
- url: https://x.org
  type: tutorial
  unheardOf: 1 #+
support:
- channel: c
  url: https://x.org
  unheardOf: 1 #+
price:
  priceAmount: 1
  unheardOf: 1 #+
team:
- username: u
  unheardOf: 1 #+
slaProperties:
- property: latency
  value: 4
  unit: h
  unheardOf: 1 #+
"""


@pytest.mark.parametrize(("version", "marks"), [("3.0.2", ("#!",)), ("3.2.0", ("#!", "#+"))])
def test_what_no_part_of_a_contract_knows_is_told_at_every_level_that_its_version_closes(version, marks):
    text = STRICT.replace("v3.0.2", f"v{version}")
    text = text.replace("metric:", "rule:") if version == "3.0.2" else text
    lines = [number for number, said in enumerate(text.splitlines(), 1) if said.endswith(marks)]
    assert sorted({line for line, _ in faults(text)}) == lines
    for line in lines:  # each alone is one too many for the standard
        kept = [said for number, said in enumerate(text.splitlines(), 1) if number == line or not said.endswith(marks)]
        assert not taken_by_the_standard("\n".join(kept), version)
    mended = "\n".join(said for said in text.splitlines() if not said.endswith(marks))
    assert taken_by_the_standard(mended, version)
    assert faults(mended) == []
