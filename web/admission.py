"""The way of a request to the database: in its turn, and out of it whatever fails."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from flask import request

from data.platform.access import Viewer
from data.platform.connection import HELD_AT_MOST_SECONDS, POOL_SIZE
from data.rules.errors import UnavailableError
from web.answers import Answer
from web.turns import Turn, Turns

# One connection is left for the question whether the database answers at all.
TURNS: Final = POOL_SIZE - 1
FILES: Final = 3
FILES_EACH: Final = 2
FILES_WAITING: Final = 16

_TURN: Final = "usage.turn"


class Admission:
    """Lets requests at the database, each in its turn; a file needs one of the files' as well."""

    def __init__(self, turns: Turns | None = None, files: Turns | None = None) -> None:
        self._turns = turns or Turns(TURNS)
        self._files = files or Turns(
            FILES,
            each=FILES_EACH,
            waiting=FILES_WAITING,
            refusal="Too many files are asked for at once. Try again in a moment.",
        )

    def before(self, identify: Callable[[], Viewer]) -> Callable[[], Viewer]:
        """Return an ``identify`` that waits for the request's turn: nobody asks anything sooner."""

        def identify_in_turn() -> Viewer:
            self._begin(request.environ)
            return identify()

        return identify_in_turn

    @contextmanager
    def file(self, viewer: Viewer) -> Iterator[None]:
        """Hold a file's turn for the length of the block.

        While it waits for one, others may have the turn that the request has already.
        """
        environ = request.environ
        self._end(environ)
        # One person, whichever way in; a workspace's own key is nobody's.
        with self._files.take(viewer.user_id or ("key", viewer.workspace_id)):
            self._begin(environ)
            yield

    def over(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """Return ``application`` (WSGI), in which a turn ends when its answer was sent or left."""

        def in_turn(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            end = partial(self._end, environ)
            try:
                return Answer(application(environ, start_response), environ, end)
            except BaseException:
                end()
                raise

        return in_turn

    def check(self) -> None:
        """Raise UnavailableError where turns do not come back."""
        for turns, of, what in (
            (self._turns, TURNS, "turns at the database"),
            (self._files, FILES, "turns for files"),
        ):
            lost = turns.held_over(HELD_AT_MOST_SECONDS)
            if lost:
                raise UnavailableError(
                    f"{lost} of {of} {what} did not come back within "
                    f"{HELD_AT_MOST_SECONDS // 60} minutes. Restart this process."
                )

    def _begin(self, environ: dict[str, Any]) -> None:
        """Wait for the turn of a request, once."""
        if _TURN not in environ:
            environ[_TURN] = self._turns.take()

    @staticmethod
    def _end(environ: dict[str, Any]) -> None:
        turn: Turn | None = environ.pop(_TURN, None)
        if turn:
            turn.end()
