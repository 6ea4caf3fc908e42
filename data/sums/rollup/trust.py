"""Whether the rollup can be trusted: told by the database's own catalogs, in one expression.

The comment on ``usage.change`` holds the rollup's state and a fingerprint of its triggers and of
the columns that they read: the version of each row of the catalog that defines them. Disabling a
trigger, and enabling it again, writes such a row anew, so that what was missed in between is not
forgotten.
"""

from hashlib import md5
from typing import Final

from sqlalchemy import Connection, text

from data.platform.copies import TABLE
from data.sums.rollup.tables import SCHEMA, metadata
from data.sums.rollup.triggers import COLUMNS, NAMES, PREFIX, bodies

VERSION: Final = 2

_OURS: Final = f"Usage Ledger rollup {VERSION}"
WHOLE: Final = f"{_OURS}: whole, "
FILLING: Final = f"{_OURS}: being filled, "
TRUNCATED: Final = f"{_OURS}: to be filled anew after a truncate"

# By their names in the catalogs: to_regclass would raise for whoever may not look into the schema.
_TABLES: Final = f"pg_class WHERE relnamespace = to_regnamespace('{SCHEMA}') AND relname"

COMMENT: Final = f"(SELECT obj_description(oid, 'pg_class') FROM {_TABLES} = 'change')"

_ON_TABLE: Final = f"""
    FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid = to_regclass('{TABLE}') AND pronamespace = to_regnamespace('{SCHEMA}')
        AND tgenabled = 'A' AND tgname = ANY('{{{",".join(NAMES)}}}')
"""

# NULL where a trigger is missing or does not fire always.
_TRIGGERS: Final = f"""(
    SELECT CASE WHEN count(*) = {len(NAMES)} THEN
        string_agg(
            concat_ws(' ', pg_trigger.oid, pg_trigger.xmin, pg_proc.oid, pg_proc.xmin),
            ',' ORDER BY tgname
        ) END
    {_ON_TABLE}
)"""

_FUNCTIONS: Final = ", ".join(
    f"('{PREFIX}{event}', 'after_{event}', '{md5(body.encode()).hexdigest()}')"  # noqa: S324
    for event, body in bodies(TRUNCATED).items()
)

# Whether they do what they were made for. Asked before they are trusted: the fingerprint keeps it.
INTACT: Final = f"""(
    SELECT count(*) = {len(NAMES)}
    {_ON_TABLE} AND tgqual IS NULL AND (tgname, proname, md5(prosrc)) IN ({_FUNCTIONS})
)"""

# Columns are written anew by a change of type, which rewrites values, and by inheritance.
_COLUMNS: Final = f"""(
    SELECT string_agg(concat_ws(' ', attnum, xmin), ',' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = to_regclass('{TABLE}') AND attname = ANY('{{{",".join(COLUMNS)}}}')
)"""

FINGERPRINT: Final = f"md5({_TRIGGERS} || ';' || {_COLUMNS})"

# Rows that arrive by way of these, or that row security hides, are not seen by the triggers.
PLAIN_TABLE: Final = f"""EXISTS (
    SELECT FROM pg_class
    WHERE oid = to_regclass('{TABLE}') AND relkind = 'r' AND NOT relrowsecurity
        AND NOT EXISTS (SELECT FROM pg_inherits WHERE oid IN (inhrelid, inhparent))
        AND NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = oid)
)"""

_READABLE: Final = f"""(
    SELECT count(*) = {len(metadata.tables)} AND bool_and(
        -- NULL of a table that is gone since the snapshot.
        coalesce(has_table_privilege(oid, 'SELECT'), false)
    )
    FROM {_TABLES} = ANY('{{{",".join(table.name for table in metadata.tables.values())}}}')
)"""

TRUSTED: Final = f"""coalesce(
    {COMMENT} = '{WHOLE}' || {FINGERPRINT}
    AND has_schema_privilege(to_regnamespace('{SCHEMA}'), 'USAGE') AND {_READABLE}
    AND {PLAIN_TABLE},
    false
)"""


def is_trusted(connection: Connection) -> bool:
    """Tell whether the rollup agrees with the executions, in this transaction's snapshot."""
    trusted: bool = connection.execute(text(f"SELECT {TRUSTED}")).scalar_one()
    return trusted


def is_installed(connection: Connection) -> bool:
    """Tell whether there is a rollup, whole or not."""
    installed: bool = connection.execute(text(f"SELECT {COMMENT} IS NOT NULL")).scalar_one()
    return installed
