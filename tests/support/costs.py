"""Costs as the platform writes them, and such as it might."""

from typing import Final

from hypothesis import strategies as st

CURRENT: Final = """{
    "total": 0.012493750000000001, "input": 0.002, "output": 0.009,
    "tokens": {"input": 1200, "output": 643, "total": 1843},
    "models": {"gpt-4o": {"total": 0.0114, "input": 0.002, "output": 0.009,
        "toolCost": 0.0004, "tokens": {"input": 1200, "output": 643, "total": 1843}}}
}"""
OLD: Final = """{
    "total": 0.001000, "tokens": {"prompt": 10, "completion": 5, "total": 15},
    "models": {"gpt-4": {"total": 0.001, "tokens": {"prompt": 10, "completion": 5, "total": 15}}}
}"""
KNOWN: Final = (
    *("0", "-0", "0.00", "1", "0.5", "2.5", "2.50", "1E-7", "1e2", "1.10e1", "0.1", "0.2", "0.3"),
    *("0.012493750000000001", "0.123456789012345678901234567890", "1e-30"),
    *("999999999999.999999999999999999999999999999", '"3.25"', '"0007.50"', '"0"'),
)
UNKNOWN: Final = (
    *("1e131071", "1e-16000", "1000000000000", "-1", "-1e-30", "0.1234567890123456789012345678901"),
    *('"NaN"', '"Infinity"', '"-1"', '"+1"', '"1e3"', '""', '" 1"', '"1."', '".5"', '"1,5"'),
    *('"1\\n"', '"\u0661"', '"1000000000000"', '"0x1"', "true", "false", "[1]", '{"a": 1}', "null"),
)
WHOLE: Final = (None, "null", "[]", "5", '"5"', "{}", '{"tokens": 5}', "[{}]", '{"value": 3}')


@st.composite
def amounts(draw: st.DrawFn) -> str | None:
    """Draw a cost, of known and of unknown amount."""
    amount = draw(
        st.one_of(
            st.integers(0, 400).map(lambda cents: f"{cents / 100:.2f}"),
            st.sampled_from(KNOWN),
            st.sampled_from(UNKNOWN),
        )
    )
    shapes = [f'{{"total": {amount}}}'] * 6 + [
        f'{{"total": null, "value": {{"total": {amount}}}}}',
        f'{{"value": {{"total": {amount}}}, "tokens": {{}}}}',
        draw(st.sampled_from(WHOLE)),
    ]
    return draw(st.sampled_from(shapes))
