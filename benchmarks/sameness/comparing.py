"""Whether two answers are the same, and where they are not."""

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from functools import partial
from itertools import islice, zip_longest
from typing import Any, Final

from benchmarks.sameness.question import Question, search_of
from benchmarks.sameness.side import Answer

SHOWN: Final = 10
_LINES: Final = 24
_WIDTH: Final = 160
# Dash draws it anew for each page.
_DRAWN: Final = re.compile(rb'(?<="end_id":)\s*"[^"]*"')
_REQUIRED: Final = re.compile(rb'"required":\[[^\]]*\]')


@dataclass
class Tally:
    """What was asked and answered so far.

    ``renamed`` maps keys of the answers before; what matches ``dropped`` does not count.
    """

    renamed: Mapping[str, str]
    dropped: re.Pattern[bytes]
    asked: Counter[str] = field(default_factory=Counter)
    # By kind and by status, and by kind where the sides differ.
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def add(self, where: str, question: Question, before: Answer, after: Answer) -> None:
        """Compare the answers to a question that was asked under settings called ``where``."""
        self.asked[question.kind] += 1
        self.answered[question.kind, before.status] += 1
        known = renamed(_without(before, self.dropped), self.renamed)
        after = _without(after, self.dropped)
        if _content(question, known, self.renamed) == _content(question, after, self.renamed):
            return
        self.differing[question.kind] += 1
        if len(self.differences) < SHOWN:
            self.differences.append(f"{where}: {_named(question)}\n{_difference(known, after)}")

    def report(self) -> str:
        """Return the table of kinds, and the first differences."""
        lines = [f"{'kind':<14}{'asked':>7}{'2xx':>7}{'4xx':>7}{'else':>7}{'differ':>8}"]
        lines += [self._line(kind, {kind}) for kind in sorted(self.asked)]
        lines.append(self._line("all", set(self.asked)))
        return "\n".join([*lines, *(f"\n{each}" for each in self.differences)])

    def trouble(self) -> str:
        """Say why what was asked proves nothing, or what is wrong; empty where all is well."""
        well: Counter[str] = Counter()
        for (kind, status), count in self.answered.items():
            well[kind] += count if status == 200 else 0
        if never := [kind for kind in self.asked if not well[kind]]:
            return f"Never answered with 200: {', '.join(sorted(never))}."
        if 2 * well.total() < self.asked.total():
            return f"Only {well.total()} of {self.asked.total()} answers are 200."
        differing = self.differing.total()
        return f"{differing} of {self.asked.total()} answers differ." if differing else ""

    def _line(self, name: str, kinds: set[str]) -> str:
        by_hundred: Counter[int] = Counter()
        for (kind, status), count in self.answered.items():
            if kind in kinds:
                by_hundred[status // 100] += count
        asked = sum(self.asked[kind] for kind in kinds)
        differing = sum(self.differing[kind] for kind in kinds)
        other = asked - by_hundred[2] - by_hundred[4]
        figures = f"{asked:>7}{by_hundred[2]:>7}{by_hundred[4]:>7}{other:>7}{differing:>8}"
        return f"{name:<14}{figures}"


def renamed(answer: Answer, names: Mapping[str, str]) -> Answer:
    """Return the answer with these keys renamed, where it is JSON."""
    kind = next(iter(answer.headers.get("Content-Type", [""])))
    return replace(answer, body=_renamed(answer.body, names)) if "json" in kind else answer


def _without(answer: Answer, dropped: re.Pattern[bytes]) -> Answer:
    return replace(answer, body=dropped.sub(b"", answer.body)) if dropped.pattern else answer


def _renamed(body: bytes, names: Mapping[str, str]) -> bytes:
    for old, new in names.items():
        word, other = json.dumps(old).encode(), json.dumps(new).encode()
        body = re.sub(re.escape(word) + rb"(?=\s*:)", other, body)
        # The API's description names its keys twice more: as words, and where they are required.
        body = body.replace(_title(old), _title(new))
        body = _REQUIRED.sub(partial(_replaced, word=word, other=other), body)
    return body


def _replaced(found: re.Match[bytes], word: bytes, other: bytes) -> bytes:
    return found[0].replace(word, other)


def _title(key: str) -> bytes:
    return f'"title":"{key.replace("_", " ").title()}"'.encode()


def _content(question: Question, answer: Answer, names: Mapping[str, str]) -> Any:
    """Return what has to be equal: bytes, but for callbacks, whose JSON has no order of keys."""
    body: Any = _DRAWN.sub(b"", answer.body)
    if question.callback:
        try:
            body = json.loads(body)
        except ValueError:
            body = answer.body
    elif names and (members := _members(answer.body)):
        body = {name: _renamed(content, names) for name, content in members.items()}
    return answer.status, answer.headers, body


def _members(body: bytes) -> dict[str, bytes]:
    """Return the files of an archive by name; none where it is no archive."""
    if not body.startswith(b"PK"):
        return {}
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _named(question: Question) -> str:
    who = {name: word for name, word in question.headers.items() if name[:2] in {"X-", "Au"}}
    words = [question.kind, question.method, f"{question.path}?{search_of(question.params)}"]
    if question.callback:
        words.append(f"{question.callback}")
    if question.earlier is not None:
        words.append(f"with {', '.join(question.taken)} of answer {question.earlier}")
    return f"{' '.join(words)[:1000]} {who}"


def _difference(before: Answer, after: Answer) -> str:
    """Return a short unified diff, which begins shortly before the first line that differs."""
    old, new = _lines(before), _lines(after)
    pairs = enumerate(zip_longest(old, new))
    first = next((place for place, (one, other) in pairs if one != other), 0)
    # Of long answers that differ everywhere, a whole comparison would take minutes.
    part = slice(max(0, first - 2), first + 200)
    found = unified_diff(old[part], new[part], "before", "after", lineterm="", n=1)
    return "\n".join(islice(found, _LINES))


def _lines(answer: Answer) -> list[str]:
    lines = [f"{answer.status}", *(f"{name}: {word}" for name, word in answer.headers.items())]
    return lines + _text(answer.body)


def _text(body: bytes) -> list[str]:
    if members := _members(body):
        return [line for name, content in members.items() for line in (name, *_text(content))]
    try:
        text = json.dumps(json.loads(body), indent=1, ensure_ascii=False, sort_keys=True)
    except ValueError:
        text = body.decode(errors="replace")
    # In pieces, so that of a long line, or of a file within JSON, that is shown which differs.
    return [
        line[start : start + _WIDTH]
        for line in text.replace(r"\n", "\\n\n").splitlines()
        for start in range(0, len(line), _WIDTH)
    ]
