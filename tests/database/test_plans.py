"""No question reads a whole table or sorts more than a page: told by PostgreSQL's own plans.

The benchmarks ask the same at ten million executions; here are as many as a test has time for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text

from benchmarks.loading import load
from benchmarks.plans import PAGE_ROWS, Statement, explain, recorded, violations
from benchmarks.world import BURST, BUSY, PAYER, SPARSE, Calendar
from data.answers.ledger import Ledger
from data.files.export import ROW_LIMIT
from data.platform.access import Viewer
from data.platform.connection import connect
from data.question.cursor import Cursor
from data.question.filters import Filters
from data.question.query import Split, UsageQuery
from data.rules.billing import Billing
from data.rules.calendar import Window
from data.rules.position import Position
from data.sums import rollup
from demo.columns import write_columns
from demo.upgrade import upgrade

EXECUTIONS = 20_000
VIEWER = Viewer(PAYER)


@dataclass(frozen=True)
class World:
    url: str
    engine: Engine
    calendar: Calendar

    def ledger(self) -> Ledger:
        """Return a ledger that has not been asked anything yet."""
        return Ledger(self.engine, Billing(UTC))


@pytest.fixture(scope="module")
def world(cluster: str) -> Iterator[World]:
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("CREATE DATABASE plans")
        url = cluster.replace("/postgres?", "/plans?")
        calendar = Calendar.of(datetime.now(UTC))
        load(url, EXECUTIONS, calendar)
        connection.execute("CREATE DATABASE plans_of_second TEMPLATE plans")
        rollup.install(url)
        engine = connect(url)
        yield World(url, engine, calendar)
        engine.dispose()
        for name in ("plans", "plans_of_second"):
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def second(world: World) -> Iterator[World]:
    """Yield the same executions in the second generation, the burst in JSON still; no rollup."""
    url = world.url.replace("/plans?", "/plans_of_second?")
    owner = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    with owner.begin() as connection:
        upgrade(connection)
        write_columns(connection, f"workspace_id <> '{BURST}'")
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
    owner.dispose()
    engine = connect(url)
    yield World(url, engine, world.calendar)
    engine.dispose()


def middle(world: World, workspace: str, window: Window) -> UsageQuery:
    at = world.calendar.burst.start + (world.calendar.burst.end - world.calendar.burst.start) / 2
    return UsageQuery(workspace, window, cursor=Cursor(workspace, window, Position(at, "")))


def last(world: World) -> UsageQuery:
    month = world.calendar.month
    at = month.start + (month.end - month.start) / EXECUTIONS * 50
    return UsageQuery(BUSY, month, cursor=Cursor(BUSY, month, Position(at, "")))


def take(world: World, query: UsageQuery) -> None:
    with world.ledger().export(VIEWER, query) as export:
        assert sum(1 for _ in export.rows) == 10_000


def open_row(world: World) -> None:
    ledger = world.ledger()
    page = ledger.page(VIEWER, middle(world, BUSY, world.calendar.month))
    assert ledger.execution(VIEWER, BUSY, page.rows["id"].iloc[0]).before


def split(world: World, by: Split) -> None:
    figures = world.ledger().figures(VIEWER, UsageQuery(BUSY, world.calendar.month), by)
    assert len(figures.groups) > 7


ENDPOINTS: dict[str, Callable[[World], object]] = {
    "first page": lambda w: w.ledger().page(VIEWER, UsageQuery(BUSY, w.calendar.month)),
    "middle page": lambda w: w.ledger().page(VIEWER, middle(w, BUSY, w.calendar.month)),
    "page as shown": lambda w: w.ledger().page_shown(VIEWER, UsageQuery(BUSY, w.calendar.month)),
    "last page": lambda w: w.ledger().page(VIEWER, last(w)),
    "sparse workspace": lambda w: w.ledger().page(VIEWER, UsageQuery(SPARSE, w.calendar.month)),
    "burst": lambda w: w.ledger().page(VIEWER, middle(w, BURST, w.calendar.month)),
    "page of a year": lambda w: w.ledger().page(VIEWER, UsageQuery(BUSY, w.calendar.year)),
    "summary": lambda w: w.ledger().summary(VIEWER, UsageQuery(BUSY, w.calendar.month)),
    "summary of a year": lambda w: w.ledger().summary(VIEWER, UsageQuery(BUSY, w.calendar.year)),
    "filtered page": lambda w: w.ledger().page(
        VIEWER, UsageQuery(BUSY, w.calendar.month, filters=Filters(trigger=("api",)))
    ),
    "figures": lambda w: w.ledger().figures(VIEWER, UsageQuery(BUSY, w.calendar.month)),
    "by workflow": lambda w: split(w, Split.WORKFLOW),
    "by model": lambda w: split(w, Split.MODEL),
    "options": lambda w: w.ledger().figures_shown(VIEWER, UsageQuery(BUSY, w.calendar.month))[1],
    "export": lambda w: take(w, UsageQuery(BUSY, w.calendar.month)),
    "execution": open_row,
    "workspaces": lambda w: w.ledger().workspaces(VIEWER),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_plan_reads_a_whole_table_or_sorts_more_than_a_page(world: World, endpoint: str) -> None:
    with recorded(world.engine) as statements:
        ENDPOINTS[endpoint](world)
    assert statements
    shown = ROW_LIMIT if endpoint == "export" else 0
    assert violations(explain(world.engine, statements), rows=shown + PAGE_ROWS) == []


# Without a rollup, "by model" sorts the sums of each day.
@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each != "by model"])
def test_nor_does_one_in_the_second_generation(second: World, endpoint: str) -> None:
    with recorded(second.engine) as statements:
        ENDPOINTS[endpoint](second)
    assert statements
    shown = ROW_LIMIT if endpoint == "export" else 0
    assert violations(explain(second.engine, statements), rows=shown + PAGE_ROWS) == []


@pytest.mark.parametrize("endpoint", ["first page", "middle page", "last page", "page of a year"])
def test_a_page_reads_no_rows_but_its_own_beside_the_newer_index_too(
    second: World, endpoint: str
) -> None:
    with recorded(second.engine) as statements:
        ENDPOINTS[endpoint](second)
    [page] = explain(
        second.engine,
        [each for each in statements if each.text.startswith("SELECT workflow_execution_logs.id,")],
    )
    [scan] = [
        node for node in page.nodes() if node.get("Relation Name") == "workflow_execution_logs"
    ]
    assert scan["Index Name"] == "workflow_execution_logs_workspace_started_at_idx"
    assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) <= PAGE_ROWS


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM workflow_execution_logs WHERE level = 'info'",
        "SELECT id FROM workflow_execution_logs ORDER BY cost LIMIT 5",
    ],
)
def test_a_plan_that_does_is_seen(world: World, text: str) -> None:
    found = violations(explain(world.engine, [Statement(text, None, streamed=False)]))
    assert found
    assert all(violation.rows > PAGE_ROWS for violation in found)
