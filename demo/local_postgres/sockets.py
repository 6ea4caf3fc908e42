"""Where the bundled PostgreSQL listens.

That is a socket in its cluster or, where the path will not do, in a directory made for it alone.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from demo.local_postgres.user import give_to_server

SOCKET_NAME: Final = ".s.PGSQL.5432"

_PATH_BYTES: Final = 103  # the smallest limit of any platform, macOS's
_PREFIX: Final = "usage-ledger-"


def choose_socket_dir(cluster: Path) -> Path:
    """Return the directory for the socket of a server about to start."""
    too_long = len(os.fsencode(cluster / SOCKET_NAME)) > _PATH_BYTES
    if not too_long and "," not in str(cluster):  # to libpq, a comma separates two hosts
        return cluster
    made = Path(tempfile.mkdtemp(prefix=_PREFIX))
    give_to_server(made)
    return made


def discard_socket_dir(directory: Path) -> None:
    """Remove the socket directory of a server that is gone, if it was made for it alone."""
    if directory.name.startswith(_PREFIX):
        remove_sockets(directory)
        with suppress(OSError):
            directory.rmdir()


def remove_sockets(directory: Path) -> None:
    """Remove what a killed server left in a directory where no other listens."""
    with suppress(OSError):
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (directory / name).unlink(missing_ok=True)
