"""Dash as it is mostly used: the whole window in a frame, at each click, all of it to the browser.

A program of its own; reads PORT, DATABASE_URL, WORKSPACE, START, END and LIMIT.
"""

import os

import pandas as pd
from dash import Dash, Input, Output, dcc, html
from dash.dash_table.DataTable import DataTable
from sqlalchemy import create_engine

COLUMNS = ("Date", "Type", "Workflow", "Model", "Tokens", "Cost")

app = Dash("plain")
engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))

app.layout = html.Div(
    [
        dcc.RadioItems(["7d", "last_month"], "7d", id="preset"),
        DataTable(
            id="table",
            columns=[{"name": name, "id": name} for name in COLUMNS],
            page_action="native",
            page_size=100,
        ),
    ]
)


@app.callback(Output("table", "data"), Input("preset", "value"))
def show(preset: str) -> list[dict[str, object]]:
    """Return every row of the window."""
    del preset
    frame = pd.read_sql(
        """
        SELECT l.started_at AS "Date", w.name AS "Workflow",
            (SELECT k FROM jsonb_object_keys(l.cost -> 'models') AS k LIMIT 1) AS "Model",
            (l.cost #>> '{tokens,total}')::bigint AS "Tokens",
            (l.cost ->> 'total')::float AS "Cost"
        FROM workflow_execution_logs AS l LEFT JOIN workflow AS w ON w.id = l.workflow_id
        WHERE l.workspace_id = %(workspace)s
            AND l.started_at >= %(start)s AND l.started_at < %(end)s
        ORDER BY l.started_at
        """,
        engine,
        params={
            "workspace": os.environ["WORKSPACE"],
            "start": os.environ["START"],
            "end": os.environ["END"],
        },
    )
    spent = frame["Cost"].fillna(0).cumsum()
    frame["Type"] = (spent > float(os.environ["LIMIT"])).map({True: "On-Demand", False: "Included"})
    return frame.iloc[::-1].to_dict("records")  # type: ignore[return-value]  # names are texts here


if __name__ == "__main__":
    app.run(port=os.environ["PORT"], debug=False)
