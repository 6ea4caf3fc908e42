"""The manifest of an export: what it says of the file is what the file says of itself."""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from data.files.manifest import ProvenFile
from data.question.file_options import Columns, FileOptions
from data.question.query import UsageQuery
from data.rules.money import exact
from tests.conftest import Api
from tests.support.platform import ALWAYS, VIEWER, WORKSPACE, Platform, Run, spaced, utc

NOON = utc("2026-10-10 12:00")
WINDOW = {"workspaceId": WORKSPACE, "from": "2026-10-01", "to": "2026-10-31"}
EXPORT = "billing/usage/export"
MANIFEST = "billing/usage/export/manifest"
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
SUMS = ("cost_usd", "included_usd", "on_demand_usd", "tokens", "unknown")


@pytest.fixture
def ledger_of_october(platform: Platform) -> Platform:
    platform.account("3")
    platform.workflow("wf", "Angebot für Müller; eilig")
    tiny = '{"total": 0.000000000000000000000000000001, "tokens": {"input": 3, "output": 4}}'
    platform.runs(
        [
            *spaced(5, start=NOON, cost="1.25"),
            Run("tiny", NOON + timedelta(hours=1), tiny, workflow="wf", trigger="chat"),
            Run("unknown", NOON + timedelta(hours=2), '{"total": "?"}', workflow="wf"),
        ]
    )
    return platform


def archived(api: Api, params: dict[str, Any]) -> tuple[dict[str, bytes], Any]:
    """Return the files of the archive by name, and the answer that it came in."""
    answer = api.get(EXPORT, params | {"manifest": "1"})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.data)) as together:
        assert together.testzip() is None
        return {name: together.read(name) for name in together.namelist()}, answer


def add_up(content: bytes, delimiter: str, decimal: str) -> dict[str, Any]:
    """Add up an extended file, as somebody would who has nothing else."""
    text = content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))

    def dollars(column: str) -> Decimal:
        amounts = [row[column].replace(decimal, ".") for row in rows if row[column]]
        return sum(map(Decimal, amounts), Decimal(0))

    with exact():
        cost, on_demand = dollars("Cost (USD)"), dollars("On-Demand (USD)")
        return {
            "rows": len(rows),
            "cost_usd": cost,
            "included_usd": cost - on_demand,
            "on_demand_usd": on_demand,
            "tokens": sum(int(row["Tokens"]) for row in rows if row["Tokens"]),
            "unknown": sum(row["Cost (USD)"] == "" for row in rows),
        }


def in_numbers(sums: dict[str, Any]) -> dict[str, Any]:
    return {name: Decimal(sums[name]) if "usd" in name else sums[name] for name in SUMS}


@pytest.mark.usefixtures("ledger_of_october")
@pytest.mark.parametrize("columns", ["standard", "extended"])
@pytest.mark.parametrize(
    ("separator", "decimal"),
    [
        ("comma", "point"),
        ("semicolon", "point"),
        ("semicolon", "comma"),
        ("tab", "point"),
        ("tab", "comma"),
    ],
)
def test_the_hash_is_that_of_the_bytes_that_the_same_question_gives(
    api: Api, columns: str, separator: str, decimal: str
) -> None:
    options = {"columns": columns, "separator": separator, "decimal": decimal}
    told = api.json(MANIFEST, WINDOW | options)
    sent = api.get(EXPORT, WINDOW | options).data
    assert told["sha256"] == hashlib.sha256(sent).hexdigest()
    assert told["bytes"] == len(sent)
    assert {name: told[name] for name in options} == options
    assert told["file_name"] in api.get(EXPORT, WINDOW | options).headers["Content-Disposition"]
    if columns == "extended":
        mark = "," if decimal == "comma" else "."
        added = add_up(sent, DELIMITERS[separator], mark)
        assert added == {"rows": told["rows"], **in_numbers(told["sums"])}


@pytest.mark.usefixtures("ledger_of_october")
@pytest.mark.parametrize(
    "filters",
    [{"type": "on_demand"}, {"type": "included"}, {"workflow": "wf"}, {"workflow": "deleted"}],
)
def test_the_sums_are_those_of_the_summary_whatever_is_filtered(
    api: Api, filters: dict[str, str]
) -> None:
    told = api.json(MANIFEST, WINDOW | filters)
    summary = api.json("billing/usage/summary", WINDOW | filters)
    assert told["sums"] == {name: summary[name] for name in SUMS}
    assert told["rows"] == summary["executions"] > 0
    extended = api.get(EXPORT, WINDOW | filters | {"columns": "extended"}).data
    assert add_up(extended, ",", ".") == {"rows": told["rows"], **in_numbers(told["sums"])}


@pytest.mark.usefixtures("ledger_of_october")
def test_the_sums_are_those_of_the_summary_where_the_file_holds_the_window(api: Api) -> None:
    told = api.json(MANIFEST, WINDOW)
    summary = api.json("billing/usage/summary", WINDOW)
    assert told["sums"] == {name: summary[name] for name in SUMS}
    assert told["rows"] == told["executions"] == summary["executions"] == 7
    assert told["sums"]["cost_usd"] == "6.250000000000000000000000000001"
    assert told["sums"]["unknown"] == 1
    assert told["period"] == summary["period"]
    assert told["truncated"] is False


@pytest.mark.usefixtures("ledger_of_october")
@pytest.mark.parametrize("options", [{}, {"columns": "extended", "separator": "semicolon"}])
def test_the_archive_holds_the_same_file_and_the_same_manifest(
    api: Api, options: dict[str, str]
) -> None:
    files, answer = archived(api, WINDOW | options)
    told = api.json(MANIFEST, WINDOW | options)
    name = told["file_name"]
    assert list(files) == [name, name.replace(".csv", ".manifest.json")]
    assert files[name] == api.get(EXPORT, WINDOW | options).data
    beside = json.loads(files[name.replace(".csv", ".manifest.json")])
    assert beside | {"as_of": None} == told | {"as_of": None}
    assert list(beside) == list(told)
    assert answer.content_type == "application/zip"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="{name.replace(".csv", ".zip")}"'
    assert re.fullmatch(r"usage-ws-\d{4}-\d{2}-\d{2}\.csv", name)
    assert answer.headers["X-Export-Truncated"] == "0"
    assert answer.headers["X-Export-Row-Limit"] == "10000"
    assert answer.headers["Content-Length"] == str(len(answer.data))


def test_the_hash_stays_while_nothing_changes_and_changes_with_a_cost(
    ledger_of_october: Platform, api: Api
) -> None:
    first, again = api.json(MANIFEST, WINDOW), api.json(MANIFEST, WINDOW)
    assert first | {"as_of": None} == again | {"as_of": None}
    assert first["as_of"] < again["as_of"]
    ledger_of_october.sql(
        "UPDATE workflow_execution_logs SET cost = '{\"total\": 1.26}' WHERE id = 'run-00000'"
    )
    changed = api.json(MANIFEST, WINDOW)
    assert changed["sha256"] != first["sha256"]
    assert changed["bytes"] == first["bytes"]
    assert changed["sums"]["cost_usd"] == "6.260000000000000000000000000001"


@pytest.mark.usefixtures("ledger_of_october")
def test_filters_are_named_and_only_what_they_leave_is_added_up(api: Api) -> None:
    filters = {"workflow": ["wf"], "trigger": ["api", "chat"], "min_cost_usd": "0"}
    told = api.json(MANIFEST, WINDOW | filters)
    assert told["filters"] == {
        "workflow": ["wf"],
        "trigger": ["api", "chat"],
        "min_cost_usd": ["0"],
    }
    assert (told["rows"], told["executions"], told["truncated"]) == (1, 1, False)
    at = "2026-10-10T13:00:00.000000Z"
    assert told["first"] == told["last"] == {"id": "tiny", "date": at}
    on_demand = api.json(MANIFEST, WINDOW | {"type": "on_demand"})
    assert on_demand["filters"] == {"type": ["on_demand"]}
    assert on_demand["sums"]["on_demand_usd"] == "3.250000000000000000000000000001"
    assert on_demand["last"]["id"] == "run-00002"


def test_a_file_that_is_not_the_whole_window_says_so(platform: Platform, api: Api) -> None:
    platform.account(5_000)
    platform.sql(
        """
        INSERT INTO workflow_execution_logs
            (id, execution_id, level, trigger, started_at, workspace_id, cost)
        SELECT n, n, 'info', 'api', timestamp '2026-10-10' + n * interval '1 second', 'ws',
               '{"total": 1}'
        FROM generate_series(1, 10001) AS n
        """
    )
    told = api.json(MANIFEST, WINDOW)
    assert (told["executions"], told["rows"], told["row_limit"]) == (10_001, 10_000, 10_000)
    assert told["truncated"] is True
    assert (told["first"]["id"], told["last"]["id"]) == ("10001", "2")
    assert told["sums"] == {
        "cost_usd": "10000",
        "included_usd": "4999",
        "on_demand_usd": "5001",
        "tokens": 0,
        "unknown": 0,
    }
    files, answer = archived(api, WINDOW)
    assert answer.headers["X-Export-Truncated"] == "1"
    assert hashlib.sha256(files[told["file_name"]]).hexdigest() == told["sha256"]


def test_an_empty_window_is_proved_empty(platform: Platform, api: Api) -> None:
    platform.account()
    told = api.json(MANIFEST, WINDOW)
    assert (told["rows"], told["first"], told["last"]) == (0, None, None)
    assert told["sums"] == {
        "cost_usd": "0",
        "included_usd": "0",
        "on_demand_usd": "0",
        "tokens": 0,
        "unknown": 0,
    }
    assert told["sha256"] == hashlib.sha256(api.get(EXPORT, WINDOW).data).hexdigest()


def test_it_names_workspace_zone_and_preset(platform: Platform, api_of: Callable[..., Api]) -> None:
    platform.user("payer")
    platform.workspace("ws-1", name="Support")
    platform.grant("viewer", "ws-1")
    api = api_of(platform.reader, USAGE_TIMEZONE="Asia/Kolkata")
    told = api.json(MANIFEST, {"workspaceId": "ws-1", "preset": "last_month"})
    assert told["object"] == "usage_export_manifest"
    assert told["workspace"] == {"id": "ws-1", "name": "Support"}
    assert told["period"]["timezone"] == "Asia/Kolkata"
    assert told["period"]["preset"] == "last_month"
    assert told["period"]["from"].endswith("T18:30:00.000000Z")


def test_file_and_manifest_are_one_snapshot_while_executions_come_and_go(
    ledger_of_october: Platform,
) -> None:
    options = FileOptions(Columns.EXTENDED, manifest=True)
    query = UsageQuery(WORKSPACE, ALWAYS)
    with ledger_of_october.ledger().export(VIEWER, query, options) as export:
        ledger_of_october.sql("DELETE FROM workflow_execution_logs")
        ledger_of_october.runs([Run("late", NOON)])
        proven = ProvenFile.of(export, query, options, datetime.now(UTC), UTC)
    told = proven.manifest
    assert told["rows"] == told["executions"] == 7
    added = add_up(proven.content, ",", ".")
    assert added == {"rows": 7, **in_numbers(told["sums"])}


def test_a_name_in_the_archive_leads_nowhere(platform: Platform, api: Api) -> None:
    workspace = "/../../etc/é"
    platform.account(None, workspace)
    files, _ = archived(api, {"workspaceId": workspace})
    assert all(re.fullmatch(r"usage-_.._.._etc_é-[0-9-]+\.(csv|manifest\.json)", n) for n in files)


@pytest.mark.parametrize("name", ["manifest", "limit", "starting_after"])
def test_the_manifest_itself_takes_no_more_than_describes_a_file(
    platform: Platform, api: Api, name: str
) -> None:
    platform.account()
    assert api.refusal(400, MANIFEST, WINDOW | {name: "1"})["code"] == "parameter_unknown"
    assert api.refusal(400, MANIFEST, WINDOW | {"decimal": "comma"})["param"] == "decimal"
