"""Turns at something scarce: so many at once, the others wait in a queue and are told early."""

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Event, Lock
from types import TracebackType
from typing import Final, Self

from data.rules.errors import UnavailableError

WAITING: Final = 64
PATIENCE_SECONDS: Final = 2.0


class Turn:
    """A turn that was taken, since an instant of the clock; whoever has it ends it, once."""

    def __init__(self, owner: Hashable, since: float, give_back: Callable[["Turn"], None]) -> None:
        self.owner = owner
        self.since = since
        self._give_back = give_back

    def end(self) -> None:
        """Give the turn back; where that was done before, nothing happens."""
        self._give_back(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end()


@dataclass
class _Waiter:
    """Who waits in the queue; ``turn`` is there once it has come."""

    owner: Hashable
    come: Event = field(default_factory=Event)
    turn: Turn | None = None


class Turns:
    """Lets ``turns`` go ahead at once, of one owner ``each`` at most; the others wait in a queue.

    The queue is first in, first out, past those whose owner has enough, and ``waiting`` long at
    most. Whoever finds it full, or waits in it for ``patience`` seconds, is refused with an
    UnavailableError that says ``refusal``.
    """

    def __init__(
        self,
        turns: int,
        *,
        each: int | None = None,
        waiting: int = WAITING,
        patience: float = PATIENCE_SECONDS,
        refusal: str = "Too many are asking at once. Try again in a moment.",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns = turns
        self._each = each or turns
        self._waiting_at_most = waiting
        self._patience = patience
        self._refusal = refusal
        self._clock = clock
        self._taken: set[Turn] = set()
        self._owners: Counter[Hashable] = Counter()
        self._queue: deque[_Waiter] = deque()
        self._lock = Lock()

    @property
    def waiting(self) -> int:
        """How many wait in the queue."""
        return len(self._queue)

    @property
    def free(self) -> int:
        """How many turns nobody has."""
        return self._turns - len(self._taken)

    def held_over(self, seconds: float) -> int:
        """Return how many turns have been out for longer than that."""
        with self._lock:
            return sum(self._clock() - turn.since > seconds for turn in self._taken)

    def take(self, owner: Hashable = "") -> Turn:
        """Wait for a turn; raises UnavailableError where that would take too long."""
        with self._lock:
            if self._may_go(owner):
                return self._taken_by(owner)
            if self.waiting >= self._waiting_at_most:
                raise self._refused()
            waiter = _Waiter(owner)
            self._queue.append(waiter)
        waiter.come.wait(self._patience)
        with self._lock:
            if waiter.turn:
                return waiter.turn
            self._queue.remove(waiter)
        raise self._refused()

    def _may_go(self, owner: Hashable) -> bool:
        return self.free > 0 and self._owners[owner] < self._each

    def _taken_by(self, owner: Hashable) -> Turn:
        turn = Turn(owner, self._clock(), self._give_back)
        self._taken.add(turn)
        self._owners[owner] += 1
        return turn

    def _give_back(self, turn: Turn) -> None:
        with self._lock:
            if turn not in self._taken:
                return
            self._taken.remove(turn)
            self._owners[turn.owner] -= 1
            self._owners += Counter()  # forgets who has none
            following = next((waiter for waiter in self._queue if self._may_go(waiter.owner)), None)
            if following:
                self._queue.remove(following)
                following.turn = self._taken_by(following.owner)
                following.come.set()

    def _refused(self) -> UnavailableError:
        return UnavailableError(self._refusal, code="overloaded")
