"""Writes what the host platform would: users, workspaces, grants, workflows, executions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Table, Text, bindparam, cast, delete, insert, text
from sqlalchemy.dialects.postgresql import JSONB

from data.answers.ledger import Ledger
from data.answers.page import Page
from data.platform import schema
from data.platform.access import Viewer
from data.platform.snapshot import Snapshot
from data.question.cursor import PAGE_SIZE, Cursor, Direction
from data.question.query import UsageQuery
from data.rules.billing import Billing, LimitScope
from data.rules.calendar import Window
from data.sums import rollup
from data.sums.rollup import tables
from data.sums.rollup.trust import is_trusted
from demo.columns import write_columns
from demo.upgrade import upgrade

PAYER = "payer"
OWNER = "owner"
VIEWER_ID = "viewer"
VIEWER = Viewer(VIEWER_ID)
WORKSPACE = "ws"
# Long before every execution of the tests: when the users and workspaces were made.
FOUNDED = datetime(2020, 1, 1, tzinfo=UTC)
ALWAYS = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def utc(word: str) -> datetime:
    """Read ``2026-11-01 04:00`` as an instant in UTC."""
    return datetime.fromisoformat(word).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Run:
    """An execution; ``cost`` is JSON as it is written, None for SQL NULL."""

    id: str
    at: datetime
    cost: str | None = '{"total": 1}'
    workspace: str = WORKSPACE
    workflow: str | None = None
    execution_id: str | None = None
    trigger: str = "api"
    status: str = "completed"

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "workflow_id": self.workflow,
            "execution_id": self.execution_id or f"execution-{self.id}",
            "level": "info",
            "trigger": self.trigger,
            "started_at": self.at,
            "json": self.cost,
            "workspace_id": self.workspace,
            "status": self.status,
        }


def spaced(
    count: int, *, start: datetime, step: timedelta = timedelta(minutes=1), cost: str = "1"
) -> list[Run]:
    """Make ``count`` runs, oldest first, of the same cost."""
    return [
        Run(f"run-{place:05}", start + place * step, f'{{"total": {cost}}}')
        for place in range(count)
    ]


class Platform:
    """A database of the platform: ``writer`` fills it, ``reader`` is the product's own engine."""

    def __init__(self, url: str, writer: Engine, reader: Engine) -> None:
        self.url = url
        self.writer = writer
        self.reader = reader
        schema.metadata.create_all(writer)

    def clear(self) -> None:
        with self.writer.begin() as connection:
            for table in reversed(schema.metadata.sorted_tables):
                connection.execute(delete(table))

    def account(
        self,
        limit: Decimal | str | int | None = None,
        *workspaces: str,
        payer: str = PAYER,
        viewer: str | None = VIEWER_ID,
        stats: bool = True,
    ) -> None:
        """Make a payer and his workspaces (one where none is named), which the viewer may see."""
        self.user(payer)
        if stats:
            self.add_limit(payer, limit)
        for workspace_id in workspaces or (WORKSPACE,):
            self.workspace(workspace_id, payer=payer)
            if viewer is not None:
                self.grant(viewer, workspace_id)

    def add_limit(self, user_id: str, limit: Decimal | str | int | None) -> None:
        amount = None if limit is None else Decimal(limit)
        self.add(
            schema.user_stats, id=f"{user_id}-stats", user_id=user_id, current_usage_limit=amount
        )

    def organization(self, name: str, limit: Decimal | str | int | None = None) -> None:
        amount = None if limit is None else Decimal(limit)
        self.add(schema.organization, id=name, name=name.title(), slug=name, org_usage_limit=amount)

    def member(self, user_id: str, organization: str, role: str = "member") -> None:
        self.ensure_user(user_id)
        self.add(
            schema.member,
            id=f"{user_id}-member",
            user_id=user_id,
            organization_id=organization,
            role=role,
        )

    def subscription(self, payer: str, plan: str, status: str = "active", **columns: Any) -> None:
        values = {"id": f"{payer}-{plan}-{status}", "metadata": {}, **columns}
        self.add(schema.subscription, reference_id=payer, plan=plan, status=status, **values)

    def user(self, user_id: str) -> None:
        self.add(
            schema.user,
            id=user_id,
            name=user_id,
            email=f"{user_id}@example.com",
            email_verified=True,
            created_at=FOUNDED,
            updated_at=FOUNDED,
        )

    def ensure_user(self, user_id: str) -> None:
        with self.writer.connect() as connection:
            known = connection.execute(
                text('SELECT 1 FROM "user" WHERE id = :id'), {"id": user_id}
            ).one_or_none()
        if known is None:
            self.user(user_id)

    def workspace(
        self,
        workspace_id: str,
        *,
        payer: str = PAYER,
        archived_at: datetime | None = None,
        name: str | None = None,
        owner: str = OWNER,
    ) -> None:
        self.ensure_user(owner)
        self.add(
            schema.workspace,
            id=workspace_id,
            name=name or workspace_id,
            owner_id=owner,
            billed_account_user_id=payer,
            archived_at=archived_at,
        )

    def archive(self, workspace_id: str, *, back: bool = False) -> None:
        self.sql(
            "UPDATE workspace SET archived_at = CASE WHEN :back THEN NULL ELSE now() END "
            "WHERE id = :id",
            id=workspace_id,
            back=back,
        )

    def grant(
        self, user_id: str, workspace_id: str, *, entity: str = "workspace", level: str = "read"
    ) -> None:
        self.ensure_user(user_id)
        self.add(
            schema.permissions,
            id=f"{user_id}-{entity}-{workspace_id}",
            user_id=user_id,
            entity_type=entity,
            entity_id=workspace_id,
            permission_type=level,
        )

    def workflow(self, workflow_id: str, name: str, *, workspace_id: str = WORKSPACE) -> None:
        self.add(
            schema.workflow,
            id=workflow_id,
            user_id=PAYER,
            name=name,
            workspace_id=workspace_id,
            last_synced=FOUNDED,
            created_at=FOUNDED,
            updated_at=FOUNDED,
        )

    def runs(self, runs: Iterable[Run]) -> None:
        rows = [run.row() for run in runs]
        if rows:
            with self.writer.begin() as connection:
                add_runs(connection, rows)

    def add(self, table: Table, **values: Any) -> None:
        with self.writer.begin() as connection:
            connection.execute(insert(table).values(**values))

    def sql(self, statement: str, **values: Any) -> None:
        with self.writer.begin() as connection:
            connection.execute(text(statement), values)

    def upgrade(self) -> None:
        """Bring it to the second generation; the costs there are stay where they are."""
        with self.writer.begin() as connection:
            upgrade(connection)

    def ledger(
        self, zone: tzinfo = UTC, scope: LimitScope = LimitScope.ACCOUNT, **rules: Any
    ) -> Ledger:
        return Ledger(self.reader, Billing(zone, scope, **rules))


def is_whole(connection: Connection) -> bool:
    """Tell whether the rollup is trusted in the snapshot of ``connection``."""
    return is_trusted(Snapshot.of(connection))


class Second(Platform):
    """A database of the platform's second generation, in which costs are columns and lines.

    Runs tell their cost as JSON, as everywhere in the tests; it is moved before anybody sees it.
    Of tokens those remain that are told of a model with a cost.
    """

    def __init__(self, url: str, writer: Engine, reader: Engine) -> None:
        super().__init__(url, writer, reader)
        self.upgrade()

    def clear(self) -> None:
        super().clear()
        self.sql("DELETE FROM organization")

    def runs(self, runs: Iterable[Run]) -> None:
        rows = [run.row() for run in runs]
        if rows:
            with self.writer.begin() as connection:
                # Lines outlive their execution, and here one may come again.
                connection.execute(
                    text("DELETE FROM usage_log WHERE execution_id = ANY(:ids)"),
                    {"ids": [row["execution_id"] for row in rows]},
                )
                add_runs(connection, rows)
                write_columns(connection)


class Rolled(Platform):
    """A database of the platform with the rollup, in which every other batch of runs is folded.

    To clear it makes the rollup whole again, whatever an earlier test did to it.
    """

    _batches = 0

    def clear(self) -> None:
        with self.writer.connect() as connection:
            whole = is_whole(connection)
        if not whole:
            rollup.install(self.url)
        super().clear()
        with self.writer.begin() as connection:
            # Nothing is left to add up, and the next example need not wade through what was.
            for table in tables.metadata.sorted_tables:
                connection.execute(delete(table))

    def runs(self, runs: Iterable[Run]) -> None:
        super().runs(runs)
        self._batches += 1
        if self._batches % 2:
            rollup.compact(self.url)


def add_runs(connection: Connection, rows: list[dict[str, Any]]) -> None:
    json = cast(bindparam("json", type_=Text), JSONB)
    connection.execute(insert(schema.execution).values(cost=json), rows)


def add_numbered(platform: Platform, first: int, last: int) -> None:
    """Add executions named by numbers, one each second."""
    platform.sql(
        """
        INSERT INTO workflow_execution_logs
            (id, execution_id, level, trigger, started_at, workspace_id)
        SELECT n, n, 'info', 'api', timestamp '2026-10-10' + n * interval '1 second', 'ws'
        FROM generate_series(CAST(:first AS integer), :last) AS n
        """,
        first=first,
        last=last,
    )


def walk(
    ledger: Ledger,
    workspace_id: str = WORKSPACE,
    *,
    window: Window = ALWAYS,
    limit: int = PAGE_SIZE,
    viewer: Viewer = VIEWER,
) -> Iterator[Page]:
    """Page from the newest row to the oldest, each cursor through its encoded form."""
    cursor: Cursor | None = None
    while True:
        page = ledger.page(viewer, UsageQuery(workspace_id, window, limit, cursor))
        yield page
        if page.next_cursor is None:
            return
        cursor = Cursor.decode(page.next_cursor.encode())
        assert cursor == page.next_cursor


def rows_of(page: Page) -> list[dict[str, Any]]:
    """Return a page's rows as plain dictionaries, newest first."""
    return [
        {str(name): value for name, value in row.items()} for row in page.rows.to_dict("records")
    ]


def ids(page: Page) -> list[str]:
    return list(page.rows["id"])


def labels(page: Page) -> Mapping[str, tuple[str, Decimal | None]]:
    """Return type and on-demand part by id."""
    return {row["id"]: (str(row["type"]), row["on_demand"]) for row in rows_of(page)}


def first_page(
    ledger: Ledger,
    workspace_id: str = WORKSPACE,
    *,
    window: Window = ALWAYS,
    limit: int = PAGE_SIZE,
    cursor: Cursor | str | None = None,
    direction: Direction = Direction.OLDER,
) -> Page:
    return ledger.page(VIEWER, UsageQuery(workspace_id, window, limit, cursor, direction))
