"""How long an answer takes: one client, one connection that is kept, one question after another."""

import http.client
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.questions import Question
from benchmarks.serving import HOST, Server
from benchmarks.stage import Options

_TIMEOUT: Final = 300.0
_WARM_UP: Final = 3
_FEWEST: Final = 3


@dataclass(frozen=True)
class Answer:
    """One answer, read to its end; ``seconds`` from before the question was sent."""

    status: int
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Times:
    """Durations in seconds, shortest first, and what else was seen of the answers."""

    seconds: tuple[float, ...]
    statuses: Mapping[int, int]
    size: int

    def at(self, share: float) -> float:
        """Return the duration below which that share of the answers came."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]

    @property
    def failed(self) -> str:
        """Say which answers were not 200, nothing where all were."""
        wrong = {code: count for code, count in self.statuses.items() if code != 200}
        return ", ".join(f"{count} × {code}" for code, count in sorted(wrong.items()))


class Client:
    """One connection to a server, opened anew where the server closed it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def ask(self, question: Question) -> Answer:
        """Send a question and read the answer."""
        begun = time.perf_counter()
        try:
            return self._ask(question, begun)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # The server closes what has been idle for some seconds.
            self._connection.close()
            return self._ask(question, time.perf_counter())

    def _ask(self, question: Question, begun: float) -> Answer:
        self._connection.request(question.method, question.path, question.body, question.headers)
        with self._connection.getresponse() as response:
            body = response.read()
        return Answer(response.status, body, time.perf_counter() - begun)


@contextmanager
def client_of(server: Server) -> Iterator[Client]:
    """Open a connection for the length of the block."""
    with closing(Client(server.port)) as client:
        yield client


def timed(client: Client, question: Question, options: Options) -> Times:
    """Ask again and again: ``samples`` times, or what the budget of seconds allows, at least 3."""
    statuses: Counter[int] = Counter()
    size = 0

    def once() -> float:
        nonlocal size
        answer = client.ask(question)
        statuses[answer.status] += 1
        size = len(answer.body)
        return answer.seconds

    seconds = repeated(once, options)
    return Times(seconds, statuses, size)


def repeated(once: Callable[[], float], options: Options) -> tuple[float, ...]:
    """Do something that tells its duration until there are enough; shortest first."""
    warm_up = _WARM_UP
    first = once()
    while warm_up > 1 and first < options.budget / 20:
        once()
        warm_up -= 1
    seconds: list[float] = []
    deadline = time.perf_counter() + options.budget
    while len(seconds) < options.samples and (
        len(seconds) < _FEWEST or time.perf_counter() < deadline
    ):
        seconds.append(once())
    return tuple(sorted(seconds))
