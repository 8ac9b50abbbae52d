"""Every error that crosses our boundary.

::

    PlimsollError
    ├── InputError            the operator can mend what was given            exit 2
    │   ├── InvalidFile       one or many problems, each with file, line, column
    │   ├── UsageError        the command or call is off
    │   ├── MissingExtra      an optional extra is not installed
    │   ├── TargetError       the target cannot be loaded
    │   └── Conflict          an idempotency key, or the quarantine, is in somebody else's hands
    ├── NotReady              the answer is no                                 exit 3
    ├── NoAccess              who asks is not known, or may not                exit 3
    ├── NotAllowed            who asks is known, and may not do this           exit 3
    ├── NoEvidence            nothing was measured, so nothing can be said     exit 4
    ├── VerificationFailed    a signature, proof, digest or ledger is wrong    exit 5
    └── StoreError            the store cannot take or give what was asked     exit 6
        ├── StoreLocked       another process holds it longer than we wait
        ├── StoreLost         the database cannot be reached; nothing was written
        ├── StoreUnsure       it was lost during a commit; nobody can tell yet whether it was written
        ├── StoreFull         no space left
        ├── StoreReadOnly     no permission to write
        ├── StoreDamaged      truncated, or not a ledger
        ├── StoreTooNew       written by a later format version
        ├── StoreClosed       used after close
        └── Refused           the store itself refused a row (a rule it guards)

Each class takes facts and builds its own message: what happened, where, what to do. Callers read attributes and never
parse text. A message names a field, never the personal value in it.
"""

from __future__ import annotations

import msgspec


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a file. Lines and columns count from 1; 0 means "the file as a whole"."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, as printed and as found under ``problems`` of ``--json``."""

    code: str  # stable, dotted: "manifest.unknown-key"
    message: str  # what was found, what is allowed
    where: Where | None = None
    fix: str = ""  # what to do

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f"\n    {self.fix}" if self.fix else "")


class PlimsollError(Exception):
    """Base of all errors that this package raises on purpose."""

    exit_code = 1
    code = "internal"

    def __init__(self, message: str, *, fix: str = "", where: Where | None = None) -> None:
        self.message = message
        self.fix = fix
        self.where = where
        super().__init__(str(self.problems[0]))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The error as problems; at least one."""
        return (Problem(code=self.code, message=self.message, where=self.where, fix=self.fix),)


class InputError(PlimsollError):
    """Something that was given can be mended by who gave it."""

    exit_code = 2
    code = "input"


class InvalidFile(InputError):
    """A file holds one or more problems; all of them, found in one pass."""

    code = "input.file"

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        assert problems, "an invalid file has at least one problem"
        self.file = file
        self._problems = problems
        super().__init__(f"{file}: {len(problems)} problem{'s' if len(problems) > 1 else ''}")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong, in the order of the file."""
        return self._problems

    def __str__(self) -> str:
        return "\n".join(str(p) for p in self._problems)


class UsageError(InputError):
    """A command or a call was used in a way it does not offer."""

    code = "usage"


class MissingExtra(InputError):
    """An optional part is not installed."""

    code = "input.missing-extra"

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        super().__init__(
            f"{needed_for} needs the extra '{extra}', which is not installed",
            fix=f"pip install 'plimsoll-ai[{extra}]'",
        )


class TargetError(InputError):
    """The target named in the manifest cannot be loaded or used."""

    code = "target"


class Conflict(UsageError):
    """An idempotency key was used with another input, or by a call that has not ended; or somebody else is at work."""

    code = "conflict"


class NoAccess(PlimsollError):
    """A token is missing, unknown, expired, revoked, or does not reach so far.

    Which of the first four it is, is not told to who presents it.
    """

    exit_code = 3
    code = "no-access"

    def __init__(self, message: str, *, known: bool) -> None:
        self.known = known  # True: the token holds, and does not reach so far
        super().__init__(message)


class NotReady(PlimsollError):
    """The line is not met: the answer is no."""

    exit_code = 3
    code = "not-ready"


class NotAllowed(PlimsollError):
    """Somebody who is named may not do what they asked for; the message says who may."""

    exit_code = 3
    code = "not-allowed"


class NoEvidence(PlimsollError):
    """Something was asked of which nothing was measured."""

    exit_code = 4
    code = "no-evidence"

    def __init__(self, condition: str, *, fix: str = "") -> None:
        self.condition = condition
        super().__init__(
            f"no evidence for '{condition}': the gate stays closed",
            fix=fix or "run `plimsoll check` to measure it, then ask again",
        )


class VerificationFailed(PlimsollError):
    """A signature, proof, digest or record does not hold."""

    exit_code = 5
    code = "verification"


class StoreError(PlimsollError):
    """The store cannot do what was asked; nothing was acknowledged."""

    exit_code = 6
    code = "store"


class StoreLocked(StoreError):
    """Another process holds the store for longer than we wait."""

    code = "store.locked"


class StoreLost(StoreError):
    """The database cannot be reached; nothing of what was asked was written."""

    code = "store.lost"


class StoreUnsure(StoreError):
    """The store was lost in the middle of a commit and is not back: whether it was written cannot be told yet."""

    code = "store.unsure"


class StoreFull(StoreError):
    """There is no space left to write a record."""

    code = "store.full"


class StoreReadOnly(StoreError):
    """The store, or its folder, may not be written."""

    code = "store.read-only"


class StoreDamaged(StoreError):
    """The file is truncated or is not a ledger."""

    code = "store.damaged"


class StoreTooNew(StoreError):
    """The store was written by a later format version than this one knows."""

    code = "store.too-new"


class StoreClosed(StoreError):
    """The ledger was used after it was closed."""

    code = "store.closed"


class Refused(StoreError):
    """The store refused a row by a rule it guards itself (a human-only decision with `called` set, a taken key)."""

    code = "store.refused"
