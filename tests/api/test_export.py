"""The CSV over HTTP: its headers, its cap, its bytes, and what readers of CSV make of it."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pandas as pd
import pytest

from tests.conftest import Api
from tests.support.calling import call
from tests.support.platform import WORKSPACE, Platform, Run, add_numbered, utc

HEADER = "Date,Execution,Workflow,Trigger,Model,Tokens,Cost (USD)"
NOON = utc("2026-10-10 12:00")
NOTHING_CHOSEN: Mapping[str, Any] = {"columns": None, "format": None, "manifest": None}
WINDOW = {"workspaceId": WORKSPACE, "from_": "2026-10-01", "to": "2026-10-31"}
# A workflow's name, and how it has to stand in the file.
NAMES = [
    ("=2+2", "'=2+2"),
    ("+49 30 1234", "'+49 30 1234"),
    ("-1", "'-1"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\tx", "'\tx"),
    ("\r=1", "'\r=1"),
    ('=HYPERLINK("https://x.example","a")', '\'=HYPERLINK("https://x.example","a")'),
    ("a=1", "a=1"),
    (" =1", " =1"),
    ("'=1", "'=1"),
    ('say "hi", twice', 'say "hi", twice'),
    ("two\nlines", "two\nlines"),
    ("old\r\nlines", "old\r\nlines"),
    ("", ""),
    ("NA", "NA"),
    ("0012", "0012"),
    ("1e5", "1e5"),
    ("Ünïcode ☃ 日本 🎉", "Ünïcode ☃ 日本 🎉"),
]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.fixture
def named(platform: Platform) -> Platform:
    platform.account()
    for place, (name, _) in enumerate(NAMES):
        platform.workflow(f"wf-{place}", name)
    platform.runs(
        Run(f"run-{place:02}", NOON - timedelta(minutes=place), workflow=f"wf-{place}")
        for place in range(len(NAMES))
    )
    return platform


def pressed(
    api: Api,
    element: str,
    window: dict[str, str],
    chosen: Mapping[str, Any] = NOTHING_CHOSEN,
    filters: Any = None,
) -> dict[str, Any]:
    """Return what the page's own callback answers to a click on a button of the export."""
    values = {
        "usage-view.data": {"window": window, "filters": filters},
        "usage-location.pathname": f"/workspace/{WORKSPACE}/usage",
        **{f"usage-export-{name}.value": value for name, value in chosen.items()},
    }
    answer = call(api.client, "usage-download.data", values, f"{element}.n_clicks")
    response: dict[str, Any] = answer.get_json()["response"]
    return response


def test_an_empty_window_is_the_header_alone(platform: Platform, api: Api) -> None:
    platform.account()
    answer = api.export(**WINDOW)
    assert answer.get_data() == f"{HEADER}\n".encode()
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["X-Export-Truncated"] == "0"
    assert answer.headers["X-Export-Row-Limit"] == "10000"


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_file_is_named_after_the_day_in_the_reporting_zone(
    platform: Platform, api_of: Callable[..., Api], zone: str
) -> None:
    platform.account(None, "ws-1_A")
    before = datetime.now(ZoneInfo(zone)).date()
    answer = api_of(platform.reader, USAGE_TIMEZONE=zone).export(workspaceId="ws-1_A")
    after = datetime.now(ZoneInfo(zone)).date()
    assert answer.headers["Content-Disposition"] in {
        f'attachment; filename="usage-ws-1_A-{day.isoformat()}.csv"' for day in (before, after)
    }


def test_an_id_that_a_header_cannot_hold_breaks_no_header(platform: Platform, api: Api) -> None:
    workspace = 'a"; filename=é\\b/c'
    platform.account(None, workspace)
    sent = api.export(workspaceId=workspace).headers["Content-Disposition"]
    assert sent.isascii()
    assert sent.startswith('attachment; filename="usage-a___filename')
    assert "; filename*=UTF-8''usage-a%22%3B%20filename%3D%C3%A9%5Cb%2Fc-" in sent


def test_a_row_stands_as_the_platform_wrote_it(platform: Platform, api: Api) -> None:
    platform.account("0.01")
    platform.workflow("wf", "Triage")
    cost = {"tokens": {"input": 1000, "output": 843}, "models": {"gpt-4o": {}, "claude": {}}}
    whole = json.dumps(cost)[:-1] + ', "total": 0.012493750000000001}'
    platform.runs(
        [
            Run("a", NOON, whole, workflow="wf", execution_id="e-1", trigger="webhook"),
            Run("b", NOON - timedelta(seconds=1), '{"total": 1E-7}', execution_id="e-2"),
            Run("c", NOON - timedelta(seconds=2), '{"total": "?"}', execution_id="e-3"),
            Run("d", NOON - timedelta(seconds=3), '{"total": 0}', execution_id="=e-4"),
        ]
    )
    assert api.export(**WINDOW).text.split("\n") == [
        HEADER,
        "2026-10-10T12:00:00.000000Z,e-1,Triage,webhook,claude +1,1843,0.012493750000000001",
        "2026-10-10T11:59:59.000000Z,e-2,Deleted workflow,api,,,0.0000001",
        "2026-10-10T11:59:58.000000Z,e-3,Deleted workflow,api,,,",
        "2026-10-10T11:59:57.000000Z,'=e-4,Deleted workflow,api,,,0",
        "",
    ]


@pytest.mark.usefixtures("named")
def test_names_come_back_from_csv_and_pandas_but_for_the_guard(api: Api) -> None:
    text = api.export(**WINDOW).get_data().decode("utf-8")
    written = [guarded for _, guarded in NAMES]
    assert [row["Workflow"] for row in rows_of(text)] == written
    frame = pd.read_csv(io.StringIO(text, newline=""), dtype=str, keep_default_na=False)
    assert list(frame["Workflow"]) == written
    assert list(frame.columns) == HEADER.split(",")


@pytest.mark.usefixtures("named")
def test_no_cell_is_a_formula_in_a_workbook_and_numbers_stay_numbers(api: Api) -> None:
    text = api.export(**WINDOW).get_data().decode("utf-8")
    frame = pd.read_csv(
        io.StringIO(text, newline=""), keep_default_na=False, dtype={"Workflow": str}
    )
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for values in frame.to_dict("split")["data"]:
        sheet.append(values)
    saved = io.BytesIO()
    workbook.save(saved)
    read = openpyxl.load_workbook(saved).active
    assert read is not None
    cells = [(row[2], row[6]) for row in read.iter_rows()]
    assert len(cells) == len(NAMES)
    for (name, cost), (_, guarded) in zip(cells, NAMES, strict=True):
        # openpyxl, as a spreadsheet would, takes text that begins with "=" for a formula.
        assert name.data_type != "f"
        assert (name.value or "") == guarded
        assert (cost.data_type, cost.value) == ("n", 1)


def test_every_line_ends_alike_and_quotes_stand_only_where_needed(
    platform: Platform, api: Api
) -> None:
    platform.account()
    for name in ('a "b", c', "plain"):
        platform.workflow(name, name)
    platform.runs(
        Run(name, NOON, workflow=name, execution_id=f"e-{name[0]}")
        for name in ('a "b", c', "plain")
    )
    body = api.export(**WINDOW).get_data()
    assert b"\r" not in body
    assert body.endswith(b"\n")
    assert b',"a ""b"", c",' in body
    assert b",plain," in body


@pytest.mark.parametrize(
    ("held", "rows", "truncated"),
    [(9_999, 9_999, "0"), (10_000, 10_000, "0"), (10_001, 10_000, "1")],
)
def test_the_newest_ten_thousand_rows_are_a_file(
    platform: Platform, api: Api, held: int, rows: int, truncated: str
) -> None:
    platform.account()
    add_numbered(platform, 1, held)
    answer = api.export(**WINDOW)
    found = rows_of(answer.text)
    assert len(found) == rows
    assert (found[0]["Execution"], found[-1]["Execution"]) == (f"{held}", f"{held - rows + 1}")
    assert answer.headers["X-Export-Truncated"] == truncated
    assert answer.headers["X-Export-Row-Limit"] == "10000"
    head = api.client.head(
        "/api/billing/usage/export",
        query_string={"workspaceId": WORKSPACE, "from": "2026-10-01", "to": "2026-10-31"},
    )
    assert head.headers["X-Export-Truncated"] == truncated


@pytest.mark.usefixtures("named")
def test_the_button_gives_the_same_bytes(api: Api) -> None:
    period = api.page(workspaceId=WORKSPACE, from_="2026-10-01", to="2026-10-31")["period"]
    window = {"from": period["from"], "to": period["to"]}
    file = pressed(api, "usage-export", window)["usage-download"]["data"]
    answer = api.export(**WINDOW)
    assert file["content"].encode() == answer.get_data()
    assert f'filename="{file["filename"]}"' in answer.headers["Content-Disposition"]


def test_the_button_asks_first_where_the_api_says_truncated(platform: Platform, api: Api) -> None:
    platform.account()
    add_numbered(platform, 1, 10_001)
    window = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    asked = pressed(api, "usage-export", window)
    assert "usage-download" not in asked
    assert "10,001 executions" in json.dumps(asked["usage-question-text"])
    file = pressed(api, "usage-confirm", window)["usage-download"]
    assert file["data"]["content"].encode() == api.export(**WINDOW).get_data()


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("columns", ["standard", "extended"])
@pytest.mark.parametrize("form", ["comma", "semicolon", "tab"])
def test_the_button_gives_the_same_bytes_however_they_are_to_be_written(
    api: Api, columns: str, form: str
) -> None:
    window = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    chosen = {"columns": columns, "format": form, "manifest": False}
    file = pressed(api, "usage-export", window, chosen)["usage-download"]["data"]
    decimal = "comma" if form == "semicolon" else "point"
    answer = api.export(**WINDOW, columns=columns, separator=form, decimal=decimal)
    assert file["content"].encode() == answer.get_data()


@pytest.mark.usefixtures("named")
def test_the_button_gives_what_the_filters_on_the_screen_leave(api: Api) -> None:
    window = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    filters = {"workflow": ["wf-1", "wf-3"], "q": ["sum("]}
    file = pressed(api, "usage-export", window, filters=filters)["usage-download"]["data"]
    assert file["content"].encode() == api.export(**WINDOW, **filters).get_data()
    assert [row["Workflow"] for row in rows_of(file["content"])] == ["'@SUM(A1)"]


@pytest.mark.parametrize(
    "chosen",
    [
        {"columns": "all"},
        {"columns": ["standard"]},
        {"columns": {}, "format": "pipe"},
        {"format": "pipe"},
        {"format": {"semicolon": 1}},
    ],
)
def test_a_choice_that_the_menu_does_not_have_is_refused_in_a_sentence(
    platform: Platform, api: Api, chosen: dict[str, Any]
) -> None:
    platform.account()
    window = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    answer = pressed(api, "usage-export", window, {**NOTHING_CHOSEN, **chosen})
    assert "usage-download" not in answer
    assert "There is no such kind of file." in json.dumps(answer["usage-trouble-text"])


@pytest.mark.parametrize(
    ("filters", "param"),
    [({"q": []}, "q"), ({"type": {"a": 1}}, "type"), ({"model": [""]}, "model"), ({"x": 1}, "x")],
)
def test_filters_that_there_are_not_are_refused_in_a_sentence(
    platform: Platform, api: Api, filters: object, param: str
) -> None:
    platform.account()
    window = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    answer = pressed(api, "usage-export", window, filters=filters)
    assert "usage-download" not in answer
    [_, sentence] = answer["usage-trouble-text"]["children"]
    assert param in sentence


@pytest.mark.parametrize("filters", [None, [], "x", 5, {}])
def test_filters_that_are_none_are_no_trouble(
    platform: Platform, api: Api, filters: object
) -> None:
    platform.account()
    window = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    file = pressed(api, "usage-export", window, filters=filters)["usage-download"]["data"]
    assert file["content"] == f"{HEADER}\n"


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"columns": "all"}, "columns"),
        ({"columns": ""}, "columns"),
        ({"columns": ["standard", "extended"]}, "columns"),
        ({"separator": ";"}, "separator"),
        ({"separator": "pipe"}, "separator"),
        ({"decimal": "dot", "separator": "tab"}, "decimal"),
        ({"decimal": "comma"}, "decimal"),
        ({"decimal": "comma", "separator": "comma"}, "decimal"),
        ({"manifest": "yes"}, "manifest"),
        ({"manifest": ["1", "1"]}, "manifest"),
        ({"manifests": "1"}, "manifests"),
    ],
)
def test_a_wrong_choice_is_refused_by_its_name(
    platform: Platform, api: Api, params: dict[str, Any], named: str
) -> None:
    platform.account()
    error = api.refusal(400, "billing/usage/export", {"workspaceId": WORKSPACE, **params})
    assert error["param"] == named
    assert named in error["message"]


@pytest.mark.parametrize(
    "path", ["billing/usage", "billing/usage/summary", "billing/workspaces", "billing/usage/export"]
)
@pytest.mark.parametrize(
    "options", [{"columns": "standard"}, {"separator": "tab"}, {"decimal": "point"}]
)
def test_only_a_file_can_be_written_differently(
    platform: Platform, api: Api, path: str, options: dict[str, str]
) -> None:
    platform.account()
    params = options if path.endswith("workspaces") else {"workspaceId": WORKSPACE, **options}
    if path.endswith("export"):
        assert api.get(path, params).status_code == 200
    else:
        assert api.refusal(400, path, params)["code"] == "parameter_unknown"


@pytest.mark.usefixtures("named")
def test_a_client_of_http_1_0_gets_the_length_of_the_whole_file(api: Api) -> None:
    params = {"workspaceId": WORKSPACE, "from": "2026-10-01", "to": "2026-10-31"}
    old = api.get("billing/usage/export", params, environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"})
    new = api.get("billing/usage/export", params)
    assert old.data == new.data
    assert old.headers["Content-Length"] == str(len(old.data))
    assert "Content-Length" not in new.headers
    for name in ("Content-Disposition", "X-Export-Truncated", "X-Export-Row-Limit", "Content-Type"):
        assert old.headers[name] == new.headers[name]


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_a_finished_or_abandoned_export_gives_its_connection_back(
    platform: Platform, api: Api, protocol: str
) -> None:
    platform.account()
    add_numbered(platform, 1, 3_000)
    for _ in range(12):  # more than the pool holds
        with api.client.get(
            "/api/billing/usage/export",
            query_string={"workspaceId": WORKSPACE, "from": "2026-10-01", "to": "2026-10-31"},
            environ_overrides={"SERVER_PROTOCOL": protocol},
        ) as answer:
            assert answer.status_code == 200
            assert next(answer.iter_encoded()).startswith(b"Date,")
    assert api.page(workspaceId=WORKSPACE)["object"] == "list"
