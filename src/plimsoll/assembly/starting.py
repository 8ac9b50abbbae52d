"""`plimsoll init`: a first manifest and contract, and a feed that begins with the sample."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.assembly.contracting import personal_kinds
from plimsoll.assembly.project import Project
from plimsoll.contract import infer_contract, parse_record
from plimsoll.errors import InputError, UsageError
from plimsoll.model.manifest_writer import slug_of, starting_manifest

MOST_RECORDS: Final = 10_000  # read of a sample; more would not change what is inferred
_URL: Final = r"https?://[^\s@/?#]+(?:[/?][^\s#]*)?"
_TARGET: Final = re.compile(rf"(?!openai:)[A-Za-z_][\w.]*:[A-Za-z_][\w.]*|{_URL}|openai:[^\s@]+(@{_URL})?")
MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, and what is odd about it."""

    manifest: Path
    contract: Path | None  # None: there was no sample to infer one from
    feed: Path | None
    records: int
    skipped: tuple[str, ...]  # lines of the sample that are no record, and why
    target_problem: str  # why the target cannot be asked as yet; "" when it can, as far as one can tell from here


def start(target: str, sample: Path | None, *, into: Path, system: str | None = None) -> Started:
    """Write ``plimsoll.yaml`` and, from a sample, ``contracts/<name>.odcs.yaml`` and ``feed/<name>.jsonl``.

    Nothing is written unless all of it can be, and existing files are never overwritten.

    Args:
        target: the callable, as ``package.module:function``; the URL of a service; or ``openai:MODEL``, with ``@URL``
            behind it for another endpoint than OpenAI's own. It need not be there yet.
        sample: real records, one JSON value a line; None: there are none yet.
        into: folder of the new system; it is made.
        system: its short name; None: from the folder's.

    Raises:
        UsageError: the target names nothing that can be asked, or the system's name is no short name.
        InputError: the sample cannot be read or holds no record; a file is there already, or cannot be written.
    """
    if not is_target(target):
        raise UsageError(
            f"'{target}' names no target",
            fix="write package.module:function, https://host/path, openai:MODEL, or openai:MODEL@https://host/v1",
        )
    if system is not None and not (system and slug_of(system) == system):
        raise UsageError(
            f"'{system}' is not a short name of a-z, 0-9 and '-'",
            fix=f"write --system {slug_of(system) or 'my-system'}",
        )
    manifest = into / "plimsoll.yaml"
    files: dict[Path, str] = {}
    records: list[Any] = []
    skipped: tuple[str, ...] = ()
    contract = feed = None
    if sample is not None:
        records, skipped = _records(sample)
        name = slug_of(sample.stem) or "records"
        contract = into / "contracts" / f"{name}.odcs.yaml"
        files[contract] = infer_contract(records, name=name, file_note=sample.name, personal=personal_kinds)
        feed = into / "feed" / f"{name}.jsonl"
    files[manifest] = starting_manifest(
        target,
        sample=None if feed is None else "feed",
        contract=None if contract is None else contract.relative_to(into).as_posix(),
        system=system or slug_of(into.resolve().name) or "system",
    )
    _write(files, sample, feed)
    project = Project(manifest)  # what is written loads, or this raises
    return Started(
        manifest=manifest,
        contract=contract,
        feed=feed,
        records=len(records),
        skipped=skipped,
        target_problem=_target_problem(project),
    )


def is_target(text: str) -> bool:
    """Whether a text names what could be asked: a callable, a service, or a chat endpoint."""
    return _TARGET.fullmatch(text) is not None


def _write(files: dict[Path, str], sample: Path | None, feed: Path | None) -> None:
    copied = sample is not None and feed is not None and not (feed.exists() and feed.samefile(sample))
    for file in (*files, *((feed,) if feed is not None and copied else ())):
        if file.exists():
            raise InputError(f"'{file}' is there already", fix="move it away, or give another folder: --into DIR")
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if copied and sample is not None and feed is not None:
            feed.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(sample, feed)
    except OSError as why:
        raise InputError(
            f"'{why.filename or feed}' cannot be written: {why.strerror}", fix="give another folder: --into DIR"
        ) from why


def _target_problem(project: Project) -> str:
    try:
        project.load_target().close()
    except InputError as error:
        return error.message
    return ""


def _records(sample: Path) -> tuple[list[Any], tuple[str, ...]]:
    records: list[Any] = []
    skipped: list[str] = []
    try:
        with sample.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if len(records) >= MOST_RECORDS:
                    break
                if not line.strip():
                    continue
                parsed = parse_record(line.rstrip(b"\r\n"), max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
                if parsed.reasons:
                    skipped.append(f"{sample}:{number}: no record: {parsed.reasons[0].found}")
                elif not isinstance(parsed.value, dict):
                    skipped.append(f"{sample}:{number}: no record: a {type(parsed.value).__name__}, not an object")
                else:
                    records.append(parsed.value)
    except OSError as why:
        raise InputError(f"the sample '{sample}' cannot be read: {why.strerror}", fix="mend --sample") from why
    if not records:
        raise InputError(
            f"the sample '{sample}' holds no record" + (f": {skipped[0]}" if skipped else ""),
            fix="give real records, one JSON object a line",
        )
    return records, tuple(skipped[:20])
