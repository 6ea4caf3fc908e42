"""The CSV: its columns, the formula guard, the cap, the name of the file."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Any, Final

from data.labels import model_label, rfc3339, workflow_label
from data.money import plain
from data.periods import local_day

COLUMNS: Final = ("Date", "Execution", "Workflow", "Trigger", "Model", "Tokens", "Cost (USD)")
ROW_LIMIT: Final = 10_000

_WRITTEN_END: Final = "\r\n"
_RUN_BY_SPREADSHEETS: Final = ("=", "+", "-", "@", "\t", "\r")


def file_name(workspace_id: str, now: datetime, zone: tzinfo) -> str:
    """Return ``usage-<workspaceId>-<YYYY-MM-DD>.csv`` for an export at ``now``."""
    return f"usage-{workspace_id}-{local_day(now, zone):%Y-%m-%d}.csv"


def write_csv(rows: Iterable[Any]) -> Iterator[str]:
    """Yield the file line by line, the header first; ``rows`` are those of ``Ledger.export``."""
    line = io.StringIO(newline="")
    # The writer quotes what holds a character of its own line end, so that must have both.
    writer = csv.writer(line, lineterminator=_WRITTEN_END)
    writer.writerow(COLUMNS)
    yield _taken(line)
    for row in rows:
        writer.writerow(
            (
                rfc3339(row.started_at),
                _guarded(row.execution_id),
                _guarded(workflow_label(row.workflow_name)),
                _guarded(row.trigger),
                _guarded(model_label(row.models)),
                "" if row.tokens is None else plain(row.tokens),
                "" if row.cost is None else plain(row.cost),
            )
        )
        yield _taken(line)


def _guarded(text: str) -> str:
    """Keep a spreadsheet from running ``text`` as a formula."""
    return f"'{text}" if text.startswith(_RUN_BY_SPREADSHEETS) else text


def _taken(line: io.StringIO) -> str:
    # One kind of line end throughout: names may hold a line feed, so rows end in one too.
    text = line.getvalue().removesuffix(_WRITTEN_END) + "\n"
    line.seek(0)
    line.truncate()
    return text
