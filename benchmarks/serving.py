"""Servers to be measured: each a process of its own on a loopback port, ended with its block."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import psycopg

from benchmarks.stage import Scene
from benchmarks.world import PROXY_HEADER
from data.sums.rollup.tables import SCHEMA

ROOT: Final = Path(__file__).parent.parent
HOST: Final = "127.0.0.1"
_PATIENCE: Final = 30.0


@dataclass(frozen=True)
class Server:
    """A process that listens on ``port``; ``log`` is what it prints."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def processes(self) -> list[psutil.Process]:
        """Return the process and all that it has started."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def memory(self) -> int:
        """Return the resident bytes of all processes; what they share counts once for each."""
        return sum(each.memory_info().rss for each in self.processes())


@contextmanager
def product(scene: Scene, workers: int = 1, root: Path = ROOT) -> Iterator[Server]:
    """Serve the product of ``root`` on the scene's database as ``python app.py serve`` does."""
    environment = {
        "DATABASE_URL": scene.reader_url,
        "USAGE_PROXY_HEADER": PROXY_HEADER,
        "USAGE_PROXY_CIDRS": f"{HOST}/32",
        "WEB_CONCURRENCY": str(workers),
    }
    command = [sys.executable, str(root / "app.py"), "serve"]
    before = _reads_of_rollup(scene)
    with _serving(command, scene.scratch, environment, "USAGE_PORT") as server:
        deadline = time.monotonic() + _PATIENCE
        while "is ready on" not in server.log.read_text() or len(server.processes()) <= workers:
            _alive(server, deadline)
        yield server
    # Else figures "with" would be those of a product that does not trust what is there.
    deadline = time.monotonic() + _PATIENCE
    while scene.has_rollup and _reads_of_rollup(scene) == before:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the product did not use the rollup; see {server.log}")
        time.sleep(0.2)


@contextmanager
def listening(
    command: Sequence[str], scratch: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a server that reads its port from ``PORT``, or from ``{port}`` in its command."""
    with _serving(command, scratch, environment or {}, "PORT") as server:
        deadline = time.monotonic() + _PATIENCE
        while not _accepts(server.port):
            _alive(server, deadline)
        yield server


@contextmanager
def _serving(
    command: Sequence[str], scratch: Path, environment: Mapping[str, str], port_name: str
) -> Iterator[Server]:
    port = _free_port()
    log = scratch / f"server-{port}.log"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("wb") as out:
        # The scratch directory has no .env that could change what is measured.
        process = subprocess.Popen(
            [word.replace("{port}", str(port)) for word in command],
            cwd=scratch,
            env={**kept, "PYTHONUNBUFFERED": "1", port_name: str(port), **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Server(port, process, log)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _reads_of_rollup(scene: Scene) -> int:
    """Return how often the rollup's tables have been read, as PostgreSQL counts it."""
    with psycopg.connect(scene.url) as connection:
        row = connection.execute(
            "SELECT coalesce(sum(idx_scan + seq_scan), 0)::bigint FROM pg_stat_user_tables"
            " WHERE schemaname = %s",
            [SCHEMA],
        ).fetchone()
    return row[0] if row else 0


def _alive(server: Server, deadline: float) -> None:
    if server.process.poll() is not None or time.monotonic() > deadline:
        raise RuntimeError(f"the server did not start: {server.log.read_text()[-2000:]}")
    time.sleep(0.02)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
