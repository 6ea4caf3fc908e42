"""The CSV: its columns, its marks, the formula guard, the cap, the name of the file."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from data.question.file_options import STANDARD, FileOptions, Mark, Separator
from data.rules.calendar import local_day
from data.rules.labels import model_label, rfc3339, type_label, workflow_label
from data.rules.money import plain

COLUMNS: Final = ("Date", "Execution", "Workflow", "Trigger", "Model", "Tokens", "Cost (USD)")
MORE_COLUMNS: Final = (
    "Type",
    "On-Demand (USD)",
    "Status",
    "Input tokens",
    "Output tokens",
    "Row ID",
    "Workflow ID",
    "Workspace ID",
)
ROW_LIMIT: Final = 10_000

_WRITTEN_END: Final = "\r\n"
_RUN_BY_SPREADSHEETS: Final = ("=", "+", "-", "@", "\t", "\r")
_DELIMITERS: Final = {Separator.COMMA: ",", Separator.SEMICOLON: ";", Separator.TAB: "\t"}
# Without it the spreadsheets that want semicolons take UTF-8 for the country's old encoding.
_LEAD: Final = {Separator.SEMICOLON: "\ufeff"}

_Write = Callable[[Decimal], str]


def file_name(workspace_id: str, now: datetime, zone: tzinfo) -> str:
    """Return ``usage-<workspaceId>-<YYYY-MM-DD>.csv`` for an export at ``now``.

    What of the id cannot be printed is ``_``: it would break a header, or turn the ending around.
    """
    printed = "".join(each if each.isprintable() else "_" for each in workspace_id)
    return f"usage-{printed}-{local_day(now, zone):%Y-%m-%d}.csv"


def write_csv(rows: Iterable[Any], options: FileOptions = STANDARD) -> Iterator[str]:
    """Yield the file line by line, the header first; ``rows`` are those of ``Ledger.export``."""
    line = io.StringIO(_LEAD.get(options.separator, ""), newline="")
    line.seek(0, io.SEEK_END)
    # The writer quotes what holds a character of its own line end, so that must have both.
    writer = csv.writer(line, delimiter=_DELIMITERS[options.separator], lineterminator=_WRITTEN_END)
    writer.writerow((*COLUMNS, *MORE_COLUMNS) if options.extended else COLUMNS)
    yield _taken(line)
    dollars = _with_comma if options.decimal is Mark.COMMA else plain
    fields = _extended if options.extended else _standard
    for row in rows:
        writer.writerow(fields(row, dollars))
        yield _taken(line)


def _standard(row: Any, dollars: _Write) -> tuple[str, ...]:
    return (
        rfc3339(row.started_at),
        _guarded(row.execution_id),
        _guarded(workflow_label(row.workflow_name)),
        _guarded(row.trigger),
        _guarded(model_label(row.models)),
        "" if row.tokens is None else plain(row.tokens),
        "" if row.cost is None else dollars(row.cost),
    )


def _extended(row: Any, dollars: _Write) -> tuple[str, ...]:
    return (
        *_standard(row, dollars),
        type_label(row.type),
        "" if row.on_demand is None else dollars(row.on_demand),
        _guarded(row.status),
        "" if row.sent is None else plain(row.sent),
        "" if row.received is None else plain(row.received),
        _guarded(row.id),
        _guarded(row.workflow_id or ""),
        _guarded(row.workspace_id),
    )


def _with_comma(dollars: Decimal) -> str:
    return plain(dollars).replace(".", ",")


def _guarded(text: str) -> str:
    """Keep a spreadsheet from running ``text`` as a formula."""
    return f"'{text}" if text.startswith(_RUN_BY_SPREADSHEETS) else text


def _taken(line: io.StringIO) -> str:
    # One kind of line end throughout: names may hold a line feed, so rows end in one too.
    text = line.getvalue().removesuffix(_WRITTEN_END) + "\n"
    line.seek(0)
    line.truncate()
    return text
