"""Whether the rollup can be trusted: told by the database's own catalogs, in one expression.

The comment on ``usage.change`` holds the rollup's state and a fingerprint of its triggers and of
the columns that they read: the version of each row of the catalog that defines them. Disabling a
trigger, and enabling it again, writes such a row anew, so that what was missed in between is not
forgotten.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import md5
from typing import Final, Self

from sqlalchemy import Connection, text

from data.platform.copies import Copied, copied_of
from data.platform.revision import Revision
from data.platform.snapshot import Snapshot
from data.sums.rollup.tables import SCHEMA, metadata
from data.sums.rollup.triggers import Trigger, triggers_of

VERSION: Final = 3

_OURS: Final = f"Usage Ledger rollup {VERSION}"
TRUNCATED: Final = f"{_OURS}: to be filled anew after a truncate"

# By their names in the catalogs: to_regclass would raise for whoever may not look into the schema.
_TABLES: Final = f"pg_class WHERE relnamespace = to_regnamespace('{SCHEMA}') AND relname"

COMMENT: Final = f"(SELECT obj_description(oid, 'pg_class') FROM {_TABLES} = 'change')"

_READABLE: Final = f"""(
    SELECT count(*) = {len(metadata.tables)} AND bool_and(
        -- NULL of a table that is gone since the snapshot.
        coalesce(has_table_privilege(oid, 'SELECT'), false)
    )
    FROM {_TABLES} = ANY('{{{",".join(table.name for table in metadata.tables.values())}}}')
)"""


@dataclass(frozen=True)
class Trust:
    """SQL expressions that tell whether a rollup that copies this much can be trusted."""

    copied: tuple[Copied, ...]

    @classmethod
    @cache
    def of(cls, revision: Revision) -> Self:
        """Return those of the rollup that fits this revision of the platform."""
        return cls(copied_of(revision))

    @cached_property
    def triggers(self) -> list[Trigger]:
        """The triggers that it takes."""
        return triggers_of(self.copied, TRUNCATED)

    @property
    def whole(self) -> str:
        """The beginning of the comment of a rollup that has all there is."""
        return f"{_OURS} of {self._read}: whole, "

    @property
    def filling(self) -> str:
        """The beginning of the comment of a rollup that is being filled."""
        return f"{_OURS} of {self._read}: being filled, "

    @property
    def _read(self) -> str:
        return "; ".join(f"{each.table} ({', '.join(each.columns)})" for each in self.copied)

    @property
    def _on_tables(self) -> str:
        named = ", ".join(
            f"(to_regclass('{each.table}')::oid, '{each.name}'::name)" for each in self.triggers
        )
        return f"""
            FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
            WHERE pronamespace = to_regnamespace('{SCHEMA}') AND tgenabled = 'A'
                AND (tgrelid, tgname) IN ({named})
        """

    @property
    def intact(self) -> str:
        """Whether the triggers do what they were made for.

        Asked before the rollup is trusted: the fingerprint keeps it.
        """
        made = ", ".join(
            f"(to_regclass('{each.table}')::oid, '{each.name}', '{each.function}', "
            f"'{md5(each.body.encode(), usedforsecurity=False).hexdigest()}')"
            for each in self.triggers
        )
        return f"""(
            SELECT count(*) = {len(self.triggers)} {self._on_tables}
                AND tgqual IS NULL AND (tgrelid, tgname, proname, md5(prosrc)) IN ({made})
        )"""

    @property
    def fingerprint(self) -> str:
        """What changes whenever changes can have been missed.

        NULL where a trigger is missing or does not fire always. Columns are written anew by a
        change of type, which rewrites values, and by inheritance.
        """
        columns = " || ';' || ".join(
            f"""(
                SELECT string_agg(concat_ws(' ', attnum, xmin), ',' ORDER BY attnum)
                FROM pg_attribute
                WHERE attrelid = to_regclass('{each.table}')
                    AND attname = ANY('{{{",".join(each.reads)}}}')
            )"""
            for each in self.copied
        )
        triggers = f"""(
            SELECT CASE WHEN count(*) = {len(self.triggers)} THEN
                string_agg(
                    concat_ws(' ', pg_trigger.oid, pg_trigger.xmin, pg_proc.oid, pg_proc.xmin),
                    ',' ORDER BY proname
                ) END
            {self._on_tables}
        )"""
        return f"md5({triggers} || ';' || {columns})"

    @property
    def plain_tables(self) -> str:
        """Whether all rows pass the triggers, and no row security hides any."""
        tables = ", ".join(f"to_regclass('{each.table}')" for each in self.copied)
        return f"""(
            SELECT count(*) = {len(self.copied)} FROM pg_class
            WHERE oid IN ({tables}) AND relkind = 'r' AND NOT relrowsecurity
                AND NOT EXISTS (SELECT FROM pg_inherits WHERE oid IN (inhrelid, inhparent))
                AND NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = oid)
        )"""

    @cached_property
    def trusted(self) -> str:
        """Whether the rollup agrees with the executions."""
        return f"""coalesce(
            {COMMENT} = '{self.whole}' || {self.fingerprint}
            AND has_schema_privilege(to_regnamespace('{SCHEMA}'), 'USAGE') AND {_READABLE}
            AND {self.plain_tables},
            false
        )"""


def is_trusted(snapshot: Snapshot) -> bool:
    """Tell whether the rollup agrees with the executions, in this transaction's snapshot."""
    expression = Trust.of(snapshot.revision).trusted
    trusted: bool = snapshot.connection.execute(text(f"SELECT {expression}")).scalar_one()
    return trusted


def is_installed(connection: Connection) -> bool:
    """Tell whether there is a rollup, whole or not."""
    installed: bool = connection.execute(text(f"SELECT {COMMENT} IS NOT NULL")).scalar_one()
    return installed
