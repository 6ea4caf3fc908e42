"""The law of the rollup: in every snapshot its sums are those of the executions.

Whatever the platform does and rolls back, whoever folds and verifies meanwhile.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any, Final

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import IsolationLevel

from data.platform.revision import revision_of
from data.rules.calendar import Span
from data.sums import rollup
from data.sums.rollup import pending, recount
from data.sums.rollup.sessions import session
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
LINE: Final = """
    INSERT INTO usage_log
        (id, user_id, category, source, description, cost, metadata, execution_id)
    SELECT gen_random_uuid(), 'payer', %(category)s, %(source)s, %(model)s, %(price)s,
        %(metadata)s, execution_id
    FROM unnest(%(execution_ids)s::text[]) AS execution_id
"""
# The second generation's; what an execution is charged may come before it, and stay after it.
OF_LINES: Final = {
    "charged": """
        INSERT INTO workflow_execution_logs
            (id, execution_id, level, trigger, started_at, workspace_id, status, cost_total)
        VALUES (%(id)s, %(id)s, 'info', 'api', %(at)s, %(workspace)s, %(status)s, %(total)s)
        ON CONFLICT (id) DO UPDATE SET cost_total = excluded.cost_total, cost = NULL
    """,
    "total": "UPDATE workflow_execution_logs SET cost_total = %(total)s WHERE id = %(id)s",
    "no json": "UPDATE workflow_execution_logs SET cost = NULL WHERE id IN (%(id)s, %(other)s)",
    "another execution": """
        UPDATE workflow_execution_logs SET execution_id = execution_id || '+' WHERE id = %(id)s
    """,
    "line": LINE,
    "lines": LINE,
    "charge anew": """
        UPDATE usage_log SET cost = %(price)s, metadata = %(metadata)s
        WHERE execution_id = %(id)s AND description = %(model)s
    """,
    "charge another": "UPDATE usage_log SET execution_id = %(other)s WHERE execution_id = %(id)s",
    "not the workflow's": """
        UPDATE usage_log SET source = %(source)s, category = %(category)s
        WHERE execution_id = %(id)s
    """,
    "one line less": """
        DELETE FROM usage_log WHERE id IN (
            SELECT id FROM usage_log WHERE execution_id = %(id)s ORDER BY id LIMIT 1)
    """,
    "no lines": "DELETE FROM usage_log WHERE execution_id IN (%(id)s, %(other)s)",
}
EVERY: Final = STATEMENTS | OF_LINES


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
        values["execution_ids"] = [values["id"]] * (2 if self.name == "lines" else 1)
        try:
            psycopg.ClientCursor(connection).execute(EVERY[self.name], values)
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


def step_of(rng: Random, cost: str | None, names: Sequence[str], **given: str) -> Step:
    """Choose a statement and its values."""
    values = {
        "id": rng.choice("1234"),
        "other": rng.choice("1234"),
        "at": rng.choice(MOMENTS),
        "workspace": rng.choice(("first", "second")),
        "workflow": rng.choice(("triage", "report", None)),
        "status": rng.choice(STATUSES),
        "cost": cost,
        "role": rng.choice(("replica", "origin")),
        "total": rng.choice((None, "0.75", "2", "2.00", "7", "NaN")),
        "model": rng.choice(("gpt-4o", "gpt-4o", "haiku", "")),
        "price": rng.choice(("0.5", "0.5", "0.50", "3", "NaN")),
        "metadata": rng.choice(METADATA),
        "category": rng.choice(("model",) * 4 + ("tool",)),
        "source": rng.choice(("workflow",) * 4 + ("copilot",)),
    }
    return Step(rng.choice(names), values | given)


METADATA: Final = (
    *(None, "{}", "[]", '{"inputTokens": 5}', '{"inputTokens": 5.0, "outputTokens": 2}'),
    *('{"inputTokens": 7, "outputTokens": null}', '{"outputTokens": "x"}'),
)
ENDS: Final = ("commit", "commit", "rollback", "stay")
WORKS: Final = ("nothing",) * 4 + ("compact", "fold some") * 3 + ("verify", "truncate")


@st.composite
def steps(draw: st.DrawFn, *names: str) -> Step:
    # By a seed: of so many choices, hypothesis would make most alike.
    return step_of(Random(draw(st.integers(0, 2**32))), draw(costs()), names)


# What writers do, how each goes on, and what is done to the rollup then.
scripts = st.tuples(
    st.lists(st.tuples(st.sampled_from(WRITERS), steps("insert")), min_size=4, max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from(WRITERS),
            st.lists(steps(*STATEMENTS), min_size=1, max_size=4),
            st.sampled_from(ENDS),
            st.sampled_from(WORKS),
        ),
        min_size=1,
        max_size=5,
    ),
)
IN_JSON: Final = (
    *(None, None, None, "null", '{"total": "?"}', '{"total": 3, "tokens": {"input": 9}}'),
    '{"total": 2, "tokens": 4, "models": {"haiku": {"total": 1.5}, "gpt-4o": {"total": "0.25"}}}',
)


def script_of_lines(seed: int) -> "Script":
    """Draw a script that begins with executions that have lines."""
    rng = Random(seed)

    def step(*names: str, **given: str) -> Step:
        return step_of(rng, rng.choice(IN_JSON), names, **given)

    rows = [
        (writer, step(name, id=number, at=rng.choice(MOMENTS[:6])))
        for writer in WRITERS
        for number in "12"
        for name in ("charged", "lines", "line")
    ]
    turns = [
        (
            rng.choice(WRITERS),
            [step(*STATEMENTS, *3 * tuple(OF_LINES)) for _ in range(rng.randrange(1, 4))],
            rng.choice(ENDS),
            rng.choice(WORKS),
        )
        for _ in range(8)
    ]
    return rows, turns


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


Script = tuple[list[tuple[str, Step]], list[tuple[str, list[Step], str, str]]]
Levels = tuple[IsolationLevel, IsolationLevel]
scopes = st.sampled_from((None, ["a-first"]))


@settings(max_examples=50)
@given(script=scripts, isolated=levels, asked=spans(), scope=scopes)
def test_whatever_writers_do_at_the_same_time_every_snapshot_has_the_same_sums_both_ways(
    rolled_stage: Rolled,
    script: Script,
    isolated: Levels,
    asked: list[Span],
    scope: list[str] | None,
) -> None:
    hold(rolled_stage, script, isolated, asked, scope)


@settings(max_examples=15)
@given(
    script=st.builds(script_of_lines, st.integers(0, 2**32)),
    isolated=levels,
    asked=spans(),
    scope=scopes,
)
def test_the_same_holds_where_an_execution_is_charged_line_by_line(
    rolled_second: Rolled,
    script: Script,
    isolated: Levels,
    asked: list[Span],
    scope: list[str] | None,
) -> None:
    hold(rolled_second, script, isolated, asked, scope)


def hold(
    stage: Rolled, script: Script, isolated: Levels, asked: list[Span], scope: list[str] | None
) -> None:
    """Play the script, and find the same sums both ways at each of its turns."""
    found(stage)
    rows, turns = script
    whole = True
    with writing(stage, isolated) as writers:
        for name, step in rows:
            step.take(name, writers[name])
        for name, taken, end, work in [("a", [], "commit", "nothing"), *turns]:
            for step in taken:
                step.take(name, writers[name])
            if end != "stay":
                getattr(writers[name], end)()
            whole = keep(stage, writers, work, whole=whole)
            with stage.reader.connect() as connection:
                assert is_whole(connection) == whole
                if whole:
                    assert_equal(connection, asked, scope)
    if not whole:
        rollup.verify(stage.url)
    with stage.reader.connect() as connection:
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
    elif work == "fold some":
        with session(stage.url) as connection, connection.begin():
            revision = revision_of(connection)
            recount.fold(connection, revision, pending.some(revision, 2))
    elif work == "verify":
        assert rollup.verify(stage.url).wrong == 0 or not whole
        return True
    elif work == "truncate":
        for writer in writers.values():
            writer.commit()  # or the truncate would wait for it
        stage.sql("TRUNCATE workflow_execution_logs")
        return False
    return whole
