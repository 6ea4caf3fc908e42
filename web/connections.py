"""Connections of browsers and programs: who neither sends nor takes is left, who errs is told.

waitress reads a request whole before a thread has it and keeps an answer that is taken slowly, in
memory and then on disk, so that neither holds a thread or the database.
"""

import logging
import socket
import sys
import time
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from web.refusals import Refusal, Request

_LOG: Final = logging.getLogger(__name__)

_HEAD_AT_MOST: Final = 32 * 1024
_BODY_AT_MOST: Final = 1024 * 1024
_REST_AT_ONCE: Final = 64 * 1024
_KEPT_IN_MEMORY: Final = 256 * 1024
_KEPT_ON_DISK: Final = 16 * 1024 * 1024
CONNECTIONS_AT_MOST: Final = 1000

# Seconds; the database lets the snapshot of a file idle for longer.
REQUEST_WITHIN: Final = 10
TAKEN_WITHIN: Final = 30
ANSWER_WITHIN: Final = 600
_LINGERS: Final = 2
_IDLE: Final = 60
_IDLE_WHERE_MANY_ARE: Final = 2


class _Connection(HTTPChannel):  # type: ignore[misc]
    """A client's connection; ``begun`` is when what it does now began."""

    requests: list[Request]
    parser_class = Request
    error_task_class = Refusal

    def __init__(self, *given: Any, **named: Any) -> None:
        self.begun = time.time()
        self.answered = False
        self.refused = False
        self.lingers = False
        super().__init__(*given, **named)

    def readable(self) -> bool:
        """Whether to read on, be it only to let the client have said all."""
        return bool(self.lingers or super().readable())

    def writable(self) -> bool:
        """Whether there is something to send, or to end."""
        return bool(not self.lingers and super().writable())

    def handle_write(self) -> None:
        """Send; whoever was refused while still sending has its answer before the end.

        To close what has not been read would take the answer back.
        """
        if not (self.refused and self.close_when_flushed) or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.connected and not self.total_outbufs_len and not self.will_close:
            self.lingers, self.begun = True, time.time()
            self.socket.shutdown(socket.SHUT_WR)

    def handle_read(self) -> None:
        """Read a part of a request, or what is left of one that was refused."""
        if self.lingers:
            self.recv(_REST_AT_ONCE)
        else:
            super().handle_read()

    def received(self, data: bytes) -> bool:
        """Take what has come; the time of a request counts from its first byte."""
        is_first = self.request is None
        taken: bool = super().received(data)
        if is_first and (self.request or self.requests):  # blank lines are neither
            self.begun = time.time()
        return taken

    def service(self) -> None:
        """Answer one request; its time counts from here.

        Requests that were sent in advance are answered as long as the answers are taken: each that
        is not takes memory, a file and in the end a thread.
        """
        if self.answered and not self._is_taken():
            self._answer_no_more()
            return
        self.begun = time.time()
        super().service()
        self.answered = True
        if not self.total_outbufs_len:
            self.begun = time.time()

    def _is_taken(self) -> bool:
        """Whether the client has taken what was answered, or can take the rest at once."""
        with self.outbuf_lock:
            if self.total_outbufs_len:
                self._flush_exception(self._flush_some, do_close=False)
            return not self.total_outbufs_len

    def _answer_no_more(self) -> None:
        """Send what there is, and close; whoever waits for the rest asks again."""
        with self.requests_lock:
            for request in self.requests:
                request.close()
            self.requests = []
            self.refused = self.close_when_flushed = True
        self.server.pull_trigger()

    def write_soon(self, data: Any) -> int:
        """Keep what is to be sent; the time to take it counts from when there is something."""
        if not self.total_outbufs_len:
            self.last_activity = time.time()
        written: int = super().write_soon(data)
        return written

    def idle(self) -> bool:
        """Whether nothing is asked and nothing is left to send."""
        return not (self.requests or self.total_outbufs_len or self.request)

    def overdue(self, now: float, idle_at_most: float) -> bool:
        """Whether the client has had its time."""
        lasts = now - self.begun
        if self.lingers:
            return lasts > _LINGERS
        if self.requests or self.total_outbufs_len:
            stuck = self.total_outbufs_len and now - self.last_activity > TAKEN_WITHIN
            return bool(stuck or lasts > ANSWER_WITHIN)
        if self.request is not None or not self.answered:
            return lasts > REQUEST_WITHIN
        return lasts > idle_at_most

    def handle_error(self) -> None:
        """Close what fails, and say so in one line."""
        _LOG.error("a connection failed: %s", sys.exc_info()[1])
        self.handle_close()


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """Takes connections of a bound socket; ``application`` answers in ``threads``.

    ``connections`` maps every open file of the loop to what handles it.
    """

    channel_class = _Connection

    def __init__(
        self, application: Any, bound: Any, connections: dict[int, Any], threads: int
    ) -> None:
        super().__init__(
            application,
            map=connections,
            _sock=bound,
            bind_socket=False,
            sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
            adj=Adjustments(
                sockets=[bound],
                threads=threads,
                ident=None,
                connection_limit=CONNECTIONS_AT_MOST,
                max_request_header_size=_HEAD_AT_MOST,
                max_request_body_size=_BODY_AT_MOST,
                inbuf_overflow=_KEPT_IN_MEMORY,
                outbuf_overflow=_KEPT_IN_MEMORY,
                outbuf_high_watermark=_KEPT_ON_DISK,
                log_socket_errors=False,
                # What the application believes of a proxy's headers is the application's.
                clear_untrusted_proxy_headers=False,
            ),
        )

    def maintenance(self, now: float) -> None:
        """Do nothing: waitress would come here before it has read what there is."""

    def leave_overdue(self) -> None:
        """Leave clients that have had their time."""
        now = time.time()
        many = len(self.active_channels) > CONNECTIONS_AT_MOST // 2
        for connection in list(self.active_channels.values()):
            if connection.overdue(now, _IDLE_WHERE_MANY_ARE if many else _IDLE):
                connection.handle_close()

    def leave_idle(self) -> int:
        """Close what waits for a request; return how many others are left."""
        for connection in list(self.active_channels.values()):
            if connection.idle():
                connection.handle_close()
        return len(self.active_channels)

    def take_no_more(self) -> None:
        """Refuse connections from now on; those that are there go on."""
        self.del_channel()
        self.socket.close()
