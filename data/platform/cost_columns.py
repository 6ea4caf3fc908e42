"""Cost, tokens and models where the platform keeps them in columns and in ``usage_log``, as SQL.

Since May 2026 ``cost_total`` and ``models_used`` are columns of an execution, and its charges are
rows of ``usage_log``; the JSONB of before may still be there, and where an execution has one, that
tells its tokens and models. Either column may be missing. Whatever is not plainly an amount is
NULL, unknown, as in ``cost_json``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from data.platform import cost_json, cost_sql
from data.platform.revision import Revision

# Those of usage_log that tell of an execution's models.
COUNTED_LINES: Final = "source::text = 'workflow' AND category::text = 'model'"

_NOTHING: Final = """
    SELECT NULL::text AS name, NULL::numeric AS cost, NULL::numeric AS tools, NULL::numeric AS sent,
        NULL::numeric AS received, NULL::numeric AS tokens
    WHERE false
"""


@dataclass(frozen=True)
class CostColumns:
    """SQL of an execution that goes by the name ``table``, on a platform of this revision.

    ``lines`` is SQL of its lines of ``usage_log``, where they are not to be looked up there: rows
    of ``description``, ``cost`` and ``metadata``.
    """

    table: str
    revision: Revision
    lines: str | None = None

    def total(self) -> str:
        """Return its dollars: ``numeric``, exact; the column wins where it is not NULL."""
        written = cost_json.total_of(self._json) if self.revision.cost_json else "NULL::numeric"
        if not self.revision.cost_total:
            return written
        column = f"{self.table}.cost_total"
        stored = cost_sql.known_amount(column)
        return f"CASE WHEN {column} IS NULL THEN {written} ELSE {stored} END"

    def tokens(self) -> str:
        """Return its tokens: ``numeric``, a whole number; as far as they were recorded."""
        return self._either(cost_json.tokens_of, self._sum_of("tokens"))

    def tokens_complete(self) -> str:
        """Return the condition that no model was used of which nothing is recorded."""
        if not self.revision.models_used:
            return "true"
        used = f"array_replace({self.table}.models_used, NULL, '')"
        recorded = self._either(cost_json.names_in, self._names_logged())
        return f"coalesce({used} <@ (ARRAY[''] || {recorded}), true)"

    def sent(self) -> str:
        """Return the tokens that went in: ``numeric``, a whole number."""
        return self._either(cost_json.sent_of, self._sum_of("sent"))

    def received(self) -> str:
        """Return the tokens that came out: ``numeric``, a whole number."""
        return self._either(cost_json.received_of, self._sum_of("received"))

    def models(self, most: int | None = None) -> str:
        """Return the names of the models used, as ``cost_json.models_of``."""
        used = f"{self._logged()} UNION ALL {self._only_used()}"
        return self._either(
            lambda json: cost_json.models_of(json, most),
            f"coalesce({cost_sql.names_of(used, most)}, ARRAY[]::text[])",
        )

    def of_models(self) -> str:
        """Return what is known of each model, as ``cost_sql`` has it."""
        logged = self._logged()
        if not self.revision.cost_json:
            return logged
        if not self.revision.usage_log:
            return cost_json.models_in(self._json)
        return f"{cost_json.models_in(self._json)} WHERE {self.has_json} UNION ALL {logged}"

    def used(self, names: str) -> str:
        """Return the condition that one of ``names``, a ``text[]``, was used; not by the JSONB."""
        logged = f"EXISTS (SELECT FROM ({self._logged()}) AS line WHERE name = ANY({names}))"
        if not self.revision.models_used:
            return logged
        return f"(coalesce({self.table}.models_used && {names}, false) OR {logged})"

    @property
    def has_json(self) -> str:
        """The condition that the JSONB tells its tokens and models.

        It does not where the platform was upgraded while the execution ran: it has the cost of
        before, and lines tell of the rest.
        """
        if not self.revision.cost_json:
            return "false"
        is_object = f"coalesce(jsonb_typeof({self._json}) = 'object', false)"
        if not (self.revision.cost_total and self.revision.usage_log):
            return is_object
        stored = f"{self.table}.cost_total"
        is_whole = f"{stored} IS NOT DISTINCT FROM {cost_json.total_of(self._json)}"
        return f"""({is_object} AND (
            {stored} IS NULL OR {is_whole} OR NOT EXISTS (SELECT FROM ({self._lines()}) AS line)
        ))"""

    @property
    def _json(self) -> str:
        return f"{self.table}.cost"

    def _either(self, of_json: Callable[[str], str], elsewhere: str) -> str:
        if not self.revision.cost_json:
            return elsewhere
        if self.revision.costs_in_json_alone:
            return of_json(self._json)
        return f"CASE WHEN {self.has_json} THEN {of_json(self._json)} ELSE {elsewhere} END"

    def _sum_of(self, tokens: str) -> str:
        return f"(SELECT sum({tokens}) FROM ({self._logged()}) AS line)"

    def _logged(self) -> str:
        """Return what ``usage_log`` has of each model; metadata is cumulative, amounts add up."""
        if not self.revision.usage_log:
            return _NOTHING
        sent, received = (
            cost_json.whole(f"metadata -> '{key}'") for key in ("inputTokens", "outputTokens")
        )
        return f"""
            SELECT name, cost, tools, sent, received,
                CASE WHEN sent IS NOT NULL OR received IS NOT NULL
                    THEN coalesce(sent, 0) + coalesce(received, 0) END AS tokens
            FROM (
                SELECT description AS name,
                    CASE WHEN bool_and({cost_sql.known_amount("cost")} IS NOT NULL)
                        THEN sum(cost) END AS cost,
                    max({cost_json.amount("metadata -> 'toolCost'")}) AS tools,
                    max({sent}) AS sent, max({received}) AS received
                FROM ({self._lines()}) AS line WHERE NOT {self.has_json}
                GROUP BY description
            ) AS logged
        """

    def _lines(self) -> str:
        """Return the lines of its models: rows of ``description``, ``cost`` and ``metadata``."""
        # In full: of what usage_log lacks, a bare name would mean the execution's own.
        return (
            self.lines
            or f"""
            SELECT usage_log.description, usage_log.cost, usage_log.metadata FROM usage_log
            WHERE usage_log.execution_id = {self.table}.execution_id AND {COUNTED_LINES}
        """
        )

    def _names_logged(self) -> str:
        """Return the names of the models of which ``usage_log`` has something: ``text[]``."""
        if not self.revision.usage_log:
            return "ARRAY[]::text[]"
        return f"ARRAY(SELECT description FROM ({self._lines()}) AS line)"

    def _only_used(self) -> str:
        """Return the models that were used and of which ``usage_log`` has nothing."""
        if not self.revision.models_used:
            return _NOTHING
        return f"""
            SELECT DISTINCT name, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
                NULL::numeric
            FROM unnest({self.table}.models_used) AS name
            WHERE name <> ALL ({self._names_logged()})
        """
