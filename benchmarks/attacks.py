"""What idle, slow and broken clients, and a database that goes away, cost everybody else."""

import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

import psutil
import psycopg

from benchmarks import attackers, wide, wrk
from benchmarks.attackers import attacking
from benchmarks.questions import Question, first_page, get
from benchmarks.section import Section, Table, milliseconds, times
from benchmarks.serving import HOST, Server, product
from benchmarks.stage import Scene
from benchmarks.world import BUSY, PRESET

CLIENTS: Final = 2
SLOW_FILES: Final = 7
SLOW_BYTES_A_SECOND: Final = 400
SILENT: Final = 14
SILENT_SECONDS: Final = 90
DRIBBLERS: Final = 90
ENDED: Final = 20
LISTS: Final = 20
_IDLE_SECONDS: Final = 10
_PATIENCE: Final = 120.0
_OWN: Final = """
    FROM pg_stat_activity
    WHERE application_name = 'usage-ledger' AND datname = current_database()
"""
_END: Final = f"SELECT pg_terminate_backend(pid, 5000) {_OWN} AND xact_start IS NOT NULL"
_SESSIONS: Final = f"SELECT count(*) {_OWN}"


@dataclass(frozen=True)
class _Outcome:
    attack: str
    seen: str
    figures: dict[str, float]


def measure(scene: Scene) -> list[Section]:
    """Attack one process; what others see meanwhile, and afterwards, is the outcome."""
    scene.use_rollup(scene.options.rollup[-1])
    seconds = scene.options.seconds
    with wide.workspace(scene) as file_that_is_large, product(scene) as server:
        file = get("usage/export", workspaceId=BUSY, preset=PRESET.value, columns="extended")
        run: list[Callable[[], _Outcome]] = [
            lambda: _slow_files(server, "a file of 10,000 rows", file, seconds),
            lambda: _slow_files(server, "a file of 200 MB", file_that_is_large, seconds),
            lambda: _silent(server, file),
            lambda: _silent(server, file_that_is_large),
            lambda: _dribblers(server, seconds),
            lambda: _ended(scene, server, file_that_is_large),
            lambda: _stopped_database(scene, server, file),
            lambda: _aborted(scene, server, file, 2 * seconds),
        ]
        outcomes = [one() for one in run]
        outcomes.append(_told_to_stop(server, file_that_is_large))
    figures: dict[str, float] = {}
    for outcome in outcomes:
        figures |= outcome.figures
    rows = [(outcome.attack, outcome.seen) for outcome in outcomes]
    return [
        Section(
            key="attacks",
            title="Clients that wear a server out",
            prose=(
                f"One process at {scene.executions:,} executions, {scene.rollup_words}. Meanwhile "
                f"{CLIENTS} clients ask for the newest page as fast as they are answered; its p95 "
                "is compared with that of the minute before."
            ),
            tables=[Table(("attack", "seen"), rows)],
            figures=figures,
        )
    ]


def _bystanders(server: Server, seconds: int) -> wrk.Load:
    return wrk.run(server, [first_page()], clients=CLIENTS, seconds=seconds)


@dataclass(frozen=True)
class _Beside:
    """What bystanders saw before and during an attack, and what the attackers returned."""

    before: wrk.Load
    during: wrk.Load
    results: list[float]

    @property
    def ratio(self) -> float:
        return self.during.p95 / self.before.p95

    @property
    def seen(self) -> str:
        load = self.during
        return (
            f"{load.requests:,} lists, {load.refused} × 503, {load.errors} errors, p95 "
            f"{milliseconds(load.p95)} ms, {times(self.ratio)} idle"
        )

    def figures(self, key: str) -> dict[str, float]:
        return {
            f"{key}/p95 ratio": self.ratio,
            f"{key}/refused": self.during.refused,
            f"{key}/errors": self.during.errors,
        }


def _beside(server: Server, number: int, attacker: attackers.Attacker, seconds: int) -> _Beside:
    before = _bystanders(server, _IDLE_SECONDS)
    with attacking(number, attacker) as results:
        during = _bystanders(server, seconds)
    return _Beside(before, during, results)


def _slow_files(server: Server, what: str, file: Question, seconds: int) -> _Outcome:
    attacker = attackers.slow_reader(server.port, file, SLOW_BYTES_A_SECOND)
    beside = _beside(server, SLOW_FILES, attacker, seconds)
    attack = f"{SLOW_FILES} read {what} at {SLOW_BYTES_A_SECOND} B/s for {seconds} s"
    return _Outcome(attack, beside.seen, beside.figures(f"slow, {what}"))


def _dribblers(server: Server, seconds: int) -> _Outcome:
    beside = _beside(server, DRIBBLERS, attackers.dribbler(server.port), seconds)
    longest = max(beside.results)
    return _Outcome(
        f"{DRIBBLERS} send a byte of a header a second for {seconds} s",
        f"{beside.seen}; the last of them closed after {longest:.1f} s",
        beside.figures("dribble") | {"dribble/closed after": longest},
    )


def _silent(server: Server, file: Question) -> _Outcome:
    with attacking(SILENT, attackers.silent(server.port, file)):
        time.sleep(SILENT_SECONDS)
        during = _statuses(server)
    after = _statuses(server)
    attack = f"{SILENT} ask for {file.path.partition('?')[2][:24]} and read nothing for 90 s"
    seen = f"of {LISTS} lists at its end {during[200]} answer, afterwards {after[200]}"
    return _Outcome(attack, seen, {"silent/answered": after[200]})


def _statuses(server: Server, asked: int = LISTS, question: Question | None = None) -> Counter[int]:
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


def _ended(scene: Scene, server: Server, file: Question) -> _Outcome:
    ended = 0
    with psycopg.connect(scene.url, autocommit=True) as other:
        for _ in range(ENDED):
            with attackers.connected(server.port) as client:
                client.sendall(attackers.head_of(file))
                client.recv(1000)
                found = other.execute(_END).fetchall()
                ended += len(found)
                while client.recv(1 << 16):
                    pass
    after = _statuses(server)
    attack = f"{ENDED} times the database session behind a streaming file is ended"
    return _Outcome(
        attack,
        f"{ended} sessions ended; of {LISTS} lists afterwards {after[200]} answer",
        {"ended/answered": after[200], "ended/sessions": ended},
    )


@contextmanager
def _stopped(scene: Scene) -> Iterator[None]:
    """Stop every process of the database, which closes no connection."""
    with psycopg.connect(scene.url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        postmaster = psutil.Process(row[0] if row else 0).parent()
    processes = [postmaster, *postmaster.children()] if postmaster else []
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


def _stopped_database(scene: Scene, server: Server, file: Question) -> _Outcome:
    questions = [first_page(), file, get("workspaces"), Question("/readyz"), first_page()]
    asked = [questions[place % len(questions)] for place in range(40)]
    with ThreadPoolExecutor(len(asked)) as clients, _stopped(scene):
        answers = list(clients.map(lambda question: _ask(server, question), asked))
    longest = max(seconds for _, seconds in answers)
    statuses = Counter(status for status, _ in answers)
    after = _ask(server, first_page())[0]
    attack = "every process of the database is stopped under 40 requests"
    seen = (
        f"{statuses[503]} × 503, the last after {longest:.1f} s; the first one afterwards: {after}"
    )
    return _Outcome(
        attack,
        seen,
        {"stopped/503": statuses[503], "stopped/longest": longest, "stopped/after": after},
    )


@dataclass(frozen=True)
class _Held:
    memory: int
    files: int
    sessions: int


def _held(scene: Scene, server: Server) -> _Held:
    with psycopg.connect(scene.url) as connection:
        row = connection.execute(_SESSIONS).fetchone()
    files = sum(process.num_fds() for process in server.processes())
    return _Held(server.memory(), files, int(row[0]) if row else 0)


def _aborted(scene: Scene, server: Server, file: Question, seconds: int) -> _Outcome:
    mixed = [first_page(), file, get("usage/summary", workspaceId=BUSY, preset=PRESET.value)]
    with attacking(16, attackers.leaver(server.port, mixed)) as left:
        first = wrk.run(server, mixed[::2], clients=8, seconds=seconds // 4)
        before = _held(scene, server)
        second = wrk.run(server, mixed[::2], clients=8, seconds=seconds - seconds // 4)
        after = _held(scene, server)
    growth = after.memory / before.memory - 1
    seen = (
        f"{first.requests + second.requests:,} answers, {sum(left):,.0f} clients left early, "
        f"{first.errors + second.errors} errors; after the first quarter memory {growth:+.1%} "
        f"({before.memory / 1e6:.0f} MB), files {before.files} → {after.files}, sessions "
        f"{before.sessions} → {after.sessions}"
    )
    figures: dict[str, float] = {
        "aborted/growth": growth,
        "aborted/files": after.files - before.files,
        "aborted/sessions": after.sessions - before.sessions,
    }
    return _Outcome(f"{seconds} s of mixed load beside 16 clients that leave", seen, figures)


def _told_to_stop(server: Server, file: Question) -> _Outcome:
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
    return _Outcome("SIGTERM while a file of 200 MB is read", seen, figures)
