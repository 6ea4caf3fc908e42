"""The web server: gunicorn keeps the processes, waitress the connections of each.

gunicorn reads WEB_CONCURRENCY as it is imported, and so this is imported once it has been checked.
"""

import logging
import os
import resource
import time
from collections.abc import Callable
from typing import Any, Final

import click
from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker as BaseWorker
from waitress import wasyncore

from settings import Settings
from web.admission import FILES_WAITING, TURNS
from web.connections import CONNECTIONS_AT_MOST, Listener
from web.turns import WAITING

# Threads that no turn can hold, so that health, scripts and refusals are answered at once.
_SPARE_THREADS: Final = 9
_THREADS: Final = TURNS + WAITING + FILES_WAITING + _SPARE_THREADS
# Each connection, and the file in which its answer may be kept; the database and the rest.
_OPEN_FILES: Final = 2 * CONNECTIONS_AT_MOST + 200

ENDS_WITHIN_SECONDS: Final = 30
_LOOKS_EVERY_SECONDS: Final = 1


class Worker(BaseWorker):  # type: ignore[misc]  # gunicorn has no types
    """A process that answers."""

    _looked = 0.0

    def run(self) -> None:
        """Answer until told to stop; what is being answered then has its time to end."""
        # Of clients that left, and of how many wait, the application's own log tells.
        logging.getLogger("waitress").setLevel(logging.ERROR)
        connections: dict[int, Any] = {}
        listeners = [
            Listener(self.wsgi, bound.sock, connections, _THREADS) for bound in self.sockets
        ]
        while self.alive and self._has_parent():
            self._look(connections, listeners)
        for listener in listeners:
            listener.take_no_more()
        deadline = time.monotonic() + ENDS_WITHIN_SECONDS
        while sum(listener.leave_idle() for listener in listeners) and time.monotonic() < deadline:
            self._look(connections, listeners)

    def _look(self, connections: dict[int, Any], listeners: list[Listener]) -> None:
        """Do what is to be done for the connections; once in a while, leave who is overdue."""
        wasyncore.loop(_LOOKS_EVERY_SECONDS, use_poll=True, map=connections, count=1)
        if time.monotonic() - self._looked < _LOOKS_EVERY_SECONDS:
            return
        self._looked = time.monotonic()
        self.notify()
        for listener in listeners:
            listener.leave_overdue()

    def _has_parent(self) -> bool:
        return bool(self.ppid == os.getppid())


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The application on its port, in as many processes as WEB_CONCURRENCY says."""

    def __init__(self, make_app: Callable[[], Any], settings: Settings) -> None:
        self._make_app = make_app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what is not as it would have it."""
        options = {
            "bind": _address(self._settings),
            "worker_class": Worker,
            "workers": self._settings.processes,
            "graceful_timeout": ENDS_WITHIN_SECONDS + 5,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": self._ready,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application, once in each process."""
        return self._make_app()

    def run(self) -> None:
        """Serve until told to stop."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        enough = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < enough:
            resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
        super().run()

    def _ready(self, worker: Worker) -> None:
        settings = self._settings
        if worker.age == 1:  # the first process; the others need not say it again
            click.echo(f"Usage Ledger is ready on http://{_address(settings)}{settings.url_prefix}")


def _address(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"
