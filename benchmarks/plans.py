"""The statements behind a request, and what PostgreSQL does for each of them.

Needs nothing but what the product runs with, so that tests ask the same question at a smaller size.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from data.platform.schema import execution
from data.question.cursor import PAGE_SIZE
from data.sums.rollup.tables import metadata as rollup

# A page and what an incremental sort reads ahead of it.
PAGE_ROWS: Final = PAGE_SIZE + 32

# Read by index or not at all.
INDEXED: Final = frozenset(
    {execution.name, "usage_log", *(table.name for table in rollup.sorted_tables)}
)

_EXPLAIN: Final = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "
# How SQLAlchemy opens a server-side cursor, for which PostgreSQL plans otherwise.
_DECLARE: Final = "DECLARE explained NO SCROLL CURSOR FOR "


@dataclass(frozen=True)
class Statement:
    """One statement as it was sent; ``streamed`` through a server-side cursor."""

    text: str
    parameters: Any
    streamed: bool


@dataclass(frozen=True)
class Plan:
    """What PostgreSQL did for a statement: ``root`` is the top node of EXPLAIN's JSON."""

    statement: Statement
    root: dict[str, Any]

    @property
    def buffers(self) -> int:
        """How many pages of 8 KiB it touched, in memory or not."""
        touched: int = self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"]
        return touched

    def nodes(self) -> Iterator[dict[str, Any]]:
        """Yield every node, from the top."""
        yield from _below(self.root)


@dataclass(frozen=True)
class Violation:
    """A node that took in more rows than it should: what it is, how many, in which statement."""

    node: str
    rows: int
    statement: str


@contextmanager
def recorded(engine: Engine) -> Iterator[list[Statement]]:
    """Yield a list that collects what ``engine`` sends within the block."""
    statements: list[Statement] = []

    # SQLAlchemy passes all of them, and by place.
    def note(_c: Any, _k: Any, text: str, parameters: Any, context: Any, _m: Any) -> None:
        # Savepoints and settings have no plan.
        if not text.startswith(("SELECT", "WITH")):
            return
        options = context.execution_options if context else {}
        streamed = bool(options.get("stream_results") or options.get("yield_per"))
        statements.append(Statement(text, parameters, streamed))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def explain(engine: Engine, statements: Iterable[Statement]) -> list[Plan]:
    """Run every statement again and return its plan; read-only ones, as the product's all are."""
    with engine.connect() as connection:
        return [Plan(each, _explained(connection, each)) for each in statements]


def violations(plans: Iterable[Plan], *, rows: int = PAGE_ROWS) -> list[Violation]:
    """Return every sequential scan of a large table, and every sort, of more than ``rows``.

    That is a page's, unless told otherwise. Of what holds fewer, any plan may read all.
    """
    found = []
    for plan in plans:
        for node in plan.nodes():
            kind = node["Node Type"]
            if kind == "Seq Scan" and node["Relation Name"] in INDEXED:
                kind, taken = f"Seq Scan on {node['Relation Name']}", _read(node)
            elif kind in {"Sort", "Incremental Sort"}:
                taken = _taken_in(node)
            else:
                continue
            if taken > rows:
                found.append(Violation(kind, round(taken), " ".join(plan.statement.text.split())))
    return found


def _explained(connection: Connection, statement: Statement) -> dict[str, Any]:
    text = f"{_EXPLAIN}{_DECLARE if statement.streamed else ''}{statement.text}"
    # The driver's own, because the text is as it was handed to the driver.
    driver: Any = connection.connection.driver_connection
    ((answer,),) = driver.execute(text, statement.parameters).fetchall()
    root: dict[str, Any] = answer[0]["Plan"]
    return root


def _below(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _below(child)


def _taken_in(sort: dict[str, Any]) -> float:
    """Return how many rows a sort takes in each time it runs; below a LIMIT it gives fewer."""
    given = sort.get("Plans", [])
    # Averages over all loops, of which each parallel worker is one.
    return max(float(node["Actual Rows"]) for node in (sort, *given))


def _read(scan: dict[str, Any]) -> float:
    """Return how many rows a scan looks at, those included that it throws away."""
    each = float(scan["Actual Rows"]) + float(scan.get("Rows Removed by Filter", 0))
    return each * float(scan["Actual Loops"])
