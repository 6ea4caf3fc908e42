"""The product behind several web servers: what each does with clients that are slow."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from benchmarks import attackers, wrk
from benchmarks.attackers import attacking
from benchmarks.attacks import CLIENTS, SLOW_BYTES_A_SECOND, SLOW_FILES
from benchmarks.questions import first_page, get
from benchmarks.section import Section, Table, milliseconds
from benchmarks.serving import HOST, ROOT, Server, listening, product
from benchmarks.stage import Scene
from benchmarks.world import BUSY, PRESET, PROXY_HEADER

_THREADS: Final = "96"
_DRIBBLERS: Final = 200  # more than there are threads
_SECONDS: Final = 10
_FACTORY: Final = "benchmarks.served:application"
_MALFORMED: Final = b"GET /api/billing/usage HTTP/1.1\r\nno colon\r\n\r\n"
_COMMANDS: Final = {
    "gunicorn, gthread": (
        *("gunicorn", "-k", "gthread", "--threads", _THREADS, "-b", f"{HOST}:{{port}}"),
        f"{_FACTORY}()",
    ),
    "waitress as it comes": (
        *("waitress-serve", f"--listen={HOST}:{{port}}", f"--threads={_THREADS}", "--call"),
        _FACTORY,
    ),
    "granian": (
        *("granian", "--interface", "wsgi", "--factory", "--blocking-threads", _THREADS),
        *("--host", HOST, "--port", "{port}", _FACTORY),
    ),
}
_OURS: Final = "Usage Ledger"


def measure(scene: Scene) -> list[Section]:
    """Put the product behind each, in turn."""
    scene.use_rollup(scene.options.rollup[-1])
    servers: dict[str, Callable[[], AbstractContextManager[Server]]] = {
        name: lambda command=command: _by(scene, command) for name, command in _COMMANDS.items()
    } | {_OURS: lambda: product(scene)}
    figures: dict[str, float] = {}
    rows = []
    for name, started in servers.items():
        with started() as server:
            rows.append(_row(name, server, figures))
    header = ("server", "pages/s", "p95", "p95 dribbled at", "503 or broken", "p95 beside files")
    more = ("503 or broken", "a malformed request")
    return [
        Section(
            key="servers",
            title="Web servers",
            prose=(
                f"The same application at {scene.executions:,} executions, one process with "
                f"{_THREADS} threads. {CLIENTS} clients ask for the newest page for {_SECONDS} s: "
                f"alone, beside {_DRIBBLERS} clients that send a byte of a header a second, and "
                f"beside {SLOW_FILES} that read 10,000 rows at {SLOW_BYTES_A_SECOND} B/s; "
                "milliseconds."
            ),
            tables=[Table((*header, *more), rows)],
            figures=figures,
        )
    ]


@contextmanager
def _by(scene: Scene, command: tuple[str, ...]) -> Iterator[Server]:
    environment = {
        "DATABASE_URL": scene.reader_url,
        "USAGE_PROXY_HEADER": PROXY_HEADER,
        "USAGE_PROXY_CIDRS": f"{HOST}/32",
        "PYTHONPATH": str(ROOT),
    }
    program = str(Path(sys.executable).parent / command[0])
    with listening((program, *command[1:]), scene.scratch, environment) as server:
        yield server


def _row(name: str, server: Server, figures: dict[str, float]) -> tuple[str, ...]:
    file = get("usage/export", workspaceId=BUSY, preset=PRESET.value, columns="extended")
    _load(server)  # so that each has its connections
    alone = _load(server)
    with attacking(_DRIBBLERS, attackers.dribbler(server.port)):
        dribbled = _load(server)
    with attacking(SLOW_FILES, attackers.slow_reader(server.port, file, SLOW_BYTES_A_SECOND)):
        beside_files = _load(server)
    figures |= {
        f"{name}/throughput": alone.throughput,
        f"{name}/p95": alone.p95,
        f"{name}/p95 dribbled at": dribbled.p95,
        f"{name}/p95 beside files": beside_files.p95,
    }
    return (
        name,
        f"{alone.throughput:,.0f}",
        milliseconds(alone.p95),
        *_seen(dribbled),
        *_seen(beside_files),
        _told(server),
    )


def _load(server: Server) -> wrk.Load:
    return wrk.run(server, [first_page()], clients=CLIENTS, seconds=_SECONDS)


def _seen(load: wrk.Load) -> tuple[str, str]:
    answered = load.statuses.get(200, 0)
    return milliseconds(load.p95) if answered else "none", f"{load.refused + load.errors}"


def _told(server: Server) -> str:
    """Return of which kind the server's own errors are."""
    with attackers.connected(server.port) as client:
        client.sendall(_MALFORMED)
        answer = b""
        while piece := client.recv(1 << 16):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    kind = next((one for one in headers if one.lower().startswith("content-type:")), "no body")
    status = line.split(" ")[1]
    return f"{status}, {kind.partition(': ')[2] or kind}" if body else f"{status}, empty"
