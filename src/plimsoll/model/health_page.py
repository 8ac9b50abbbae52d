"""The health page: whose work would change, and what would have to be connected, as one small file declares it.

health: 1
work:
  - role: Claims handlers
    agrees: head-of-claims@example.org
    change: They decide the exceptions and no longer type in every amount.
sources:
  claims:
    system: Claims mainframe
    since: 1994-05-01
    documentation: partial
    owner: {name: Mainframe team, contact: mainframe@example.org}
    lead_time: 60 days
"""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar, Final

import msgspec

from plimsoll.errors import InvalidFile
from plimsoll.model.asked import Asked, Contact, Day, Duration, Name, Says, Sentence, Slug, key_of
from plimsoll.model.canonical import digest
from plimsoll.model.declared import Declared
from plimsoll.model.manifest import Party
from plimsoll.model.manifest_reader import Reader
from plimsoll.model.yaml_source import Path, Source, load, load_bytes

HEALTH_FORMAT: Final = 1
_OF_MANIFESTS: Final = "manifest."  # the reader's own codes begin with it


class Documented(enum.StrEnum):
    """How far a source is described."""

    COMPLETE = "complete"  # every field, and it is true
    PARTIAL = "partial"
    NONE = "none"


class ChangedWork(Declared, frozen=True, kw_only=True):
    """Somebody's work that the system would change."""

    role: Annotated[Name, Says("whose work changes, as people call them")]
    agrees: Annotated[Contact, Says("contact of the person who signs for them")]
    change: Annotated[Sentence, Says("what will be different for them, in a sentence")]

    @property
    def digest(self) -> str:
        """What a signature is for: another role, person or change is another question."""
        return digest([self.role, self.agrees, self.change])


class SourceFacts(Declared, frozen=True, kw_only=True):
    """What is known of one source. What nobody can say is left out, and counts as unclear."""

    system: Annotated[Name, Says("the system that sends the records")] = ""
    since: Annotated[Day | None, Says("the day since when it has been in use, such as 1994-05-01")] = None
    documentation: Annotated[Documented | None, Says("how far its fields are described")] = None
    owner: Annotated[Party | None, Says("who answers for the source")] = None
    lead_time: Annotated[Duration | None, Says("how long it takes until it may be connected, such as 60 days")] = None


class HealthPage(Declared, frozen=True, kw_only=True):
    """One health page."""

    health: Annotated[int, Asked(least=HEALTH_FORMAT), Says("version of this format: 1")]
    work: Annotated[tuple[ChangedWork, ...], Says("whose work would change")] = ()
    sources: Annotated[dict[Slug, SourceFacts], Says("what is known of each source, by its name")] = msgspec.field(
        default_factory=dict
    )


class _Page(Reader):
    """The reader of manifests, for another root and under other codes."""

    root: ClassVar[type[msgspec.Struct]] = HealthPage

    def note(self, code: str, path: Path, message: str, *, fix: str = "", at_key: bool = False) -> None:
        super().note(code.replace(_OF_MANIFESTS, "health.", 1), path, message, fix=fix, at_key=at_key)


def read_health_page(text: str, file: str) -> HealthPage:
    """Read and check one page.

    Args:
        text: the whole file.
        file: its name, for messages only; nothing is opened.

    Raises:
        InvalidFile: with every problem, in the order of the file.
    """
    return _read(load(text, file))


def read_health_page_bytes(raw: bytes, file: str) -> HealthPage:
    """As `read_health_page`, from the bytes of the file.

    Raises:
        InvalidFile: also when the bytes are not UTF-8.
    """
    return _read(load_bytes(raw, file))


def _read(source: Source) -> HealthPage:
    version = source.data.get("health") if isinstance(source.data, dict) else None
    if type(version) is int and version > HEALTH_FORMAT:
        later = source.problem(
            "health.version",
            ("health",),
            f"the file says version {version} of this format; this is version {HEALTH_FORMAT}",
            fix="upgrade plimsoll-ai, or write the file for this version",
        )
        raise InvalidFile(source.file, (later,))
    reader = _Page(source)
    page = reader.value(key_of(HealthPage), source.data, ())
    if reader.problems:
        raise InvalidFile(
            source.file,
            tuple(sorted(reader.problems, key=lambda p: (p.where.line, p.where.column) if p.where else (0, 0))),
        )
    assert isinstance(page, HealthPage)
    return page
