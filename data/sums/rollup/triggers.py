"""The triggers on the platform's tables: they append what changed, and touch nothing else.

One trigger per event and statement. Nothing in them can raise or wait for another writer: they copy
columns as they are, into tables without a constraint that two writers could meet at. To read the
costs takes ten times as long as to copy them; that is left to whoever asks or folds.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from data.platform.copies import EXECUTIONS, Copied
from data.sums.rollup.tables import CHANGES, SCHEMA, change

PREFIX: Final = "usage_rollup_"

_REFERENCING: Final = {
    "insert": "REFERENCING NEW TABLE AS added",
    "update": "REFERENCING OLD TABLE AS removed NEW TABLE AS added",
    "delete": "REFERENCING OLD TABLE AS removed",
    "truncate": "",
}
EVENTS: Final = tuple(_REFERENCING)

# A column that the platform dropped or changed must not keep it from writing. The rollup is not
# trusted from then on, because the columns are part of its fingerprint.
_LOST: Final = "undefined_column OR undefined_table OR datatype_mismatch"


class Trigger(NamedTuple):
    """A trigger of a ``table``: its ``name`` there, the ``function`` it calls, what that does."""

    table: str
    event: str
    name: str
    function: str
    body: str


def triggers_of(copied: Sequence[Copied], truncated: str) -> list[Trigger]:
    """Return the triggers that copy this much.

    A truncate leaves no rows to subtract: it sets the rollup's comment to ``truncated`` instead.
    """
    return [
        Trigger(
            each.table,
            event,
            f"{PREFIX}{event}",
            f"after_{event}" if each.table == EXECUTIONS else f"after_{event}_of_line",
            _body(each, event, truncated),
        )
        for each in copied
        for event in EVENTS
    ]


def _body(copied: Copied, event: str, truncated: str) -> str:
    if event == "truncate":
        return f"BEGIN COMMENT ON TABLE {change.fullname} IS '{truncated}'; RETURN NULL; END"
    columns = ", ".join(copied.columns)
    signs = {
        "insert": {"added": 1},
        "delete": {"removed": -1},
        "update": {"removed": -1, "added": 1},
    }
    rows = " UNION ALL ".join(
        f"SELECT {sign}, {columns} FROM {rows} WHERE {copied.which}"
        for rows, sign in signs[event].items()
    )
    into = CHANGES[copied.table].fullname
    return f"""
        BEGIN
            INSERT INTO {into} (sign, {columns}) {rows};
            RETURN NULL;
        EXCEPTION WHEN {_LOST} THEN
            RETURN NULL;
        END
    """


def statements(triggers: Sequence[Trigger]) -> Iterator[str]:
    """Return the SQL that creates functions and triggers."""
    for table, event, name, bare, body in triggers:
        function = f"{SCHEMA}.{bare}()"
        # As its owner, so that whoever writes executions needs no rights on the rollup.
        yield f"""
            CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS $function${body}$function$
        """
        # Or a reader could hang it on a table of his own, and write sums in its owner's name.
        yield f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC"
        yield f"""
            CREATE TRIGGER {name} AFTER {event} ON {table} {_REFERENCING[event]}
            FOR EACH STATEMENT EXECUTE FUNCTION {function}
        """
        # Also where a session of the platform plays back data as a replica would.
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
