"""The filters between figures and table: what is chosen, and what there is to choose."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.usage.state import unless_same
from components.usage.view import View
from data.answers.filter_options import FilterOptions
from data.question.filters import DELETED, FILTER_PARAMS, LENGTH_AT_MOST, REPEATABLE_PARAMS
from data.rules.labels import DELETED_WORKFLOW, UsageType, told_apart, type_label
from data.rules.shown import named

_NAMES: Final = {
    "workflow": "Workflow",
    "model": "Model",
    "trigger": "Trigger",
    "type": "Type",
    "status": "Status",
}
_TYPES: Final = [{"value": kind.value, "label": type_label(kind)} for kind in UsageType]
_NAME_AT_MOST: Final = 80
# Those whose choices come with the figures.
_OFFERED: Final = tuple(name for name in REPEATABLE_PARAMS if name != "type")

INPUTS: Final = {name: Input(ids.FILTERS[name], "value") for name in FILTER_PARAMS}
KNOWN: Final = {name: State(ids.FILTERS[name], "options") for name in _OFFERED}
OFFERS: Final = {
    name: Output(ids.FILTERS[name], "options", allow_duplicate=True) for name in _OFFERED
}
OUTPUTS: Final = {
    "values": {name: Output(ids.FILTERS[name], "value") for name in FILTER_PARAMS},
    "options": {name: Output(ids.FILTERS[name], "options") for name in _OFFERED},
    "clear": Output(ids.CLEAR_FILTERS, "hidden"),
}


def layout() -> Component:
    """Return the filters, none of them active."""
    return html.Div(
        [
            *(_chooser(name) for name in REPEATABLE_PARAMS),
            _text("min_cost_usd", "usage-filter-amount", "+ Minimum cost $"),
            html.Button(
                "Clear",
                id=ids.CLEAR_FILTERS,
                className="btn btn-sm btn-quiet",
                type="button",
                hidden=True,
            ),
            _text("q", "usage-filter-q", "Workflow or execution id"),
        ],
        className="usage-filters",
        role="group",
        **aria(label="Filters"),
    )


def register(app: Dash) -> None:
    """Let the button empty the controls; what they ask for then follows by itself."""
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "clearFilters"),
        [Output(element, "value", allow_duplicate=True) for element in ids.FILTERS.values()],
        Input(ids.CLEAR_FILTERS, "n_clicks"),
        prevent_initial_call=True,
    )


def _chooser(name: str) -> Component:
    return html.Div(
        dcc.Dropdown(
            id=ids.FILTERS[name],
            options=_TYPES if name == "type" else [],
            multi=True,
            debounce=True,
            placeholder=f"+ {_NAMES[name]}",
            searchable=name != "type",
            maxHeight=320,
        ),
        className="usage-filter",
        # Before what is chosen, the sheet says of what.
        style={"--usage-filter-name": f'"{_NAMES[name]}: "'},
        # The browser gives what opens this name too.
        role="group",
        **aria(label=_NAMES[name]),
    )


def _text(name: str, class_name: str, placeholder: str) -> Component:
    return dcc.Input(
        id=ids.FILTERS[name],
        className=f"usage-filter-text {class_name}",
        placeholder=placeholder,
        debounce=True,
        autoComplete="off",
        maxLength=LENGTH_AT_MOST,
    )


def chosen_in(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Read the controls as parameters; what is empty is not asked for."""
    chosen = {}
    for name, value in values.items():
        words = value if isinstance(value, list) else [value]
        texts = [str(word) for word in words if word is not None]
        if name not in REPEATABLE_PARAMS:  # what is typed, not what is chosen as it is
            texts = [text.strip() for text in texts]
        if name == "min_cost_usd":
            texts = [text.removeprefix("$").strip() for text in texts]
        if any(texts):
            chosen[name] = sorted(texts)
    return chosen


def values_of(filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the controls' values as ``filters`` are."""
    return {
        name: list(filters.get(name, []))
        if name in REPEATABLE_PARAMS
        else next(iter(filters.get(name, [])), "")
        for name in FILTER_PARAMS
    }


def show(view: View, known: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Let the controls stand as the answer's filters do; what is chosen is on offer.

    ``values`` are those that were asked with.
    """
    return {
        "values": {
            name: unless_same(value, values.get(name) or type(value)())
            for name, value in values_of(view.filters).items()
        },
        "options": {name: _with(known.get(name), view.filters.get(name, [])) for name in _OFFERED},
        "clear": not view.filters,
    }


def offer(options: FilterOptions, chosen: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what there is to choose, in OFFERS; what is chosen is always among it."""
    workflows = told_apart(options.workflows, _short)
    found = {
        "workflow": [
            *({"value": key, "label": label} for key, label in workflows.items()),
            {"value": DELETED, "label": DELETED_WORKFLOW},
        ],
        "model": _same(options.models),
        "trigger": _same(options.triggers),
        "status": _same(options.statuses),
    }
    return {name: _with(found[name], chosen.get(name, [])) for name in _OFFERED}


def _same(words: Sequence[str]) -> list[dict[str, str]]:
    """Offer ``words`` as they are, but for those that no filter takes."""
    return [
        {"value": word, "label": _short(word)}
        for word in words
        if word and len(word) <= LENGTH_AT_MOST
    ]


def _short(name: str) -> str:
    # The control makes an index of every beginning of every word.
    return named(name, _NAME_AT_MOST)


def _with(options: Any, chosen: Sequence[str]) -> list[Any]:
    """Add what is chosen and not on offer: the control forgets what it does not know."""
    found = [each for each in options if _is_option(each)] if isinstance(options, list) else []
    known = {option["value"] for option in found}
    return found + _same([word for word in chosen if word not in known])


def _is_option(sent: Any) -> bool:
    """Tell whether what a browser sent back is an option as ``offer`` makes them."""
    return isinstance(sent, dict) and isinstance(sent.get("value"), str)
