"""What only the page reads is cut in the database; what is shown of it is the same."""

import json

from data.answers.filter_options import FilterOptions
from data.question.filters import LENGTH_AT_MOST, Filters
from data.question.query import UsageQuery
from data.rules.shown import READ_AT_MOST, shown
from tests.support.platform import ALWAYS, VIEWER, WORKSPACE, Platform, Run, rows_of, utc

LONG = "ab c" * 25_000
QUERY = UsageQuery(WORKSPACE, ALWAYS)


def _fill(platform: Platform) -> None:
    platform.account(10)
    platform.sql("UPDATE workspace SET name = :name", name=LONG)
    platform.workflow("wf", LONG)
    platform.workflow("w" * (LENGTH_AT_MOST + 1), "Named by an id that no filter takes")
    models = {LONG: {"total": 1}, "short": {"total": 0.5}}
    for number, cost in enumerate(({"total": 2, "models": models}, {"total": 1, "model": LONG})):
        run = Run(
            f"run-{number}",
            utc(f"2026-11-0{number + 1} 10:00"),
            json.dumps(cost),
            workflow="wf",
            execution_id=f"{LONG}{number}",
            trigger=LONG,
            status=LONG,
        )
        platform.runs([run])


def test_a_cut_page_is_the_same_page_but_for_the_ends_of_its_texts(platform: Platform) -> None:
    _fill(platform)
    ledger = platform.ledger()
    whole, (cut, _) = ledger.page(VIEWER, QUERY), ledger.page_shown(VIEWER, QUERY)
    for row, short in zip(rows_of(whole), rows_of(cut), strict=True):
        assert row.keys() == short.keys()
        for name in ("execution_id", "status", "trigger", "workflow_name"):
            assert len(row[name]) >= len(LONG)
            assert short.pop(name) == row[name][: READ_AT_MOST + 1]
            assert shown(row.pop(name)[: READ_AT_MOST + 1]) == shown(LONG)
        assert short.pop("models") == [model[: READ_AT_MOST + 1] for model in row.pop("models")]
        assert short == row
    assert [len(model) for row in rows_of(whole) for model in row["models"]] == [
        len(LONG),
        len(LONG),
        len("short"),
    ]


def test_cut_names_of_workspaces_come_in_the_same_order(platform: Platform) -> None:
    _fill(platform)
    for workspace_id, name in (("b", "b"), ("B2", "B"), ("a", "A")):
        platform.workspace(workspace_id, name=name)
        platform.grant("viewer", workspace_id)
    whole, cut = (platform.ledger().workspaces(VIEWER, cut=each) for each in (False, True))
    assert [each.id for each in cut] == [each.id for each in whole] == ["a", WORKSPACE, "B2", "b"]
    assert [each.name for each in cut] == [each.name[: READ_AT_MOST + 1] for each in whole]
    assert whole[1].name == LONG


def test_only_what_a_filter_takes_is_on_offer(platform: Platform, rolled: Platform) -> None:
    for base in (platform, rolled):
        _fill(base)
        _, options = base.ledger().figures_shown(VIEWER, QUERY)
        assert options == FilterOptions(
            workflows={"wf": LONG[: READ_AT_MOST + 1]},
            models=["short"],
            triggers=[],
            statuses=[],
        )
        assert Filters.parse({"workflow": ["wf"], "model": ["short"]})
