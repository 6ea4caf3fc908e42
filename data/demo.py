"""Demo data: four months of a small company's executions, the same for the same ``now``.

Two accounts. The demo viewer pays for the first: support, finance, a partner's workspace that he
may not see, and an archived pilot. The second pays for research and has no limit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, chain, repeat
from random import Random
from typing import Any, Final, Literal, NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import Connection, NullPool, Table, create_engine, insert

from data import schema
from data.demo_costs import ABSURD, BASE_CHARGE, RARE, ModelUse, cost_text, use
from data.errors import UsageError

DEMO_VIEWER_ID: Final = "user_demo"  # signed in without asking in the demo
EXECUTIONS: Final = 40_000

Progress = Callable[[int, int], None]
Rhythm = Literal["office", "night", "always"]
# One row for COPY, in the order of _COLUMNS; cost is JSON text, times are naive UTC.
Row = tuple[str | int | datetime | None, ...]

_RESEARCH_PAYER: Final = "user_research"
_PARTNER: Final = "user_partner"
_SUPPORT: Final = "ws_support"
_FINANCE: Final = "ws_finance"
_RESEARCH: Final = "ws_research"
_EMPTY: Final = "ws_empty"
_PARTNERS: Final = "ws_partner"
_PILOT: Final = "ws_pilot"
_ARCHIVED_AGO: Final = timedelta(days=9)  # the pilot, and a workflow of support

_SEED: Final = 20_260_418
_LOCK: Final = 4_183_520_071  # any number that nobody else locks
_MONTHS: Final = 4
_MONTHLY_GROWTH: Final = 1.04
_WEEKEND: Final = 0.3
_SATURDAY: Final = 5
_MILLISECOND: Final = timedelta(milliseconds=1)
_QUARTER: Final = 15 * 60 * 1000  # milliseconds
_FINE_CLOCK: Final = 0.02  # so many executions carry microseconds
_TAIL: Final = 0.95  # sigma of the lognormal token counts; the month's sum hangs on it
_TOOLS: Final = 0.04  # so many model uses call a tool that costs something
_COLUMNS: Final = (
    *("id", "workflow_id", "execution_id", "level", "trigger", "started_at", "ended_at"),
    *("total_duration_ms", "created_at", "cost", "workspace_id", "status"),
)


class _Recipe(NamedTuple):
    """A workflow and how its executions come about.

    ``share`` is its part of all executions in thousandths; ``tokens`` are the usual counts of input
    and output; a name of None is a workflow whose row is gone.
    """

    workspace: str
    share: int
    name: str | None
    tokens: tuple[int, int]
    models: tuple[str, ...]
    rhythm: Rhythm = "office"
    triggers: tuple[str, ...] = ("api", "manual", "webhook")
    archived: bool = False


class _Workflow(NamedTuple):
    """A recipe with the id of its row, None if that is gone."""

    recipe: _Recipe
    id: str | None


_BY_CLOCK: Final = ("schedule",)
_CHEAP: Final = ("gpt-4o-mini", "gemini-2.5-flash", "claude-haiku-4-5")
_GOOD: Final = ("gpt-4o", "claude-sonnet-4-5", "gpt-4.1", "gpt-4o-mini")
_DEEP: Final = ("gemini-2.5-pro", "o4-mini", "deepseek-r1", "claude-sonnet-4-5")
_LOCAL: Final = ("llama3.3:70b",)

_AWKWARD: Final = (
    'Say "hello", then reply',
    "Two lines\nin one name",
    '=HYPERLINK("http://example.invalid","Open me")',
    "+1 800 call-back",
    "-2 days reminder",
    "@mention watcher",
    "**bold** [link](javascript:alert(1)) ![x](https://example.invalid/p.png)",
    "<b>Bold</b><script>alert(1)</script>",
    "A workflow of exactly two hundred characters, "
    + "which goes on and on and on, " * 5
    + "and ends.",
    "مراجعة طلبات الاسترداد",
    "בדיקת חשבוניות",
    "Parcel tracker 📦🚚",
)

_RECIPES: Final = (
    _Recipe(_SUPPORT, 170, "Ticket triage", (14_000, 700), _GOOD, "office", ("webhook", "api")),
    _Recipe(_SUPPORT, 120, "Reply drafts", (26_000, 2_600), _GOOD, "office", ("chat", "manual")),
    _Recipe(_SUPPORT, 80, "Lead enrichment", (21_000, 1_500), _GOOD, "always", ("api", "mcp")),
    _Recipe(_SUPPORT, 70, "Refund review", (38_000, 2_400), _DEEP),
    _Recipe(_SUPPORT, 60, "Knowledge base answers", (30_000, 1_100), _CHEAP, "always", ("chat",)),
    _Recipe(_SUPPORT, 45, "Invoice intake", (17_000, 1_200), _CHEAP, "office", ("webhook",)),
    _Recipe(_SUPPORT, 35, "Nightly mailbox sweep", (60_000, 3_000), _CHEAP, "night", _BY_CLOCK),
    _Recipe(_SUPPORT, 25, "Call transcripts", (52_000, 4_000), _LOCAL, "night", _BY_CLOCK),
    _Recipe(_SUPPORT, 24, "Conversation audit", (140_000, 9_000), _DEEP, "night", _BY_CLOCK),
    _Recipe(_SUPPORT, 1, "Weekly board digest", (190_000, 12_000), _DEEP, "office", _BY_CLOCK),
    _Recipe(_SUPPORT, 15, "Invoice intake", (19_000, 1_000), _GOOD),  # a second of this name
    _Recipe(_SUPPORT, 12, "Old FAQ bot", (9_000, 600), _CHEAP, "always", ("chat",), archived=True),
    _Recipe(_SUPPORT, 13, None, (16_000, 900), _GOOD),
    *(_Recipe(_SUPPORT, 3, name, (15_000, 900), _GOOD) for name in _AWKWARD),
    _Recipe(_FINANCE, 50, "Invoice intake", (22_000, 1_500), _GOOD, "office", ("webhook", "api")),
    _Recipe(_FINANCE, 35, "Vendor onboarding, EMEA", (45_000, 3_000), _DEEP),
    _Recipe(_FINANCE, 30, "Nightly ledger check", (80_000, 4_500), _DEEP, "night", _BY_CLOCK),
    _Recipe(_FINANCE, 20, "Expense questions", (8_000, 500), _CHEAP, "office", ("chat", "mcp")),
    _Recipe(_FINANCE, 5, None, (12_000, 800), _CHEAP),
    _Recipe(_RESEARCH, 50, "Paper summaries", (90_000, 5_000), _DEEP, "always", ("api", "manual")),
    _Recipe(_RESEARCH, 25, "Benchmark runner", (30_000, 6_000), (*_GOOD, *_LOCAL), "night"),
    _Recipe(_PARTNERS, 45, "Partner catalogue sync", (33_000, 2_000), _GOOD, "night", _BY_CLOCK),
    _Recipe(
        _PILOT, 34, "Pilot assistant", (18_000, 1_300), _GOOD, "office", ("chat",), archived=True
    ),
)

# How executions end, in thousandths; "refused" is a failure before the start.
_OUTCOMES: Final = ("completed", "failed", "refused", "cancelled", "pending")
_OUTCOME_SHARES: Final = tuple(accumulate((938, 40, 4, 12, 6)))
_RECIPE_SHARES: Final = tuple(accumulate(recipe.share for recipe in _RECIPES))

# How busy each hour of the day (UTC) is.
_HOURS: Final[dict[Rhythm, tuple[int, ...]]] = {
    "office": (1, 1, 1, 1, 1, 2, 8, 25, 60, 90, 95, 85, 60, 80, 95, 90, 70, 40, 20, 9, 5, 4, 2, 1),
    "night": (0, 5, 9, 9, 5, *[0] * 17, 3, 3),
    "always": (4, 3, 3, 3, 3, 4, 5, 7, 9, 9, 9, 9, 9, 9, 9, 9, 9, 8, 8, 7, 7, 6, 6, 5),
}

# Executions of several workspaces that began in the same microsecond, so long ago.
_TIED: Final = (_SUPPORT, _SUPPORT, _FINANCE, _SUPPORT, _PARTNERS, _FINANCE)
_TIED_AGO: Final = tuple(timedelta(days=days, hours=3, microseconds=587) for days in (0, 2, 6, 19))
# Ids are mostly UUIDs; the first of the tied have these, which a locale would order otherwise.
_ODD_IDS: Final = ("exec_42", "EXEC_42", "01KAPJ3Q8Z6W9T2M4N5R7V0XYB", "~last", "exec-42", "0")
_RUNNING_AGO: Final = tuple(timedelta(seconds=ago) for ago in (11.417, 34.9, 52.034, 95.6, 240.2))
_RARE_COPIES: Final = 3
_RARE_SINCE: Final = timedelta(hours=2, milliseconds=271)
_RARE_SPAN: Final = timedelta(days=28)


def is_seeded(url: str) -> bool:
    """Tell whether the database at this libpq URL holds the demo data."""
    with psycopg.connect(url) as connection:
        _, viewer = _who_is_here(connection)
        return viewer


def seed(url: str, *, now: datetime, executions: int = EXECUTIONS, progress: Progress) -> None:
    """Create the tables in the database at this libpq URL and fill them, all or nothing.

    ``now`` is aware; nothing is later. The same ``now`` and ``executions`` give the same rows.
    The account's limit is a dollar for 80 executions ($500 for 40,000) and is crossed about the
    middle of each whole month (with fewer than some 10,000 executions chance moves that by days).
    ``progress(done, executions)`` is called about fifty times.

    A database that holds the demo data is left as it is. One with other people's data is refused.
    """

    def dial() -> psycopg.Connection:
        return psycopg.connect(url)

    engine = create_engine("postgresql+psycopg://", creator=dial, poolclass=NullPool)
    with engine.begin() as connection:
        raw = _raw(connection)
        # Two that start at once: the second waits here and finds the work done.
        raw.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        anybody, viewer = _who_is_here(raw)
        if viewer:
            return
        if anybody:
            raise UsageError("This database is in use; demo data goes only into an empty one.")
        schema.metadata.create_all(connection)
        _fill(connection, now.astimezone(UTC).replace(tzinfo=None), executions, progress)
    _vacuum(url)


def _raw(connection: Connection) -> psycopg.Connection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - seed() made it; tells the type
    return raw


def _who_is_here(raw: psycopg.Connection) -> tuple[bool, bool]:
    """Tell whether the database has any people, and whether the demo viewer is among them."""
    if raw.execute("""SELECT to_regclass('"user"')""").fetchone() == (None,):
        return False, False
    anybody = raw.execute('SELECT FROM "user" LIMIT 1').fetchone()
    viewer = raw.execute('SELECT FROM "user" WHERE id = %s', [DEMO_VIEWER_ID]).fetchone()
    return anybody is not None, viewer is not None


def _fill(connection: Connection, now: datetime, executions: int, progress: Progress) -> None:
    rng = Random(_SEED)  # noqa: S311 - demo data, not secrets
    _insert_accounts(connection, now, Decimal(executions) / 80)
    workflows = [_Workflow(each, _uuid(rng) if each.name else None) for each in _RECIPES]
    _insert_workflows(connection, now, workflows)
    _copy(_raw(connection), _rows(rng, now, workflows, executions), executions, progress)


def _copy(raw: psycopg.Connection, rows: Iterator[Row], total: int, progress: Progress) -> None:
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(schema.execution.name), sql.SQL(",").join(map(sql.Identifier, _COLUMNS))
    )
    step = max(1, total // 50)
    with raw.cursor() as cursor, cursor.copy(into) as copy:
        for done, row in enumerate(rows, 1):
            copy.write_row(row)
            if done % step == 0 or done == total:
                progress(done, total)


def _vacuum(url: str) -> None:
    """Let the first pages be as fast as all later ones: statistics and the visibility map."""
    tables = sql.SQL(",").join(
        sql.Identifier(table.name) for table in schema.metadata.sorted_tables
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(tables))


def _insert(
    connection: Connection, table: Table, columns: str, rows: Iterable[Sequence[Any]]
) -> None:
    names = columns.split()
    connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])


def _insert_accounts(connection: Connection, now: datetime, limit: Decimal) -> None:
    then = _first_day(now).replace(tzinfo=UTC)
    closed = now.replace(tzinfo=UTC) - _ARCHIVED_AGO
    viewer, ravi, paula = DEMO_VIEWER_ID, _RESEARCH_PAYER, _PARTNER
    _insert(
        connection,
        schema.user,
        "id name email email_verified created_at updated_at",
        [
            (viewer, "Dana Weiss", "dana@example.com", True, then, then),
            (ravi, "Ravi Menon", "ravi@example.com", True, then, then),
            (paula, "Paula Ortiz", "paula@example.com", True, then, then),
        ],
    )
    _insert(
        connection,
        schema.user_stats,
        "id user_id current_usage_limit",
        [("stats_demo", viewer, limit), ("stats_research", ravi, None)],
    )
    _insert(
        connection,
        schema.workspace,
        "id name owner_id billed_account_user_id archived_at created_at updated_at",
        [
            (_SUPPORT, "Support automation", viewer, viewer, None, then, then),
            (_FINANCE, "Finance ops, EMEA", viewer, viewer, None, then, then),
            (_RESEARCH, "Research lab", ravi, ravi, None, then, then),
            (_EMPTY, "Quiet corner", viewer, viewer, None, then, then),
            (_PARTNERS, "Partner catalogue", paula, viewer, None, then, then),
            (_PILOT, "Pilot (closed)", viewer, viewer, closed, then, then),
        ],
    )
    visible = {_SUPPORT: "admin", _FINANCE: "write", _RESEARCH: "read", _EMPTY: "admin"}
    _insert(
        connection,
        schema.permissions,
        "id user_id entity_type entity_id permission_type created_at updated_at",
        [
            (f"permission_{workspace}", viewer, "workspace", workspace, permission, then, then)
            for workspace, permission in visible.items()
        ],
    )


def _insert_workflows(
    connection: Connection, now: datetime, workflows: Sequence[_Workflow]
) -> None:
    then = _first_day(now).replace(tzinfo=UTC)
    archived = now.replace(tzinfo=UTC) - _ARCHIVED_AGO
    _insert(
        connection,
        schema.workflow,
        "id user_id name workspace_id archived_at last_synced created_at updated_at",
        [
            (
                each.id,
                DEMO_VIEWER_ID,
                each.recipe.name,
                each.recipe.workspace,
                archived if each.recipe.archived else None,
                then,
                then,
                then,
            )
            for each in workflows
            if each.id
        ],
    )


def _rows(
    rng: Random, now: datetime, workflows: Sequence[_Workflow], executions: int
) -> Iterator[Row]:
    """Give the executions one by one, in no order of time: the curious ones, then the ordinary."""
    special = [*_tied(rng, now, workflows), *_rare(rng, now, workflows)]
    special += _running(rng, now, workflows)
    if executions < len(special):
        raise ValueError(f"Demo data has at least {len(special)} executions, not {executions}.")
    return chain(special, _ordinary(rng, now, workflows, executions - len(special)))


def _ordinary(
    rng: Random, now: datetime, workflows: Sequence[_Workflow], count: int
) -> Iterator[Row]:
    slots: dict[Rhythm, _Slots] = {rhythm: _Slots.until(now, rhythm) for rhythm in _HOURS}
    for _ in range(count):
        workflow = rng.choices(workflows, cum_weights=_RECIPE_SHARES)[0]
        recipe = workflow.recipe
        started = slots[recipe.rhythm].draw(rng)
        while recipe.archived and started >= now - _ARCHIVED_AGO:
            started = slots[recipe.rhythm].draw(rng)
        yield _execution(rng, now, workflow, started)


def _tied(rng: Random, now: datetime, workflows: Sequence[_Workflow]) -> Iterator[Row]:
    ids: Iterator[str | None] = chain(_ODD_IDS, repeat(None))
    for ago in _TIED_AGO:
        for workspace in _TIED:
            row = _execution(rng, now, _pick(rng, workflows, workspace), now - ago)
            odd = next(ids)
            yield row if odd is None else (odd, row[1], odd, *row[3:])


def _rare(rng: Random, now: datetime, workflows: Sequence[_Workflow]) -> Iterator[Row]:
    """Give every shape of cost a few times, in turn, over the last four weeks; the absurd once."""
    again = [text for name, text in RARE.items() if name != ABSURD]
    texts = [*RARE.values(), *again * (_RARE_COPIES - 1)]
    for position, cost in enumerate(texts):
        ago = _RARE_SINCE + _RARE_SPAN * position / len(texts)
        yield _row(
            rng,
            _pick(rng, workflows, _SUPPORT),
            _to_milliseconds(now - ago),
            milliseconds=4_321,
            status="failed" if cost is None else "completed",
            cost=cost,
        )


def _running(rng: Random, now: datetime, workflows: Sequence[_Workflow]) -> Iterator[Row]:
    """Give those under way: the newest with the base charge alone, others with what they spent."""
    for ago in _RUNNING_AGO:
        workflow = _pick(rng, workflows, _SUPPORT)
        spent = [] if ago < timedelta(minutes=1) else _uses(rng, workflow.recipe)[:1]
        started = _to_milliseconds(now - ago)
        cost = cost_text(spent)
        yield _row(rng, workflow, started, milliseconds=None, status="running", cost=cost)


def _pick(rng: Random, workflows: Sequence[_Workflow], workspace: str) -> _Workflow:
    """Draw one of the workspace's living workflows, the busy ones more often."""
    living = [
        each
        for each in workflows
        if each.recipe.workspace == workspace and not each.recipe.archived
    ]
    return rng.choices(living, weights=[each.recipe.share for each in living])[0]


def _execution(rng: Random, now: datetime, workflow: _Workflow, started: datetime) -> Row:
    """One execution as the platform would have written it by ``now``."""
    uses = _uses(rng, workflow.recipe)
    status = rng.choices(_OUTCOMES, cum_weights=_OUTCOME_SHARES)[0]
    # About 9 ms for each token that a model writes.
    milliseconds: int | None = 350 + 9 * sum(each.tokens_out for each in uses) + rng.randrange(900)
    base = BASE_CHARGE
    if started + timedelta(milliseconds=milliseconds or 0) > now:
        status, milliseconds, uses = "running", None, uses[:-1]
    elif status == "refused":
        status, milliseconds, uses, base = "failed", 12, [], 0
    elif status == "cancelled":
        uses = []
    elif status == "failed":
        uses = uses[: rng.randrange(len(uses) + 1)]
    cost = cost_text(uses, base=base)
    return _row(rng, workflow, started, milliseconds=milliseconds, status=status, cost=cost)


def _uses(rng: Random, recipe: _Recipe) -> list[ModelUse]:
    """Draw which models work and how much: mostly one, and a long tail of tokens."""
    count = min(len(recipe.models), rng.choices((1, 2, 3), cum_weights=(75, 95, 100))[0])
    return [
        use(
            model,
            int(recipe.tokens[0] * rng.lognormvariate(0, _TAIL)),
            int(recipe.tokens[1] * rng.lognormvariate(0, _TAIL)),
            tool_usd=rng.randrange(1, 5) * 0.005 if rng.random() < _TOOLS else 0.0,
        )
        for model in rng.sample(recipe.models, count)
    ]


def _row(
    rng: Random,
    workflow: _Workflow,
    started: datetime,
    *,
    milliseconds: int | None,
    status: str,
    cost: str | None,
) -> Row:
    """Put a row together; ``milliseconds`` is how long it took, None if it has not ended."""
    ended = None if milliseconds is None else started + timedelta(milliseconds=milliseconds)
    level = "error" if status == "failed" else "info"
    recipe = workflow.recipe
    return (
        *(_uuid(rng), workflow.id, _uuid(rng), level, rng.choice(recipe.triggers), started, ended),
        *(milliseconds, started, cost, recipe.workspace, status),
    )


def _uuid(rng: Random) -> str:
    """Draw a version 4 UUID as text."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _first_day(now: datetime) -> datetime:
    """Midnight of this day of the month (the 28th at most) four months ago."""
    year, month = divmod(now.year * 12 + now.month - 1 - _MONTHS, 12)
    return datetime(year, month + 1, min(now.day, 28))  # noqa: DTZ001 - naive UTC


def _to_milliseconds(moment: datetime) -> datetime:
    """Cut off what the platform's clock does not know."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class _Slots(NamedTuple):
    """The hours ``[start, start + 1 h)`` from the first day to ``now``, and how busy each is."""

    now: datetime
    starts: list[datetime]
    shares: list[float]  # summed up
    nightly: bool

    @classmethod
    def until(cls, now: datetime, rhythm: Rhythm) -> "_Slots":
        """Lay out the hours; weekends are calm (nights are alike), every month a little busier."""
        first = _first_day(now)
        hours = range(-(-(now - first) // timedelta(hours=1)))
        starts = [first + timedelta(hours=hour) for hour in hours]
        shares = []
        for start in starts:
            calm = _WEEKEND if start.weekday() >= _SATURDAY and rhythm != "night" else 1.0
            growth = _MONTHLY_GROWTH ** ((start - first) / timedelta(days=30))
            part = min(1.0, (now - start) / timedelta(hours=1))
            shares.append(_HOURS[rhythm][start.hour] * calm * growth * part)
        return cls(now, starts, list(accumulate(shares)), rhythm == "night")

    def draw(self, rng: Random) -> datetime:
        """Draw a moment; schedules fire at quarter-hours and take a second or two to begin."""
        start = rng.choices(self.starts, cum_weights=self.shares)[0]
        left = min(timedelta(hours=1), self.now - start) // _MILLISECOND
        milliseconds = rng.randrange(max(1, left))
        if self.nightly:
            milliseconds = milliseconds // _QUARTER * _QUARTER + milliseconds % 1_500
        micro = rng.randrange(1000) if rng.random() < _FINE_CLOCK else 0
        return min(start + timedelta(milliseconds=milliseconds, microseconds=micro), self.now)
