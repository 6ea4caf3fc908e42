"""What a database that goes away, and a server that is told to stop, cost those who ask."""

import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

import psutil
import psycopg

from benchmarks import attackers
from benchmarks.questions import Question, first_page, get
from benchmarks.serving import HOST, Server
from benchmarks.stage import Scene

ENDED: Final = 20
LISTS: Final = 20
_PATIENCE: Final = 120.0
OWN: Final = """
    FROM pg_stat_activity
    WHERE application_name = 'usage-ledger' AND datname = current_database()
"""
_END: Final = f"SELECT pg_terminate_backend(pid, 5000) {OWN} AND xact_start IS NOT NULL"


@dataclass(frozen=True)
class Outcome:
    """What was done, what was seen of it in words, and in figures by name."""

    attack: str
    seen: str
    figures: dict[str, float]


def statuses_of(
    server: Server, asked: int = LISTS, question: Question | None = None
) -> Counter[int]:
    """Ask at once; count what came."""
    question = question or first_page()
    with ThreadPoolExecutor(asked) as clients:
        return Counter(clients.map(lambda _: _ask(server, question)[0], range(asked)))


def _ask(server: Server, question: Question) -> tuple[int, float]:
    """Return the status, 0 where the connection broke, and the seconds that it took."""
    begun = time.monotonic()
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=_PATIENCE)) as connection:
        try:
            connection.request("GET", question.path, headers=question.headers)
            with connection.getresponse() as answer:
                answer.read()
                return answer.status, time.monotonic() - begun
        except (http.client.HTTPException, OSError):
            return 0, time.monotonic() - begun


def ended(scene: Scene, server: Server, file: Question) -> Outcome:
    """End the sessions behind files that are being read."""
    count = 0
    with psycopg.connect(scene.url, autocommit=True) as other:
        for _ in range(ENDED):
            with attackers.connected(server.port) as client:
                client.sendall(attackers.head_of(file))
                client.recv(1000)
                found = other.execute(_END).fetchall()
                count += len(found)
                while client.recv(1 << 16):
                    pass
    after = statuses_of(server)
    attack = f"{ENDED} times the database session behind a streaming file is ended"
    return Outcome(
        attack,
        f"{count} sessions ended; of {LISTS} lists afterwards {after[200]} answer",
        {"ended/answered": after[200], "ended/sessions": count},
    )


@contextmanager
def stopped(postmaster: int) -> Iterator[None]:
    """Stop every process of a database, which closes no connection; ``postmaster`` is its first."""
    processes = [psutil.Process(postmaster), *psutil.Process(postmaster).children()]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


def _postmaster_of(scene: Scene) -> int:
    with psycopg.connect(scene.url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        return psutil.Process(row[0] if row else 0).ppid()


def stopped_database(scene: Scene, server: Server, file: Question) -> Outcome:
    """Stop the database under requests of several kinds."""
    questions = [first_page(), file, get("workspaces"), Question("/readyz"), first_page()]
    asked = [questions[place % len(questions)] for place in range(40)]
    with ThreadPoolExecutor(len(asked)) as clients, stopped(_postmaster_of(scene)):
        answers = list(clients.map(lambda question: _ask(server, question), asked))
    longest = max(seconds for _, seconds in answers)
    statuses = Counter(status for status, _ in answers)
    after = _ask(server, first_page())[0]
    attack = "every process of the database is stopped under 40 requests"
    seen = (
        f"{statuses[503]} × 503, the last after {longest:.1f} s; the first one afterwards: {after}"
    )
    return Outcome(
        attack,
        seen,
        {
            "stopped/asked": len(asked),
            "stopped/503": statuses[503],
            "stopped/longest": longest,
            "stopped/after": after,
        },
    )


def told_to_stop(server: Server, file: Question) -> Outcome:
    """End the server while a file is read; nothing can be asked of it afterwards."""
    with attackers.connected(server.port) as client:
        client.sendall(attackers.head_of(file))
        taken = len(client.recv(1000))
        server.process.terminate()
        refused = 0
        end = b""
        while piece := client.recv(1 << 20):
            taken += len(piece)
            end = (end + piece)[-5:]
            refused = refused or int(_ask(server, Question("/healthz"))[0] == 0)
    status = server.process.wait(_PATIENCE)
    whole = end == b"0\r\n\r\n"
    seen = (
        f"{taken / 1e6:,.0f} MB of the file arrive, {'whole' if whole else 'broken off'}; new "
        f"connections are {'refused' if refused else 'taken'}; exit {status}"
    )
    figures: dict[str, float] = {"stop/whole": whole, "stop/refused": refused, "stop/exit": status}
    return Outcome("SIGTERM while a file of 200 MB is read", seen, figures)
