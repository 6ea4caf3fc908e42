"""One commit on its own copy of the database: checked out, started, asked."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

from benchmarks.sameness import answering
from benchmarks.sameness.question import Callback, Question, search_of

_GIT: Final = shutil.which("git") or "git"
# Addresses of assets tell when they were changed; checked out is either side at another time.
_CHANGED: Final = 1_700_000_000
_PATIENCE: Final = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back; ``headers`` are those that are compared."""

    status: int
    headers: Mapping[str, Sequence[str]]
    body: bytes

    def at(self, keys: Sequence[str]) -> Any:
        """Return what the keys lead to in the body; None where there is no such thing."""
        try:
            found = json.loads(self.body)
            for key in keys:
                found = found[key]
        except (ValueError, KeyError, TypeError):
            return None
        return found


@dataclass(frozen=True)
class Side:
    """A checkout and the home of its database; ``now`` is what its processes take for now."""

    checkout: Path
    home: Path
    now: datetime | None = None

    @property
    def url(self) -> str:
        """The URL of its database's owner, while that runs."""
        told = (self.home / "postgres" / "postmaster.pid").read_text().splitlines()
        return f"postgresql://postgres@/postgres?host={quote(told[4])}"

    def command(self, *words: str, **variables: str) -> str:
        """Run a command of the product to its end; return what it printed."""
        done = subprocess.run(
            [sys.executable, "app.py", *words],
            cwd=self.checkout,
            env=self._environment(variables),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    @contextmanager
    def running(self, **variables: str) -> Iterator["Running"]:
        """Start it with these settings; without DATABASE_URL, its database is started too."""
        log = self.home.with_suffix(".log")
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, answering.__file__, f"{self.now or datetime.now().astimezone()}"],
                cwd=self.checkout,
                env=self._environment(variables | {"USAGE_PORT": f"{_free_port()}"}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("there are no pipes, though they were asked for")
        running = Running(process.stdin, process.stdout, log)
        try:
            running.start()
            yield running
        finally:
            process.stdin.close()  # whereupon it stops its database, and ends
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"USAGE_HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}
        return kept | own | dict(variables)


@dataclass
class Running:
    """A process that answers; ``callbacks`` are those that it says it has."""

    questions: IO[str]
    answers: IO[str]
    log: Path
    callbacks: list[dict[str, Any]] = field(default_factory=list)

    def start(self) -> None:
        """Wait until it is ready, and ask for its callbacks."""
        self._next()
        asked = Question("", "/_dash-dependencies", {})
        self.callbacks = json.loads(self.ask(asked, []).body)

    def ask_all(self, questions: Sequence[Question]) -> list[Answer]:
        """Return the answer to each, in order."""
        answers: list[Answer] = []
        for question in questions:
            answers.append(self.ask(question, answers))
        return answers

    def ask(self, question: Question, answers: Sequence[Answer]) -> Answer:
        """Return the answer; ``answers`` are those to earlier questions."""
        taken = {}
        if question.earlier is not None:
            earlier = answers[question.earlier]
            taken = {name: earlier.at(keys) for name, keys in question.taken.items()}
        params, body = question.params, question.body
        if question.callback:
            body = json.dumps(self._asked(question.callback, taken))
        else:
            # Where there was no such page, the first one is asked for again.
            params += tuple((name, str(word)) for name, word in taken.items() if word)
        request = {
            "method": question.method,
            "path": f"{question.path}?{search_of(params)}".rstrip("?"),
            "headers": dict(question.headers),
            "body": body,
            "environ": dict(question.environ),
        }
        self.questions.write(json.dumps(request) + "\n")
        self.questions.flush()
        told = self._next()
        return Answer(told["status"], told["headers"], b64decode(told["body"]))

    def _next(self) -> Any:
        line = self.answers.readline()
        if not line:
            raise RuntimeError(f"the product ended: {self.log.read_text()[-2000:]}")
        return json.loads(line)

    def _asked(self, callback: Callback, taken: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a callback's question, as the browser would send it."""
        asked = self._described(callback)
        values = {**callback.values, **taken}
        clicked = list(callback.clicked) or [f"{one}" for one in _names(asked["inputs"][:1])]
        for element in clicked:
            values.setdefault(element, 1)
        outputs = [_prop(name) for name in asked["output"].strip(".").split("...")]
        return {
            "output": asked["output"],
            "outputs": outputs if asked["output"].startswith("..") else outputs[0],
            "inputs": _valued(asked["inputs"], values),
            "state": _valued(asked["state"], values),
            "changedPropIds": clicked,
            "parsedChangedPropsIds": clicked,
        }

    def _described(self, callback: Callback) -> dict[str, Any]:
        if not callback.output:
            return self.callbacks[callback.number % len(self.callbacks)]
        for described in self.callbacks:
            if callback.output in described["output"].strip(".").split("..."):
                return described
        raise RuntimeError(f"there is no callback of {callback.output}")


def checked_out(commit: str | None, into: Path) -> Path:
    """Put the files of a commit, or else of the working tree, into a new directory."""
    into.mkdir()
    if commit:
        packed = into.with_suffix(".tar")
        _git("archive", f"--output={packed}", commit)
        with tarfile.open(packed) as archive:
            archive.extractall(into, filter="data")
        packed.unlink()
    else:
        for name in _git("ls-files", "-coz", "--exclude-standard").split("\0"):
            if name and Path(name).is_file() and not Path(name).is_symlink():
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(name, into / name)
    for path in into.rglob("*"):
        os.utime(path, (_CHANGED, _CHANGED))
    return into


def _git(*words: str) -> str:
    return subprocess.run([_GIT, *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _names(props: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"{prop['id']}.{prop['property']}" for prop in props]


def _prop(name: str) -> dict[str, str]:
    element, _, prop = name.rpartition(".")
    return {"id": element, "property": prop}


def _valued(props: Sequence[Mapping[str, str]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {**prop, "value": values.get(name)} for prop, name in zip(props, _names(props), strict=True)
    ]
