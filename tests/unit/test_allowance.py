"""The pure middle; that it agrees with a plain sum of whole accounts, test_data_ledger shows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rules.allowance import Crossing, classify, first_above, with_labels
from data.rules.billing import BillingPeriod, Terms
from data.rules.cycles import Months
from data.rules.execution import Execution
from data.rules.labels import UsageType
from data.rules.position import Position
from tests.support.platform import utc

NOON = utc("2026-10-10 12:00")
dollars = st.decimals(min_value=0, max_value=10**12 - 1, places=30)


def october(limit: int) -> BillingPeriod:
    return Terms(Decimal(limit), Months(UTC)).period_at(NOON)


def costs(*amounts: str | int | Decimal) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


def frame(rows: Sequence[tuple[datetime, str, str | None]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(at, row_id, None if cost is None else Decimal(cost)) for at, row_id, cost in rows],
        columns=["started_at", "id", "cost"],
        dtype=object,
    )


def labels_of(
    rows: Sequence[tuple[datetime, str, str | None]],
    crossings: Sequence[Crossing],
) -> list[tuple[UsageType, Decimal | None]]:
    labels = classify(frame(rows), crossings)
    return list(zip(labels["type"], labels["on_demand"], strict=True))


def test_a_running_total_equal_to_the_limit_has_not_passed_it() -> None:
    assert first_above(costs("0.1", "0.2"), Decimal(0), Decimal("0.3")) is None


def test_the_first_total_above_the_limit_is_found_with_the_totals_around_it() -> None:
    found = first_above(costs("0.1", "0.2", "1E-30", "5"), Decimal(0), Decimal("0.3"))
    assert found == (2, Decimal("0.3"), Decimal("0.300000000000000000000000000001"))


def test_a_total_that_binary_floats_would_push_over_the_limit_stays_within() -> None:
    cents = costs(*["0.005"] * 4000)
    assert sum([0.005] * 4000) > 20
    assert first_above(cents, Decimal(0), Decimal(20)) is None
    assert first_above(costs(*["0.005"] * 4001), Decimal(0), Decimal(20)) == (
        4000,
        Decimal(20),
        Decimal("20.005"),
    )


def test_costs_of_zero_neither_pass_the_limit_nor_are_they_named_as_passing() -> None:
    assert first_above(costs(0, 0), Decimal(0), Decimal(0)) is None
    assert first_above(costs(0, "0.01", 0), Decimal(0), Decimal(0)) == (
        1,
        Decimal(0),
        Decimal("0.01"),
    )


def test_no_costs_pass_no_limit() -> None:
    assert first_above(costs(), Decimal(7), Decimal(7)) is None


@pytest.mark.parametrize("limit", [Decimal(10) ** 40, Decimal(10) ** 300])
def test_a_limit_of_more_digits_than_any_sum_is_never_passed(limit: Decimal) -> None:
    assert first_above(costs("999999999999.9"), Decimal("0.1"), limit) is None


@given(amounts=st.lists(dollars, max_size=8), before=dollars, limit=dollars)
def test_the_place_found_is_that_of_a_plain_loop(
    amounts: list[Decimal], before: Decimal, limit: Decimal
) -> None:
    expected = None
    with localcontext(prec=500):
        limit += before
        total = before
        for place, amount in enumerate(amounts):
            total += amount
            if total > limit:
                expected = (place, total - amount, total)
                break
    assert first_above(costs(*amounts), before, limit) == expected


def test_rows_before_the_crossing_are_included_it_is_split_and_all_after_is_on_demand() -> None:
    crossing = Crossing(october(10), Position(NOON, "c"), Decimal("9.5"), Decimal("10.75"))
    rows = [
        (NOON + timedelta(1), "d", "3"),
        (NOON, "d", "2"),
        (NOON, "c", "1.25"),
        (NOON, "b", "4"),
        (NOON - timedelta(1), "z", "0.5"),
    ]
    assert labels_of(rows, [crossing]) == [
        (UsageType.ON_DEMAND, Decimal(3)),
        (UsageType.ON_DEMAND, Decimal(2)),
        (UsageType.ON_DEMAND, Decimal("0.75")),
        (UsageType.INCLUDED, Decimal(0)),
        (UsageType.INCLUDED, Decimal(0)),
    ]


def test_after_the_crossing_a_zero_cost_is_on_demand_with_nothing_and_an_unknown_with_none() -> (
    None
):
    crossing = Crossing(october(1), Position(NOON, "c"), Decimal(1), Decimal(2))
    rows = [(NOON, "e", "0"), (NOON, "d", None), (NOON, "b", None)]
    assert labels_of(rows, [crossing]) == [
        (UsageType.ON_DEMAND, Decimal(0)),
        (UsageType.ON_DEMAND, None),
        (UsageType.INCLUDED, None),
    ]


def test_a_crossing_speaks_of_its_own_period_only() -> None:
    crossing = Crossing(october(1), Position(october(1).start, "a"), Decimal(0), Decimal(2))
    rows = [
        (october(1).end, "n", "5"),
        (october(1).start, "b", "5"),
        (utc("2026-09-30 23:59"), "s", "5"),
    ]
    assert [label for label, _ in labels_of(rows, [crossing])] == [
        UsageType.INCLUDED,
        UsageType.ON_DEMAND,
        UsageType.INCLUDED,
    ]


def test_without_a_crossing_every_row_is_included() -> None:
    assert labels_of([(NOON, "a", "5"), (NOON, "b", None)], []) == [
        (UsageType.INCLUDED, Decimal(0)),
        (UsageType.INCLUDED, None),
    ]


def test_no_rows_are_labelled_as_no_rows() -> None:
    labels = classify(frame([]), [])
    assert labels.empty
    assert list(labels.columns) == ["started_at", "id", "cost", "type", "on_demand"]


def test_the_part_above_the_limit_keeps_thirty_decimals() -> None:
    after = Decimal("1000000000000.000000000000000000000000000001")
    crossing = Crossing(october(1), Position(NOON, "c"), Decimal("0.1"), after)
    [(_, part)] = labels_of([(NOON, "c", "999999999999.9")], [crossing])
    assert part == Decimal("999999999999.000000000000000000000000000001")


def test_a_type_that_was_not_read_is_an_error_and_not_a_guess() -> None:
    row = Execution(
        "r", "e", "ws", NOON, "completed", "api", None, None, [], None, True, Decimal(1)
    )
    for ask in (lambda: row.type, lambda: row.on_demand):
        with pytest.raises(LookupError, match="without its Type"):
            ask()
    [told] = with_labels([row], [])
    assert (told.type, told.on_demand) == (UsageType.INCLUDED, Decimal(0))


def test_a_crossing_of_a_period_without_a_limit_has_none() -> None:
    period = Terms(None, Months(UTC)).period_at(NOON)
    with pytest.raises(LookupError, match="no limit is set"):
        _ = Crossing(period, Position(NOON, "c"), Decimal(0), Decimal(1)).limit
