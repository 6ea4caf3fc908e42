"""What SQL reads out of the ``cost`` JSONB; shapes as the platform wrote them over the years."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from data.platform.cost_json import models_of, received_of, sent_of, tokens_of, total_of
from tests.support.costs import CURRENT, OLD
from tests.support.platform import Platform


def read(platform: Platform, expression: Callable[[str], str], cost: str | None) -> Any:
    query = f"SELECT {expression('cost')} FROM (SELECT CAST(%s AS jsonb) AS cost) AS one"
    with platform.reader.connect() as connection:
        return connection.exec_driver_sql(query, (cost,)).scalar_one()


# Rule 2: the amount.


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("0", "0"),
        ("0.001000", "0.001000"),
        ("1E-7", "0.0000001"),
        ("1.5e3", "1500"),
        ("0.012493750000000001", "0.012493750000000001"),
        ("0.123456789012345678901234567890", "0.123456789012345678901234567890"),
        (
            "999999999999.999999999999999999999999999999",
            "999999999999.999999999999999999999999999999",
        ),
        ('"0.25"', "0.25"),
        ('"12"', "12"),
        ('"0007.50"', "7.50"),
        ('"000000000000000000001"', "1"),
        ('"0.123456789012345678901234567890"', "0.123456789012345678901234567890"),
        ('"999999999999.9"', "999999999999.9"),
    ],
)
def test_an_amount_is_read_to_its_last_digit(platform: Platform, written: str, amount: str) -> None:
    found = read(platform, total_of, f'{{"total": {written}}}')
    assert isinstance(found, Decimal)
    assert format(found, "f") == amount


@pytest.mark.parametrize(
    "written",
    [
        *("-1", "-1e-30", "1e12", "1000000000000", "1e131071", "1e-31", "1e-16000"),
        *("0.1234567890123456789012345678901", "0.1000000000000000000000000000000"),
        *('"NaN"', '"Infinity"', '"-1"', '"+1"', '"1e3"', '"1E-7"', '""', '" "', '" 1"', '"1 "'),
        *('"1\\n"', '"\\n1"', '"1."', '".5"', '"1,5"', '"$1"', '"0x1"', '"1_0"', '"\u0661"'),
        *('"1000000000000"', '"0.1234567890123456789012345678901"', '"a lot"', '"\uff11"'),
        *("true", "false", "null", "[]", "[1]", "{}", '{"total": 1}'),
    ],
)
def test_what_is_not_plainly_an_amount_is_unknown(platform: Platform, written: str) -> None:
    assert read(platform, total_of, f'{{"total": {written}}}') is None


@pytest.mark.parametrize(
    "cost", [None, "null", "{}", "[]", "[5]", "5", '"5"', "true", '{"value": 5}', '{"value": [5]}']
)
def test_a_cost_of_another_shape_is_unknown_in_every_respect(
    platform: Platform, cost: str | None
) -> None:
    assert read(platform, total_of, cost) is None
    assert read(platform, tokens_of, cost) is None
    assert read(platform, sent_of, cost) is None
    assert read(platform, received_of, cost) is None
    assert read(platform, models_of, cost) == []


def test_an_exported_runs_total_is_found_under_value_where_there_is_none_above(
    platform: Platform,
) -> None:
    assert read(platform, total_of, '{"value": {"total": 2.5}}') == Decimal("2.5")
    assert read(platform, total_of, '{"total": null, "value": {"total": "2.5"}}') == Decimal("2.5")
    assert read(platform, total_of, '{"total": 1, "value": {"total": 2}}') == 1
    assert read(platform, total_of, '{"total": "?", "value": {"total": 2}}') is None


@pytest.mark.parametrize(("cost", "amount"), [(CURRENT, "0.012493750000000001"), (OLD, "0.001000")])
def test_the_total_of_a_run_is_the_one_it_was_written_with_not_the_sum_of_its_models(
    platform: Platform, cost: str, amount: str
) -> None:
    assert format(read(platform, total_of, cost), "f") == amount


# Rule 9: tokens.


@pytest.mark.parametrize(
    ("tokens", "count"),
    [
        ('{"input": 1200, "output": 643, "total": 1843}', 1843),
        ('{"input": 1200, "output": 643, "total": 9}', 9),
        ('{"prompt": 10, "completion": 5, "total": 15}', 15),
        ("77", 77),
        ("0", 0),
        ('{"total": 0}', 0),
        ('{"total": 1e3}', 1000),
        ('{"total": 5.0}', 5),
        ('{"input": 7, "output": 5}', 12),
        ('{"prompt": 7, "completion": 5}', 12),
        ('{"total": null, "input": 7, "output": 5}', 12),
        ('{"input": 7}', 7),
        ('{"output": 5}', 5),
        ('{"prompt": 7}', 7),
        ('{"completion": 5}', 5),
        ('{"input": 7, "completion": 5}', 12),
        ('{"input": 7, "prompt": 70, "output": 5, "completion": 50}', 12),
        ('{"input": null, "prompt": 70, "output": 5}', 75),
        ('{"total": 9007199254740993}', 9_007_199_254_740_993),
        ('{"total": 999999999999999999999999999999}', 10**30 - 1),
    ],
)
def test_tokens_are_the_total_or_else_what_went_in_and_out(
    platform: Platform, tokens: str, count: int
) -> None:
    assert read(platform, tokens_of, f'{{"tokens": {tokens}}}') == count


@pytest.mark.parametrize(
    "tokens",
    [
        *("null", "{}", "[]", "[5]", '"5"', "true", "-1", "1.5", "1e30", "1e131071"),
        *('{"total": -1}', '{"total": 0.5}', '{"total": "5"}', '{"total": true}'),
        *('{"total": 1e400}', '{"total": [5]}', '{"total": null}', '{"other": 5}'),
        *('{"input": -1, "output": 5}', '{"input": 7, "output": 0.5}', '{"input": "7"}'),
        *('{"input": null, "output": null}', '{"total": -1, "input": 7, "output": 5}'),
    ],
)
def test_tokens_that_are_no_whole_number_are_unknown(platform: Platform, tokens: str) -> None:
    assert read(platform, tokens_of, f'{{"tokens": {tokens}}}') is None


@pytest.mark.parametrize(
    ("tokens", "sent", "received"),
    [
        ('{"input": 1200, "output": 643, "total": 9}', 1200, 643),
        ('{"prompt": 10, "completion": 5, "total": 15}', 10, 5),
        ('{"input": 7, "completion": 5}', 7, 5),
        ('{"input": 7, "prompt": 70, "output": 5, "completion": 50}', 7, 5),
        ('{"input": null, "prompt": 70, "output": 5.0}', 70, 5),
        ('{"input": 0, "output": 1e3}', 0, 1000),
        ('{"input": 7}', 7, None),
        ('{"output": 5}', None, 5),
        ('{"input": -1, "output": 0.5}', None, None),
        ('{"input": "7", "output": true}', None, None),
        # What is there but no number is not made good by the older key.
        ('{"input": "?", "prompt": 70}', None, None),
        *((tokens, None, None) for tokens in ("77", "null", "[]", '"5"', "true", '{"total": 5}')),
    ],
)
def test_what_went_in_and_what_came_out_are_known_each_by_itself(
    platform: Platform, tokens: str, sent: int | None, received: int | None
) -> None:
    assert read(platform, sent_of, f'{{"tokens": {tokens}}}') == sent
    assert read(platform, received_of, f'{{"tokens": {tokens}}}') == received


# Rule 10: models.


@pytest.mark.parametrize(
    ("cost", "models"),
    [
        (CURRENT, ["gpt-4o"]),
        (OLD, ["gpt-4"]),
        ('{"models": {"a": {"total": 1}, "b": {"total": 3}, "c": {"total": 2}}}', ["b", "c", "a"]),
        ('{"models": {"a": {"total": 9}, "b": {"total": 10}}}', ["b", "a"]),
        ('{"models": {"a": {"total": "9"}, "b": {"total": "10.0"}}}', ["b", "a"]),
        (
            """{"models": {"a": {"total": 1.0, "tokens": {"total": 5}},
                "b": {"total": 1, "tokens": {"input": 5, "output": 4}},
                "c": {"total": 1, "tokens": {"prompt": 6, "completion": 1}}}}""",
            ["b", "c", "a"],
        ),
        (
            '{"models": {"b": {"total": 1}, "a": {"total": 1}, "B": {}, "_": {}}}',
            ["a", "b", "B", "_"],
        ),
        (
            '{"models": {"a-1": {}, "a1": {}, "a_1": {}, "A": {}, "é": {}}}',
            ["A", "a-1", "a1", "a_1", "é"],
        ),
        ('{"models": {"known": {"total": 0}, "unknown": {"total": -5}}}', ["known", "unknown"]),
        ('{"models": {"zz": {"tokens": {"total": 1}}, "aa": {}}}', ["zz", "aa"]),
        ('{"models": {"a": 5, "b": null, "c": [1]}}', ["a", "b", "c"]),
        ('{"models": {"a": {"total": 1}}, "model": "other"}', ["a"]),
        ('{"models": {}, "model": "gpt-4o"}', ["gpt-4o"]),
        ('{"models": [], "model": "gpt-4o"}', ["gpt-4o"]),
        ('{"model": "gpt-4o"}', ["gpt-4o"]),
        ('{"models": {"": {"total": 1}}, "model": "gpt-4o"}', ["gpt-4o"]),
        ('{"models": {"": {"total": 5}, "a": {}}}', ["a"]),
        ('{"models": []}', []),
        ('{"models": {}}', []),
        ('{"models": null}', []),
        ('{"models": "gpt-4o"}', []),
        ('{"model": ""}', []),
        ('{"model": 5}', []),
        ('{"model": null}', []),
    ],
)
def test_models_come_by_cost_then_tokens_both_falling_then_by_name(
    platform: Platform, cost: str, models: list[str]
) -> None:
    assert read(platform, models_of, cost) == models
