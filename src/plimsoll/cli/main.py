"""The command line: parse, call one function, print, map errors to exit codes.

Nothing heavy is imported here: `plimsoll --help` and `--version` must cost little more than the interpreter.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in the package itself
if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = "0.1.0"

HELP = """\
Plimsoll: the load line for AI systems. It measures readiness, refuses what is below the line, and keeps it above.

  plimsoll demo                      the whole story on real data, in about a minute
  plimsoll health-check FILES        before anybody commits: is the data fit? live or prepared, go or no-go
  plimsoll init TARGET --sample FILE a commented manifest and an inferred contract for your own function
  plimsoll check [MANIFEST]          measures what the threshold asks for, then judges: the main job

  plimsoll assess NAME [MANIFEST]    one assessment: evaluation, contracts, stability, accountability, …
  plimsoll gate [MANIFEST]           judges the evidence there is; --attest FILE signs the verdict
  plimsoll verify FILE               checks an attestation, offline: --subject DIGEST --trust FILE
  plimsoll threshold show|sign|history|except
                                     the line, the signature of the person who sets it, and that person's exceptions
  plimsoll accept [MANIFEST]         an owner or operator accepts a release with their own key
  plimsoll contract lint|diff|infer  data contracts: are they right, whom does a change break, a first one from records
  plimsoll govern show|decide|exceptions
                                     the governance page: what it says, and whether this data may go there
  plimsoll keys new|show|ledger      makes a key; shows its public half for trust.yaml
  plimsoll decide TYPE [INPUT]       decisions from the shell: JSON Lines in, JSON Lines out
  plimsoll rollout build|shadow|canary|promote|rollback|drill|end|list
                                     releases: keep one, run it beside the live one, promote it, go back, practise it
  plimsoll serve [MANIFEST]          decisions over HTTP, in several processes; readiness, metrics, OpenAPI
  plimsoll token new|list|revoke     who may ask the server, for what, until when
  plimsoll control stop|resume       makes every running guard hold for people, and takes it back
  plimsoll quarantine list|show|replay|discard
                                     what could not be processed, and why; mend it and send it through again
  plimsoll ledger verify|show|prove|check|erase|begin
                                     the record: is it whole, what stands in it, prove one entry, forget a person
  plimsoll completion bash|zsh       lets the shell complete commands and options

`plimsoll COMMAND --help` says what one is for, with an example. Every command takes --json, --quiet and --debug.
Data goes to stdout, talk to stderr.
Exit codes: 0 done or ready · 1 our error · 2 usage or broken input · 3 the answer is no · 4 cannot say yet ·
5 verification failed · 6 the store is locked, full, read-only or unreachable · 130 interrupted
"""
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help"} or arguments == ["help"]:
        return _print(HELP)
    if arguments[0] in {"-V", "--version"}:
        return _print(f"plimsoll {VERSION}\n")
    if arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    try:
        # What follows needs the manifest reader and more; it is a path of its own for the sake of the two above.
        from plimsoll.cli.interrupt import Interrupt  # noqa: PLC0415

        interrupt = Interrupt()
        interrupt.hold()
        from plimsoll.cli.run import run_command  # noqa: PLC0415
    except KeyboardInterrupt:  # before there is anything to end in good order
        return INTERRUPTED
    return run_command(arguments, interrupt)


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # `plimsoll --help | head -1`: who read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
