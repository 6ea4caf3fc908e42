"""What idle, slow and broken clients, and a database that goes away, cost everybody else."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psycopg

from benchmarks import attackers, wide, wrk
from benchmarks.attackers import attacking
from benchmarks.outages import (
    LISTS,
    OWN,
    Outcome,
    ended,
    statuses_of,
    stopped_database,
    told_to_stop,
)
from benchmarks.questions import Question, first_page, get
from benchmarks.section import Section, Table, milliseconds, times
from benchmarks.serving import Server, product
from benchmarks.stage import Scene
from benchmarks.world import BUSY, PRESET

CLIENTS: Final = 2
SLOW_FILES: Final = 7
SLOW_BYTES_A_SECOND: Final = 400
SILENT: Final = 14
SILENT_SECONDS: Final = 90
DRIBBLERS: Final = 90
_IDLE_SECONDS: Final = 10
_SESSIONS: Final = f"SELECT count(*) {OWN}"


def measure(scene: Scene) -> list[Section]:
    """Attack one process; what others see meanwhile, and afterwards, is the outcome."""
    scene.use_rollup(scene.options.rollup[-1])
    seconds = scene.options.seconds
    with wide.workspace(scene) as file_that_is_large, product(scene) as server:
        file = get("usage/export", workspaceId=BUSY, preset=PRESET.value, columns="extended")
        run: list[Callable[[], Outcome]] = [
            lambda: _slow_files(server, "a file of 10,000 rows", file, seconds),
            lambda: _slow_files(server, "a file of 200 MB", file_that_is_large, seconds),
            lambda: _silent(server, file),
            lambda: _silent(server, file_that_is_large),
            lambda: _dribblers(server, seconds),
            lambda: ended(scene, server, file_that_is_large),
            lambda: stopped_database(scene, server, file),
            lambda: _aborted(scene, server, file, 2 * seconds),
        ]
        outcomes = [one() for one in run]
        outcomes.append(told_to_stop(server, file_that_is_large))
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
                "is compared with that of the ten seconds before."
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


def _slow_files(server: Server, what: str, file: Question, seconds: int) -> Outcome:
    attacker = attackers.slow_reader(server.port, file, SLOW_BYTES_A_SECOND)
    beside = _beside(server, SLOW_FILES, attacker, seconds)
    attack = f"{SLOW_FILES} read {what} at {SLOW_BYTES_A_SECOND} B/s for {seconds} s"
    return Outcome(attack, beside.seen, beside.figures(f"slow, {what}"))


def _dribblers(server: Server, seconds: int) -> Outcome:
    beside = _beside(server, DRIBBLERS, attackers.dribbler(server.port), seconds)
    longest = max(beside.results)
    return Outcome(
        f"{DRIBBLERS} send a byte of a header a second for {seconds} s",
        f"{beside.seen}; the last of them closed after {longest:.1f} s",
        beside.figures("dribble") | {"dribble/closed after": longest},
    )


def _silent(server: Server, file: Question) -> Outcome:
    with attacking(SILENT, attackers.silent(server.port, file)):
        # Nothing is waited for here: to read nothing for so long is the attack.
        time.sleep(SILENT_SECONDS)
        during = statuses_of(server)
    after = statuses_of(server)
    attack = f"{SILENT} ask for {file.path.partition('?')[2][:24]} and read nothing for 90 s"
    seen = f"of {LISTS} lists at its end {during[200]} answer, afterwards {after[200]}"
    return Outcome(attack, seen, {"silent/answered": after[200]})


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


def _aborted(scene: Scene, server: Server, file: Question, seconds: int) -> Outcome:
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
    return Outcome(f"{seconds} s of mixed load beside 16 clients that leave", seen, figures)
