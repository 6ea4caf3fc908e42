"""The bundled PostgreSQL: a private server under USAGE_HOME, from the binaries in a wheel.

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
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from data.rules.errors import UsageError
from demo.local_postgres.cluster import discard_cluster, ensure_cluster
from demo.local_postgres.ending import halt
from demo.local_postgres.locks import open_lock, starting
from demo.local_postgres.postmaster import Postmaster
from demo.local_postgres.programs import complaint, run
from demo.local_postgres.sockets import choose_socket_dir, discard_socket_dir, remove_sockets
from demo.local_postgres.space import is_full, no_room
from demo.local_postgres.user import ELSEWHERE

_PATIENCE: Final = 60.0  # seconds for a server still starting, stopping or losing its last child
_SETTINGS: Final = {
    "listen_addresses": "",
    "port": "5432",  # a PGPORT in the environment must not rename the socket
    "unix_socket_permissions": "0700",
    "max_connections": "50",  # one application and a psql or two
    "shared_buffers": "256MB",  # the demo's data stays in memory
    "jit": "off",  # compiling costs more than these short queries do
}


class LocalPostgres:
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
        self._made = False
        self._logged = 0  # bytes of the log that are older than this start
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
            with starting(self._home):
                socket_dir = self._join() if self._users is None else self._serve()
        except OSError as error:
            raise self.explain(
                UsageError(
                    f"USAGE_HOME ({self._home}) cannot be used: {error.strerror}. "
                    f"Set USAGE_HOME to a directory you may write, {ELSEWHERE}."
                )
            ) from error
        return f"postgresql://postgres@/postgres?host={quote(os.fsencode(socket_dir))}"

    def stop(self, *, kept: bool = True) -> None:
        """Stop using the server, and stop it when nobody else uses it.

        With ``kept=False`` a cluster that this one has made is removed again. Raises ``UsageError``
        when the server does not stop.
        """
        # A server whose files were deleted ends by itself.
        if self._users is None or not self._home.exists():
            return
        with starting(self._home):
            self._part(self._users, kept=kept)

    def explain(self, failure: UsageError) -> UsageError:
        """Return ``failure`` or, where that is why, that the disk is full."""
        said = [failure.sentence, *self._log_since(self._logged)]
        return no_room(self._home) if is_full(self._home, said) else failure

    def _join(self) -> Path:
        """Use the server from now on; return its socket directory."""
        self._users = users = open_lock(self._home, "users")
        try:
            fcntl.flock(users, fcntl.LOCK_SH)
            return self._serve()
        except BaseException:
            self._part(users, kept=False)
            raise

    def _part(self, users: int, *, kept: bool) -> None:
        """Use the server no more; if nobody else does, stop it. ``users`` is the lock held."""
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        finally:
            self._leave()
        found = Postmaster.read(self._cluster)
        if found and found.runs(self._cluster):
            if not halt(self._cluster, found):
                raise UsageError(
                    f"The bundled PostgreSQL did not stop. See its log, {self._log}, "
                    f"and stop process {found.pid}."
                )
            discard_socket_dir(found.socket_dir)
        if self._made and not kept and self._cluster.exists():
            discard_cluster(self._cluster)

    def _leave(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def _serve(self) -> Path:
        """Return the socket directory of the server, which runs from then on."""
        self._made = self._made or not self._cluster.exists()
        ensure_cluster(self._cluster)
        self._logged = self._log_size()
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
                raise self.explain(
                    UsageError(
                        f"The bundled PostgreSQL did not start: {trouble}. "
                        f"See its log, {self._log}, {ELSEWHERE}."
                    )
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
        logged = self._log_size()
        done = self._pg_ctl("start", "-l", self._log, "-o", options)
        if done.returncode == 0:
            return ""
        discard_socket_dir(socket_dir)
        return complaint([*done.stderr.splitlines(), *self._log_since(logged)])

    def _log_size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def _log_since(self, size: int) -> list[str]:
        """Return the lines of the log from where it had this size."""
        try:
            with self._log.open(errors="replace") as log:
                log.seek(size)
                return log.read().splitlines()
        except OSError:
            return []

    def _pg_ctl(self, action: str, *options: str | Path) -> subprocess.CompletedProcess[str]:
        return run("pg_ctl", action, "-D", self._cluster, *options, cwd=self._home)
