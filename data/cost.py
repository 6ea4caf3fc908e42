"""Total, tokens and models out of the ``cost`` JSONB, as SQL.

The platform wrote this column in many shapes over the years, and a wrong one must neither raise nor
count: whatever is not plainly an amount is NULL, unknown. Each function takes the SQL name of a
JSONB value and returns a SQL expression of it.
"""

from typing import Final

from sqlalchemy import ColumnElement, Numeric, literal_column

from data.schema import execution

# Digits in a JSON string: at most 12 before the point and 30 behind it, so that no cast overflows.
# Without a backslash, which a session may read in two ways (standard_conforming_strings).
_DIGITS: Final = "^0*([0-9]{1,12}([.][0-9]{1,30})?)$"

# A number with more than 30 digits counts no tokens; it would only cost memory.
_WHOLE: Final = "strict $ ? (@ >= 0 && @ < 1000000000000000000000000000000 && @ == @.floor())"


def total_of(cost: str) -> str:
    """Return the dollars of an execution's ``cost``: ``numeric``, exact."""
    return _amount(f"coalesce(nullif({cost} -> 'total', 'null'), {cost} #> '{{value,total}}')")


def tokens_of(cost: str) -> str:
    """Return the tokens of ``cost``: ``numeric``, a whole number."""
    return f"""(
        SELECT CASE
            WHEN total IS NOT NULL THEN {_whole("total")}
            WHEN sent IS NOT NULL OR received IS NOT NULL
            THEN {_whole("coalesce(sent, '0')")} + {_whole("coalesce(received, '0')")}
        END
        FROM (
            SELECT
                CASE jsonb_typeof(tokens) WHEN 'number' THEN tokens ELSE {_present("total")} END
                    AS total,
                coalesce({_present("input")}, {_present("prompt")}) AS sent,
                coalesce({_present("output")}, {_present("completion")}) AS received
            FROM (SELECT {cost} -> 'tokens' AS tokens) AS written
        ) AS counted
    )"""


def models_of(cost: str) -> str:
    """Return the names of the models used: ``text[]``, dearest first, then most tokens, name."""
    return f"""coalesce(
        (
            SELECT array_agg(
                name ORDER BY
                    {_amount("part -> 'total'")} DESC NULLS LAST,
                    {tokens_of("part")} DESC NULLS LAST,
                    name COLLATE "C"
            )
            {_used(cost)}
        ),
        CASE
            WHEN jsonb_typeof({cost} -> 'model') = 'string' AND {cost} ->> 'model' <> ''
            THEN ARRAY[{cost} ->> 'model']
        END,
        ARRAY[]::text[]
    )"""


def parts_of(cost: str) -> str:
    """Return rows of ``model`` (``text``, cut to 200 characters) and ``part``, its dollars."""
    return f"""
        SELECT left(name, 200) AS model, {_amount("part -> 'total'")} AS part
        {_used(cost)}
    """


def _used(cost: str) -> str:
    return f"""FROM jsonb_each(
        CASE jsonb_typeof({cost} -> 'models') WHEN 'object' THEN {cost} -> 'models' ELSE '{{}}' END
    ) AS used (name, part) WHERE name <> ''"""


def _amount(value: str) -> str:
    # The pattern alone would do for numbers too, at sixteen times the price.
    number = f"({value})::numeric"
    return f"""CASE jsonb_typeof({value})
        WHEN 'number' THEN
            CASE WHEN {number} >= 0 AND {number} < 1000000000000 AND scale({number}) <= 30
                THEN {number}
            END
        WHEN 'string' THEN substring({value} #>> '{{}}' FROM '{_DIGITS}')::numeric
    END"""


def _whole(value: str) -> str:
    # trunc writes 5.0 as 5.
    return f"trunc(jsonb_path_query_first({value}, '{_WHOLE}')::numeric)"


def _present(key: str) -> str:
    return f"nullif(tokens -> '{key}', 'null')"


_COST: Final = str(execution.c.cost)

# An execution's, ready to select.
total: Final = literal_column(total_of(_COST), Numeric()).label("cost")
tokens: Final = literal_column(tokens_of(_COST), Numeric()).label("tokens")
# Without a type the driver's list is taken as it is.
models: Final[ColumnElement[list[str]]] = literal_column(models_of(_COST)).label("models")
