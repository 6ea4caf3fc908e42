"""Sums by place: that of a span among spans that follow on each other, counted from 1."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, FromClause, Select, bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from data.platform.types import UtcTimestamp


def instants(name: str, values: Sequence[datetime] | None = None) -> BindParameter[Any]:
    """Return a parameter that is an array of instants, with its values or to be given them."""
    type_: Any = ARRAY(UtcTimestamp)
    return bindparam(name, type_=type_) if values is None else bindparam(name, values, type_=type_)


def place_of(part: FromClause, starts: BindParameter[Any]) -> Any:
    """Return the place of a row of ``part``, by its ``at``, among the ascending ``starts``."""
    return func.width_bucket(part.c.at, starts)


def by_place(
    part: FromClause, starts: BindParameter[Any], measures: Sequence[str], keys: Sequence[str] = ()
) -> Select[Any]:
    """Sum the ``measures`` of ``part`` by ``place`` and ``keys``, all of which it selects."""
    # The offset keeps it a subquery: or as many places would be expected as instants, and sorted.
    place = place_of(part, starts).label("place")
    placed = (
        select(place, *(part.c[name] for name in (*keys, *measures)))
        .offset(literal_column("0"))
        .subquery("placed")
    )
    by = [placed.c.place, *(placed.c[key] for key in keys)]
    sums = (func.sum(placed.c[measure]).label(measure) for measure in measures)
    return select(*by, *sums).group_by(*by)
