"""The product as ``python app.py serve`` runs it: a process of its own on a port of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO, Final

import psutil

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0


# Whether a limit holds shows sooner where it is short.
_WITH_LIMITS: Final = """
import importlib, json, sys
for name, seconds in json.loads(sys.argv[1]).items():
    module, _, constant = name.rpartition(".")
    assert hasattr(importlib.import_module(module), constant), name
    setattr(importlib.import_module(module), constant, seconds)
import app
app.main(["serve"])
"""


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
    port: int,
    *,
    cwd: Path = ROOT,
    log: int | IO[str] = subprocess.STDOUT,
    limits: Mapping[str, float] | None = None,
    **variables: str,
) -> "subprocess.Popen[str]":
    """Start the product; ``limits`` are constants of its modules that are to be others."""
    program = [str(ROOT / "app.py"), "serve"]
    if limits:
        program = ["-c", _WITH_LIMITS, json.dumps({**limits})]
    return subprocess.Popen(
        [sys.executable, *program],
        cwd=cwd,
        env=environment(USAGE_PORT=str(port), PYTHONPATH=str(ROOT), **variables),
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
    *,
    cwd: Path = ROOT,
    log: int | IO[str] = subprocess.STDOUT,
    limits: Mapping[str, float] | None = None,
    **variables: str,
) -> Iterator["Served"]:
    port = free_port()
    process = start(port, cwd=cwd, log=log, limits=limits, **variables)
    served = Served(port, process)
    try:
        lines_until_ready(process)
        served.listen()
        yield served
    finally:
        served.end()


class Served:
    """A server that is ready."""

    def __init__(self, port: int, process: "subprocess.Popen[str]") -> None:
        self.port = port
        self.process = process
        self._said: list[str] = []
        self._listener = Thread(target=self._said.extend, args=[process.stdout])

    def listen(self) -> None:
        """Take what the server says, else it would wait for somebody to."""
        self._listener.start()

    def end(self) -> str:
        """End the server as a person would; return what it said since it was ready."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        if self._listener.ident:
            self._listener.join(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()
        return "".join(self._said)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer: forks of the one that was started."""
        own = psutil.Process(self.process.pid)
        return [child for child in own.children() if child.cmdline() == own.cmdline()]
