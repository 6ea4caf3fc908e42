"""The web server: processes with threads.

gunicorn reads WEB_CONCURRENCY as it is imported, and so this is imported once it has been checked.
"""

import socket
import struct
from collections.abc import Callable
from typing import Any, Final

import click
from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import LimitRequestLine
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from api.errors import told
from settings import Settings
from web.turns import TURNS, WAITING

# Threads that no turn can hold, so that health, files and refusals are answered at once.
_SPARE_THREADS: Final = 9
# gunicorn goes no further; a page of many filters, whose cursor repeats them, needs half of it.
_REQUEST_LINE_AT_MOST: Final = 8190
_SENDS_WITHIN_SECONDS: Final = 5
_READS_WITHIN_SECONDS: Final = 60


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A process that answers; it leaves clients who neither go on sending nor go on reading."""

    def handle(self, conn: Any) -> Any:
        """Answer one request; a thread waits for its client no longer than these timeouts."""
        if not conn.initialized:
            for option, seconds in (
                (socket.SO_RCVTIMEO, _SENDS_WITHIN_SECONDS),
                (socket.SO_SNDTIMEO, _READS_WITHIN_SECONDS),
            ):
                conn.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Refuse an address that is too long as the API refuses; the rest is gunicorn's to say."""
        if not isinstance(exc, LimitRequestLine):
            super().handle_error(req, client, addr, exc)
            return
        body = told(
            414,
            "address_too_long",
            "The address is too long: some 8,000 characters fit. Send fewer filters.",
        ).encode()
        head = (
            "HTTP/1.1 414 URI Too Long\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        write_nonblock(client, head.encode() + body)


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The application on its port, in as many processes as WEB_CONCURRENCY says."""

    def __init__(self, make_app: Callable[[], Any], settings: Settings) -> None:
        self._make_app = make_app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what is not as it would have it."""
        address = f"{self._settings.host}:{self._settings.port}"
        options = {
            "bind": address,
            "worker_class": Worker,
            "workers": self._settings.processes,
            "limit_request_line": _REQUEST_LINE_AT_MOST,
            "threads": TURNS + WAITING + _SPARE_THREADS,
            "graceful_timeout": 5,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": self._ready,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application, once in each process."""
        return self._make_app()

    def _ready(self, worker: Worker) -> None:
        settings = self._settings
        if worker.age == 1:  # the first process; the others need not say it again
            click.echo(
                f"Usage Ledger is ready on http://{settings.host}:{settings.port}"
                f"{settings.url_prefix}"
            )
