"""Cost, tokens and models where the platform keeps them in columns and in ``usage_log``, as SQL.

Since May 2026 ``cost_total`` and ``models_used`` are columns of an execution, and its charges are
rows of ``usage_log``; the JSONB of before may still be there, and where an execution has one, that
tells its tokens and models. Either column may be missing. Whatever is not plainly an amount is
NULL, unknown, as in ``cost_json``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from data.platform import cost_json


@dataclass(frozen=True)
class CostColumns:
    """SQL of an execution that goes by the name ``table``, by what its revision keeps."""

    table: str
    json: bool
    total: bool
    models_used: bool
    usage_log: bool

    def total_sql(self) -> str:
        """Return its dollars: ``numeric``, exact; the column wins where it is not NULL."""
        column = f"{self.table}.cost_total"
        stored = cost_json.known_amount(column)
        written = cost_json.total_of(self._json) if self.json else "NULL::numeric"
        if not self.total:
            return written
        return f"CASE WHEN {column} IS NULL THEN {written} ELSE {stored} END"

    def tokens_sql(self) -> str:
        """Return its tokens: ``numeric``, a whole number; as far as they were recorded."""
        return self._either(cost_json.tokens_of, "sum(tokens)")

    def sent_sql(self) -> str:
        """Return the tokens that went in: ``numeric``, a whole number."""
        return self._either(cost_json.sent_of, "sum(sent)")

    def received_sql(self) -> str:
        """Return the tokens that came out: ``numeric``, a whole number."""
        return self._either(cost_json.received_of, "sum(received)")

    def models_sql(self, most: int | None = None) -> str:
        """Return the names of the models used, dearest first, as ``cost_json.models_of``."""
        name = "name" if most is None else f"left(name, {most})"
        listed = f"""coalesce(
            (
                SELECT array_agg({name} ORDER BY {_DEAREST_FIRST})
                FROM ({self._logged()} UNION ALL {self._only_used()}) AS used WHERE name <> ''
            ),
            ARRAY[]::text[]
        )"""
        if not self.json:
            return listed
        written = cost_json.models_of(self._json, most)
        return f"CASE WHEN {self.has_json} THEN {written} ELSE {listed} END"

    def shares_sql(self) -> str:
        """Return rows of ``name`` and ``amount``, as ``cost_json.shares_of``."""
        return f"""
            SELECT name,
                CASE name WHEN '' THEN total - coalesce(sum(part) OVER (), 0) ELSE part END
                    AS amount
            FROM (
                SELECT {self.total_sql()} AS total
                OFFSET 0 -- or the total would be read anew wherever it is named
            ) AS known
            CROSS JOIN LATERAL (
                SELECT '' AS name, NULL::numeric AS part
                UNION ALL
                SELECT left(name, 200), cost FROM ({self._lines()}) AS used
                WHERE cost IS NOT NULL AND name <> ''
            ) AS share
            WHERE total IS NOT NULL
        """

    def lines_sql(self) -> str:
        """Return rows of what is known of each model, as ``cost_json.lines_of``."""
        return f"""
            SELECT row_number() OVER (ORDER BY {_DEAREST_FIRST}) AS place,
                name AS model, cost, tools, tokens, sent, received
            FROM ({self._lines()}) AS used
        """

    def used_sql(self, names: str) -> str:
        """Return the condition that one of ``names``, a ``text[]``, was used; not by the JSONB."""
        used = (
            f"coalesce({self.table}.models_used && {names}, false) OR " if self.models_used else ""
        )
        return f"({used}EXISTS (SELECT FROM ({self._logged()}) AS line WHERE name = ANY({names})))"

    @property
    def _json(self) -> str:
        return f"{self.table}.cost"

    @property
    def has_json(self) -> str:
        """The condition that the JSONB tells its tokens and models."""
        if not self.json:
            return "false"
        return f"coalesce(jsonb_typeof({self._json}) = 'object', false)"

    def _either(self, of_json: Callable[[str], str], of_lines: str) -> str:
        logged = f"(SELECT {of_lines} FROM ({self._logged()}) AS line)"
        if not self.json:
            return logged
        return f"CASE WHEN {self.has_json} THEN {of_json(self._json)} ELSE {logged} END"

    def _lines(self) -> str:
        logged = self._logged()
        return f"{cost_json.models_in(self._json)} UNION ALL {logged}" if self.json else logged

    def _logged(self) -> str:
        """Return what ``usage_log`` has of each model; metadata is cumulative, amounts add up."""
        if not self.usage_log:
            return _NOTHING
        apart = f" AND NOT {self.has_json}" if self.json else ""
        sent, received = (cost_json.whole(f"metadata -> '{key}'") for key in _TOKENS)
        return f"""
            SELECT name, cost, tools, sent, received,
                CASE WHEN sent IS NOT NULL OR received IS NOT NULL
                    THEN coalesce(sent, 0) + coalesce(received, 0) END AS tokens
            FROM (
                SELECT description AS name,
                    CASE WHEN bool_and({cost_json.known_amount("cost")} IS NOT NULL)
                        THEN sum(cost) END AS cost,
                    max({cost_json.amount("metadata -> 'toolCost'")}) AS tools,
                    max({sent}) AS sent, max({received}) AS received
                FROM usage_log
                WHERE execution_id = {self.table}.execution_id
                    AND source::text = 'workflow' AND category::text = 'model'{apart}
                GROUP BY description
            ) AS logged
        """

    def _only_used(self) -> str:
        """Return the models that were used and of which ``usage_log`` has nothing."""
        if not self.models_used:
            return _NOTHING
        return f"""
            SELECT DISTINCT name, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
                NULL::numeric
            FROM unnest({self.table}.models_used) AS name
            WHERE name NOT IN (SELECT name FROM ({self._logged()}) AS line)
        """


_TOKENS: Final = ("inputTokens", "outputTokens")
_DEAREST_FIRST: Final = 'cost DESC NULLS LAST, tokens DESC NULLS LAST, name COLLATE "C"'
_NOTHING: Final = """
    SELECT NULL::text AS name, NULL::numeric AS cost, NULL::numeric AS tools, NULL::numeric AS sent,
        NULL::numeric AS received, NULL::numeric AS tokens
    WHERE false
"""
