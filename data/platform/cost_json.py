"""Total, tokens and models out of the ``cost`` JSONB, as SQL.

The platform wrote this column in many shapes over the years, and a wrong one must neither raise nor
count: whatever is not plainly an amount is NULL, unknown. Each function takes the SQL name of a
JSONB value and returns a SQL expression of it.
"""

from typing import Final

from data.platform import cost_sql

# Digits in a JSON string: at most 12 before the point and 30 behind it, so that no cast overflows.
# Without a backslash, which a session may read in two ways (standard_conforming_strings).
_DIGITS: Final = "^0*([0-9]{1,12}([.][0-9]{1,30})?)$"

# A number with more than 30 digits counts no tokens; it would only cost memory.
_WHOLE: Final = "strict $ ? (@ >= 0 && @ < 1000000000000000000000000000000 && @ == @.floor())"


def total_of(cost: str) -> str:
    """Return the dollars of an execution's ``cost``: ``numeric``, exact."""
    return amount(f"coalesce(nullif({cost} -> 'total', 'null'), {cost} #> '{{value,total}}')")


def tokens_of(cost: str) -> str:
    """Return the tokens of ``cost``: ``numeric``, a whole number."""
    both = _present("tokens", "total")
    return f"""(
        SELECT CASE
            WHEN total IS NOT NULL THEN {whole("total")}
            WHEN sent IS NOT NULL OR received IS NOT NULL
            THEN {whole("coalesce(sent, '0')")} + {whole("coalesce(received, '0')")}
        END
        FROM (
            SELECT
                CASE jsonb_typeof(tokens) WHEN 'number' THEN tokens ELSE {both} END
                    AS total,
                {_sent("tokens")} AS sent,
                {_received("tokens")} AS received
            FROM (SELECT {cost} -> 'tokens' AS tokens) AS written
        ) AS counted
    )"""


def sent_of(cost: str) -> str:
    """Return the tokens that went in: ``numeric``, a whole number."""
    return whole(_sent(f"{cost} -> 'tokens'"))


def received_of(cost: str) -> str:
    """Return the tokens that came out: ``numeric``, a whole number."""
    return whole(_received(f"{cost} -> 'tokens'"))


def models_of(cost: str, most: int | None = None) -> str:
    """Return the names of the models used: ``text[]``, dearest first, then most tokens, name.

    Each is cut to ``most`` characters, where that is given.
    """
    only = f"{cost} ->> 'model'" if most is None else f"left({cost} ->> 'model', {most})"
    return f"""coalesce(
        {cost_sql.names_of(models_in(cost), most)},
        CASE
            WHEN jsonb_typeof({cost} -> 'model') = 'string' AND {cost} ->> 'model' <> ''
            THEN ARRAY[{only}]
        END,
        ARRAY[]::text[]
    )"""


def models_in(cost: str) -> str:
    """Return what is known of each model, as ``cost_sql`` has it."""
    return f"""
        SELECT name, {amount("part -> 'total'")} AS cost, {amount("part -> 'toolCost'")} AS tools,
            {sent_of("part")} AS sent, {received_of("part")} AS received,
            {tokens_of("part")} AS tokens
        {_used(cost)}
    """


def names_in(cost: str) -> str:
    """Return the names of the models used, in any order: ``text[]``."""
    return f"(ARRAY(SELECT name {_used(cost)}) || coalesce({cost} ->> 'model', ''))"


def _used(cost: str) -> str:
    return f"""FROM jsonb_each(
        CASE jsonb_typeof({cost} -> 'models') WHEN 'object' THEN {cost} -> 'models' ELSE '{{}}' END
    ) AS used (name, part)"""


def amount(value: str) -> str:
    """Return the dollars of a JSONB value, a number or a string of digits: ``numeric``."""
    # The pattern alone would do for numbers too, at sixteen times the price.
    return f"""CASE jsonb_typeof({value})
        WHEN 'number' THEN
            {cost_sql.known_amount(f"({value})::numeric")}
        WHEN 'string' THEN substring({value} #>> '{{}}' FROM '{_DIGITS}')::numeric
    END"""


def whole(value: str) -> str:
    """Return the tokens of a JSONB value: ``numeric``, a whole number."""
    # trunc writes 5.0 as 5.
    return f"trunc(jsonb_path_query_first({value}, '{_WHOLE}')::numeric)"


def _sent(tokens: str) -> str:
    return f"coalesce({_present(tokens, 'input')}, {_present(tokens, 'prompt')})"


def _received(tokens: str) -> str:
    return f"coalesce({_present(tokens, 'output')}, {_present(tokens, 'completion')})"


def _present(tokens: str, key: str) -> str:
    return f"nullif({tokens} -> '{key}', 'null')"
