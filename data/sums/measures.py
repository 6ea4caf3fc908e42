"""What is counted and added up of executions, by whoever does: what one of them adds, told once."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, cast, false, func, literal_column

from data.platform.executions import Counted
from data.rules.labels import UNFINISHED
from data.rules.money import ZERO

# Tokens and cost (dollars) are exact, unknown ones count as 0.
MEASURES: Final = ("executions", "unknown", "unfinished", "tokens", "cost")


@cache
def added_by(counted: Counted) -> Mapping[str, ColumnElement[Any]]:
    """Return what an execution adds to each measure."""
    return added(counted.cost, counted.tokens, counted.status)


def added(
    cost: ColumnElement[Any], tokens: ColumnElement[Any], status: ColumnElement[Any]
) -> dict[str, ColumnElement[Any]]:
    """Return what an execution of this cost (dollars), tokens and status adds to each measure."""
    return {
        "executions": literal_column("1", Integer),
        "unknown": cast(cost.is_(None), Integer),
        "unfinished": cast(func.coalesce(status.in_(UNFINISHED), false()), Integer),
        "tokens": func.coalesce(tokens, ZERO),
        "cost": func.coalesce(cost, ZERO),
    }
