"""The filters' controls: what they offer, and what they send."""

from components.usage.filter_bar import chosen_in, offer
from data.answers.filter_options import FilterOptions
from data.question.filters import LENGTH_AT_MOST, Filters


def test_only_what_a_filter_takes_is_on_offer_under_a_name_that_can_be_read() -> None:
    long = "m" * LENGTH_AT_MOST
    offered = offer(
        FilterOptions({"w1": "W" * 10_000, "w2": "  "}, [long, long + "m", ""], [" api "], []), {}
    )
    assert offered["workflow"] == [
        {"value": "w1", "label": "W" * 79 + "…"},
        {"value": "w2", "label": "(no name)"},
        {"value": "deleted", "label": "Deleted workflow"},
    ]
    assert offered["model"] == [{"value": long, "label": "m" * 79 + "…"}]
    for name in ("workflow", "model", "trigger"):
        assert Filters.parse({name: [each["value"] for each in offered[name]]})


def test_what_is_chosen_stays_as_it_is_and_what_is_typed_is_trimmed() -> None:
    values = {"model": [" lead", "a"], "q": "  b c ", "min_cost_usd": " $0.5 ", "type": []}
    assert chosen_in(values) == {"model": [" lead", "a"], "q": ["b c"], "min_cost_usd": ["0.5"]}
    assert chosen_in({"q": "  ", "min_cost_usd": None}) == {}
