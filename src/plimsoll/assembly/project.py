"""A system as it lies on disk: its manifest, contracts, release, and where its state is kept."""

from __future__ import annotations

import contextlib
import copy
import errno
import os
import secrets
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from plimsoll.assembly.calling import call_rules, fallback_steps, standby_names
from plimsoll.assembly.standing_in import check_stand_ins
from plimsoll.attest import PrivateKey, generate, read_private, save_private
from plimsoll.contract import Checker, Contract, compile_contract, field_classes, read_contract_bytes
from plimsoll.contract.arrivals import SourceRule, rules_of
from plimsoll.errors import InputError, InvalidFile, Problem, StoreError, StoreFull, StoreReadOnly, UsageError
from plimsoll.guard import Addressee, Border, Constant, GuardedType, GuardSettings, Target, load_target
from plimsoll.guard import Guard as BareGuard
from plimsoll.guard.purse import Purse
from plimsoll.ledger import Draft, Ledger
from plimsoll.ledger.places import is_database, store_at
from plimsoll.ledger.sqlite_store import SqliteStore
from plimsoll.ledger.store import Store
from plimsoll.ledger.witness import FileWitness
from plimsoll.model.canonical import canonical
from plimsoll.model.evidence import SERVICE
from plimsoll.model.governance import Governance
from plimsoll.model.governance_reader import read_governance_bytes
from plimsoll.model.manifest import Classification, DecisionType, Durability, Manifest
from plimsoll.model.manifest import Target as DeclaredTarget
from plimsoll.model.manifest_reader import read_manifest_bytes
from plimsoll.model.prices import WhenSpent
from plimsoll.model.quarantine import QuarantineBound
from plimsoll.model.service import undeclared
from plimsoll.model.threshold import Threshold
from plimsoll.policy import Gatekeeper
from plimsoll.rollout import OpenedFiles, Release, build_release, code_outside, uncovered

WATCHED_WORKER = "plimsoll.assembly.worker_host"  # the main module of a worker that says which files it opened
SEALED = {Classification.CONFIDENTIAL, Classification.PERSONAL, Classification.SPECIAL}


class LedgerSigner:
    """A key of ours as what signs checkpoints."""

    def __init__(self, name: str, key: PrivateKey) -> None:
        self.name = name
        self.public = key.public.raw
        self.sign = key.sign


class GuardParts(TypedDict):
    """What `Guard` is made of, by the names of its arguments; all but the ledger."""

    settings: GuardSettings
    target: Target
    inputs: Mapping[str, Checker]
    default_input: Checker | None
    output: Checker | None
    hold_to_release: Callable[[Callable[..., Any]], None]
    border: Border
    addressee: Addressee | None
    others: Mapping[str, Target]
    source_rules: Mapping[str, SourceRule]


class Project:
    """One system's files, read and compiled once.

    Args:
        file: the manifest.
        state: folder for ledger, keys and reports; None: as the manifest says, by default ``.plimsoll`` beside it.

    Raises:
        InvalidFile: manifest, contracts or governance page have problems; all of them.
        InputError: a file that is named cannot be read.
    """

    def __init__(self, file: Path, *, state: Path | None = None) -> None:
        self.file = file
        self.folder = file.parent.absolute()  # a target may change the current folder, often while it is imported
        self.manifest: Manifest = read_manifest_bytes(read_file(file, "manifest"), str(file))
        in_database = is_database(self.manifest.ledger)
        default = self.folder / (".plimsoll/ledger.db" if in_database else self.manifest.ledger)
        self.state = default.parent if state is None else state.absolute()
        self._watcher: OpenedFiles | None = None  # while it is measured: told what worker processes open
        self._ledger_at: Path | str = self.manifest.ledger if in_database else self.state / default.name
        self.inputs = self._contracts(self.manifest.data.inputs)
        self.outputs = self._contracts(self.manifest.data.outputs)
        self.governance = self._governance(self.manifest.governance)
        answers = self.manifest.data.answers
        if answers is not None and self.governance is not None and answers.to not in self.governance.places:
            raise InputError(
                f"{file}: data.answers goes to '{answers.to}', which {self.manifest.governance} does not name",
                fix=f"name one of its destinations: {', '.join(self.governance.places)}",
            )
        if len(self.outputs) > 1:
            raise InputError(
                f"{file} names {len(self.outputs)} contracts under data.outputs; this version checks one",
                fix="name the one that every output must keep",
            )

    # -- contracts

    def _contracts(self, paths: tuple[str, ...]) -> tuple[Contract, ...]:
        contracts: list[Contract] = []
        problems: list[Problem] = []
        for path in paths:
            try:
                contracts.append(
                    read_contract_bytes(read_file(self.folder / path, "contract"), str(self.file.parent / path))
                )
            except InvalidFile as invalid:
                problems.extend(invalid.problems)
        if problems:
            raise InvalidFile(problems[0].where.file if problems[0].where else str(self.file), tuple(problems))
        return tuple(contracts)

    def _governance(self, path: str | None) -> Governance | None:
        """The organisation's page; one that cannot be read ends everything: nobody knows what it would forbid."""
        if path is None:
            return None
        return read_governance_bytes(read_file(self.folder / path, "governance page"), str(self.file.parent / path))

    @cached_property
    def gatekeepers(self) -> Mapping[str, Gatekeeper]:
        """Who rules on records of each declared source, before they go to a target."""
        return {source: self._gatekeeper(contract) for contract in self.inputs for source in contract.sources}

    @cached_property
    def default_gatekeeper(self) -> Gatekeeper:
        """Who rules on records of sources that none declares: by the first contract, as they are checked."""
        return self._gatekeeper(self.inputs[0] if self.inputs else None)

    def _gatekeeper(self, contract: Contract | None) -> Gatekeeper:
        return Gatekeeper(
            self.governance,
            system=self.manifest.system,
            classes=field_classes(contract),
            default=self.manifest.data.classification,
        )

    @cached_property
    def addressee(self) -> Addressee | None:
        """Who rules on what who asks may be told; None: the manifest does not say who that is."""
        answers = self.manifest.data.answers
        if answers is None:
            return None
        default = answers.classification or self.manifest.data.classification
        ruler = partial(Gatekeeper, self.governance, system=self.manifest.system, default=default)
        contract = self.outputs[0] if self.outputs else None
        return Addressee(answers.to, ruler(classes=field_classes(contract)), ruler(classes=field_classes(None)))

    @cached_property
    def checkers(self) -> Mapping[str, Checker]:
        """The compiled contract of each declared source."""
        compiled = [(contract, self._compile(contract)) for contract in self.inputs]
        return {source: checker for contract, checker in compiled for source in contract.sources}

    @cached_property
    def source_rules(self) -> Mapping[str, SourceRule]:
        """What each source has promised, and what stands in for it."""
        found = {source: rule for contract in self.inputs for source, rule in rules_of(contract).items()}
        check_stand_ins(found, self.checkers)
        return found

    @cached_property
    def default_checker(self) -> Checker | None:
        """The compiled contract of sources that none declares: the first."""
        return self._compile(self.inputs[0]) if self.inputs else None

    def _compile(self, contract: Contract) -> Checker:
        """With the data's own classification, so that no reason shows a value that must be kept closely."""
        return compile_contract(contract, classification=self.manifest.data.classification.value)

    @property
    def unenforced(self) -> tuple[str, ...]:
        """Every rule about single records of the input that nothing enforces yet, as "file:line rule: why"."""
        return tuple(
            f"{path}:{u.line} {u.rule}: {u.why}"
            for path, c in zip(self.manifest.data.inputs, self.inputs, strict=True)
            for u in c.unenforced
            if u.of_records
        )

    # -- the line

    def judged_by(self, threshold: Threshold) -> Project:
        """The same files, measured and judged by another threshold than the one that the manifest holds."""
        other = copy.copy(self)
        other.manifest = msgspec.structs.replace(self.manifest, threshold=threshold)
        return other

    # -- release

    @cached_property
    def release(self) -> Release:
        """What lies here now, as a release."""
        return build_release(self.manifest, self.folder)

    def record_release(self, ledger: Ledger) -> str:
        """Write the release down, once; gives the id of its entry."""
        for entry in ledger.entries(kinds=("release.built",), system=self.manifest.system):
            if self.release.digest.encode() in ledger.body(entry):
                return entry.id
        return ledger.append(Draft(kind="release.built", system=self.manifest.system, body=canonical(self.release)))

    @property
    def watched_as(self) -> str:
        """Under which name the watcher of opened files notes what is opened for this system."""
        return str(self.folder.resolve())

    @property
    def services(self) -> tuple[str, ...]:
        """The services that the target rests on; who answers there is only declared."""
        targets = (self.manifest.target, *self.manifest.target.standbys)
        return tuple(dict.fromkeys(s for each in targets for s in (*each.services, each.service) if s))

    def watch(self, opened: OpenedFiles) -> None:
        """Begin to note what is opened and reached for this system, also in worker processes started from now on."""
        self._watcher = opened
        opened.start(self.watched_as, services=self.services)

    def uncovered(self, opened: OpenedFiles) -> tuple[str, ...]:
        """What had a part in it so far and is not covered, and what of the release has changed meanwhile.

        Files that neither the release nor its environment covers, and services that the manifest does not declare, as
        ``service:host:port``.
        """
        files = uncovered(opened.of(self.watched_as), self.release.covered)
        services = undeclared(opened.services(self.watched_as), self.services)
        return (
            *(self._relative(Path(p)) for p in files),
            *(f"{SERVICE}{service}" for service in services),
            *self._changed(),
        )

    def _changed(self) -> tuple[str, ...]:
        """What of the release is no longer as it was: then nobody knows what was measured."""
        try:
            was, now = self.release.parts, build_release(self.manifest, self.folder).parts
        except InputError as gone:
            return (f"{gone.message} (it could when the measurement began)",)
        changed = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
        return tuple(f"{name} (changed while it was measured)" for name in changed)

    def _relative(self, path: Path) -> str:
        try:
            return path.resolve().relative_to(self.folder.resolve()).as_posix()
        except ValueError:
            return str(path)

    def hold_to_release(self, function: Callable[..., Any]) -> None:
        """Return when the release covers the code of a function, and of all that it is wrapped in or holds.

        Raises:
            UsageError: it does not; with the file that the code is in.
        """
        found = code_outside(function, self.release)
        if found is None:
            return
        package = self.manifest.target.python.partition(":")[0].partition(".")[0]
        if found.changed:
            raise UsageError(
                f"what '{found.what}' runs is not what {self._relative(Path(found.where))} holds: the file was changed "
                "after the release was taken, or the function was made in another way",
                fix="start the program anew, with the files as they are; that takes the release of them",
            )
        raise UsageError(
            f"the code of '{found.what}' is in {found.where}, which the release does not cover: no record could say "
            "what took the decision",
            fix=f"put it into a file of '{package}', the package of target.python, or name its file under "
            "target.artifacts",
        )

    # -- the running parts

    @cached_property
    def store(self) -> Store:
        """Where the ledger is kept, whether it is there already or not.

        Raises:
            UsageError, MissingExtra: the manifest names a database that cannot be used.
        """
        return store_at(self._ledger_at)

    @property
    def ledger_path(self) -> Path:
        """The ledger's file. Raises InputError where it is kept in a database."""
        if isinstance(self.store, SqliteStore):
            return self.store.path
        raise InputError(
            f"the ledger of {self.file} is kept in a database, and this needs a file",
            fix="name a file under `ledger` for this",
        )

    def open_ledger(self, *, read_only: bool = False) -> Ledger:
        """The system's ledger; made when there is none.

        Raises:
            StoreError: see its branches.
        """
        if read_only:
            return Ledger.open(self._ledger_at, signer=None, read_only=True)
        make_folder(self.state)
        signer = LedgerSigner(f"{self.manifest.system}/ledger", self.ledger_key)
        return Ledger.open(self._ledger_at, signer=signer, witness=FileWitness(self.witness_path))

    @property
    def witness_path(self) -> Path:
        """Where checkpoints are published when the operator names no better place."""
        return self.state / "witness.txt"

    @property
    def ledger_key_path(self) -> Path:
        """Where the key that signs checkpoints lies."""
        return self.state / "ledger.key"

    @cached_property
    def ledger_key(self) -> PrivateKey:
        """The key that signs checkpoints; made on the spot when there is none, and then pinned by nobody."""
        return own_key(self.ledger_key_path)

    def load_target(self, declared: DeclaredTarget | None = None) -> Target:
        """What answers, ready to be asked; whoever loads it closes it.

        Args:
            declared: another target than the one that is asked first.

        Raises:
            TargetError: it cannot be imported, started or asked as declared; with what to do.
            MissingExtra: it needs an extra that is not installed.
        """
        target = declared or self.manifest.target
        if self._watcher is None:
            return load_target(target, self.folder)
        note = partial(self._watcher.note, self.watched_as)
        return load_target(target, self.folder, worker=WATCHED_WORKER, on_opened=note)

    def open_guard(self, ledger: Ledger, *, run: str = "", rehearsal: bool = False) -> BareGuard:
        """A guard over this ledger; ``run`` is the assessment it measures for, ``rehearsal`` that it measures load."""
        parts = self.guard_parts(run=run, rehearsal=rehearsal)
        return BareGuard(ledger=ledger, spend=self.purse(ledger, parts["target"]), **parts)

    def purse(self, ledger: Ledger, target: Target, *, system: str = "") -> Purse | None:
        """What counts a target's calls against the day's budget; None: the manifest names none.

        Args:
            ledger: where what is spent is counted.
            target: what costs.
            system: whose budget it is; "": the manifest's.
        """
        manifest = self.manifest
        if manifest.budget is None or manifest.prices is None:
            return None
        return Purse(ledger, system or manifest.system, target.name, manifest.prices, manifest.budget)

    def guard_parts(
        self, *, run: str = "", rehearsal: bool = False, apart: bool = False, system: str = ""
    ) -> GuardParts:
        """What a guard of this system is made of, all but its ledger.

        Args:
            run: the assessment it measures for.
            rehearsal: that it measures load.
            apart: the code of Python targets runs in processes of its own, also where the manifest says nothing of
                them: an interpreter holds one module of a name, and another release has modules of the same names.
            system: under which name it records and is steered; "": the manifest's. What is practised has another.

        Raises:
            TargetError: the target, or one of its fallback chain, cannot be imported.
            InputError: a constant of the fallback chain breaks the output contract.
        """
        manifest = self.manifest
        output = self._compile(self.outputs[0]) if self.outputs else None
        self._check_constants(output)
        settings = GuardSettings(
            system=system or manifest.system,
            release=self.release.digest,
            types={name: _guarded(name, kind) for name, kind in manifest.decisions.items()},
            deadline_s=None if manifest.target.deadline is None else manifest.target.deadline.base,
            call=call_rules(manifest.target),
            fallback=fallback_steps(manifest.target),
            knowledge=manifest.knowledge,
            prices=manifest.prices,
            sheds_when_spent=manifest.budget is not None and manifest.budget.when_spent is WhenSpent.SHED,
            batched=manifest.durability is Durability.BATCHED,
            seal=self._seals,
            # What an assessment sends is counted by it, and must not come out otherwise because much is waiting.
            quarantine=None if run or rehearsal else (manifest.quarantine or QuarantineBound()),
            run=run,
            rehearsal=rehearsal,
        )
        return GuardParts(
            settings=settings,
            target=self.load_target(_apart(manifest.target) if apart else None),
            inputs=self.checkers,
            default_input=self.default_checker,
            hold_to_release=self.hold_to_release,
            output=output,
            border=Border(self.gatekeepers, self.default_gatekeeper, has_page=self.governance is not None),
            addressee=self.addressee,
            # What assessments replay is as old as its file; how sources are judged has an assessment of its own.
            source_rules={} if run else self.source_rules,
            others=dict(
                zip(
                    standby_names(manifest.target),
                    (self.load_target(_apart(each) if apart else each) for each in manifest.target.standbys),
                    strict=True,
                )
            ),
        )

    @property
    def _seals(self) -> bool:
        """Whether payloads are encrypted: the data as a whole, or a field that a contract names, is to be kept closely.

        One that cannot be read may hold anything its contract speaks of, so it does not depend on the single record.
        """
        fields = (field for contract in (*self.inputs, *self.outputs) for field in contract.objects)
        return self.manifest.data.classification in SEALED or any(field.hides for field in fields)

    def _check_constants(self, output: Checker | None) -> None:
        """A constant that its contract refuses would fail just when it is needed."""
        for step in fallback_steps(self.manifest.target):
            reasons = output.check(step.output).reasons if output and isinstance(step, Constant) else ()
            if reasons:
                first = reasons[0]
                raise InputError(
                    f"{self.file}: the constant of target.fallback breaks the contract of the output: "
                    f"'{first.path}' {first.rule}, expected is {first.expected}",
                    fix="mend the constant, or the contract under data.outputs",
                )


def _apart(target: DeclaredTarget) -> DeclaredTarget:
    """The same target with its Python code in worker processes."""
    if not target.python or target.workers is not None:
        return target
    return msgspec.structs.replace(target, workers=min(target.concurrency, os.cpu_count() or 1))


def own_key(path: Path) -> PrivateKey:
    """The private key in a file; made, readable by its owner alone, when there is none."""
    if path.exists():
        return read_private(path)
    make_folder(path.parent)
    if not os.access(path.parent, os.W_OK):
        raise StoreReadOnly(f"the folder '{path.parent}' may not be written", fix="give another --state")
    # Made beside its place and linked there: two processes that begin together end with the same key, and a crash
    # leaves no half of one.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        save_private(generate(), draft)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return read_private(path)


def make_folder(folder: Path) -> None:
    """A folder for state of ours.

    Raises:
        StoreError: it cannot be made; full, read-only, or something else lies there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        said = f"the folder '{folder}' cannot be made: {why.strerror}"
        if why.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(said, fix="free some space, then run it again") from why
        if why.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise StoreReadOnly(said, fix="give another --state, or ask for the right to write there") from why
        raise StoreError(said, fix="move what lies there away, or give another --state") from why


def find_manifest(given: str | None) -> Path:
    """The manifest that a command means: a file, a folder holding ``plimsoll.yaml``, or the current folder's.

    Raises:
        InputError: there is none.
    """
    place = Path(given or ".")
    file = place / "plimsoll.yaml" if place.is_dir() else place
    if not file.is_file():
        raise InputError(
            f"there is no manifest '{file}'",
            fix="name one, or make one: `plimsoll init module:function --sample data.jsonl`",
        )
    return file


def _guarded(name: str, kind: DecisionType) -> GuardedType:
    return GuardedType(
        name=name,
        tier=kind.tier,
        accountable=kind.accountable,
        review_below=None if kind.review_below is None else kind.review_below.base,
        next=kind.escalation[0] if kind.escalation else kind.accountable,
        consequence=kind.consequence,
        held_message=kind.held_message,
    )


def read_file(path: Path, what: str) -> bytes:
    """The bytes of a file that the operator named.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as why:
        raise InputError(
            f"the {what} '{path}' cannot be read: {why.strerror}", fix="mend the path, or make it"
        ) from why
