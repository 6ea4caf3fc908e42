"""Export CSV by its button: the file, the question before a long one."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from data.rules.calendar import Window
from tests.support.browsing import DEMO_VIEWER, Seen, Tab

pytestmark = pytest.mark.browser

SUPPORT, FINANCE = "ws_support", "ws_finance"
HEADER = "Date,Execution,Workflow,Trigger,Model,Tokens,Cost (USD)\n"
COMPLETE = 10_000


def days(count: int) -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {"from": str(today - timedelta(days=count)), "to": str(today - timedelta(days=2))}


def guarded(text: str) -> str:
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def rows_by_sql(database: str, workspace_id: str, window: Window) -> list[list[str]]:
    """Read what plain SQL can tell of every row of a window, newest first."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            """
            SELECT to_char(e.started_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.execution_id,
                   coalesce(w.name, 'Deleted workflow'), e.trigger
            FROM workflow_execution_logs e LEFT JOIN workflow w ON w.id = e.workflow_id
            WHERE e.workspace_id = %s AND e.started_at >= %s AND e.started_at < %s
            ORDER BY e.started_at DESC, e.id COLLATE "C" DESC
            """,
            [workspace_id, window.start.replace(tzinfo=None), window.end.replace(tzinfo=None)],
        ).fetchall()
    return [[date, *map(guarded, texts)] for date, *texts in rows]


def rows_by_ledger(tab: Tab, workspace_id: str, window: Window) -> list[list[str]]:
    """Return model, tokens and cost as the ledger knows them, newest first."""
    with tab.site.ledger.export(DEMO_VIEWER, tab.site.query(workspace_id, window)) as export:
        return [
            [
                guarded(row.models[0]) + (f" +{len(row.models) - 1}" if row.models[1:] else "")
                if row.models
                else "",
                "" if row.tokens is None else str(row.tokens),
                "" if row.cost is None else format(row.cost, "f"),
            ]
            for row in export.rows
        ]


def download(tab: Tab, button: str, workspace_id: str) -> list[list[str]]:
    """Click ``button``, check the file's name and header, and return its rows."""
    with tab.page.expect_download() as event:
        tab.page.click(button)
    name = event.value.suggested_filename
    today = datetime.now(tab.site.ledger.zone).date()
    assert name in {f"usage-{workspace_id}-{day}.csv" for day in (today, today - timedelta(1))}
    text = Path(event.value.path()).read_bytes().decode()
    assert text.startswith(HEADER)
    assert "\r" not in text
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


def complete(tab: Tab, database: str, workspace_id: str, seen: Seen) -> list[list[str]]:
    """Return every row that the file of the window on the screen ought to have."""
    known = rows_by_sql(database, workspace_id, seen.window)
    more = rows_by_ledger(tab, workspace_id, seen.window)
    return [[*left, *right] for left, right in zip(known[:COMPLETE], more, strict=True)]


def test_the_file_holds_every_row_of_the_window_whatever_page_is_shown(
    tab: Tab, big_database: str
) -> None:
    tab.open(FINANCE, days(15))
    first = tab.shows(FINANCE)
    tab.page.click("#usage-next")
    seen = tab.until(lambda seen: "rows 101–200" in seen.caption and seen.rows != first.rows)
    rows = download(tab, "#usage-export", FINANCE)
    assert len(rows) > 200
    assert rows == complete(tab, big_database, FINANCE, seen)
    tab.until(lambda _: tab.page.inner_text("#usage-export") == "Export CSV")
    assert tab.see() == seen  # the page itself stays as it was


def test_the_file_carries_what_is_shown_where_workflows_have_awkward_names(
    tab: Tab, big_database: str
) -> None:
    tab.open(SUPPORT, {"preset": "30d"})
    seen = tab.shows(SUPPORT)
    assert tab.page.is_enabled("#usage-export")
    rows = download(tab, "#usage-export", SUPPORT)
    assert rows == complete(tab, big_database, SUPPORT, seen)
    names = {row[2] for row in rows}
    assert {"Two lines\nin one name", "'+1 800 call-back", 'Say "hello", then reply'} <= names
    assert not any(name.startswith(("=", "+", "-", "@")) for name in names)


def test_more_rows_than_a_file_holds_are_asked_about_first(tab: Tab, big_database: str) -> None:
    tab.open(SUPPORT, days(150))
    seen = tab.shows(SUPPORT)
    count = len(rows_by_sql(big_database, SUPPORT, seen.window))
    assert count > COMPLETE
    assert seen.hint.startswith(f"{count:,} rows · a file holds 10,000 · As of ")
    assert seen.question == ""
    downloads: list[object] = []
    tab.page.on("download", lambda file: downloads.append(file))  # noqa: PLW0108 - Playwright wraps functions only
    tab.page.click("#usage-export")
    asked = tab.until(lambda seen: seen.question != "")
    assert asked.question == (
        f"This window holds {count:,} executions; a file holds at most 10,000. You would get the "
        "newest 10,000. Narrow the range, or page through the API, for all."
    )
    tab.page.click("#usage-cancel")
    tab.until(lambda seen: seen.question == "")
    tab.page.click("#usage-export")
    tab.until(lambda seen: seen.question != "")
    assert downloads == []
    rows = download(tab, "#usage-confirm", SUPPORT)
    assert len(rows) == COMPLETE
    assert rows == complete(tab, big_database, SUPPORT, seen)
    tab.until(lambda seen: seen.question == "")


def test_the_question_goes_away_when_the_window_changes(tab: Tab) -> None:
    tab.open(SUPPORT, days(150))
    tab.shows(SUPPORT)
    tab.page.click("#usage-export")
    tab.until(lambda seen: seen.question != "")
    tab.page.click("#usage-preset-7d")
    seen = tab.shows(SUPPORT, lambda seen: seen.question == "")
    assert seen.pressed == ["usage-preset-7d"]
    assert seen.hint.startswith("As of ")
    assert seen.hint.endswith(" Europe/Berlin")
    assert download(tab, "#usage-export", SUPPORT)


def test_an_empty_window_gives_a_file_of_the_header_alone(tab: Tab) -> None:
    tab.open("ws_empty")
    tab.until(lambda seen: seen.state == "empty")
    assert download(tab, "#usage-export", "ws_empty") == []
