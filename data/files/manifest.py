"""What proves that a file is whole and unchanged: the question, its rows, their sums, its hash.

A file is held in memory here: its manifest can be written only when its last row is.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, Self

from data.files.csv import write_csv
from data.files.export import ROW_LIMIT, Export, file_name
from data.question.file_options import FileOptions
from data.question.query import UsageQuery
from data.rules.execution import Execution
from data.rules.labels import rfc3339
from data.rules.money import ZERO, exact, plain, trimmed

_CSV: Final = ".csv"
_NOT_IN_NAMES: Final = re.compile(r"[^\w.-]")


@dataclass(frozen=True)
class ProvenFile:
    """A file and its manifest, of one snapshot; ``name`` has no ending."""

    name: str
    content: bytes
    manifest: dict[str, Any]

    @classmethod
    def of(
        cls, export: Export, query: UsageQuery, options: FileOptions, now: datetime, zone: tzinfo
    ) -> Self:
        """Write the rows of ``export``, which has to have labels, whatever ``options`` says."""
        rows: list[Execution] = list(export.rows)
        content = "".join(write_csv(rows, options)).encode()
        # A name within an archive must not lead anywhere, whatever the workspace's id is.
        name = _NOT_IN_NAMES.sub("_", file_name(query.workspace_id, now, zone))
        workspace, window = export.account.workspace, query.window
        manifest = {
            "object": "usage_export_manifest",
            "file_name": name,
            "workspace": {"id": workspace.id, "name": workspace.name},
            "period": {
                "from": rfc3339(window.start),
                "to": rfc3339(window.end),
                "timezone": str(zone),
                "preset": window.preset,
            },
            "as_of": rfc3339(export.account.as_of),
            "filters": query.filters.params(),
            "columns": options.columns,
            "separator": options.separator,
            "decimal": options.decimal,
            "executions": export.total,
            "rows": len(rows),
            "row_limit": ROW_LIMIT,
            "truncated": export.total > ROW_LIMIT,
            "sums": _sums(rows),
            "first": _named(rows[:1]),
            "last": _named(rows[-1:]),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        return cls(name.removesuffix(_CSV), content, manifest)

    def zipped(self) -> bytes:
        """Return an archive of both."""
        told = json.dumps(self.manifest, ensure_ascii=False, indent=2).encode() + b"\n"
        made = datetime.fromisoformat(self.manifest["as_of"])
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as together:
            for name, content in (
                (f"{self.name}{_CSV}", self.content),
                (f"{self.name}.manifest.json", told),
            ):
                # With a date of its own, and readable by whoever unpacks it.
                entry = zipfile.ZipInfo(name, made.timetuple()[:6])
                entry.external_attr = 0o644 << 16
                together.writestr(entry, content, zipfile.ZIP_DEFLATED)
        return archive.getvalue()


def _sums(rows: Sequence[Execution]) -> dict[str, Any]:
    with exact():
        cost = sum((row.cost for row in rows if row.cost is not None), ZERO)
        on_demand = sum((row.on_demand for row in rows if row.on_demand is not None), ZERO)
        tokens = sum((row.tokens for row in rows if row.tokens is not None), ZERO)
        return {
            "cost_usd": plain(trimmed(cost)),
            "included_usd": plain(trimmed(cost - on_demand)),
            "on_demand_usd": plain(trimmed(on_demand)),
            "tokens": int(tokens),
            "unknown": sum(row.cost is None for row in rows),
        }


def _named(rows: Sequence[Execution]) -> dict[str, str] | None:
    return next(({"id": row.id, "date": rfc3339(row.started_at)} for row in rows), None)
