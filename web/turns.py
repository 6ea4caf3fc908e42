"""The line before the database: every request waits its turn, and is told early if that is long."""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Event, Lock
from typing import Any, Final

from flask import request
from werkzeug.wsgi import ClosingIterator

from data.access import Viewer
from data.engine import POOL_SIZE
from data.errors import UnavailableError

# One session is left for the question whether the database answers at all.
TURNS: Final = POOL_SIZE - 1
WAITING: Final = 64
PATIENCE_SECONDS: Final = 2.0

_TURN: Final = "usage.turn"


class Turns:
    """Lets as many requests at the database as it has sessions for; the others wait in line.

    The line is first come, first served, ``waiting`` long at most. Whoever finds no place in it, or
    stands in it for ``patience`` seconds, is refused with an UnavailableError.
    """

    def __init__(
        self, turns: int = TURNS, waiting: int = WAITING, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._free = turns
        self._places = waiting
        self._patience = patience
        self._line: deque[Event] = deque()
        self._lock = Lock()

    def before(self, identify: Callable[[], Viewer]) -> Callable[[], Viewer]:
        """Return an ``identify`` that waits for the request's turn: nobody asks anything sooner."""

        def identify_in_turn() -> Viewer:
            self.begin(request.environ)
            return identify()

        return identify_in_turn

    def begin(self, environ: dict[str, Any]) -> None:
        """Wait for the turn of a request, once."""
        if _TURN not in environ:
            self.take()
            environ[_TURN] = True

    def over(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """Return ``application`` (WSGI), in which a turn ends when its answer was sent or left."""

        def in_turn(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            try:
                answer = application(environ, start_response)
            except BaseException:
                if _TURN in environ:
                    self.give_back()
                raise
            return ClosingIterator(answer, self.give_back) if _TURN in environ else answer

        return in_turn

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    def take(self) -> None:
        """Wait for a turn; raises UnavailableError where that would take too long."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if self.waiting >= self._places:
                raise _overloaded()
            turn = Event()
            self._line.append(turn)
        if turn.wait(self._patience):
            return
        with self._lock:
            if turn.is_set():  # it came at the last moment
                return
            self._line.remove(turn)
        raise _overloaded()

    def give_back(self) -> None:
        """End a turn; the next in line has it."""
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1


def _overloaded() -> UnavailableError:
    return UnavailableError(
        "Too many are asking at once. Try again in a moment.", code="overloaded"
    )
