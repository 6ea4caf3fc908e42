"""The triggers on the platform's executions: they append what changed, and touch nothing else.

One trigger per event and statement. Nothing in them can raise or wait for another writer: they copy
columns as they are, ``usage.change`` has no constraint that two writers could meet at. To read the
costs takes ten times as long as to copy them; that is left to whoever asks or folds.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Numeric, Text, literal_column, make_url

from data.platform.copies import COPIED, TABLE, sql_of_copy
from data.sums.measures import MEASURES, added
from data.sums.rollup.tables import SCHEMA

# What they read of an execution.
COLUMNS: Final = tuple(COPIED)

# The days that a window can touch; a start beyond them is no day that anybody can ask for.
FIRST_INSTANT: Final = "1969-12-31"
END_OF_TIME: Final = "9999-01-03"

_NOT_ZERO: Final = " OR ".join(f"sum(sign * {measure}) <> 0" for measure in MEASURES)
_SUMS: Final = ", ".join(f"sum(sign * {measure}) AS {measure}" for measure in MEASURES)
_COUNTS: Final = ", ".join(measure for measure in MEASURES if measure != "cost")
_NOTHING: Final = ", ".join("0" for _ in MEASURES)
_COPY: Final = sql_of_copy("written")


def _text(expression: ColumnElement[Any]) -> str:
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    return str(expression.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


_OF_COPY: Final = added(
    literal_column("total", Numeric),
    literal_column(_COPY.tokens, Numeric),
    literal_column("status", Text),
)
_ADDS: Final = ", ".join(f"{_text(_OF_COPY[measure])} AS {measure}" for measure in MEASURES)


def cells_of(rows: str) -> str:
    """Return the SQL that adds up ``rows`` by workspace, minute, workflow and model.

    ``rows`` selects ``sign`` (1 or -1) and COLUMNS. Everything of an execution is in the cell of
    the empty model, except the dollars that a model accounts for. Cells of nothing but zeros are
    left out.
    """
    return f"""
        SELECT workspace_id, minute, workflow_id, model, {_SUMS}
        FROM (
            SELECT sign, workspace_id, date_trunc('minute', started_at) AS minute,
                coalesce(workflow_id, '') AS workflow_id, status, cost AS written
            FROM ({rows}) AS changed
            WHERE started_at >= '{FIRST_INSTANT}' AND started_at < '{END_OF_TIME}'
        ) AS execution
        CROSS JOIN LATERAL (
            SELECT {_COPY.total} AS total
            OFFSET 0 -- or the total would be read anew wherever it is named
        ) AS known
        CROSS JOIN LATERAL (
            SELECT model, {_COUNTS},
                CASE model WHEN '' THEN cost - coalesce(sum(part) OVER (), 0) ELSE part END AS cost
            FROM (
                SELECT '' AS model, {_ADDS}, NULL AS part
                UNION ALL
                SELECT used.model, {_NOTHING}, part FROM ({_COPY.parts}) AS used
                WHERE total IS NOT NULL AND part IS NOT NULL
            ) AS shares
        ) AS cell
        GROUP BY workspace_id, minute, workflow_id, model
        HAVING {_NOT_ZERO}
    """


_COLUMNS: Final = ", ".join(COLUMNS)

# All that there is, as rows for cells_of.
EXECUTIONS: Final = f"SELECT 1 AS sign, {_COLUMNS} FROM {TABLE}"


def net_of(changes: str) -> str:
    """Return the SQL of what is left of ``changes``, as rows for cells_of.

    Of an execution that went through many states, the last one.
    """
    # As text too: 1 and 1.0 are equal to JSONB, but not always to whoever reads them.
    return f"""
        SELECT sum(sign) AS sign, {_COLUMNS} FROM {changes}
        GROUP BY {_COLUMNS}, cost::text HAVING sum(sign) <> 0
    """


_ADDED: Final = f"SELECT 1, {_COLUMNS} FROM added"
_REMOVED: Final = f"SELECT -1, {_COLUMNS} FROM removed"
_EVENTS: Final = {
    "insert": ("REFERENCING NEW TABLE AS added", _ADDED),
    "update": (
        "REFERENCING OLD TABLE AS removed NEW TABLE AS added",
        f"{_REMOVED} UNION ALL {_ADDED}",
    ),
    "delete": ("REFERENCING OLD TABLE AS removed", _REMOVED),
}


def bodies(truncated: str) -> dict[str, str]:
    """Return what the function of each event does.

    A truncate leaves no rows to subtract: it sets the rollup's comment to ``truncated`` instead.
    """
    done = {
        event: f"INSERT INTO usage.change (sign, {_COLUMNS}) {rows};"
        for event, (_, rows) in _EVENTS.items()
    }
    done["truncate"] = f"COMMENT ON TABLE usage.change IS '{truncated}';"
    return {event: f"BEGIN {body} RETURN NULL; END" for event, body in done.items()}


def statements(truncated: str) -> Iterator[str]:
    """Return the SQL that creates functions and triggers."""
    for event, body in bodies(truncated).items():
        function, trigger = f"{SCHEMA}.after_{event}()", f"{PREFIX}{event}"
        # As its owner, so that whoever writes executions needs no rights on the rollup.
        yield f"""
            CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS $function${body}$function$
        """
        # Or a reader could hang it on a table of his own, and write sums in its owner's name.
        yield f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC"
        referencing, _ = _EVENTS.get(event, ("", ""))
        yield f"""
            CREATE TRIGGER {trigger} AFTER {event} ON {TABLE} {referencing}
            FOR EACH STATEMENT EXECUTE FUNCTION {function}
        """
        # Also where a session of the platform plays back data as a replica would.
        yield f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER {trigger}"


PREFIX: Final = "usage_rollup_"
NAMES: Final = [f"{PREFIX}{event}" for event in (*_EVENTS, "truncate")]
