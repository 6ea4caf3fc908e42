"""Many clients at once, by wrk: it is written in C and leaves the cores to what is measured."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.questions import Question
from benchmarks.serving import Server

_SCRIPT: Final = Path(__file__).with_suffix(".lua")
_LONGEST_WAIT: Final = 60  # seconds


@dataclass(frozen=True)
class Load:
    """What many clients saw: durations in seconds; ``broken`` connections got no answer."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    longest: float
    broken: int
    statuses: Mapping[int, int]

    @property
    def throughput(self) -> float:
        """Answers of status 200 in a second."""
        return self.statuses.get(200, 0) / self.seconds

    @property
    def refused(self) -> int:
        """How many were told that the server is busy."""
        return self.statuses.get(503, 0)

    @property
    def errors(self) -> int:
        """How many went wrong in any other way."""
        known = self.statuses.get(200, 0) + self.refused
        return sum(self.statuses.values()) - known + self.broken


def run(server: Server, questions: Sequence[Question], *, clients: int, seconds: int) -> Load:
    """Let ``clients`` ask the questions in turn, each as soon as it has its answer."""
    asked = server.log.with_suffix(".questions.lua")
    asked.write_text(f"return {{{','.join(map(_in_lua, questions))}}}")
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", f"--timeout={_LONGEST_WAIT}s"]
    done = subprocess.run(
        [*command, f"-s{_SCRIPT}", f"{server.url}/"],
        env=dict(os.environ) | {"QUESTIONS": str(asked)},
        check=False,
        capture_output=True,
        text=True,
    )
    if "RESULT" not in done.stdout:
        raise RuntimeError(f"wrk failed: {done.stderr or done.stdout}")
    seen = json.loads(done.stdout.rpartition("RESULT ")[2])
    return Load(
        requests=seen["requests"],
        seconds=seen["seconds"],
        p50=seen["p50"],
        p95=seen["p95"],
        p99=seen["p99"],
        longest=seen["longest"],
        broken=seen["broken"],
        statuses={int(code): count for code, count in seen["statuses"].items()},
    )


def _in_lua(question: Question) -> str:
    headers = ",".join(f"[ {_text(k)} ]={_text(v)}" for k, v in question.headers.items())
    body = "nil" if question.body is None else _text(question.body.decode())
    return (
        f"{{method={_text(question.method)},path={_text(question.path)},"
        f"headers={{{headers}}},body={body}}}"
    )


def _text(word: str) -> str:
    return f"[====[{word}]====]"
