"""Connections of browsers and programs: who neither sends nor takes is left, who errs is told.

waitress reads a request whole before a thread has it and keeps an answer that is taken slowly, in
memory and then on disk, so that neither holds a thread or the database.
"""

import logging
import sys
import time
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import BadRequest

from api.errors import told

_LOG: Final = logging.getLogger(__name__)

# A page of many filters, whose cursor repeats them, needs half of it.
REQUEST_LINE_AT_MOST: Final = 8190
_HEAD_AT_MOST: Final = 32 * 1024
_BODY_AT_MOST: Final = 1024 * 1024
_KEPT_IN_MEMORY: Final = 256 * 1024
_KEPT_ON_DISK: Final = 16 * 1024 * 1024
CONNECTIONS_AT_MOST: Final = 1000

# Seconds, all shorter than the minute for which the database lets a snapshot idle.
REQUEST_WITHIN: Final = 10
TAKEN_WITHIN: Final = 30
ANSWER_WITHIN: Final = 600
_IDLE: Final = 60
_IDLE_WHERE_MANY_ARE: Final = 2

_SENTENCES: Final = {
    400: ("request_malformed", "This could not be read as HTTP. Check the client that sent it."),
    413: ("body_too_large", "The body of a request may hold 1 MB. Send less."),
    414: (
        "address_too_long",
        "The address is too long: some 8,000 characters fit. Send fewer filters.",
    ),
    431: (
        "headers_too_large",
        "The headers are too large: some 32,000 characters fit. Send fewer or shorter ones.",
    ),
    501: ("encoding_unknown", "Of transfer encodings only chunked is known. Send that, or none."),
}


class _UriTooLong(BadRequest):  # type: ignore[misc]  # waitress has no types
    code = 414
    reason = "URI Too Long"


class _Request(HTTPRequestParser):  # type: ignore[misc]
    """A request as it comes in."""

    error: Any = None
    opening = b""  # of the request line, also of one that cannot be read

    def received(self, data: bytes) -> int:
        """Take what has come; return how much of it belongs to this request."""
        if b"\n" not in self.opening:
            self.opening += data[: REQUEST_LINE_AT_MOST + 2]
        consumed: int = super().received(data)
        if self.completed and self.opening.find(b"\n", 0, REQUEST_LINE_AT_MOST + 2) < 0:
            self.error = _UriTooLong("") if len(self.opening) > REQUEST_LINE_AT_MOST else self.error
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head; waitress misses what the library below it refuses."""
        try:
            super().parse_header(header_plus)
        except ValueError:
            self.error = BadRequest("")

    @property
    def of_program(self) -> bool:
        """Whether a program asks: whoever cannot be understood is taken for one."""
        words = self.opening.split(b" ")
        return len(words) < 2 or b"/api/" in words[1].partition(b"?")[0]  # noqa: PLR2004


class _Refusal(ErrorTask):  # type: ignore[misc]
    """The answer to a request that the application never sees."""

    def execute(self) -> None:
        """Say what is wrong: in the API's shape to programs, in a sentence to people."""
        error = self.request.error
        code, sentence = _SENTENCES.get(error.code, _SENTENCES[400])
        if self.request.of_program:
            kind, body = "application/json", told(error.code, code, sentence)
        else:
            kind, body = "text/plain; charset=utf-8", f"{sentence}\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", kind),
            ("Cache-Control", "private, no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        self.set_close_on_finish()
        content = body.encode()
        self.content_length = len(content)
        self.write(content)


class _Connection(HTTPChannel):  # type: ignore[misc]
    """A client's connection; ``begun`` is when what it does now began."""

    parser_class = _Request
    error_task_class = _Refusal

    def __init__(self, *given: Any, **named: Any) -> None:
        self.begun = time.time()
        self.answered = False
        super().__init__(*given, **named)

    def received(self, data: bytes) -> bool:
        """Take what has come; the time of a request counts from its first byte."""
        if self.request is None:
            self.begun = time.time()
        taken: bool = super().received(data)
        return taken

    def service(self) -> None:
        """Answer one request; its time counts from here."""
        self.begun = time.time()
        super().service()
        self.answered = True
        if not self.total_outbufs_len:
            self.begun = time.time()

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
                cleanup_interval=1,
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
        """Leave clients that have had their time.

        waitress would wait for them to take something first.
        """
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
