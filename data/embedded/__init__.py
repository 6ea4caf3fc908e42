"""The embedded PostgreSQL: a private server under USAGE_HOME, from the binaries in a wheel.

USAGE_HOME holds ``postgres`` (the cluster with its log, ``server.log``), ``postgres.start.lock``
(whoever starts or stops the server) and ``postgres.users.lock`` (shared by every process that uses
it). The cluster is mode 0700 and owned by the user the server runs as; there is no TCP.
"""

import fcntl
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from data.embedded.cluster import ensure_cluster
from data.embedded.postmaster import Postmaster
from data.embedded.programs import complaint, run
from data.embedded.sockets import choose_socket_dir, discard_socket_dir, remove_sockets
from data.embedded.user import ELSEWHERE
from data.errors import UsageError

_PATIENCE: Final = 60.0  # seconds for a server still starting, stopping or losing its last child
_SETTINGS: Final = {
    "listen_addresses": "",
    "port": "5432",  # a PGPORT in the environment must not rename the socket
    "unix_socket_permissions": "0700",
    "max_connections": "50",  # one application and a psql or two
    "shared_buffers": "256MB",  # the demo's data stays in memory
    "jit": "off",  # compiling costs more than these short queries do
}


class EmbeddedPostgres:
    """The application's own PostgreSQL; as a context manager it runs for the length of the block.

    ``home`` is USAGE_HOME, made when missing. Any number of processes may use one home: the first
    starts the server, the last one out stops it. A server whose application was killed is adopted
    by the next start. Call ``start`` in the process that stays: a child forked from it may use the
    server but is no user of its own, and its ``stop`` does nothing.
    """

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._cluster = self._home / "postgres"
        self._log = self._cluster / "server.log"
        self._users: int | None = None
        # A child would share the lock, and one that outlives its parent would hold it.
        os.register_at_fork(after_in_child=self._leave)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Return a libpq URL of the running server, started or adopted.

        Raises ``UsageError`` with one sentence that says why not, and what to do.
        """
        if re.search(r'["$`\\\n]', str(self._home)):  # pg_ctl hands the path to a shell
            raise UsageError(
                f"USAGE_HOME ({self._home}) contains a quote, dollar, backslash or line break; "
                "choose another directory."
            )
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._starting():
                socket_dir = self._serve()
                if self._users is None:
                    self._users = self._open_lock("users")
                    fcntl.flock(self._users, fcntl.LOCK_SH)
        except OSError as error:
            raise UsageError(
                f"USAGE_HOME ({self._home}) cannot be used: {error.strerror}. "
                f"Set USAGE_HOME to a directory you may write, {ELSEWHERE}."
            ) from error
        return f"postgresql://postgres@/postgres?host={quote(os.fsencode(socket_dir))}"

    def stop(self) -> None:
        """Stop using the server, and stop it when nobody else uses it.

        Raises ``UsageError`` when it does not stop.
        """
        # A server whose files were deleted ends by itself.
        if self._users is None or not self._home.exists():
            return
        with self._starting():
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            finally:
                self._leave()
            found = Postmaster.read(self._cluster)
            if found and found.runs(self._cluster):
                done = self._pg_ctl("stop", "-m", "fast")
                if done.returncode:
                    raise UsageError(
                        f"The embedded PostgreSQL did not stop. See its log, {self._log}, "
                        f"and stop process {found.pid}."
                    )
                discard_socket_dir(found.socket_dir)

    def _leave(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def _open_lock(self, name: str) -> int:
        path = self._home / f"postgres.{name}.lock"
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Keep every other start and stop on this home waiting."""
        lock = self._open_lock("start")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            # Closing would not do if another thread forked meanwhile.
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def _serve(self) -> Path:
        """Return the socket directory of the server, which runs from then on."""
        ensure_cluster(self._cluster)
        deadline = time.monotonic() + _PATIENCE
        while True:
            found = Postmaster.read(self._cluster)
            if found and found.answers():
                return found.socket_dir
            if found and found.runs(self._cluster):
                trouble = "it is still starting or stopping"
                passing = True
            else:
                trouble = self._launch(found)
                # Orphans of a killed server hold its memory until they notice; nothing tells when.
                passing = not trouble or "shared memory block" in trouble
            if not passing or time.monotonic() > deadline:
                raise UsageError(
                    f"The embedded PostgreSQL did not start: {trouble}. "
                    f"See its log, {self._log}, {ELSEWHERE}."
                )
            time.sleep(0.05)

    def _launch(self, stale: Postmaster | None) -> str:
        """Start the server; return what its log says against it, or nothing."""
        if stale:
            discard_socket_dir(stale.socket_dir)
            if stale.alive():
                # PostgreSQL takes any process with that number for a server, and refuses.
                (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        remove_sockets(self._cluster)  # their lock names that number too
        socket_dir = choose_socket_dir(self._cluster)
        settings = _SETTINGS | {"unix_socket_directories": f'"{socket_dir}"'}
        options = shlex.join(f"--{name}={value}" for name, value in settings.items())
        logged = self._log.stat().st_size if self._log.exists() else 0
        done = self._pg_ctl("start", "-l", self._log, "-o", options)
        if done.returncode == 0:
            return ""
        discard_socket_dir(socket_dir)
        lines = done.stderr.splitlines()
        if self._log.exists():
            with self._log.open(errors="replace") as log:
                log.seek(logged)
                lines += log.read().splitlines()
        return complaint(lines)

    def _pg_ctl(self, action: str, *options: str | Path) -> subprocess.CompletedProcess[str]:
        return run("pg_ctl", action, "-D", self._cluster, *options, cwd=self._home)
