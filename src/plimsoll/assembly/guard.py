"""`plimsoll.Guard`: the guard, put together from a manifest."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final, Self

import msgspec

from plimsoll.assembly.project import Project, find_manifest
from plimsoll.assembly.releases import opener
from plimsoll.errors import PlimsollError
from plimsoll.guard.fleet import Fleet
from plimsoll.guard.left_open import end_dead, left_open
from plimsoll.ledger import Ledger
from plimsoll.ledger.host import ThisHost

_LOG: Final = logging.getLogger("plimsoll.guard")


def end_streams_of_the_dead(ledger: Ledger, system: str) -> int:
    """Record the end of streams whose process died; how many streams are left that are long past their deadline.

    What cannot be written now is written by whoever looks next.
    """
    host, now = ThisHost(), time.time_ns()
    try:
        for started in end_dead(ledger, system, host=host, now_ns=now):
            _LOG.warning("the stream %s began and never ended: its process died; its end is recorded now", started)
        return sum(stream.is_late for stream in left_open(ledger, system, host=host, now_ns=now))
    except PlimsollError as error:
        _LOG.warning("streams that were left open are looked for later: %s", error)
        return 0


class Guard(Fleet):
    """A guard with its own ledger, opened from a manifest; it obeys what `plimsoll rollout` says of releases."""

    @classmethod
    def open(
        cls, manifest: str | Path = "plimsoll.yaml", *, state: Path | None = None, longest_s: float | None = None
    ) -> Self:
        """A guard for the system that a manifest declares. Use it as a context manager, or call ``close``.

        Works inside a running event loop and after a fork. The release is recorded before the first decision.

        Args:
            manifest: the file, or a folder that holds ``plimsoll.yaml``.
            state: folder for ledger and keys, in place of the manifest's.
            longest_s: seconds that a decision may take where the manifest names no deadline; None: as long as it takes.

        Raises:
            InvalidFile: the manifest or a contract has problems; all of them, each with its place.
            TargetError: the target cannot be imported.
            StoreError: the ledger cannot be opened.
        """
        project = Project(find_manifest(str(manifest)), state=state)
        parts = project.guard_parts()
        if longest_s is not None and parts["settings"].deadline_s is None:
            parts["settings"] = msgspec.structs.replace(parts["settings"], deadline_s=longest_s)
        ledger = project.open_ledger()
        try:
            project.record_release(ledger)
            end_streams_of_the_dead(ledger, project.manifest.system)
            return cls(
                ledger=ledger,
                open_release=opener(project, ledger),
                spend=project.purse(ledger, parts["target"]),
                **parts,
            )
        except BaseException:
            ledger.close()
            raise

    def close(self) -> None:
        """Make every record durable, seal the stream, and let go of the ledger."""
        try:
            super().close()
        finally:
            self.ledger.close()
