"""The product as ``python app.py serve`` runs it: a process of its own on a port of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import psutil

ROOT: Final = Path(__file__).parent.parent
PATIENCE: Final = 60.0


def environment(**variables: str) -> dict[str, str]:
    """Return what a process needs of this one's environment, and ``variables``."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTHONUNBUFFERED": "1"} | variables


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    port: int, *, cwd: Path = ROOT, log: int | IO[str] = subprocess.STDOUT, **variables: str
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "serve"],
        cwd=cwd,
        env=environment(USAGE_PORT=str(port), **variables),
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )


def lines_until_ready(process: "subprocess.Popen[str]") -> list[str]:
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "is ready on" in line:
            return lines
    raise AssertionError("the server ended before it was ready: " + "".join(lines))


def end(process: "subprocess.Popen[str]") -> str:
    """End the server as a person would; return what it still had to say."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE)
    return said


@contextmanager
def serving(
    *, cwd: Path = ROOT, log: int | IO[str] = subprocess.STDOUT, **variables: str
) -> Iterator["Served"]:
    port = free_port()
    process = start(port, cwd=cwd, log=log, **variables)
    try:
        lines_until_ready(process)
        yield Served(port, process)
    finally:
        end(process)


class Served:
    """A server that is ready."""

    def __init__(self, port: int, process: "subprocess.Popen[str]") -> None:
        self.port = port
        self.process = process

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer: forks of the one that was started."""
        own = psutil.Process(self.process.pid)
        return [child for child in own.children() if child.cmdline() == own.cmdline()]
