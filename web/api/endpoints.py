"""The endpoints of the API, one entry each.

Routes, the parameters that a request may carry and the OpenAPI document derive from this table.
"""

from typing import Final

from data.files.columns import COLUMNS, MORE_COLUMNS
from data.files.export import ROW_LIMIT
from web.api import execution, export, manifest, params, series, summary, usage_list, workspaces
from web.api.endpoint import Endpoint
from web.api.responses import json_body

ENDPOINTS: Final = (
    Endpoint(
        path="/api/billing/usage",
        operation_id="listUsage",
        summary="A page of executions, newest first",
        description="Walk to older rows with `starting_after`: `next_cursor`, to newer ones with "
        "`ending_before`: `previous_cursor`; null is the end. A cursor keeps the window as "
        "it was first resolved, works in any process, and grants nothing.",
        params=params.ListParams,
        answer=usage_list.answer,
        success=json_body(usage_list.UsageList, "The page."),
    ),
    Endpoint(
        path="/api/billing/usage/summary",
        operation_id="summarizeUsage",
        summary="Sums over the whole window",
        description="They equal the sums of all pages to the last digit.",
        params=params.FilterParams,
        answer=summary.answer,
        success=json_body(summary.UsageSummary, "The sums."),
    ),
    Endpoint(
        path="/api/billing/usage/series",
        operation_id="chartUsage",
        summary="The course of the window's costs",
        description="By the hour for a day or two, by the day up to 400 of them, else by the "
        "month.",
        params=params.SeriesParams,
        answer=series.answer,
        success=json_body(series.UsageSeries, "The course."),
    ),
    Endpoint(
        path="/api/billing/usage/export",
        operation_id="exportUsage",
        summary="The window as CSV",
        description=f"The newest {ROW_LIMIT:,} rows, newest first, with the columns "
        f"`{','.join(COLUMNS)}`; extended by `{','.join(MORE_COLUMNS)}`. A connection that "
        "breaks off is an incomplete file.",
        params=params.ExportParams,
        answer=export.answer,
        success=export.FILE,
    ),
    Endpoint(
        path="/api/billing/usage/export/manifest",
        operation_id="describeExport",
        summary="What proves a file of the window complete",
        description="Describes the file that the same question gives now: as long as nothing "
        "changed, its bytes have this hash.",
        params=params.ManifestParams,
        answer=manifest.answer,
        success=json_body(manifest.ExportManifest, "The manifest."),
    ),
    Endpoint(
        path="/api/billing/usage/execution",
        operation_id="getExecution",
        summary="Everything known of one execution",
        description="Where it is not in that workspace, the 404 names `id`.",
        params=params.ExecutionParams,
        answer=execution.answer,
        success=json_body(execution.UsageExecution, "The execution."),
    ),
    Endpoint(
        path="/api/billing/workspaces",
        operation_id="listWorkspaces",
        summary="The viewer's workspaces, by name",
        description="",
        params=params.NoParams,
        answer=workspaces.answer,
        success=json_body(workspaces.WorkspaceList, "The workspaces."),
    ),
)
