"""Who the bundled PostgreSQL runs as.

That is whoever runs the application. PostgreSQL refuses root, so there it is a user of its own,
made when first needed.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from data.rules.errors import UsageError

SERVER_USER: Final = "usage-ledger"  # what the server runs as where the application runs as root
# How every refusal of the bundled PostgreSQL ends.
ELSEWHERE: Final = "or set DATABASE_URL to a PostgreSQL of your own"

# Root without every power but one: to pass through private directories such as /root.
_CAPABILITIES: Final = "-all,+dac_override"


def server_ids() -> tuple[int, int]:
    """Return user and group the server runs as: our own or, as root, those of a user made for it.

    Raises ``UsageError`` when there is no such user.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    trouble = "util-linux's setpriv is missing"
    if shutil.which("setpriv"):
        with suppress(KeyError):
            return pwd.getpwnam(SERVER_USER)[2:4]
        with _alone():
            # Another start may have made it meanwhile.
            with suppress(KeyError):
                return pwd.getpwnam(SERVER_USER)[2:4]
            trouble = _make_user()
            with suppress(KeyError):
                return pwd.getpwnam(SERVER_USER)[2:4]
    raise UsageError(
        f"PostgreSQL does not run as root, nor can it get a user of its own ({trouble}): start as "
        f"an ordinary user, {ELSEWHERE}."
    )


def as_server() -> list[str]:
    """Return what to put before a command so that it runs as the server's user."""
    if os.geteuid() != 0:
        return []
    user, group = server_ids()
    kinds = ("inh-caps", "ambient-caps", "bounding-set")
    return [
        "setpriv",
        # initdb asks access(2) for its programs, which else forgets every power of a user not root.
        "--securebits=+no_setuid_fixup",
        f"--reuid={user}",
        f"--regid={group}",
        "--clear-groups",
        *(f"--{kind}={_CAPABILITIES}" for kind in kinds),
        "--no-new-privs",
    ]


def give_to_server(directory: Path) -> None:
    """Make the server's user the owner of a directory that was just made."""
    if os.geteuid() == 0:
        os.chown(directory, *server_ids(), follow_symlinks=False)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep every other start waiting: of two useradd at once, the later renumbers the user."""
    directory = os.open("/etc", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _make_user() -> str:
    """Try to make the user; return what useradd says against it."""
    if not shutil.which("useradd"):
        return "useradd is missing"
    options = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    useradd = ["useradd", *options, SERVER_USER]
    # S603: nothing in it comes from outside
    done = subprocess.run(useradd, check=False, capture_output=True, text=True)  # noqa: S603
    lines = done.stderr.splitlines() or ["useradd did not say why"]
    return lines[-1].rstrip(".")
