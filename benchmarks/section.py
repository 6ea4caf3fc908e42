"""What a measurement has to say: prose, tables, and figures that targets are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows of cells under ``header``; all text, aligned to the right but for the first column."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    title: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the report.

    ``key`` names it in the file of results, where a new run replaces it. ``figures`` are its raw
    numbers by name, seconds, bytes or counts: ``targets`` compares them across sections.
    """

    key: str
    title: str
    prose: str
    tables: list[Table]
    figures: dict[str, float]
    remarks: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return plain values, which ``from_json`` reads."""
        return {
            "title": self.title,
            "prose": self.prose,
            "tables": [
                {"title": t.title, "header": list(t.header), "rows": [list(r) for r in t.rows]}
                for t in self.tables
            ],
            "figures": self.figures,
            "remarks": self.remarks,
        }

    @classmethod
    def from_json(cls, key: str, kept: dict[str, Any]) -> "Section":
        """Read what ``as_json`` gave."""
        tables = [
            Table(tuple(t["header"]), [tuple(row) for row in t["rows"]], t["title"])
            for t in kept["tables"]
        ]
        return cls(key, kept["title"], kept["prose"], tables, kept["figures"], kept["remarks"])


def milliseconds(seconds: float) -> str:
    """Write a duration as milliseconds with three digits that count."""
    value = seconds * 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def kilobytes(count: float) -> str:
    """Write a number of bytes in kB."""
    value = count / 1000
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def times(ratio: float) -> str:
    """Write a ratio."""
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:,.0f} ×"
