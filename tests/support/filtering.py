"""Executions of every kind in one workspace, filters to draw from, and what passes them."""

from collections.abc import Callable
from datetime import UTC, timedelta, tzinfo
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from data.question.filters import Filters
from tests.support.platform import PAYER, WORKSPACE, Platform, Run, rows_of, utc, walk

START: Final = utc("2026-10-30")
COSTS: Final = (
    '{"total": 1, "models": {"gpt-4o": {"total": 1, "tokens": {"input": 8, "output": 3}}}}',
    '{"total": 0.5, "models": {"gpt-4o": {"total": 0.2}, "o4-mini": {"total": 0.25}}}',
    '{"total": "2.25", "model": "gpt-4o", "tokens": {"input": 7, "output": 4}}',
    '{"total": 0.1, "models": {"": {"total": 1}}, "model": "solo"}',
    '{"total": 0, "models": []}',
    '{"models": {"o4-mini": {}}, "model": "solo", "tokens": 12}',
    None,
)
NAMES: Final = {"w1": "Invoice, intake", "w2": "100% Refund_review", "w3": "ÄRGER"}
OPTIONS: Final[dict[str, list[str]]] = {
    "workflow": [*NAMES, "deleted", "nowhere"],
    "model": ["gpt-4o", "o4-mini", "solo", "none"],
    "trigger": ["api", "chat", "schedule", "webhook"],
    "type": ["included", "on_demand"],
    "status": ["completed", "failed", "running", "pending", "paused"],
}
_STATUSES: Final = (
    *("completed", "failed", "running", "pending", "cancelled", "paused", "redacting"),
)
_RUNS: Final = [
    Run(
        f"run-{place:03}",
        START + place * timedelta(minutes=47),
        COSTS[place % len(COSTS)],
        workflow=(*NAMES, None)[place % 4],
        trigger=("api", "chat", "schedule")[place % 3],
        status=_STATUSES[place % len(_STATUSES)],
    )
    for place in range(160)
]


Rows = Callable[..., list[dict[str, Any]]]


def rows_in_store(platform: Platform) -> Rows:
    """Return a function that gives all rows of a workspace, read once for each zone."""

    @cache
    def rows(zone: tzinfo = UTC, workspace_id: str = WORKSPACE) -> list[dict[str, Any]]:
        pages = walk(platform.ledger(zone), workspace_id)
        return [row for page in pages for row in rows_of(page)]

    return rows


def fill(platform: Platform) -> Platform:
    """Put in 160 executions of two months, over the limit in both, beside another workspace."""
    platform.clear()
    platform.account(20, "ws", "sibling")
    platform.grant(PAYER, "ws")
    for workflow_id, name in NAMES.items():
        platform.workflow(workflow_id, name)
    platform.runs(_RUNS)
    elsewhere = [
        Run(f"other-{place}", START + place * timedelta(hours=7), workspace="sibling")
        for place in range(12)
    ]
    platform.runs(elsewhere)
    # Behind the rollup's back: not folded yet.
    platform.sql(
        "UPDATE workflow_execution_logs SET started_at = started_at + interval '1 microsecond' "
        "WHERE id LIKE '%7'"
    )
    return platform


_TEXTS: Final = ["invoice", "100%", "d_r", "ÄRG", "DELETED", "n-run-01", "%", "zz"]
some_filters: Final = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True)
            for name, words in OPTIONS.items()
        },
        "q": st.sampled_from(_TEXTS).map(lambda word: [word]),
        "min_cost_usd": st.sampled_from([["0"], ["0.5"], ["0.500"], ["3"]]),
    },
).map(Filters.parse)


def passes(row: dict[str, Any], filters: Filters) -> bool:
    """Say by the words of the contract whether a row passes."""
    name = row["workflow_name"] or "Deleted workflow"
    q = (filters.q or "").casefold()
    least = filters.min_cost_usd
    return all(
        (
            not filters.workflow or (row["workflow_id"] or "deleted") in filters.workflow,
            not filters.model or bool(set(filters.model) & set(row["models"])),
            not filters.trigger or row["trigger"] in filters.trigger,
            not filters.type or row["type"] in filters.type,
            not filters.status or row["status"] in filters.status,
            q in name.casefold() or q in row["execution_id"].casefold(),
            least is None or (row["cost"] is not None and row["cost"] >= least),
        )
    )
