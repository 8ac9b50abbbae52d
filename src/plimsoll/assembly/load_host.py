"""The child process of a load test: hosts the guard in process and answers the driver over a local socket.

Run as ``python -m plimsoll.assembly.load_host MANIFEST STATE RUN TYPE SOCKET``. A payload is the name of a source, a
zero byte, and the record as that source sends it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from plimsoll.assembly.assessing import Uncovered
from plimsoll.assembly.checking import OPENED
from plimsoll.assembly.project import Project
from plimsoll.engine.cell import serve_cell
from plimsoll.errors import PlimsollError, TargetError
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.decision import Answer, Disposition
from plimsoll.model.evidence import Started


def host(manifest: Path, state: Path, run: str, socket_path: str, decision_type: str) -> None:
    """Serve until the driver hangs up; then record which files were opened that the release does not cover."""
    project = Project(manifest, state=state)
    project.watch(OPENED)
    with project.open_ledger() as ledger, project.open_guard(ledger, run=run, rehearsal=True) as guard:
        _check_release(project, ledger, run)

        async def adecide(payload: bytes) -> str:
            source, _, record = payload.partition(b"\0")
            answer = await guard.adecide(decision_type, record, source=source.decode())
            return counted_as(answer)

        serve_cell(socket_path, adecide=adecide)
        OPENED.stop()
        outside = project.uncovered(OPENED)
        if outside:
            found = Uncovered(release=project.release.digest, files=outside)
            ledger.append(
                Draft(kind="release.uncovered", system=project.manifest.system, body=msgspec.json.encode(found))
            )


def counted_as(answer: Answer) -> str:
    """How a load test counts an answer: a person who takes what the target failed to answer does not mend the failure.

    Whatever the fallback made of it, a call for which there was no room was shed, and any other that the target did
    not answer failed. Held for its tier or its confidence, it was answered.
    """
    if answer.why == "no-room":
        return Disposition.SHED.value
    if answer.via.startswith("fallback:"):
        return Disposition.FAILED.value
    return answer.disposition.value


def _check_release(project: Project, ledger: Ledger, run: str) -> None:
    """Two processes read the files, one after the other: what is driven must be what the evidence will name.

    Raises:
        TargetError: it is not.
    """
    entry = ledger.get(run)
    assert entry is not None, "a run is recorded before its cell is started"
    release = msgspec.json.decode(ledger.body(entry), type=Started).release
    if release != project.release.digest:
        raise TargetError(
            f"the files of {project.file} changed after the measurement had begun",
            fix="leave them as they are while it runs, and run it again",
        )


def main(arguments: list[str]) -> int:
    """Parse what the load test passes; say on stderr what went wrong."""
    manifest, state, run, decision_type, socket_path = arguments
    # A target that prints must not write into anything of ours.
    os.dup2(2, 1)
    try:
        host(Path(manifest), Path(state), run, socket_path, decision_type)
    except PlimsollError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
