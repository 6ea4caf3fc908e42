"""SQL that every generation of the platform's costs is read with.

``models`` is SQL of what is known of each model of one execution: rows of ``name``, ``cost`` and
``tools`` (dollars), ``sent``, ``received`` and ``tokens``; numbers are ``numeric``, NULL where
unknown.
"""

from typing import Final

_DEAREST_FIRST: Final = 'cost DESC NULLS LAST, tokens DESC NULLS LAST, name COLLATE "C"'


def known_amount(number: str) -> str:
    """Return a ``numeric`` where it can be dollars: finite, 0 or more, of 30 decimals at most."""
    return f"""CASE WHEN {number} >= 0 AND {number} < 1000000000000 AND scale({number}) <= 30
                THEN {number}
            END"""


def names_of(models: str, most: int | None = None) -> str:
    """Return the names of ``models``: ``text[]``, dearest first, NULL where there are none.

    Each is cut to ``most`` characters, where that is given.
    """
    name = "name" if most is None else f"left(name, {most})"
    return f"""(
        SELECT array_agg({name} ORDER BY {_DEAREST_FIRST}) FROM ({models}) AS used WHERE name <> ''
    )"""


def lines_of(models: str) -> str:
    """Return ``models`` with their ``place``, dearest first; the name is ``model``.

    The empty name comes last: ``shares_of`` counts it with what no model accounts for.
    """
    return f"""
        SELECT row_number() OVER (ORDER BY name = '', {_DEAREST_FIRST}) AS place,
            name AS model, cost, tools, tokens, sent, received
        FROM ({models}) AS used
    """


def shares_of(total: str, models: str) -> str:
    """Return rows of ``name`` and ``amount``: the dollars that each model accounts for.

    The empty name has the rest up to the ``total``; there are no rows where that is unknown. Where
    models add up to more than the total, it goes to the dearest ones first: none counts less than
    nothing.
    """
    parts = f"SELECT * FROM ({models}) AS used WHERE cost IS NOT NULL AND name <> ''"
    return f"""
        SELECT share.name, share.amount
        FROM (
            SELECT {total} AS total
            OFFSET 0 -- or the total would be read anew wherever it is named
        ) AS known
        CROSS JOIN LATERAL (
            SELECT left(name, 200) AS name, CASE
                WHEN name = '' THEN total - least(sum(cost) OVER (), total)
                WHEN sum(cost) OVER () <= total THEN cost
                -- Once for each execution, and only for one whose parts have to be cut.
                ELSE (({_cut_to("total", parts)}) -> name)::numeric
            END AS amount
            FROM (SELECT '' AS name, 0 AS cost UNION ALL SELECT name, cost FROM ({parts}) AS part)
                AS each
        ) AS share
        WHERE total IS NOT NULL
    """


def _cut_to(total: str, parts: str) -> str:
    """Return what each of ``parts`` counts up to the ``total``, by name: a JSONB object."""
    return f"""
        SELECT jsonb_object_agg(name, least(so_far, {total}) - least(so_far - cost, {total}))
        FROM (
            SELECT name, cost, sum(cost) OVER (ORDER BY {_DEAREST_FIRST}) AS so_far
            FROM ({parts}) AS part
        ) AS listed
    """
