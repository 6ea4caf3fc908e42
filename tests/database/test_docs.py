"""The documents tell the truth: what they name exists and is named, what they show was run."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from zoneinfo import ZoneInfo

import psycopg
import pytest

import app
import demo
from components import formats, ids
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.platform.connection import connect
from data.question.query import Split, UsageQuery
from data.rules.billing import Billing
from data.rules.calendar import Preset
from data.rules.labels import type_label
from settings import VERSION, Settings
from tests.support.platform import ALWAYS, Platform, Run, first_page, rows_of
from web.api import openapi

ROOT = Path(__file__).parents[2]
DOCUMENTS: Final = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
}
EVERYTHING: Final = "\n".join(DOCUMENTS.values())
API: Final = DOCUMENTS["docs/api.md"]
ARCHITECTURE: Final = DOCUMENTS["docs/architecture.md"]
INSTALL: Final = DOCUMENTS["docs/install.md"]


def _blocks(language: str, text: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for name, block in blocks if name == language]


def _table(header: str, text: str) -> list[list[str]]:
    """Return the cells of the table that begins with ``header``."""
    lines = text[text.index(header) :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def _anchors(text: str) -> set[str]:
    """Return what a link may name of a document: its headings, as GitHub writes them."""
    return {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


def test_the_settings_are_all_documented_with_their_defaults_and_no_others() -> None:
    named = {
        row[0].strip("` "): row[1].strip("` ") for row in _table("| variable | default", INSTALL)
    }
    fields = Settings.model_fields.values()
    assert named == {
        str(field.alias): "unset" if field.default is None else str(field.default)
        for field in fields
    }


def test_every_documented_command_exists_and_the_other_way_round() -> None:
    assert set(re.findall(r"python app\.py (\w[\w-]*)", EVERYTHING)) == set(app.main.commands)
    operate = DOCUMENTS["docs/operate.md"]
    assert set(re.findall(r"`python app\.py (\w[\w-]*)", operate)) == set(app.main.commands)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make (\w+)", EVERYTHING)) <= targets
    for module in re.findall(r"python -m (benchmarks[\w.]*)", EVERYTHING):
        assert importlib.util.find_spec(module), module


def test_every_documented_endpoint_exists_and_the_other_way_round() -> None:
    named = {row[0].strip("` ").removeprefix("GET ") for row in _table("| endpoint | gives", API)}
    assert named == set(openapi.document("/")["paths"])


def test_every_documented_code_of_an_error_is_given_and_the_other_way_round() -> None:
    cells = [row[2] for row in _table("| status | `type`", API)]
    named = {code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)}
    rooms = [path for room in ("data", "web") for path in (ROOT / room).rglob("*.py")]
    texts = {
        node.value
        for path in rooms
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert named - texts == set()
    given = {
        code
        for path in rooms
        for code in re.findall(r'\bcode(?:: str)? ?= ?"(\w+)"', path.read_text())
    }
    # Of the page's callbacks, which are no API.
    assert given - named == {"callback_unknown"}


def test_every_file_and_heading_that_the_documents_link_to_exists() -> None:
    for document, text in DOCUMENTS.items():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            name, _, heading = target.partition("#")
            path = ((ROOT / document).parent / name) if name else ROOT / document
            assert path.exists(), (document, target)
            if heading:
                assert heading in _anchors(path.read_text()), (document, target)


def test_every_document_can_be_reached_from_the_readme() -> None:
    linked = {
        str(((ROOT / document).parent / target).resolve().relative_to(ROOT))
        for document in ("README.md", "CONTRIBUTING.md", "SECURITY.md")
        for target in re.findall(r"\]\(([^)#]+\.md)[^)]*\)", DOCUMENTS[document])
    }
    assert set(DOCUMENTS) - {"README.md"} <= linked


def test_every_file_of_the_code_that_the_documents_name_exists() -> None:
    rooms = "app|assets|benchmarks|commands|components|data|demo|examples|settings|tests|web"
    for document, text in DOCUMENTS.items():
        if document == "docs/performance.md":
            continue
        for name in re.findall(rf"`((?:{rooms})/[\w./]*)`", text):
            assert (ROOT / name).exists(), (document, name)


def test_every_room_of_the_architecture_exists_and_every_folder_is_named() -> None:
    named = {row[0].strip("` ").rstrip("/") for row in _table("| room | holds", ARCHITECTURE)}
    for name in named:
        assert (ROOT / name).exists(), name
    packages = {
        str(path.parent.relative_to(ROOT))
        for room in ("commands", "components", "data", "demo", "settings", "web")
        for path in (ROOT / room).rglob("__init__.py")
    }
    # What holds rooms of its own is named by them.
    assert packages - {"data"} <= named
    drawn = (ROOT / "docs" / "pictures" / "house.svg").read_text()
    shown = {name for name in packages if f">{name.rpartition('/')[2]}/<" in drawn}
    assert packages - shown == {"data/sums/rollup", "demo/local_postgres"}


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert re.search(rf"^## {re.escape(VERSION)} ", DOCUMENTS["CHANGELOG.md"], re.MULTILINE)


def test_the_ids_that_portals_may_script_are_documented() -> None:
    for element in (
        *(ids.RANGE, ids.PREV, ids.NEXT, ids.TABLE, ids.EXPORT, ids.DOWNLOAD, ids.CAPTION),
        *(ids.NOTICE, ids.WORKSPACE, ids.API_LINK, ids.PRESETS[Preset.DAY]),
    ):
        assert f"`{element}`" in DOCUMENTS["docs/embedding.md"]


def test_the_example_at_the_limit_is_what_the_ledger_says(platform: Platform) -> None:
    example = _table("| started | cost", DOCUMENTS["docs/ledger.md"])
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


def test_the_documented_grants_are_enough_for_every_answer(demo_database: str) -> None:
    statements = next(block for block in _blocks("sql", INSTALL) if "GRANT" in block)
    with psycopg.connect(demo_database, autocommit=True) as connection:
        connection.execute(statements.replace("usage_reader", "docs_reader").encode())
        engine = connect(demo_database.replace("postgres@", "docs_reader@", 1))
        ledger = Ledger(engine, Billing(ZoneInfo("UTC")))
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
            connection.execute("DROP OWNED BY docs_reader; DROP ROLE docs_reader")


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(demo_database: str) -> Iterator[str]:
    engine = connect(demo.reader_url(demo_database))
    ledger = Ledger(engine, Billing(ZoneInfo("UTC")))
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


def test_the_curl_examples_answer(served: str, tmp_path: Path) -> None:
    blocks = _blocks("sh", DOCUMENTS["README.md"]) + _blocks("sh", API)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) > 5
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


def test_the_python_loop_adds_up_all_pages(served: str, demo_database: str) -> None:
    (program,) = _blocks("python", API)
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
    titles = re.findall(r"^## .*$", DOCUMENTS["docs/decisions.md"], re.MULTILINE)
    assert [title for title in titles if not re.search(r" \(20\d\d-\d\d-\d\d\)$", title)] == []
