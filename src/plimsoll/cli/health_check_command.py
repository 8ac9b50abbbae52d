"""Before anybody commits: is the data fit for the project? Go or no-go, from the records themselves.

It needs no manifest, account, key or network, and sends nothing anywhere. Four questions: live or theatre? is this
real data? whose work changes? what has to be connected? What is unclear counts as a no. With a manifest the outcome is
recorded in the ledger and stands on every later board; it satisfies no condition of any threshold.

Exit code 0: go. 3: no-go, since an answer is no. 4: no-go, since an answer is unclear, and none is no.

Examples:
  plimsoll health-check claims.jsonl
  plimsoll health-check pilot.csv --live yesterday.jsonl.gz --report health.html
  plimsoll health-check claims.jsonl payments.csv --manifest plimsoll.yaml --page health.yaml --trust trust.yaml
  plimsoll health-check --manifest plimsoll.yaml --agree --as head-of-claims@example.org --key head.key
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.health import PAGE, Given, agree, check_files, read_page, usual_page, write_page
from plimsoll.assembly.project import Project, find_manifest
from plimsoll.assembly.trusting import trust_of
from plimsoll.attest import read_private
from plimsoll.cli.health_out import show_health
from plimsoll.cli.out import Out
from plimsoll.cli.progress import progress_for
from plimsoll.cli.project_options import add_project_options, here
from plimsoll.errors import UsageError
from plimsoll.model.health_page import HealthPage


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll health-check` takes."""
    parser.add_argument(
        "files", nargs="*", type=Path, help="records: JSON Lines, JSON or CSV, plain or gzip; or folders of such files"
    )
    parser.add_argument(
        "--live", metavar="FILE", type=Path, action="append", default=[],
        help="records of the running system, to compare with; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--contract", metavar="FILE", type=Path, action="append", default=[],
        help="the contract of a source; may be repeated; those of the manifest count, too",
    )  # fmt: skip
    parser.add_argument(
        "--page", metavar="FILE", type=Path,
        help="the health page: whose work changes, and the sources; default: health.yaml beside the manifest",
    )  # fmt: skip
    parser.add_argument(
        "--work", metavar="ROLE=CONTACT", action="append", default=[],
        help="somebody whose work changes, and who signs for them; may be repeated",
    )  # fmt: skip
    parser.add_argument("--manifest", metavar="FILE", help="record the outcome in the ledger of this system")
    add_project_options(parser)
    parser.add_argument("--report", metavar="FILE", type=here, help="write an HTML page; default: only with a manifest")
    parser.add_argument("--agree", action="store_true", help="sign that you agree, in place of looking at files")
    parser.add_argument("--refuse", metavar="WHY", help="sign that you do not agree, and why")
    parser.add_argument("--as", dest="contact", metavar="CONTACT", help="your contact in the health page")
    parser.add_argument("--key", metavar="FILE", type=Path, help="your private key")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Look, or sign."""
    project = None
    if arguments.manifest is not None:
        project = Project(find_manifest(arguments.manifest), state=arguments.state)
    page = read_page(_page_file(arguments, project), arguments.work)
    if arguments.agree or arguments.refuse is not None:
        return _sign(arguments, project, page, out)
    if not arguments.files:
        raise UsageError("there is nothing to look at", fix="give files with records: plimsoll health-check FILE")
    given = Given(
        files=tuple(arguments.files), live=tuple(arguments.live), contracts=tuple(arguments.contract), page=page
    )
    trust = None if arguments.trust is None else trust_of(Path(arguments.trust), None)
    with progress_for(out) as progress:
        progress.begin("health check", None)
        check = check_files(given, project=project, trust=trust, tick=progress.tick)
        progress.end(f"{sum(source.records for source in check.sources):,} records")
    to = arguments.report or (None if project is None else usual_page(project, check))
    return show_health(out, check, None if to is None else write_page(check, to))


def _page_file(arguments: argparse.Namespace, project: Project | None) -> Path | None:
    if arguments.page is not None or project is None:
        return arguments.page if arguments.page is None else Path(arguments.page)
    beside = project.folder / PAGE
    return beside if beside.is_file() else None


def _sign(arguments: argparse.Namespace, project: Project | None, page: HealthPage | None, out: Out) -> int:
    if project is None or arguments.contact is None or arguments.key is None:
        raise UsageError(
            "a signature needs a manifest, whose ledger it goes into, a contact and a key",
            fix="plimsoll health-check --manifest plimsoll.yaml --agree --as CONTACT --key FILE",
        )
    if arguments.files:
        raise UsageError("files are looked at, or an agreement is signed; not both at once", fix="run it twice")
    if arguments.agree and arguments.refuse is not None:
        raise UsageError("--agree and --refuse are two answers", fix="give one of them")
    signed = agree(project, page, arguments.contact, read_private(arguments.key), refused=arguments.refuse)
    out.give(signed)
    for each in signed:
        word = "agrees" if each.agrees else "refuses"
        out.show(f"{each.contact} {word} for {each.role}: {each.change}")
    out.say("It counts where trust.yaml pins this key for that contact with the role owner.")
    return 0
