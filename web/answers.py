"""An answer on its way to the client: it comes whole, or its connection breaks."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, Self

from waitress.channel import ClientDisconnected

from data.rules.errors import UsageError
from data.rules.shown import quoted

_LOG: Final = logging.getLogger(__name__)


class BrokenOffError(ClientDisconnected):  # type: ignore[misc]  # waitress has no types
    """The rest of an answer cannot be sent.

    The server closes the connection as it does where the client has left, and adds no traceback.
    """


class Answer:
    """The body of an answer; ``done`` is called once it was sent or left, whatever fails.

    What fails after the first byte is logged, once, and raised as a BrokenOffError.
    """

    def __init__(
        self, body: Iterable[bytes], environ: dict[str, Any], done: Callable[[], None]
    ) -> None:
        self._body = body
        self._rest = iter(body)
        self._environ = environ
        self._done = done

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._rest)
        except StopIteration:
            raise
        except Exception as failure:
            self._log(failure)
            raise BrokenOffError from failure

    def close(self) -> None:
        """Leave the answer, read to its end or not."""
        try:
            close: Callable[[], None] = getattr(self._body, "close", _nothing)
            close()
        except Exception as failure:  # noqa: BLE001 - whatever it is, the turn ends
            self._log(failure)
        finally:
            self._done()

    def _log(self, failure: Exception) -> None:
        # Who is told in a sentence needs no traceback; what nobody foresaw does.
        foreseen = isinstance(failure, UsageError)
        _LOG.error(
            "%s %s broke off: %s",
            self._environ.get("REQUEST_METHOD"),
            quoted(self._environ.get("PATH_INFO", "")),
            failure,
            exc_info=None if foreseen else failure,
        )


def _nothing() -> None:
    """Do what a body without a ``close`` needs."""
