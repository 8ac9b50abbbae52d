"""What the Open Data Contract Standard allows under ``servers``: the keys of each type of server, by version.

Source: ``ServerSource`` in the JSON Schemas of ODCS 3.0.2, 3.1.0 and 3.2.0 (see `odcs`). Two entries depart from them:
a DuckDB schema is a text in every version (3.0.2 asks for a whole number, which 3.1.0 mended), and a location need not
be a URI, which the schemas annotate and do not assert.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

# "host! port database": `!` must be there; `!<2` must be there before v3.2; `@1` is known from v3.1 on.
_ALWAYS: Final = 99
_DATABASE: Final = "host! port! database!"
_SCHEMA: Final = "host! port! database! schema!"
_FILES: Final = "location! format delimiter encoding@2"
_KEYS: Final[Mapping[str, str]] = {
    "api": "location!",
    "athena": "stagingDir!<2 schema! catalog regionName workgroup@2",
    "azure": "location! format! delimiter encoding@2",
    "bigquery": "project! dataset!",
    "btrieve@2": "host! port database!",
    "clickhouse": _DATABASE,
    "databricks": "host catalog! schema!",
    "denodo": "host! port! database",
    "dremio": "host! port! schema",
    "duckdb": "database! schema",
    "exasol@2": "host! port schema",
    "fastobjects@2": "database! host port",
    "glue": "account! database! location format encoding@2",
    "hana@2": "host! port database schema",
    "cloudsql": _SCHEMA,
    "db2": f"{_DATABASE} schema",
    "hive@1": "host! port database!",
    "iceberg@2": "catalog! catalogUrl! namespace warehouse",
    "impala@1": "host! port database!",
    "informix": "host! port database!",
    "ingres@2": "host! port database!",
    "kafka": "host! format encoding@2",
    "kinesis": "region format encoding@2",
    "local": "path! format! encoding@2",
    "mysql": _DATABASE,
    "oracle": "host! port! serviceName!",
    "poet@2": "database! host port",
    "postgresql": _SCHEMA,
    "postgres": _SCHEMA,
    "presto": "host! catalog schema",
    "pubsub": "project!",
    "redshift": "host database! schema! region account",
    "s3": f"{_FILES} endpointUrl",
    "sftp": _FILES,
    "snowflake": "host port account! database! schema! warehouse",
    "sqlserver": "host! port database! schema!",
    "synapse": _DATABASE,
    "teradata@2": "host! port database",
    "trino": "host! port! catalog! schema!",
    "vectorwise@2": "host! port database!",
    "versant@2": "database! host port",
    "vertica": _SCHEMA,
    "zen@1": "host! port database!",
    "custom": (
        "account catalog database dataset delimiter encoding@2 endpointUrl format host location path port project "
        "region regionName schema serviceName stagingDir stream@1 warehouse"
    ),
}


class ServerKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a type of server."""

    name: str
    since: int = 0  # minor version that it is known from
    required_until: int = 0  # it must be there in minor versions before this one


def _key(written: str) -> ServerKey:
    rest, _, since = written.partition("@")
    name, must, until = rest.partition("!")
    required_until = (int(until.removeprefix("<")) if until else _ALWAYS) if must else 0
    return ServerKey(name=name, since=int(since or 0), required_until=required_until)


def _types() -> dict[str, tuple[int, tuple[ServerKey, ...]]]:
    made: dict[str, tuple[int, tuple[ServerKey, ...]]] = {}
    for written, keys in _KEYS.items():
        name, _, since = written.partition("@")
        made[name] = (int(since or 0), tuple(_key(k) for k in keys.split()))
    return made


# Type of server: the minor version that it is known from, and its keys.
SERVER_TYPES: Final[Mapping[str, tuple[int, tuple[ServerKey, ...]]]] = MappingProxyType(_types())
WORDS_BEFORE_1: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"format": ("parquet", "delta", "json", "csv"), "delimiter": ("new_line", "array")}
)  # what azure, s3 and sftp take in v3.0; any text since
FILE_SERVERS: Final = frozenset({"azure", "s3", "sftp"})
