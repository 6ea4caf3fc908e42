"""The same history, written by either generation of the platform, is answered alike."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest

from data.platform.access import Viewer
from demo.accounts import FINANCE, PARTNERS, PILOT, RESEARCH, SUPPORT
from demo.executions import COLUMNS, executions_of
from demo.workflows import RECIPES, Workflow
from tests.conftest import Api
from tests.support.calling import call
from tests.support.platform import PAYER, Platform, Run

NOW: Final = datetime(2026, 11, 22, 21, 14, 3, 123456, tzinfo=UTC)
WINDOW: Final = {"from": "2026-10-01", "to": "2026-11-22"}
WORKFLOWS: Final = [
    Workflow(recipe, recipe.name and f"w{place}") for place, recipe in enumerate(RECIPES)
]
TOKENS: Final = re.compile(rb'"(input_|output_)?tokens(_complete)?": ?([0-9]+|null|true|false)')
AS_OF: Final = re.compile(rb'"as_of": ?"[^"]*"')


def history() -> list[Run]:
    """Return the demo's executions, those with every rare shape of cost among them."""
    rows = executions_of(Random(7), NOW.replace(tzinfo=None), WORKFLOWS, 1200)
    told: Iterator[dict[str, Any]] = (dict(zip(COLUMNS, row, strict=True)) for row in rows)
    return [
        Run(
            row["id"],
            row["started_at"].replace(tzinfo=UTC),
            row["cost"],
            row["workspace_id"],
            row["workflow_id"],
            row["execution_id"],
            row["trigger"],
            row["status"],
        )
        for row in told
        # A cost without a model has no tokens in the second; the first writes 0.
        if row["workspace_id"] != FINANCE or '"models":{}' not in row["cost"]
    ]


@pytest.fixture(scope="module")
def both(stage: Platform, second_stage: Platform) -> tuple[Api, Api]:
    """Return the product over each generation, with the same history."""
    runs = history()
    for platform in (stage, second_stage):
        platform.clear()
        platform.account(7, SUPPORT, FINANCE, PARTNERS, PILOT, RESEARCH, viewer=PAYER)
        for recipe, workflow_id in WORKFLOWS:
            if workflow_id and recipe.name:
                platform.workflow(workflow_id, recipe.name, workspace_id=recipe.workspace)
        platform.runs(runs)
    first, second = (Api(platform.reader, Viewer(PAYER), {}) for platform in (stage, second_stage))
    return first, second


QUESTIONS: Final[dict[str, dict[str, str]]] = {
    "usage": {"limit": "100"},
    "usage/summary": {},
    **{f"usage/series?split={split}": {} for split in ("type", "workflow", "model")},
    "usage/export": {},
    "usage/export?columns=extended": {},
    "usage/export/manifest": {},
}


def answered(api: Api, question: str, workspace_id: str) -> bytes:
    path, _, asked = question.partition("?")
    params = {
        "workspaceId": workspace_id,
        **WINDOW,
        **QUESTIONS[question],
        **dict(parse_qsl(asked)),
    }
    answer = api.get(f"billing/{path}", params)
    assert answer.status_code == 200, answer.text
    return AS_OF.sub(b"", answer.data)


def without_tokens(body: bytes) -> object:
    """Return what an answer says of anything else."""
    if body.startswith(b"{"):
        return TOKENS.sub(b"", body)
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert rows
    return [{name: row[name] for name in row if "okens" not in name} for row in rows]


@pytest.mark.parametrize("question", QUESTIONS)
def test_where_both_record_all_tokens_answers_are_the_same_bytes(
    both: tuple[Api, Api], question: str
) -> None:
    first, second = (answered(api, question, FINANCE) for api in both)
    assert first == second


@pytest.mark.parametrize("question", [each for each in QUESTIONS if "manifest" not in each])
def test_with_every_rare_shape_of_cost_answers_differ_in_tokens_alone(
    both: tuple[Api, Api], question: str
) -> None:
    first, second = (without_tokens(answered(api, question, SUPPORT)) for api in both)
    assert first == second


def test_every_opened_row_says_the_same(both: tuple[Api, Api]) -> None:
    page = both[0].page(workspaceId=FINANCE, from_=WINDOW["from"], to=WINDOW["to"])
    assert len(page["data"]) > 70
    for row in page["data"]:
        asked = {"workspaceId": FINANCE, "id": row["id"]}
        first, second = (api.get("billing/usage/execution", asked).data for api in both)
        assert AS_OF.sub(b"", first) == AS_OF.sub(b"", second)


def test_the_page_shows_the_same(both: tuple[Api, Api]) -> None:
    values = {
        "usage-location.search": f"?from={WINDOW['from']}&to={WINDOW['to']}",
        "usage-location.pathname": f"/workspace/{FINANCE}/usage",
        "usage-view.data": {"window": WINDOW},
        "usage-subject.data": {"workspace": FINANCE, "asked": WINDOW},
    }
    for output, part in (("usage-table.data", "gpt-4o"), ("usage-summary.children", "$")):
        first, second = (call(api.client, output, values) for api in both)
        assert part in first.text
        assert first.get_json() == second.get_json()
