"""What the export takes and its manifest gives, as types."""

from typing import Literal

from pydantic import Field

from api.models import Dollars, FilterParams, Instant, Model, Period
from data.choice import Columns, Mark, Separator


class ManifestParams(FilterParams):
    """How the file of them is written."""

    columns: Columns = Field(
        Columns.STANDARD,
        description="`extended`: also Type, On-Demand part, status, input and output tokens, ids.",
    )
    separator: Separator = Field(
        Separator.COMMA,
        description="What stands between two fields. A file with `semicolon` begins with a byte "
        "order mark, without which the spreadsheets that want it misread UTF-8.",
    )
    decimal: Mark = Field(
        Mark.POINT,
        description="What stands before the decimals of dollars; `comma` not together with "
        "`separator=comma`.",
    )


class ExportParams(ManifestParams):
    """Whether its manifest comes with it."""

    manifest: Literal["0", "1"] = Field(
        "0",
        description="1: a ZIP of the file and its manifest, both of one snapshot.",
    )


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
