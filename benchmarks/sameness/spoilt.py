"""What is wrong with a question: parameters that are refused, and what no page sends."""

from random import Random
from typing import Any, Final

from benchmarks.sameness.question import Params

_WINDOW: Final = {"preset", "from", "to"}
_EVERY: Final[tuple[Params, ...]] = (
    (("preset", "90d"),),
    (("preset", ""),),
    (("preset", "7d"), ("from", "2026-01-01"), ("to", "2026-01-02")),
    (("from", "2026-01-01"),),
    (("to", "2026-01-01"),),
    (("from", "2026-02-01"), ("to", "2026-01-01")),
    (("from", "2026-01-01T00:00:00Z"), ("to", "2026-01-01T00:00:00Z")),
    (("from", "2026-02-30"), ("to", "2026-03-01")),
    (("from", "1969-12-31"), ("to", "2026-01-01")),
    (("from", "2026-01-01"), ("to", "9999-12-31")),
    (("from", "2026-01-01T00:00:00 02:00"), ("to", "2026-02-01")),
    (("from", "2026-01-01T00:00:00"), ("to", "2026-02-01")),
    (("from", "yesterday"), ("to", "today")),
    (("type", "free"),),
    (("type", "included"), ("type", "x\u202ey")),
    (("q", "x" * 201),),
    (("q", "one"), ("q", "two")),
    (("q", "\udcff"),),
    (("model", "\0"),),
    (("model", ""),),
    (("status", "\udce2\udc82"),),
    *((("min_cost_usd", word),) for word in ("abc", "-1", "1e3", "1234567890123", ".5", "$1")),
    tuple(("workflow", f"workflow_{number}") for number in range(51)),
    (("page", "2"),),
    (("workspaceID", "ws_support"),),
    (("workspaceId", "ws_pilot"),),
    (("workspaceId", "ws_partner"),),
    (("workspaceId", "nothing"),),
    (("workspaceId", "x" * 300),),
    (("workspaceId", "\0"),),
    (("workspaceId", ""),),
    (("workspaceId", "ws_support"), ("workspaceId", "ws_support")),
)
_BY_PARAM: Final[dict[str, tuple[str, ...]]] = {
    "limit": ("0", "101", "abc", "1.5", "-1", "007", "1000"),
    "starting_after": ("nothing", "bm90aGluZw", "\0", "", "é" * 40),
    "ending_before": ("nothing", "AAAAAAAAAABbXQ"),
    "split": ("day", "", "Type"),
    "columns": ("all", ""),
    "separator": ("pipe", ","),
    "decimal": ("comma", "dot"),
    "manifest": ("2", "true", ""),
    "id": ("nothing", "", "\0", "x" * 400),
}
_BY_PATH: Final = {
    "usage": ("limit", "starting_after", "ending_before"),
    "usage/series": ("split",),
    "usage/export": ("columns", "separator", "decimal", "manifest"),
    "usage/export/manifest": ("columns", "separator", "decimal", "manifest"),
    "usage/execution": ("id",),
}

# A window that holds more than one file does.
LONG: Final = (("from", "2020-01-01"), ("to", "2030-01-01"))
# What a browser may send back for what the page has stored.
STORED: Final[tuple[Any, ...]] = (
    None,
    7,
    [],
    "x",
    {"params": {"preset": ["7d"]}},
    {"params": 3, "window": {"from": "x", "to": "y"}, "filters": {"q": "a"}},
    {"params": {"preset": "30d"}, "starting_after": "nothing", "filters": {"type": ["free"]}},
    {"window": {"from": "2026-02-01", "to": "2026-01-01"}, "days": ["2026-01-01"]},
)
BODIES: Final = (
    *("", "null", "[]", "{", '"x"', "{}", '{"output": "usage-table.data"}', "[" * 2000),
    '{"output": "nothing.data", "outputs": [], "inputs": [], "changedPropIds": []}',
)


def spoil(rng: Random, params: Params, path: str = "") -> Params:
    """Return ``params`` of the API's ``path`` with one thing wrong."""
    own = [((name, word),) for name in _BY_PATH.get(path, ()) for word in _BY_PARAM[name]]
    if own and rng.random() < 0.5:
        wrong: Params = rng.choice(own)
    elif rng.random() < 0.1:
        return tuple(one for one in params if one[0] != "workspaceId")
    elif rng.random() < 0.1 and params:
        return (*params, rng.choice(params))
    else:
        wrong = rng.choice(_EVERY)
    gone = {name for name, _ in wrong}
    gone |= _WINDOW if gone & _WINDOW else set()
    return tuple(one for one in params if one[0] not in gone) + wrong
