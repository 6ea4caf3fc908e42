"""The law of the rollup: in every snapshot its sums are those of the executions.

Whatever the platform does and rolls back, whoever folds and verifies meanwhile.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import IsolationLevel

from data.rules.calendar import Span
from data.sums import rollup
from tests.support.costs import amounts
from tests.support.platform import Platform, Rolled, is_whole, utc
from tests.support.summing import assert_equal

MICROSECOND = timedelta(microseconds=1)
NOON: Final = utc("2026-10-10 12:00")
MOMENTS: Final = (
    *("2026-10-10 12:00", "2026-10-10 11:59:59.999999", "2026-10-10 12:00:30"),
    *("2026-10-10 12:14", "2026-10-10 12:59:59.999999", "2026-10-10 23:59:59.999999"),
    *("2026-10-11", "2026-11-01", "1969-12-31", "9999-01-02 23:59:59.999999"),
    # Nobody can ask for these.
    *("infinity", "-infinity", "1900-01-01", "20000-01-01", "1969-12-30 23:59", "9999-01-03"),
)
# Each writer has rows, workspaces and workflows of its own, so that none waits for another.
WRITERS: Final = ("a", "b")
STATUSES: Final = ("running", "pending", "paused", "redacting", "completed", "failed")
COLUMNS: Final = "id, execution_id, level, trigger, started_at, workspace_id, status, cost"
INSERT: Final = f"""
    INSERT INTO workflow_execution_logs ({COLUMNS}, workflow_id)
    VALUES (%(id)s, %(id)s, 'info', 'api', %(at)s, %(workspace)s, %(status)s, %(cost)s,
        %(workflow)s)
    ON CONFLICT (id) DO
"""
WORKFLOWS: Final = """
    INSERT INTO workflow
        (id, user_id, name, workspace_id, last_synced, created_at, updated_at)
    SELECT id, 'payer', 'w', %(workspace)s, now(), now(), now()
    FROM unnest(%(workflows)s::text[]) AS id
    ON CONFLICT DO NOTHING
"""
STATEMENTS: Final = {
    "insert": INSERT + "NOTHING",
    "upsert": INSERT + "UPDATE SET cost = excluded.cost, started_at = excluded.started_at",
    "cost": "UPDATE workflow_execution_logs SET cost = %(cost)s WHERE id = %(id)s",
    "move": """
        UPDATE workflow_execution_logs SET started_at = %(at)s, workspace_id = %(workspace)s,
            workflow_id = %(workflow)s, status = %(status)s
        WHERE id IN (%(id)s, %(other)s)
    """,
    "touch": "UPDATE workflow_execution_logs SET level = 'error' WHERE id = %(id)s",
    "delete": "DELETE FROM workflow_execution_logs WHERE id IN (%(id)s, %(other)s)",
    "merge": f"""
        MERGE INTO workflow_execution_logs AS kept
        USING (VALUES (%(id)s), (%(other)s || '+')) AS given (id) ON kept.id = given.id
        WHEN MATCHED AND kept.status = %(status)s THEN DELETE
        WHEN MATCHED THEN UPDATE SET cost = %(cost)s, started_at = %(at)s
        WHEN NOT MATCHED THEN INSERT ({COLUMNS})
        VALUES (given.id, given.id, 'info', 'api', %(at)s, %(workspace)s, %(status)s, %(cost)s)
    """,
    "all at once": f"""
        WITH gone AS (DELETE FROM workflow_execution_logs WHERE id = %(other)s),
        changed AS (UPDATE workflow_execution_logs SET cost = %(cost)s WHERE id = %(id)s)
        INSERT INTO workflow_execution_logs ({COLUMNS})
        SELECT id, id, 'info', 'api', %(at)s, %(workspace)s, %(status)s, %(cost)s
        FROM (SELECT gen_random_uuid()::text AS id FROM generate_series(1, 2)) AS two
    """,
    "lose a workflow": f"DELETE FROM workflow WHERE id = %(workflow)s; {WORKFLOWS}",
    "lose a workspace": f"""
        DELETE FROM workspace WHERE id = %(workspace)s;
        INSERT INTO workspace (id, name, owner_id, billed_account_user_id)
        VALUES (%(workspace)s, 'w', 'payer', 'payer');
        {WORKFLOWS}
    """,
    "play back": "SET LOCAL session_replication_role = %(role)s",
    "savepoint": "SAVEPOINT here",
    "go back": "ROLLBACK TO SAVEPOINT here",
}


@dataclass(frozen=True)
class Step:
    """A statement of a writer."""

    name: str
    values: dict[str, Any]

    def take(self, writer: str, connection: psycopg.Connection) -> None:
        """Take the step on the writer's own rows; what the platform refuses is rolled back."""
        own = ("id", "other", "workspace", "workflow")
        values = {
            key: f"{writer}-{value}" if key in own and value is not None else value
            for key, value in self.values.items()
        }
        values["workflows"] = [f"{writer}-triage", f"{writer}-report"]
        try:
            psycopg.ClientCursor(connection).execute(STATEMENTS[self.name], values)
        except (psycopg.IntegrityError, psycopg.errors.InvalidSavepointSpecification):
            connection.rollback()


@st.composite
def costs(draw: st.DrawFn) -> str | None:
    """Draw costs as the platform might write them, of known and unknown amount, with models."""
    cost = draw(amounts())
    document = None if cost is None else json.loads(cost)
    if cost is None or not isinstance(document, dict) or "total" not in document:
        return cost
    named = {
        name: draw(amounts()) or "{}"
        for name in draw(st.lists(st.sampled_from(("gpt-4o", "haiku", "", "é" * 300)), max_size=3))
    }
    models = ", ".join(f'"{name}": {part}' for name, part in named.items())
    tokens = draw(st.sampled_from(("5", '{"input": 7}', '{"total": 1e131071}', "[]", "1e29")))
    return f'{cost[:-1]}, "tokens": {tokens}, "models": {{{models}}}}}'


@st.composite
def steps(draw: st.DrawFn, *names: str) -> Step:
    values = {
        "id": draw(st.sampled_from("1234")),
        "other": draw(st.sampled_from("1234")),
        "at": draw(st.sampled_from(MOMENTS)),
        "workspace": draw(st.sampled_from(("first", "second"))),
        "workflow": draw(st.sampled_from(("triage", "report", None))),
        "status": draw(st.sampled_from(STATUSES)),
        "cost": draw(costs()),
        "role": draw(st.sampled_from(("replica", "origin"))),
    }
    return Step(draw(st.sampled_from(names or tuple(STATEMENTS))), values)


# What a writer does, how it goes on, and what is done to the rollup then.
turns = st.tuples(
    st.sampled_from(WRITERS),
    st.lists(steps(), min_size=1, max_size=4),
    st.sampled_from(("commit", "commit", "rollback", "stay")),
    st.sampled_from(("nothing",) * 4 + ("compact",) * 4 + ("verify", "truncate")),
)
scripts = st.tuples(
    st.lists(st.tuples(st.sampled_from(WRITERS), steps("insert")), min_size=4, max_size=8),
    st.lists(turns, min_size=1, max_size=5),
)
# Of two that are serializable one may have to begin anew, with the rollup or without it.
levels = st.tuples(
    st.sampled_from(IsolationLevel),
    st.sampled_from((IsolationLevel.READ_COMMITTED, IsolationLevel.REPEATABLE_READ)),
)


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    """Draw spans in any order, aligned or not, which do not overlap."""
    step = st.sampled_from(
        (
            *(MICROSECOND, timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=15)),
            *(timedelta(hours=1), timedelta(hours=11), timedelta(days=1), timedelta(days=40)),
        )
    )
    edges = draw(
        st.lists(st.builds(lambda n, s: NOON + n * s, st.integers(-2, 3), step), max_size=8)
    )
    edges += draw(st.sampled_from(([], [utc("1969-12-31")], [utc("9999-01-03")])))
    apart = [Span(start, end) for start, end in pairwise(sorted(edges))]
    kept = [span for span in apart if draw(st.booleans())]
    return draw(st.permutations(kept))


@settings(max_examples=50)
@given(script=scripts, isolated=levels, asked=spans(), scope=st.sampled_from((None, ["a-first"])))
def test_whatever_writers_do_at_the_same_time_every_snapshot_has_the_same_sums_both_ways(
    rolled_stage: Rolled,
    script: tuple[list[tuple[str, Step]], list[tuple[str, list[Step], str, str]]],
    isolated: tuple[IsolationLevel, IsolationLevel],
    asked: list[Span],
    scope: list[str] | None,
) -> None:
    found(rolled_stage)
    rows, turns = script
    whole = True
    with writing(rolled_stage, isolated) as writers:
        for name, step in rows:
            step.take(name, writers[name])
        for name, taken, end, work in [("a", [], "commit", "nothing"), *turns]:
            for step in taken:
                step.take(name, writers[name])
            if end != "stay":
                getattr(writers[name], end)()
            whole = keep(rolled_stage, writers, work, whole=whole)
            with rolled_stage.reader.connect() as connection:
                assert is_whole(connection) == whole
                if whole:
                    assert_equal(connection, asked, scope)
    if not whole:
        rollup.verify(rolled_stage.url)
    with rolled_stage.reader.connect() as connection:
        assert is_whole(connection)
        assert_equal(connection, asked, scope)


def found(stage: Platform) -> None:
    """Make what every example begins with."""
    stage.clear()
    stage.account(None, *(f"{writer}-{name}" for writer in WRITERS for name in ("first", "second")))
    for writer in WRITERS:
        for name in ("triage", "report"):
            stage.workflow(f"{writer}-{name}", name, workspace_id=f"{writer}-first")


@contextmanager
def writing(
    stage: Platform, levels: tuple[IsolationLevel, IsolationLevel]
) -> Iterator[dict[str, psycopg.Connection]]:
    """Open a connection for each writer; what they have under way at the end is committed."""
    with ExitStack() as opened:
        writers = {}
        for name, level in zip(WRITERS, levels, strict=True):
            writers[name] = opened.enter_context(psycopg.connect(stage.url))
            writers[name].isolation_level = level
        yield writers


def keep(stage: Rolled, writers: dict[str, psycopg.Connection], work: str, *, whole: bool) -> bool:
    """Do what is done from time to time; return whether the rollup is to be trusted then."""
    if work == "compact":
        rollup.compact(stage.url)
    elif work == "verify":
        assert rollup.verify(stage.url).wrong == 0 or not whole
        return True
    elif work == "truncate":
        for writer in writers.values():
            writer.commit()  # or the truncate would wait for it
        stage.sql("TRUNCATE workflow_execution_logs")
        return False
    return whole
