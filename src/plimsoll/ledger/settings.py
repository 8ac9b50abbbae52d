"""How the ledger works, with its bounds."""

from __future__ import annotations

import msgspec


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be set. Each bound says what breaks without it.

    Args:
        busy_s: seconds to wait for another process's write; then `StoreLocked`. At least 0. In PostgreSQL also for a
            server that was lost; then `StoreLost`.
        group: most requests in one commit, at least 1; bounds how long the first of them waits.
        flush_ms: milliseconds an enqueued entry waits at most for company; what a crash may lose. At least 1.
        waiting: most enqueued entries that are not on the disk yet, at least 1; then `enqueue` blocks.
        checkpoint_entries: a checkpoint after so many entries of this process, at least 1…
        checkpoint_s: …or after so many seconds in which at least one was written.
        subjects: data subjects whose keys are held in memory, at least 1.
        wal_pages: pages of 8 KiB after which SQLite carries its log over into the file; 5,000 gave stalls of 51 ms.
        silent_s: seconds after which a stream that no session holds any more is taken for left by its process, wherever
            that ran; PostgreSQL only. A process that was cut off for longer goes on in a new stream, and what it had
            enqueued is lost, and said.
        origin: name of this log in its signed checkpoints, like "example.org/ledger"; "": made from the root stream's
            id. Fixed by the first checkpoint.
    """

    busy_s: float = 5.0
    group: int = 1024
    flush_ms: float = 50.0
    waiting: int = 4096
    checkpoint_entries: int = 10_000
    checkpoint_s: float = 60.0
    subjects: int = 10_000
    wal_pages: int = 500
    silent_s: float = 300.0
    origin: str = ""

    def __post_init__(self) -> None:
        for name in ("group", "waiting", "checkpoint_entries", "subjects", "wal_pages"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least 1")
        if self.busy_s < 0 or self.silent_s < 0 or self.flush_ms < 1 or self.checkpoint_s <= 0:
            raise ValueError("busy_s and silent_s must be at least 0, flush_ms at least 1, checkpoint_s above 0")
