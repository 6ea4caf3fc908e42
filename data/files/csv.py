"""The CSV: its marks, its line ends, its lines one by one."""

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from data.files.columns import COLUMNS, MORE_COLUMNS, extended, standard
from data.question.file_options import STANDARD, FileOptions, Mark, Separator
from data.rules.execution import Execution
from data.rules.money import plain

_WRITTEN_END: Final = "\r\n"
_DELIMITERS: Final = {Separator.COMMA: ",", Separator.SEMICOLON: ";", Separator.TAB: "\t"}
# Without it the spreadsheets that want semicolons take UTF-8 for the country's old encoding.
_LEAD: Final = {Separator.SEMICOLON: "\ufeff"}


def write_csv(rows: Iterable[Execution], options: FileOptions = STANDARD) -> Iterator[str]:
    """Yield the file line by line, the header first; ``rows`` are those of ``Ledger.export``."""
    line = io.StringIO(_LEAD.get(options.separator, ""), newline="")
    line.seek(0, io.SEEK_END)
    # The writer quotes what holds a character of its own line end, so that must have both.
    writer = csv.writer(line, delimiter=_DELIMITERS[options.separator], lineterminator=_WRITTEN_END)
    writer.writerow((*COLUMNS, *MORE_COLUMNS) if options.extended else COLUMNS)
    yield _taken(line)
    dollars = _with_comma if options.decimal is Mark.COMMA else plain
    fields = extended if options.extended else standard
    for row in rows:
        writer.writerow(fields(row, dollars))
        yield _taken(line)


def _with_comma(dollars: Decimal) -> str:
    return plain(dollars).replace(".", ",")


def _taken(line: io.StringIO) -> str:
    # One kind of line end throughout: names may hold a line feed, so rows end in one too.
    text = line.getvalue().removesuffix(_WRITTEN_END) + "\n"
    line.seek(0)
    line.truncate()
    return text
