"""Which processes use a home: locks on files, because they vanish with a killed process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_lock(home: Path, name: str) -> int:
    """Return a descriptor to lock; whoever opened it closes it."""
    path = home / f"postgres.{name}.lock"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def starting(home: Path) -> Iterator[None]:
    """Keep every other start and stop on this home waiting."""
    lock = open_lock(home, "start")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        # Closing would not do if another thread forked meanwhile.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)
