"""Executions with all that a file may tell of them: ids, both kinds of tokens, their Type."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Select

from data.platform.charges import received, sent
from data.platform.executions import select_executions
from data.platform.schema import execution
from data.platform.selection import Selection
from data.question.cursor import Position
from data.rules.allowance import Crossing, label
from data.rules.labels import UsageType


class LabelledRow(NamedTuple):
    """A row of an export: the columns of ``select_labelled``, and its label.

    ``sent`` and ``received`` are tokens. What is unknown is None, as in Execution; whole numbers
    are Decimals here, as the database gives them.
    """

    id: str
    execution_id: str
    started_at: datetime
    status: str
    trigger: str
    workflow_id: str | None
    workflow_name: str | None
    models: list[str]
    tokens: Decimal | None
    cost: Decimal | None
    workspace_id: str
    sent: Decimal | None
    received: Decimal | None
    type: UsageType
    on_demand: Decimal | None


def select_labelled(selection: Selection) -> Select[Any]:
    """Select what ``labelled`` needs of the executions of a window."""
    return select_executions(selection).add_columns(execution.c.workspace_id, sent, received)


def labelled(rows: Iterable[Any], crossings: Sequence[Crossing]) -> Iterator[LabelledRow]:
    """Label rows of ``select_labelled`` as they come; ``crossings`` as for ``classify``."""
    for row in rows:
        position = Position(row.started_at, row.id)
        yield LabelledRow._make((*row, *label(position, row.cost, crossings)))
