"""What proves a file of the window complete."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from data.files.manifest import ProvenFile
from data.question.file_options import Columns, FileOptions, Mark, Separator
from web.api.endpoint import Call
from web.api.models import Dollars, Instant, Model, Period


class NamedWorkspace(Model):
    """The workspace of a file."""

    id: str
    name: str


class FileSums(Model):
    """Sums over the rows of a file."""

    cost_usd: Dollars = Field(description="`included_usd` and `on_demand_usd` together.")
    included_usd: Dollars
    on_demand_usd: Dollars
    tokens: int
    unknown: int = Field(description="Rows whose cost was not recorded; 0 in the sums.")


class FileRow(Model):
    """Which row of a file is meant."""

    id: str
    date: Instant


class ExportManifest(Model):
    """What proves that a file is complete and unchanged."""

    object: Literal["usage_export_manifest"] = "usage_export_manifest"
    file_name: str
    workspace: NamedWorkspace
    period: Period
    as_of: Instant = Field(description="The instant of the snapshot that was read.")
    filters: dict[str, list[str]] = Field(description="The filters, as parameters.")
    columns: Columns
    separator: Separator
    decimal: Mark
    executions: int = Field(description="Executions of the window that pass the filters.")
    rows: int = Field(description="Those of them that the file holds, its header not counted.")
    row_limit: int
    truncated: bool = Field(description="Whether there are more executions than rows.")
    sums: FileSums
    first: FileRow | None = Field(description="The newest row; null where there is none.")
    last: FileRow | None = Field(description="The oldest row.")
    bytes: int
    sha256: str = Field(description="Of the file's bytes, in hexadecimal digits.")


def answer(call: Call) -> ExportManifest:
    """Return the manifest of the file that the same question gives now."""
    query = call.query()
    options = replace(FileOptions.parse(call.given()), manifest=True)
    with call.ledger.export(call.viewer, query, options) as exported:
        proven = ProvenFile.of(exported, query, options, datetime.now(UTC), call.ledger.zone)
    return ExportManifest.model_validate(proven.manifest)
