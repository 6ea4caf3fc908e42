"""The executions of a bench database, made inside PostgreSQL by one statement."""

from typing import Final, LiteralString

import psycopg

from benchmarks.world import WORKFLOWS
from data.rules.calendar import Window

# Costs like the platform's: sums of binary doubles, one model or two, now and then none yet.
_ROWS: Final[LiteralString] = """
INSERT INTO workflow_execution_logs (
    id, workflow_id, execution_id, level, trigger, started_at, ended_at, total_duration_ms,
    created_at, cost, workspace_id, status
)
SELECT
    md5(%(seed)s || i)::uuid::text,
    CASE WHEN r1 < 0.98
        THEN %(workspace)s || '_flow_' || floor(r1 / 0.98 * %(workflows)s)::int END,
    md5('run' || %(seed)s || i)::uuid::text,
    CASE status WHEN 'failed' THEN 'error' ELSE 'info' END,
    (ARRAY['api', 'webhook', 'schedule', 'manual', 'chat'])[1 + floor(r2 * 5)::int],
    started, started + took * interval '1 millisecond', took, started,
    CASE WHEN r3 >= 0.003 THEN (
        '{"total":' || 0.005::float8 + in1 + out1 + in2 + out2
        || ',"input":' || in1 + in2 || ',"output":' || out1 + out2
        || ',"tokens":{"input":' || sent1 + sent2 || ',"output":' || got1 + got2
        || ',"total":' || sent1 + sent2 + got1 + got2
        || '},"models":{"' || name1 || '":{"input":' || in1 || ',"output":' || out1
        || ',"total":' || in1 + out1 || ',"tokens":{"input":' || sent1 || ',"output":' || got1
        || ',"total":' || sent1 + got1 || '}}'
        || CASE WHEN sent2 = 0 THEN '' ELSE
            ',"' || name2 || '":{"input":' || in2 || ',"output":' || out2
            || ',"total":' || in2 + out2 || ',"tokens":{"input":' || sent2 || ',"output":' || got2
            || ',"total":' || sent2 + got2 || '}}' END
        || '}}'
    )::jsonb END,
    %(workspace)s, status
FROM (
    SELECT *,
        sent1 * price1 / 1e6 AS in1, got1 * price1 * 4 / 1e6 AS out1,
        sent2 * price2 / 1e6 AS in2, got2 * price2 * 4 / 1e6 AS out2
    FROM (
        SELECT i, r1, r2, r3, started,
            500 + floor(30000 * r4 * r4)::int AS sent1, 20 + floor(3000 * r5 * r5)::int AS got1,
            CASE WHEN r6 < 0.3 THEN 200 + floor(9000 * r5)::int ELSE 0 END AS sent2,
            CASE WHEN r6 < 0.3 THEN 10 + floor(900 * r4)::int ELSE 0 END AS got2,
            350 + floor(9000 * r5)::int AS took,
            names[1 + model] AS name1, prices[1 + model] AS price1,
            names[1 + (model + 3) %% 8] AS name2, prices[1 + (model + 3) %% 8] AS price2,
            CASE WHEN r3 < 0.003 THEN 'pending' WHEN r3 < 0.045 THEN 'failed'
                WHEN r3 < 0.057 THEN 'cancelled' ELSE 'completed' END AS status
        FROM (
            SELECT i, random() AS r1, random() AS r2, random() AS r3, random() AS r4,
                random() AS r5, random() AS r6, floor(random() * 8)::int AS model,
                date_trunc('milliseconds', %(start)s::timestamp
                    + %(length)s::interval * ((i - 1 + random()) / %(count)s)) AS started
            FROM generate_series(1, %(count)s) AS i
        ) AS drawn
        CROSS JOIN (SELECT
            ARRAY['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'o4-mini', 'claude-sonnet-4-5',
                'claude-haiku-4-5', 'gemini-2.5-pro', 'gemini-2.5-flash'] AS names,
            ARRAY[2.5, 0.15, 2, 1.1, 3, 1, 1.25, 0.3]::float8[] AS prices
        ) AS known
    ) AS used
) AS priced
"""


def fill(connection: psycopg.Connection, workspace: str, window: Window, count: int) -> None:
    """Spread ``count`` executions evenly over a window, each somewhere within its share of it."""
    # Parameters are bound by the client, so that their types are those of literals.
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(
            _ROWS,
            {
                "seed": f"{workspace} {window.start:%Y-%m-%dT%H%M} ",
                "workspace": workspace,
                "workflows": WORKFLOWS,
                "start": window.start.replace(tzinfo=None),
                "length": window.end - window.start,
                "count": count,
            },
        )
