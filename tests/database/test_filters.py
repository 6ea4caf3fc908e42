"""Filters: which rows they leave, in page, sums and cursors, and what they never change."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.question.cursor import Cursor, Direction
from data.question.filters import Filters
from data.question.query import UsageQuery
from data.rules.errors import BadRequestError
from tests.support.filtering import OPTIONS, Rows, fill, passes, rows_in_store, some_filters
from tests.support.platform import ALWAYS, VIEWER, WORKSPACE, Platform, labels, rows_of


@pytest.fixture(scope="module")
def shelf(any_stage: Platform) -> Platform:
    return fill(any_stage)


@pytest.fixture(scope="module")
def rows(shelf: Platform) -> Rows:
    return rows_in_store(shelf)


def filters_of(**params: list[str]) -> Filters:
    return Filters.parse(params)


@settings(max_examples=40)
@given(filters=some_filters, limit=st.sampled_from([7, 100]))
def test_pages_hold_the_rows_that_pass_with_their_own_types(
    shelf: Platform, rows: Rows, filters: Filters, limit: int
) -> None:
    ledger = shelf.ledger()
    expected = [row for row in rows() if passes(row, filters)]
    found: list[dict[str, Any]] = []
    for page in _pages(shelf, filters, limit):
        assert (page.newer, page.total) == (len(found), len(expected))
        found += rows_of(page)
    assert found == expected
    if found:
        back = ledger.page(
            VIEWER,
            UsageQuery(WORKSPACE, ALWAYS, limit, found[-1]["id"], Direction.NEWER, filters),
        )
        assert rows_of(back) == expected[:-1][-limit:]
    with ledger.export(VIEWER, UsageQuery(WORKSPACE, ALWAYS, filters=filters)) as export:
        assert export.total == len(expected)
        assert [row.id for row in export.rows] == [row["id"] for row in expected]


def _pages(shelf: Platform, filters: Filters, limit: int) -> Any:
    cursor: Cursor | None = None
    while True:
        query = UsageQuery(WORKSPACE, ALWAYS, limit, cursor, Direction.OLDER, filters)
        page = shelf.ledger().page(VIEWER, query)
        yield page
        if page.next_cursor is None:
            return
        cursor = Cursor.decode(page.next_cursor.encode())
        assert cursor == page.next_cursor


def test_a_filter_changes_no_label(shelf: Platform) -> None:
    ledger = shelf.ledger()
    everything = labels(ledger.page(VIEWER, UsageQuery(WORKSPACE, ALWAYS)))
    for name, words in OPTIONS.items():
        for word in words:
            query = UsageQuery(WORKSPACE, ALWAYS, filters=filters_of(**{name: [word]}))
            found = labels(ledger.page(VIEWER, query))
            assert {row: everything[row] for row in found if row in everything}.items() <= (
                found.items()
            )


def test_rows_that_take_too_long_to_count_are_shown_without_their_number(
    shelf: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters = filters_of(trigger=["api"])
    counted = list(_pages(shelf, filters, 25))
    monkeypatch.setattr("data.platform.counts.row_within", lambda *_: None)
    for page, before in zip(_pages(shelf, filters, 25), counted, strict=True):
        assert (page.total, page.newer) == (None, None)
        assert rows_of(page) == rows_of(before)
        assert (page.next_cursor, page.previous_cursor) == (
            before.next_cursor,
            before.previous_cursor,
        )


@given(filters=some_filters)
def test_filters_survive_their_parameters(filters: Filters) -> None:
    assert Filters.parse(filters.params()) == filters
    assert bool(filters) is bool(filters.params())


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"type": ["on-demand"]}, "type"),
        ({"min_cost_usd": ["1e3"]}, "min_cost_usd"),
        ({"min_cost_usd": ["-1"]}, "min_cost_usd"),
        ({"min_cost_usd": ["$5"]}, "min_cost_usd"),
        ({"min_cost_usd": ["0," + "5"]}, "min_cost_usd"),
        ({"q": ["a" * 201]}, "q"),
        ({"q": ["a\0b"]}, "q"),
        ({"model": ["\ud800"]}, "model"),
        ({"workflow": ["w"] * 51}, "workflow"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(params: dict[str, list[str]], param: str) -> None:
    with pytest.raises(BadRequestError) as refusal:
        Filters.parse(params)
    assert refusal.value.param == param


def test_the_order_of_values_makes_no_other_filter() -> None:
    assert filters_of(model=["b", "a", "b"]) == filters_of(model=["a", "b"])
    assert filters_of(min_cost_usd=["0.50"]) == Filters(min_cost_usd=Decimal("0.5"))
