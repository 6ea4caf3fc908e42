"""The ``cost`` JSONB of the demo's executions, as JSON text.

Text, because a cost is exact: what the platform wrote stands digit for digit. Amounts are US
dollars, and like the platform's they are sums of binary doubles (``0.012493750000000001``).
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

BASE_CHARGE: Final = 0.005

# US dollars for a million tokens: (input, output). The last one runs on the customer's own machine.
PRICES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "gpt-4o": (2.5, 10.0),
        "gpt-4o-mini": (0.15, 0.6),
        "gpt-4.1": (2.0, 8.0),
        "o4-mini": (1.1, 4.4),
        "claude-sonnet-4-5": (3.0, 15.0),
        "claude-haiku-4-5": (1.0, 5.0),
        "gemini-2.5-pro": (1.25, 10.0),
        "gemini-2.5-flash": (0.3, 2.5),
        "deepseek-r1": (0.55, 2.19),
        "llama3.3:70b": (0.0, 0.0),
    }
)

# The names of the two token counts, now and before December 2025.
MODERN_KEYS: Final = ("input", "output")
LEGACY_KEYS: Final = ("prompt", "completion")


class ModelUse(NamedTuple):
    """What one model did in one execution: token counts and US dollars."""

    model: str
    tokens_in: int
    tokens_out: int
    input_usd: float
    output_usd: float
    tool_usd: float

    @property
    def total_usd(self) -> float:
        """What the model adds to the execution's total; the tools it called are part of it."""
        return self.input_usd + self.output_usd + self.tool_usd


def use(model: str, tokens_in: int, tokens_out: int, tool_usd: float = 0.0) -> ModelUse:
    """Price the tokens of one model, each amount rounded to 8 decimals as the platform does."""
    per_input, per_output = PRICES[model]
    return ModelUse(
        model,
        tokens_in,
        tokens_out,
        round(tokens_in * per_input / 1e6, 8),
        round(tokens_out * per_output / 1e6, 8),
        tool_usd,
    )


def cost_text(
    uses: Sequence[ModelUse],
    *,
    base: float = BASE_CHARGE,
    keys: tuple[str, str] = MODERN_KEYS,
) -> str:
    """Write the cost of an execution in which models, all different, were used thus.

    ``{"total", "input", "output", "tokens": {…}, "models": {name: {…}}}``; a refused execution has
    no base charge.
    """
    models = ",".join(f"{json.dumps(each.model)}:{_model_text(each, keys)}" for each in uses)
    tokens = _tokens_text(
        sum(each.tokens_in for each in uses), sum(each.tokens_out for each in uses), keys
    )
    return (
        f'{{"total":{_number(base + sum(each.total_usd for each in uses))}'
        f',"input":{_number(sum(each.input_usd for each in uses))}'
        f',"output":{_number(sum(each.output_usd for each in uses))}'
        f',"tokens":{tokens},"models":{{{models}}}}}'
    )


def _model_text(each: ModelUse, keys: tuple[str, str]) -> str:
    tool = f',"toolCost":{_number(each.tool_usd)}' if each.tool_usd else ""
    return (
        f'{{"input":{_number(each.input_usd)},"output":{_number(each.output_usd)}'
        f',"total":{_number(each.total_usd)}{tool}'
        f',"tokens":{_tokens_text(each.tokens_in, each.tokens_out, keys)}}}'
    )


def _tokens_text(tokens_in: int, tokens_out: int, keys: tuple[str, str]) -> str:
    return f'{{"{keys[0]}":{tokens_in},"{keys[1]}":{tokens_out},"total":{tokens_in + tokens_out}}}'


def _number(value: float) -> str:
    """Write a double as JavaScript does: the fewest digits that give it back, ``0`` not ``0.0``."""
    return repr(value).removesuffix(".0")


ABSURD: Final = "absurdly large total"

# Every other shape that was ever seen or must be survived: name -> JSON text, None for SQL NULL.
RARE: Final[Mapping[str, str | None]] = MappingProxyType(
    {
        # History.
        "prompt and completion tokens": cost_text(
            [use("gpt-4o", 2113, 487), use("claude-haiku-4-5", 906, 120)], keys=LEGACY_KEYS
        ),
        "migrated, trailing zeros": (
            '{"total":0.001000,"input":0.000000,"output":0.000000,'
            '"tokens":{"total":0,"prompt":0,"completion":0}}'
        ),
        "migrated, tokens without total": (
            '{"total":0.010725,"tokens":{"prompt":1350,"completion":735},'
            '"models":{"gpt-4o":{"total":0.010725,"tokens":{"prompt":1350,"completion":735}}}}'
        ),
        "migrated, only a total": '{"total":0.017500}',
        "migrated, empty": "{}",
        "merged from two parts of a resumed run": (
            '{"total":0.0171265,"input":0.0061265,"output":0.006,'
            '"tokens":{"input":2812,"output":600,"total":3412},"models":{'
            '"gpt-4o":{"input":0.0056,"output":0.005,"total":0.0106,'
            '"tokens":{"prompt":2240,"completion":500,"total":2740}},'
            '"gemini-2.5-flash":{"input":0.0005265,"output":0.001,"total":0.0015265,'
            '"tokens":{"prompt":302,"completion":60,"input":270,"output":40,"total":672}}}}'
        ),
        "no cost yet": None,
        "JSON null": "null",
        # What the platform writes today, but seldom.
        "refused before the start": cost_text([], base=0),
        "tools charged": cost_text([use("gpt-4.1", 5120, 644, 0.018), use("o4-mini", 800, 1210)]),
        "own key": cost_text([use("llama3.3:70b", 48211, 3920)], base=0),
        "hosted tool without a model": (
            '{"total":0.025,"input":0,"output":0,"tokens":{"input":0,"output":0,"total":0},"models":{}}'
        ),
        # Known, though unusual.
        "total as a string": '{"total":"0.0125","tokens":{"total":940},"models":{"gpt-4o":{}}}',
        "tokens as a number": '{"total":0.0138,"tokens":1843,"models":{"gpt-4o":{"total":0.0088}}}',
        "model at the top": '{"total":0.0061,"model":"gpt-4o-mini","tokens":{"total":5210}}',
        "models as a list": '{"total":0.005,"tokens":{"total":0},"models":[]}',
        "total under value": '{"value":{"total":0.0093},"tokens":{"input":700,"output":190}}',
        "tiny total": '{"total":1E-7,"tokens":{"input":1,"output":0,"total":1},"models":{}}',
        "thirty decimals": '{"total":0.012493750000000001234567890123,"tokens":{"total":1843}}',
        "model named like a formula": (
            '{"total":0.0154,"tokens":{"input":900,"output":210},'
            '"models":{"=1+1":{"total":0.01},"<b>a, \\"b\\"</b>":{"total":0.0004}}}'
        ),
        "tokens that cannot be": '{"total":0.0077,"tokens":{"total":-5},"models":{"o4-mini":null}}',
        # Unknown: a dash on the page, nothing in a sum.
        ABSURD: '{"total":1e131071,"tokens":{"total":12},"models":{"gpt-4o":{"total":1}}}',
        "a million million": '{"total":1000000000000,"tokens":{"total":12}}',
        "thirty-one decimals": '{"total":0.0124937500000000012345678901234}',
        "negative total": '{"total":-0.0125,"tokens":{"input":812,"output":64,"total":876}}',
        "total is no number": '{"total":"NaN","tokens":{"total":876},"models":{"gpt-4o":{}}}',
        "total as text with exponent": '{"total":"1e-3","tokens":12.5}',
        "total is true": '{"total":true,"tokens":{"total":"876"}}',
        "total is a list": '{"total":[0.0125],"tokens":[]}',
        "cost is a list": '[{"total":0.0125}]',
        "cost is a number": "0.0125",
        "cost is true": "true",
    }
)
