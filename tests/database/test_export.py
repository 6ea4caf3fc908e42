"""The CSV, read back by Python's csv and by pandas."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.answers.crossings import Crossings
from data.files.columns import COLUMNS, MORE_COLUMNS
from data.files.csv import write_csv
from data.files.export import ROW_LIMIT, file_name
from data.platform.access import Viewer
from data.question.cursor import Direction
from data.question.file_options import Columns, FileOptions, Mark, Separator
from data.question.query import UsageQuery
from data.rules.calendar import Window
from data.rules.errors import NotFoundError
from data.rules.execution import Execution, Label
from data.rules.labels import UsageType, rfc3339
from tests.support.platform import (
    ALWAYS,
    VIEWER,
    WORKSPACE,
    Platform,
    Run,
    add_numbered,
    first_page,
    rows_of,
    spaced,
    utc,
)

NOON = utc("2026-10-10 12:00")
HEADER = "Date,Execution,Workflow,Trigger,Model,Tokens,Cost (USD)"
QUERY = UsageQuery(WORKSPACE, ALWAYS)


def exported(platform: Platform, query: UsageQuery = QUERY) -> tuple[str, int]:
    with platform.ledger().export(VIEWER, query) as export:
        return "".join(write_csv(export.rows)), export.total


def by_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def by_pandas(text: str) -> list[dict[str, str]]:
    frame = pd.read_csv(io.StringIO(text, newline=""), dtype=str, keep_default_na=False)
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def read_back(text: str) -> list[dict[str, str]]:
    rows = by_csv(text)
    assert by_pandas(text) == rows
    return rows


def row(**values: Any) -> Execution:
    plain: dict[str, Any] = {
        "id": "row",
        "execution_id": "e",
        "workspace_id": "ws",
        "started_at": NOON,
        "status": "completed",
        "trigger": "api",
        "workflow_id": "wf",
        "workflow_name": "Triage",
        "models": ["gpt-4o"],
        "tokens": None,
        "tokens_complete": True,
        "cost": None,
    }
    return Execution(**plain | values)


def test_the_header_is_exact_also_where_there_are_no_rows(platform: Platform) -> None:
    platform.account()
    assert exported(platform) == (HEADER + "\n", 0)
    assert ",".join(COLUMNS) == HEADER


def test_a_row_has_every_column_as_the_platform_wrote_it(platform: Platform) -> None:
    platform.account(0)
    platform.workflow("wf", "Triage")
    cost = (
        '{"total": 0.012493750000000001, "tokens": {"total": 1843},'
        ' "models": {"gpt-4o": {"total": 2}, "haiku": {"total": 1}, "o3": {}}}'
    )
    at = utc("2026-10-10 09:15:27.412")
    platform.runs([Run("row", at, cost, workflow="wf", execution_id="run", trigger="chat")])
    text, total = exported(platform)
    assert text.splitlines()[1] == (
        "2026-10-10T09:15:27.412000Z,run,Triage,chat,gpt-4o +2,1843,0.012493750000000001"
    )
    assert total == 1


@pytest.mark.parametrize(
    ("cost", "written"),
    [
        ('{"total": 1E-7}', "0.0000001"),
        ('{"total": 1e-30}', "0.000000000000000000000000000001"),
        ('{"total": 0.123456789012345678901234567890}', "0.123456789012345678901234567890"),
        ('{"total": 1e3}', "1000"),
        ('{"total": 0}', "0"),
        ('{"total": "0.25"}', "0.25"),
        ('{"total": "a lot"}', ""),
        ('{"total": -1}', ""),
        ('{"total": 1e131071}', ""),
        (None, ""),
    ],
)
def test_a_cost_is_written_digit_by_digit_and_an_unknown_one_is_empty(
    either: Platform, cost: str | None, written: str
) -> None:
    either.account(100)
    either.runs([Run("1", NOON, cost)])
    [found] = read_back(exported(either)[0])
    assert found["Cost (USD)"] == written


def test_tokens_are_digits_and_unknown_ones_are_empty(platform: Platform) -> None:
    platform.account()
    tokens = ["1e3", "0", "-5", '"5"']
    platform.runs([Run(str(n), NOON, f'{{"tokens": {value}}}') for n, value in enumerate(tokens)])
    assert [found["Tokens"] for found in read_back(exported(platform)[0])] == ["", "", "0", "1000"]


def test_what_is_not_there_is_a_deleted_workflow_and_no_model(either: Platform) -> None:
    either.account()
    either.runs([Run("1", NOON, None)])
    [found] = read_back(exported(either)[0])
    assert (found["Workflow"], found["Model"]) == ("Deleted workflow", "")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_led_by_an_apostrophe_in_every_text_column(
    platform: Platform, first: str
) -> None:
    text = f"{first}cmd|' /C calc'!A0"
    platform.account()
    platform.workflow("wf", text)
    model = text.replace("\t", "\\t").replace("\r", "\\r")
    cost = f'{{"total": 1, "models": {{"{model}": {{}}}}}}'
    platform.runs([Run("1", NOON, cost, workflow="wf", execution_id=text, trigger=text)])
    [found] = read_back(exported(platform)[0])
    for column in ("Execution", "Workflow", "Trigger", "Model"):
        assert found[column] == "'" + text
    assert found["Cost (USD)"] == "1"


def test_numbers_dates_and_harmless_text_are_never_touched(platform: Platform) -> None:
    platform.account()
    platform.workflow("wf", "a=1+2-3@x")
    platform.runs(
        [Run("1", NOON, '{"total": 0, "tokens": 0}', workflow="wf", execution_id="'quoted")]
    )
    [found] = read_back(exported(platform)[0])
    assert list(found.values()) == [
        "2026-10-10T12:00:00.000000Z",
        "'quoted",
        "a=1+2-3@x",
        "api",
        "",
        "0",
        "0",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "two\nlines",
        "two\r\nlines",
        "two\rlines",
        "\nfirst",
        "last\n",
        "last\r",
        'say "hi"',
        "a,b",
        '"',
    ],
)
def test_a_name_comes_back_exactly_whatever_it_holds(platform: Platform, name: str) -> None:
    platform.account()
    platform.workflow("wf", name)
    platform.runs([Run(str(n), NOON, workflow="wf") for n in range(2)])
    text, _ = exported(platform)
    assert [found["Workflow"] for found in read_back(text)] == [name, name]


def test_every_line_ends_alike() -> None:
    lines = list(write_csv([row(), row(workflow_name="two\nlines"), row(trigger="a\rb")]))
    assert len(lines) == 4
    assert all(line.endswith("\n") and not line.endswith("\r\n") for line in lines)
    assert "".join(lines).count("\r") == 1


@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
        max_size=5,
    )
)
def test_any_text_is_read_back_but_for_the_guard(names: list[str]) -> None:
    written = "".join(write_csv([row(workflow_name=name, trigger=name[::-1]) for name in names]))
    found = by_csv(written)
    assert [one["Workflow"].removeprefix("'") for one in found] == [
        name.removeprefix("'") for name in names
    ]
    assert all(one["Workflow"][0] not in "=+-@\t\r" for one in found)
    assert all(one["Trigger"][0] not in "=+-@\t\r" for one in found)


def test_rows_come_newest_first_and_ties_fall_by_code_point_as_on_the_page(
    either: Platform,
) -> None:
    either.account()
    tied = ["a1", "B2", "_x", "a_1", "é"]
    either.runs([Run(row_id, NOON, execution_id=row_id) for row_id in tied])
    either.runs(spaced(3, start=NOON + timedelta(hours=1)))
    text, _ = exported(either)
    order = [found["Execution"] for found in read_back(text)]
    assert order[3:] == ["é", "a_1", "a1", "_x", "B2"]
    assert order == [one["execution_id"] for one in rows_of(first_page(either.ledger()))]


def test_the_export_has_the_whole_window_whatever_page_was_asked_for(either: Platform) -> None:
    either.account()
    either.runs(spaced(5, start=NOON))
    window = Window(NOON + timedelta(minutes=1), NOON + timedelta(minutes=4))
    query = UsageQuery(WORKSPACE, window, 1, "run-00002", Direction.NEWER)
    text, total = exported(either, query)
    executions = [found["Execution"] for found in read_back(text)]
    assert executions == [f"execution-run-0000{n}" for n in (3, 2, 1)]
    assert total == 3


def test_the_newest_ten_thousand_are_written_and_all_are_counted(platform: Platform) -> None:
    assert ROW_LIMIT == 10_000
    platform.account()

    def executions() -> tuple[list[str], int]:
        text, total = exported(platform)
        return [found["Execution"] for found in by_csv(text)], total

    add_numbered(platform, 1, 9_999)
    found, total = executions()
    assert (len(found), total) == (9_999, 9_999)
    add_numbered(platform, 10_000, 10_000)
    found, total = executions()
    assert (len(found), total) == (10_000, 10_000)
    assert (found[0], found[-1]) == ("10000", "1")
    add_numbered(platform, 10_001, 10_001)
    found, total = executions()
    assert (len(found), total) == (10_000, 10_001)
    assert (found[0], found[-1]) == ("10001", "2")


def test_an_export_is_one_snapshot_while_executions_come_and_go(either: Platform) -> None:
    either.account()
    either.runs(spaced(1_500, start=NOON, step=timedelta(seconds=1)))
    with either.ledger().export(VIEWER, QUERY) as export:
        lines = write_csv(export.rows)
        text = next(lines) + next(lines)
        either.sql("DELETE FROM workflow_execution_logs WHERE id < 'run-01000'")
        either.runs([Run("late", NOON)])
        text += "".join(lines)
    assert len(by_csv(text)) == export.total == 1_500


def test_an_export_asks_for_access_as_a_page_does(either: Platform) -> None:
    either.account()
    ledger = either.ledger()
    with pytest.raises(NotFoundError), ledger.export(Viewer("stranger"), QUERY):
        pass
    with pytest.raises(NotFoundError), ledger.export(VIEWER, replace(QUERY, workspace_id="no")):
        pass


DELIMITERS = {Separator.COMMA: ",", Separator.SEMICOLON: ";", Separator.TAB: "\t"}
CHOICES = [
    FileOptions(columns, separator, mark)
    for columns in Columns
    for separator in Separator
    for mark in Mark
    if (separator, mark) != (Separator.COMMA, Mark.COMMA)
]


def named(options: FileOptions) -> str:
    return f"{options.columns}-{options.separator}-{options.decimal}"


def read_as(options: FileOptions, text: str) -> list[dict[str, str]]:
    """Read a file as whoever chose it would: a byte order mark is no part of the first name."""
    decoded = text.encode().decode("utf-8-sig")
    stream = io.StringIO(decoded, newline="")
    return list(csv.DictReader(stream, delimiter=DELIMITERS[options.separator], strict=True))


def full_row(**values: Any) -> Execution:
    on_demand = values.pop("on_demand", Decimal("0.10"))
    return row(**{"sent": 3, "label": Label(UsageType.ON_DEMAND, on_demand)} | values)


@pytest.mark.parametrize("options", CHOICES, ids=named)
def test_every_kind_of_file_is_read_back_the_same_but_for_its_marks(options: FileOptions) -> None:
    awkward = 'a;b,c\td "e"\nf'
    rows = [
        full_row(workflow_name=awkward, cost=Decimal("1234.560"), tokens=7),
        full_row(execution_id="=1,5", cost=None, on_demand=None, workflow_id=None, sent=None),
    ]
    text = "".join(write_csv(rows, options))
    first, second = read_as(options, text)
    point = "," if options.decimal is Mark.COMMA else "."
    assert (first["Workflow"], first["Tokens"]) == (awkward, "7")
    assert first["Date"] == "2026-10-10T12:00:00.000000Z"
    assert first["Cost (USD)"] == f"1234{point}560"
    assert (second["Execution"], second["Cost (USD)"]) == ("'=1,5", "")
    assert tuple(first) == (*COLUMNS, *MORE_COLUMNS) if options.extended else COLUMNS
    if options.extended:
        assert [first[name] for name in MORE_COLUMNS] == [
            "On-Demand",
            f"0{point}10",
            "completed",
            "3",
            "",
            "row",
            "wf",
            "ws",
        ]
        assert [second[name] for name in MORE_COLUMNS[1:7]] == ["", "completed", "", "", "row", ""]
    assert text.startswith("\ufeff") == (options.separator is Separator.SEMICOLON)
    assert "\r" not in text


@given(
    options=st.sampled_from(CHOICES),
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
        max_size=4,
    ),
)
def test_any_text_in_any_column_survives_any_separator(
    options: FileOptions, names: list[str]
) -> None:
    rows = [full_row(workflow_name=name, id=name, status=name[::-1]) for name in names]
    found = read_as(options, "".join(write_csv(rows, options)))
    for column in ("Workflow", "Row ID") if options.extended else ("Workflow",):
        read = [one[column].removeprefix("'") for one in found]
        assert read == [name.removeprefix("'") for name in names]
        assert all(one[column][0] not in "=+-@\t\r" for one in found)


def test_the_extended_file_says_of_each_row_what_the_page_says(platform: Platform) -> None:
    platform.account("3", "ws", "other")
    platform.workflow("wf", "Triage")
    platform.runs(spaced(6, start=utc("2026-09-30 23:57"), cost="1.25"))
    platform.runs([Run("o", utc("2026-10-01 00:00"), '{"total": 2}', workspace="other")])
    cost = '{"total": 0, "tokens": {"prompt": 5, "completion": 6}}'
    platform.runs([Run("z", utc("2026-10-02 00:00"), cost, workflow="wf", status="failed")])
    platform.runs([Run("u", utc("2026-10-03 00:00"), '{"total": "?"}')])
    ledger = platform.ledger()
    options = FileOptions(Columns.EXTENDED)
    with ledger.export(VIEWER, QUERY, options) as export:
        assert isinstance(export.rows, Iterator)  # as they come, not all of them at once
        found = by_csv("".join(write_csv(export.rows, options)))
    names = {"included": "Included", "on_demand": "On-Demand"}
    shown = rows_of(first_page(ledger))
    assert [
        (one["Row ID"], one["Type"], one["On-Demand (USD)"], one["Status"], one["Workflow ID"])
        for one in found
    ] == [
        (
            one["id"],
            names[one["type"]],
            "" if one["on_demand"] is None else format(one["on_demand"], "f"),
            one["status"],
            one["workflow_id"] or "",
        )
        for one in shown
    ]
    assert {one["Type"] for one in found} == {"Included", "On-Demand"}
    [zero] = [one for one in found if one["Row ID"] == "z"]
    assert (zero["Input tokens"], zero["Output tokens"], zero["Tokens"]) == ("5", "6", "11")
    assert {one["Workspace ID"] for one in found} == {"ws"}


def test_only_a_file_that_tells_of_types_looks_for_a_crossing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.account(1)
    platform.runs(spaced(3, start=NOON))
    ledger = platform.ledger()
    asked: list[object] = []

    def of(*given: object) -> dict[object, object]:
        asked.append(given)
        return {}

    monkeypatch.setattr(Crossings, "of", of)
    for options in (FileOptions(), FileOptions(separator=Separator.TAB, decimal=Mark.COMMA)):
        with ledger.export(VIEWER, QUERY, options) as export:
            list(export.rows)
    assert asked == []
    for options in (FileOptions(Columns.EXTENDED), FileOptions(manifest=True)):
        with ledger.export(VIEWER, QUERY, options) as export:
            list(export.rows)
    assert len(asked) == 2


def test_the_file_is_named_after_the_day_of_the_export_in_the_reporting_zone() -> None:
    now = utc("2026-10-31 20:00")
    assert file_name("ws-1", now, UTC) == "usage-ws-1-2026-10-31.csv"
    assert file_name("ws-1", now, ZoneInfo("Asia/Kolkata")) == "usage-ws-1-2026-11-01.csv"
    second_midnight = utc("2026-11-01 05:10")
    assert file_name("w", second_midnight, ZoneInfo("America/Havana")) == "usage-w-2026-11-01.csv"
    assert file_name("a\r\nb\u202eé", now, UTC) == "usage-a__b_é-2026-10-31.csv"


def test_an_export_leaves_a_line_of_who_took_what(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.account(1)
    platform.runs([Run("1", utc("2026-11-03 10:00"))])
    with caplog.at_level("INFO"), platform.ledger().export(VIEWER, QUERY) as export:
        list(export.rows)
    start, end = rfc3339(QUERY.window.start), rfc3339(QUERY.window.end)
    assert caplog.messages == [f"export: 'viewer', workspace 'ws', from {start} to {end}, 1 rows"]
