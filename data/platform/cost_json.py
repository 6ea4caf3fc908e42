"""Total, tokens and models out of the ``cost`` JSONB, as SQL.

The platform wrote this column in many shapes over the years, and a wrong one must neither raise nor
count: whatever is not plainly an amount is NULL, unknown. Each function takes the SQL name of a
JSONB value and returns a SQL expression of it.
"""

from typing import Final

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
    name, only = "name", f"{cost} ->> 'model'"
    if most is not None:
        name, only = f"left(name, {most})", f"left({only}, {most})"
    return f"""coalesce(
        (
            SELECT array_agg({name} ORDER BY {_dearest_first()})
            {_used(cost)} WHERE name <> ''
        ),
        CASE
            WHEN jsonb_typeof({cost} -> 'model') = 'string' AND {cost} ->> 'model' <> ''
            THEN ARRAY[{only}]
        END,
        ARRAY[]::text[]
    )"""


def parts_of(cost: str) -> str:
    """Return rows of ``model`` (``text``, cut to 200 characters) and ``part``, its dollars."""
    return f"""
        SELECT left(name, 200) AS model, {amount("part -> 'total'")} AS part
        {_used(cost)} WHERE name <> ''
    """


def shares_of(cost: str) -> str:
    """Return rows of ``name`` and ``amount``: the dollars that each model accounts for.

    The empty name has the rest up to the total; there are no rows where the total is unknown.
    """
    return f"""
        SELECT name,
            CASE name WHEN '' THEN total - coalesce(sum(part) OVER (), 0) ELSE part END AS amount
        FROM (
            SELECT {total_of(cost)} AS total
            OFFSET 0 -- or the total would be read anew wherever it is named
        ) AS known
        CROSS JOIN LATERAL (
            SELECT '' AS name, NULL::numeric AS part
            UNION ALL
            SELECT model, part FROM ({parts_of(cost)}) AS used WHERE part IS NOT NULL
        ) AS share
        WHERE total IS NOT NULL
    """


def lines_of(cost: str) -> str:
    """Return rows of what is known of each model, whatever its name; ``place``: dearest first."""
    return f"""
        SELECT
            row_number() OVER (ORDER BY {_dearest_first()}) AS place,
            name AS model,
            {amount("part -> 'total'")} AS cost,
            {amount("part -> 'toolCost'")} AS tools,
            {tokens_of("part")} AS tokens,
            {sent_of("part")} AS sent,
            {received_of("part")} AS received
        {_used(cost)}
    """


def models_in(cost: str) -> str:
    """Return rows of ``name``, ``cost``, ``tools``, ``sent``, ``received``, ``tokens`` by model."""
    return f"""
        SELECT name, {amount("part -> 'total'")} AS cost, {amount("part -> 'toolCost'")} AS tools,
            {sent_of("part")} AS sent, {received_of("part")} AS received,
            {tokens_of("part")} AS tokens
        {_used(cost)}
    """


def _used(cost: str) -> str:
    return f"""FROM jsonb_each(
        CASE jsonb_typeof({cost} -> 'models') WHEN 'object' THEN {cost} -> 'models' ELSE '{{}}' END
    ) AS used (name, part)"""


def _dearest_first() -> str:
    return f"""
        {amount("part -> 'total'")} DESC NULLS LAST,
        {tokens_of("part")} DESC NULLS LAST,
        name COLLATE "C"
    """


def amount(value: str) -> str:
    """Return the dollars of a JSONB value, a number or a string of digits: ``numeric``."""
    # The pattern alone would do for numbers too, at sixteen times the price.
    return f"""CASE jsonb_typeof({value})
        WHEN 'number' THEN
            {known_amount(f"({value})::numeric")}
        WHEN 'string' THEN substring({value} #>> '{{}}' FROM '{_DIGITS}')::numeric
    END"""


def known_amount(number: str) -> str:
    """Return a ``numeric`` where it can be dollars: finite, 0 or more, of 30 decimals at most."""
    return f"""CASE WHEN {number} >= 0 AND {number} < 1000000000000 AND scale({number}) <= 30
                THEN {number}
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
