"""The README tells the truth: what it names exists, what exists is named, what it shows was run."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from zoneinfo import ZoneInfo

import psycopg
import pytest

import app
import demo
from components import formats
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.platform.connection import connect
from data.question.query import Split, UsageQuery
from data.rules.billing import LimitScope
from data.rules.labels import type_label
from settings import Settings
from tests.support.platform import ALWAYS, Platform, Run, first_page, rows_of
from web.api import openapi

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in blocks if name == language]


def _table(header: str) -> list[list[str]]:
    """Return the cells of the table that begins with ``header``."""
    lines = README[README.index(header) :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def test_the_readme_names_every_setting_with_its_default_and_no_other() -> None:
    named = {row[0].strip("` "): row[1].strip("` ") for row in _table("| variable | default")}
    fields = Settings.model_fields.values()
    assert named == {
        str(field.alias): "unset" if field.default is None else str(field.default)
        for field in fields
    }


def test_every_command_of_the_readme_exists_and_the_other_way_round() -> None:
    assert set(re.findall(r"`python app\.py (\w[\w-]*)", README)) == set(app.main.commands)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make (\w+)`", README)) <= targets


def test_every_endpoint_of_the_readme_exists_and_the_other_way_round() -> None:
    named = {row[0].strip("` ").removeprefix("GET ") for row in _table("| endpoint | gives")}
    assert named == set(openapi.document("/")["paths"])


def test_every_file_that_the_documents_link_to_exists() -> None:
    for document in ("README.md", "CHANGELOG.md", "docs/decisions.md"):
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert ((ROOT / document).parent / target).exists(), target


def test_every_room_of_the_house_exists_and_every_module_of_data_is_named() -> None:
    house = next(block for block in _blocks("") if block.startswith("app.py"))
    for name in re.findall(r"^(\w[\w.]*/?)  ", house, re.MULTILINE):
        assert (ROOT / name).exists(), name
    named = set(re.findall(r"(\w+\.py|\w+/)", house.partition("data/ ")[2]))
    modules = {path.name for path in (ROOT / "data").glob("*.py")} - {"__init__.py"}
    left_out = {"errors.py", "labels.py", "money.py"}  # too small to be on the way of a question
    assert modules - left_out <= named


def test_the_example_at_the_limit_is_what_the_ledger_says(platform: Platform) -> None:
    example = _table("| started | cost")
    start = datetime(2026, 11, 3, tzinfo=UTC)
    platform.account(5)
    for clock, cost, *_ in example:
        hour, minute = map(int, clock.split(":"))
        written = '{"total": null}' if cost == "unknown" else f'{{"total": {cost}}}'
        platform.runs([Run(clock, start.replace(hour=hour, minute=minute), written)])
    rows = rows_of(first_page(platform.ledger()))
    for row, shown in zip(reversed(rows), example, strict=True):
        _, _, _, usage_type, on_demand, column = shown
        assert type_label(row["type"]) == usage_type
        assert row["on_demand"] == (None if on_demand == "unknown" else Decimal(on_demand))
        if row["cost"] is None:
            assert column == formats.UNKNOWN
        else:
            assert column == (formats.row_dollars(row["cost"]) if row["on_demand"] else "Included")


def test_the_grants_of_the_readme_are_enough_for_every_answer(demo_database: str) -> None:
    statements = next(block for block in _blocks("sql") if "GRANT" in block)
    with psycopg.connect(demo_database, autocommit=True) as connection:
        connection.execute(statements.replace("usage_reader", "readme_reader").encode())
        engine = connect(demo_database.replace("postgres@", "readme_reader@", 1))
        ledger = Ledger(engine, zone=ZoneInfo("UTC"), scope=LimitScope.ACCOUNT)
        viewer, query = Viewer(demo.DEMO_VIEWER_ID), UsageQuery("ws_support", ALWAYS)
        try:
            assert len(ledger.workspaces(viewer)) == 4
            assert len(ledger.page(viewer, query).rows) == 100
            total = ledger.summary(viewer, query).sums.executions
            assert ledger.figures(viewer, query, Split.WORKFLOW).groups
            assert ledger.figures_shown(viewer, query)[1].workflows
            row_id = ledger.page(viewer, query).rows["id"].iloc[0]
            assert ledger.execution(viewer, "ws_support", row_id).execution.id == row_id
            with ledger.export(viewer, query) as export:
                assert len(list(export.rows)) == export.total == total
        finally:
            engine.dispose()
            connection.execute("DROP OWNED BY readme_reader; DROP ROLE readme_reader")


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(demo_database: str) -> Iterator[str]:
    engine = connect(demo.reader_url(demo_database))
    ledger = Ledger(engine, zone=ZoneInfo("UTC"), scope=LimitScope.ACCOUNT)
    settings = Settings(_env_file=None)
    made = app.create_app(settings, ledger, lambda: Viewer(demo.DEMO_VIEWER_ID))
    with make_server(
        "127.0.0.1", 0, made.server.wsgi_app, WSGIServer, handler_class=_QuietHandler
    ) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    engine.dispose()


def test_the_curl_examples_of_the_readme_answer(served: str, tmp_path: Path) -> None:
    commands = next(block for block in _blocks("sh") if "curl" in block).splitlines()
    for command in commands:
        words = shlex.split(command.replace("127.0.0.1:8050", served))
        done = subprocess.run(
            [*words, "--fail-with-body"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout)
    extended, file = sorted(tmp_path.iterdir())
    assert extended.name == "extended.csv"
    assert "Model;Tokens;Cost (USD);Type;" in extended.read_text(encoding="utf-8-sig")
    assert re.fullmatch(r"usage-ws_support-\d{4}-\d{2}-\d{2}\.csv", file.name)
    assert file.read_text().startswith("Date,Execution,Workflow,Trigger,Model,Tokens,Cost (USD)\n")


def test_the_python_loop_of_the_readme_adds_up_all_pages(served: str, demo_database: str) -> None:
    (program,) = _blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", program.replace("127.0.0.1:8050", served)],
        capture_output=True,
        text=True,
        check=True,
    )
    with psycopg.connect(demo_database) as connection:
        counted = connection.execute(
            "SELECT count(*) FROM workflow_execution_logs WHERE workspace_id = 'ws_support'"
            " AND started_at > now() AT TIME ZONE 'UTC' - interval '30 days'"
        ).fetchone()
    assert counted is not None
    assert done.stdout.startswith(f"{counted[0]} executions, $")


def test_every_decision_has_a_date() -> None:
    titles = re.findall(r"^## .*$", (ROOT / "docs" / "decisions.md").read_text(), re.MULTILINE)
    assert [title for title in titles if not re.search(r" \(20\d\d-\d\d-\d\d\)$", title)] == []
