"""The state of the page: what the URL, a click and the last answer ask for, as parameters; pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from dash import no_update
from dash.exceptions import PreventUpdate

from components import formats, ids
from components.usage.view import View
from data.question.cursor import Direction
from data.question.filters import FILTER_PARAMS
from data.question.query import Split
from data.rules.calendar import DEFAULT_PRESET
from data.rules.errors import BadRequestError
from data.rules.labels import rfc3339
from data.rules.shown import named
from settings.addresses import params_of

# How the page is shown; beside window, filters and cursor the only parameters it takes.
_FRAME: Final = {"embed": ("1",), "theme": ("light", "dark"), "split": tuple(map(str, Split))}
# Which row is open is the panel's business.
_OPENED: Final = "execution"


def framed(params: dict[str, list[str]]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Tell how the page is shown from what is asked for, and from what is wrong."""
    frame = {
        name: value
        for name, values in _FRAME.items()
        for value in values
        if params.get(name) == [value]
    }
    rest = params.keys() - frame.keys() - {_OPENED}
    return frame, {name: values for name, values in params.items() if name in rest}


def refuse_other_frames(asked: Mapping[str, list[str]]) -> None:
    """Refuse a frame that there is not, such as ``theme=green``."""
    for name in asked.keys() & _FRAME.keys():
        words = " or ".join(f"{name}={value}" for value in _FRAME[name])
        raise BadRequestError(f"Send {words}, once, or leave it out.", param=name)


def asked_by(
    clicked: Sequence[str],
    params: dict[str, list[str]],
    days: tuple[Any, Any],
    chosen: Mapping[str, Sequence[str]],
    shown: dict[str, Any],
) -> dict[str, list[str]]:
    """Turn what was clicked into parameters; those in the URL already count by default.

    ``clicked`` are elements, all since the last question: a text that is typed and left for a
    preset's button is both. ``chosen`` are the filters as their controls stand.
    """
    if not shown:
        chosen = {name: words for name, words in params.items() if name in FILTER_PARAMS}
    filters = {name: list(words) for name, words in chosen.items()}
    window = params_of(shown.get("params"))
    if presets := [preset for preset, element in ids.PRESETS.items() if element in clicked]:
        return {"preset": [presets[-1].value], **filters}
    if ids.RANGE in clicked:
        if list(days) == shown.get("days"):
            raise PreventUpdate
        return {"from": [str(days[0])], "to": [str(days[1])], **filters}
    if set(clicked) & set(ids.FILTERS.values()):
        if not shown:
            raise PreventUpdate
        return window | filters
    turns = {ids.NEXT: Direction.OLDER, ids.PREV: Direction.NEWER}
    for element in turns.keys() & set(clicked):
        direction = turns[element]
        cursor = {direction.value: [str(shown.get(direction.value))]}
        return window | params_of(shown.get("filters")) | cursor
    return params


def pinned_by(asked: dict[str, list[str]], shown: dict[str, Any]) -> dict[str, list[str]] | None:
    """Return the resolved window on the screen, where the same window is asked for again.

    Then what is asked for is another page of it, or other filters, and not what ran since.
    """
    params = params_of(shown.get("params"))
    of_window = {name: words for name, words in asked.items() if name not in FILTER_PARAMS}
    same = of_window == params or (not of_window and params == {"preset": [DEFAULT_PRESET.value]})
    window = params_of(shown.get("window"))
    return window if params and same and window.get("from") != window.get("to") else None


def search_of(asked: Mapping[str, list[str]], frame: Mapping[str, str]) -> str:
    """Write the query string of a question and of how the page is shown."""
    # What is no text is refused when it is read; here it must not get in the way.
    return f"?{urlencode({**asked, **frame}, doseq=True, errors='replace')}"


def unless_same(value: object, asked: object) -> object:
    """Return what a control has to show; nothing where it stood at that when it was ``asked``.

    By now it may have been changed again, and stand for the next question.
    """
    return no_update if value == asked else value


def stored(view: View) -> dict[str, Any]:
    """Return what the next click needs to know of this answer; nothing in it is trusted."""
    page = view.page
    first, last = formats.days_shown(view.window, view.zone)
    words = formats.window_in_words(view.window, view.zone)
    return {
        "params": view.params,
        "filters": view.filters,
        "window": _window(view),
        "days": [first.isoformat(), last.isoformat()],
        Direction.OLDER.value: page.next_cursor and page.next_cursor.encode(),
        Direction.NEWER.value: page.previous_cursor and page.previous_cursor.encode(),
        "as_of": f"{formats.minute(page.account.as_of, view.zone)} {view.zone}",
        "title": f"Usage · {named(view.workspace.name)} · {words}",
    }


def subject(view: View) -> dict[str, Any]:
    """Return what the figures of this answer are of: the same for every page of it."""
    return {"workspace": view.workspace.id, "asked": _window(view) | dict(view.filters)}


def _window(view: View) -> dict[str, Any]:
    return {"from": rfc3339(view.window.start), "to": rfc3339(view.window.end)}
