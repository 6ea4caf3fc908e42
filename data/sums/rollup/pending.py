"""Changes that are not folded yet: how they are chosen, taken and read."""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from sqlalchemy import ColumnElement

from data.platform.copies import EXECUTIONS, LINES
from data.platform.executions import Counted
from data.platform.revision import Revision
from data.platform.states import (
    counted_in_changes,
    counted_in_states,
    last_of,
    states_of,
)
from data.sums.rollup.tables import CHANGES

_CHANGE = CHANGES[EXECUTIONS].fullname
_LINE = CHANGES[LINES].fullname


class Changed(NamedTuple):
    """What is pending, as what is ``counted`` of it; ``sign`` says whether it adds."""

    counted: Counted
    sign: ColumnElement[int]


@cache
def changed_rows(revision: Revision) -> Changed:
    """Return what is pending, for sums that an execution's row tells alone: all but its tokens."""
    change = CHANGES[EXECUTIONS]
    return Changed(counted_in_changes(revision, change), change.c.sign)


@cache
def changed_states(revision: Revision) -> Changed:
    """Return what is pending, for any sum."""
    if not revision.usage_log:
        return changed_rows(revision)
    return Changed(*counted_in_states(revision, pending_states(revision)))


def pending_states(revision: Revision) -> str:
    """Return the SQL of the states that all there is to be folded comes to."""
    if not revision.usage_log:
        return last_of(revision, _CHANGE)
    chosen = f"(SELECT execution_id FROM {_CHANGE} UNION SELECT execution_id FROM {_LINE}) AS each"
    return states_of(revision, chosen, _CHANGE, _LINE)


def some(revision: Revision, changes: int) -> str:
    """Return the SQL that chooses what has so many changes, or all; see ``taken``."""
    if not revision.usage_log:
        return f"SELECT ctid FROM {_CHANGE} LIMIT {changes}"
    return " UNION ".join(
        f"SELECT execution_id FROM (SELECT execution_id FROM {table} LIMIT {changes}) AS first_ones"
        for table in (_CHANGE, _LINE)
    )


def of_span(revision: Revision, span: str) -> str:
    """Return the SQL that chooses every change of sums in a span, a condition on ``started_at``."""
    if not revision.usage_log:
        return f"SELECT ctid FROM {_CHANGE} WHERE {span}"
    # A state that is no more is a change with a minus; one whose lines alone changed is there.
    return f"""
        SELECT execution_id FROM {_CHANGE} WHERE {span}
        UNION SELECT execution_id FROM {EXECUTIONS}
        WHERE {span} AND execution_id IN (SELECT execution_id FROM {_LINE})
    """


@dataclass(frozen=True)
class Taken:
    """SQL that takes changes out: ``tables`` for a WITH clause, the ``states`` that they are.

    ``count`` is an expression of how many they are.
    """

    tables: str
    states: str
    count: str


def taken(revision: Revision, chosen: str) -> Taken:
    """Return the SQL that takes out what ``chosen`` chooses."""
    if not revision.usage_log:
        delete = f"DELETE FROM {_CHANGE} WHERE ctid = ANY(ARRAY({chosen})) RETURNING *"
        count = "(SELECT count(*) FROM taken)"
        return Taken(f"taken AS ({delete})", last_of(revision, "taken"), count)
    delete = "DELETE FROM {0} WHERE execution_id IN (SELECT * FROM chosen) RETURNING *"
    tables = f"""
        chosen AS MATERIALIZED ({chosen}),
        taken AS ({delete.format(_CHANGE)}), taken_line AS ({delete.format(_LINE)})
    """
    states = states_of(revision, "chosen", "taken", "taken_line")
    return Taken(tables, states, "(SELECT count(*) FROM taken) + (SELECT count(*) FROM taken_line)")
