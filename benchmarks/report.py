"""The report: results as JSON, which a run adds to, and the document that is written from them."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.section import Section, Table
from benchmarks.serving import ROOT
from benchmarks.targets import Verdict, verdicts

RESULTS: Final = "performance.json"
DOCUMENT: Final = "performance.md"

_LIBRARIES: Final = ("dash", "flask", "gunicorn", "sqlalchemy", "psycopg", "pandas", "datasette")
# How sections follow each other; those of a size stand in the order of sizes.
_ORDER: Final = ("endpoints", "peers", "throughput", "load", "writes", "browser")


def circumstances(command: str, postgres: str) -> dict[str, str]:
    """Return what a figure depends on: when, where, which versions, which command."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    memory = psutil.virtual_memory().total / 2**30
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB of memory, "
        f"{platform.system()} {platform.release().partition('-')[0]}",
        "versions": f"Python {platform.python_version()}, PostgreSQL {postgres}, {libraries}",
        "commit": _commit(),
        "command": command,
    }


def keep(folder: Path, section: Section, when: Mapping[str, str]) -> None:
    """Put a section in the place of its last run, and write the document anew."""
    kept = _read(folder)
    kept[section.key] = section.as_json() | {"circumstances": dict(when)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULTS).write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    (folder / DOCUMENT).write_text("\n".join(_document(kept)) + "\n")


def in_terminal(section: Section) -> str:
    """Write a section as plain text, its columns aligned."""
    lines = ["", section.title, "=" * len(section.title)]
    for table in section.tables:
        widths = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]
        for row in (table.header, *table.rows):
            first, *rest = (
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join((first, *rest)).rstrip())
    return "\n".join([*lines, *(f"! {remark}" for remark in section.remarks)])


def judged(folder: Path) -> str:
    """Write every target and its verdict as plain text."""
    return "\n".join(
        f"{_WORDS[one.met]:<13} {one.target}{f' ({one.measured})' if one.measured else ''}"
        for one in _verdicts(_read(folder))
    )


_WORDS: Final = {True: "met", False: "missed", None: "not measured"}


def _read(folder: Path) -> dict[str, Any]:
    path = folder / RESULTS
    if not path.exists():
        return {}
    kept: dict[str, Any] = json.loads(path.read_text())
    return kept


def _verdicts(kept: Mapping[str, Any]) -> list[Verdict]:
    return verdicts({key: each["figures"] for key, each in kept.items()})


def _document(kept: Mapping[str, Any]) -> Iterator[str]:
    yield "# Performance"
    yield ""
    yield (
        "Written by `make bench`, which makes its own data in its own PostgreSQL and measures on "
        "loopback; every figure is what that command printed. Nothing here is edited by hand."
    )
    yield from _data()
    yield from ("", "## Targets", "")
    yield from _table(
        Table(
            ("target", "measured", "verdict"),
            [(one.target, one.measured, _WORDS[one.met]) for one in _verdicts(kept)],
        )
    )
    reasons = {one.reason: one.target for one in reversed(_verdicts(kept)) if one.reason}
    if reasons:
        yield from ("", "Missed, and why:", "")
        yield from (f"- *{target}*: {why}" for why, target in reversed(reasons.items()))
    for key in sorted(kept, key=_place):
        yield from _section(Section.from_json(key, kept[key]), kept[key]["circumstances"])


def _data() -> Iterator[str]:
    yield ""
    yield (
        "The data: one busy workspace with so many executions in the last whole month and 3 % of "
        "that in each of the eleven before it; a sparse workspace of the same payer with 50; "
        "another payer's workspace with 100,000 in one quarter-hour. Costs are JSONB of some 440 "
        "bytes with one model or two, 3 in 1,000 unknown. The payer's limit is half of the "
        "month's sum, the other payer's lies in the middle of the burst. PostgreSQL runs with the "
        "settings of the bundled PostgreSQL (256 MB of shared buffers)."
    )
    yield ""
    yield (
        '`make bench` runs everything. `make bench SIZES="10000 1000000" ONLY="endpoints peers"` '
        "runs parts, whose figures replace the older ones; `OUT=` names another directory for the "
        "report, `KEEP=` one in which the databases stay for the next run."
    )


def _section(section: Section, when: Mapping[str, str]) -> Iterator[str]:
    yield from ("", f"## {section.title}")
    yield from ("", section.prose)
    for table in section.tables:
        if table.title:
            yield from ("", f"**{table.title}**")
        yield ""
        yield from _table(table)
    if section.remarks:
        yield ""
        yield from (f"- {remark.replace('|', chr(92) + '|')}" for remark in section.remarks)
    yield ""
    yield (
        f"<sub>{when['measured']}, commit {when['commit']}, {when['machine']}; "
        f"{when['versions']}; `{when['command']}`</sub>"
    )


def _table(table: Table) -> Iterator[str]:
    marks = ["---", *["---:"] * (len(table.header) - 1)]
    for row in (table.header, marks, *table.rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _place(key: str) -> tuple[int, int, str]:
    name, *rest = key.split("-")
    order = _ORDER.index(name) if name in _ORDER else len(_ORDER)
    return order, int(rest[0]) if rest else 0, key


def _commit() -> str:
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run(
        [*git, "rev-parse", "--short=10", "HEAD"], check=False, capture_output=True, text=True
    )
    if head.returncode:
        return "unknown"
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no", "--", "*.py"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return head.stdout.strip() + (" with changes" if changed else "")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
