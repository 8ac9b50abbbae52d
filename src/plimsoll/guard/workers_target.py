"""A Python callable in worker processes: what hangs, crashes or holds its interpreter is cut off and replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from plimsoll.engine.workers import REGULAR, WorkerFault, WorkerPool, WorkerSettings
from plimsoll.guard.target import Ask, TargetFault
from plimsoll.model.decision import Result


class WorkersTarget:
    """A callable in a pool of processes. Its record and its answer travel as MessagePack.

    Args:
        pool: started.
        name: how the manifest calls it, for messages.
    """

    destination = ""
    is_async = True

    def __init__(self, pool: WorkerPool, name: str) -> None:
        self.name = name
        self._pool = pool

    async def ask(self, ask: Ask) -> Any:
        """Call it in one of the processes.

        Raises:
            TargetFault: "timeout" (it was cut off), "crash", "unavailable" (no process was free), "invalid" (record or
                answer cannot be sent), or what the callable raised, by its kind.
        """
        try:
            returned = await self._pool.ask(ask.record, ask.deadline_s)
        except WorkerFault as why:
            raise TargetFault(why.kind, str(why), retry_after_s=why.retry_after_s) from why
        if returned.bare:
            return returned.output
        return Result(
            returned.output,
            confidence=returned.confidence,
            sources=tuple(returned.sources),
            reasons=tuple(returned.reasons),
            usage=returned.usage,
        )

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def load_workers_target(
    reference: str,
    search: Iterable[Path],
    *,
    processes: int,
    memory_mib: int | None = None,
    module: str = REGULAR,
    on_opened: Callable[[tuple[str, ...]], None] = lambda _: None,
) -> WorkersTarget:
    """Start worker processes that import the callable which ``package.module:callable`` names.

    Args:
        reference: as in the manifest.
        search: folders to import from, before what is installed. Nothing of this process's own path is passed on, so
            two releases in two folders can run side by side.
        processes: calls at once; one process more stands ready.
        memory_mib: of address space for each process, at most; None: what the machine has.
        module: the workers' main module.
        on_opened: told which files the workers opened, where their module watches them.

    Raises:
        TargetError: there is no such module or callable, or importing it failed, hung, or ended the process.
    """
    settings = WorkerSettings(
        reference=reference, folders=tuple(search), processes=processes, memory_mib=memory_mib, module=module
    )
    pool = WorkerPool(settings, on_opened)
    pool.start()
    return WorkersTarget(pool, reference)
