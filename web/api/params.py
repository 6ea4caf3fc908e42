"""What the API takes, as types: the parameters of every endpoint."""

from typing import Annotated, Literal

from annotated_types import Len
from pydantic import Field, StringConstraints, WithJsonSchema

from data.question.cursor import PAGE_SIZE
from data.question.file_options import Columns, Mark, Separator
from data.question.filters import LENGTH_AT_MOST, VALUES_AT_MOST
from data.question.query import Split
from data.rules.calendar import DEFAULT_PRESET, Preset
from data.rules.labels import UsageType
from web.api.models import Model

LeastDollars = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,30})?$", "examples": ["0.5"]}
    ),
]
RangeEnd = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [
                {"format": "date", "examples": ["2026-10-01"]},
                {"format": "date-time", "examples": ["2026-10-01T00:00:00Z"]},
            ],
        }
    ),
]

Word = Annotated[
    str, StringConstraints(min_length=1, max_length=LENGTH_AT_MOST, pattern=r"^[^\x00]*$")
]
Words = Annotated[list[Word], Len(1, VALUES_AT_MOST)]


class WorkspaceParams(Model):
    """Which workspace."""

    workspace_id: str = Field(alias="workspaceId", min_length=1, description="The workspace.")


class ExecutionParams(WorkspaceParams):
    """Which execution of it."""

    id: str = Field(min_length=1, description="The `id` of a row of the list.")


class WindowParams(WorkspaceParams):
    """Which window of it."""

    preset: Preset = Field(
        DEFAULT_PRESET, description="A window that ends now, or the last calendar month."
    )
    from_: RangeEnd | None = Field(
        None,
        alias="from",
        description="The window's first instant: RFC 3339 with an offset, or a day in the "
        "reporting time zone. Needs `to`; not together with `preset`.",
    )
    to: RangeEnd | None = Field(
        None,
        description="The instant before which the window ends, or its last day, which is "
        "included. Needs `from`; not together with `preset`.",
    )


class FilterParams(WindowParams):
    """Which executions of the window; where one may be repeated, any of its values will do."""

    workflow: Words | None = Field(
        None, description="A workflow's `id`, or `deleted`. May be repeated."
    )
    model: Words | None = Field(None, description="A model that was used. May be repeated.")
    trigger: Words | None = Field(None, description="What started it. May be repeated.")
    type: Annotated[list[UsageType], Len(1, VALUES_AT_MOST)] | None = Field(
        None, description="What it counts as. May be repeated."
    )
    status: Words | None = Field(None, description="How it ended. May be repeated.")
    q: Word | None = Field(
        None, description="A text in the workflow's name or in the `execution_id`, in any case."
    )
    min_cost_usd: LeastDollars | None = Field(None, description="The least known cost, in dollars.")


class ListParams(FilterParams):
    """Which page of them."""

    limit: int = Field(PAGE_SIZE, ge=1, le=PAGE_SIZE, description="Rows a page.")
    starting_after: str | None = Field(
        None,
        min_length=1,
        description="A cursor of a response, or the `id` of a row of the window: the rows older "
        "than it. Not together with `ending_before`.",
    )
    ending_before: str | None = Field(
        None, min_length=1, description="Likewise: the rows newer than it."
    )


class SeriesParams(FilterParams):
    """What the costs are split by."""

    split: Split = Field(
        Split.TYPE,
        description="By Type into what is Included and what is On-Demand, or by workflow or model.",
    )


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


class NoParams(Model):
    """Nothing to choose."""
