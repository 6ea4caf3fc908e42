"""The bundled PostgreSQL for the length of a command: nothing is left running after it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import click

from data.rules.errors import UsageError
from demo.local_postgres import LocalPostgres
from settings import Settings

_REQUESTS_TO_END: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def local_postgres(settings: Settings) -> Iterator[str]:
    """Run the bundled PostgreSQL for the length of the block; yield its URL.

    A failure of the database, and a request to end that comes before the web server takes such
    requests itself, end in one sentence. A cluster that was made for the block then goes with it:
    it is half filled, and its disk may be full.
    """
    server = LocalPostgres(settings.home)
    kept = False
    with spoken(), _Ending() as ending:
        try:
            yield server.start()
            kept = True
        except SystemExit:  # so the web server ends
            kept = True
            raise
        except UsageError as failure:
            # Behind a mere refusal there is no failure, however full the disk may be.
            raise server.explain(failure) if failure.__cause__ else failure from failure.__cause__
        except KeyboardInterrupt:
            raise UsageError(
                "Stopped before it was done. Start again to have it done from the beginning."
            ) from None
        finally:
            ending.begin()
            server.stop(kept=kept)


@contextmanager
def spoken() -> Iterator[None]:
    """Say what went wrong in one line."""
    try:
        yield
    except UsageError as error:
        raise click.ClickException(error.sentence) from error


class _Ending:
    """Makes the first request to end an exception; later ones do not disturb what cleans up."""

    def __init__(self) -> None:
        self._begun = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {
            each: handler
            for each in _REQUESTS_TO_END
            # nohup has a hang-up ignored, and so it stays; what is not Python's cannot be put back.
            if (handler := signal.getsignal(each)) not in {signal.SIG_IGN, None}
        }
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def begin(self) -> None:
        """Begin to clean up."""
        self._begun = True
        self._listen()  # the web server has put its own in place

    def _listen(self) -> None:
        for each in self._before:
            signal.signal(each, self._asked)

    def _asked(self, *_: object) -> None:
        if not self._begun:
            self._begun = True
            raise KeyboardInterrupt
