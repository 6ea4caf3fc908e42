"""What the web server refuses itself, in the API's shape or in a sentence."""

from typing import Any, Final

from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask
from waitress.utilities import BadRequest

from web.api.errors import told

# A page of many filters, whose cursor repeats them, needs half of it.
REQUEST_LINE_AT_MOST: Final = 8190

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
    500: ("internal_error", "Something went wrong here. Try again later."),
    501: ("encoding_unknown", "Of transfer encodings only chunked is known. Send that, or none."),
}


class _UriTooLong(BadRequest):  # type: ignore[misc]  # waitress has no types
    code = 414
    reason = "URI Too Long"


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request as it comes in."""

    error: Any = None
    opening = b""  # of the request line, also of one that cannot be read
    path = ""  # for waitress, which names it in its log also where nothing could be read

    def received(self, data: bytes) -> int:
        """Take what has come; return how much of it belongs to this request."""
        if b"\n" not in self.opening:
            # Blank lines may come before it.
            self.opening = (self.opening + data[: REQUEST_LINE_AT_MOST + 2]).lstrip(b"\r\n")
        consumed: int = super().received(data)
        if self.completed and self.opening.find(b"\n", 0, REQUEST_LINE_AT_MOST + 2) < 0:
            self.error = _UriTooLong("") if len(self.opening) > REQUEST_LINE_AT_MOST else self.error
        if self.completed:
            # waitress would ask for a body that has been read, or refused, and wait for it.
            self.expect_continue = False
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


class Refusal(ErrorTask):  # type: ignore[misc]
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
        self.channel.refused = True
        content = body.encode()
        self.content_length = len(content)
        self.write(content)
