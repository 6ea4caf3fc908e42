"""Whether there is room for the bundled databases, and what is said where there is none."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from data.rules.errors import UsageError
from demo.local_postgres.user import ELSEWHERE

_FULL: Final = re.compile("No space left on device|Disk quota exceeded")
_LEAST: Final = 32 * 1024 * 1024  # bytes; two of the pieces in which PostgreSQL's log grows


def is_full(home: Path, said: Iterable[str]) -> bool:
    """Tell whether a failure comes from a full disk: from what was said of it, or from the disk.

    A full disk may hold no line of the log that would say so.
    """
    # Shared memory is a disk of its own to Linux, and not this one.
    if any(_FULL.search(line) and "shared memory" not in line for line in said):
        return True
    with suppress(OSError):
        disk = os.statvfs(home)
        return disk.f_bavail * disk.f_frsize < _LEAST
    return False


def no_room(home: Path) -> UsageError:
    """Return the refusal that says what to do."""
    return UsageError(
        f"There is no room left on the disk of USAGE_HOME ({home}): free some (the demo takes "
        f"about 300 MB), set USAGE_HOME to a directory on another disk, {ELSEWHERE}."
    )
