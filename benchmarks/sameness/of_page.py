"""Questions that browsers ask: pages, Dash's own addresses, and every callback of the page."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from benchmarks.sameness import spoilt
from benchmarks.sameness.drawing import FILTERS, PRESETS, Drawing
from benchmarks.sameness.question import (
    FIGURES,
    FILE,
    OPENED,
    PATHNAME,
    SEARCH,
    SUBJECT,
    TABLE,
    VIEW,
    Callback,
    Params,
    Question,
    data_of,
    search_of,
    shown,
)

_ADDRESS: Final = "/_dash-update-component"
_OF_DASH: Final = (
    *("/_dash-layout", "/_dash-dependencies", "/_favicon.ico", "/assets/theme.js"),
    "/_dash-component-suites/nothing/at.js",
)
_PAGES: Final = ("/", "/", "/", "/healthz", "/readyz", "/nothing", "/workspace//usage")
_FRAMES: Final[tuple[Params, ...]] = (
    *((),) * 4,
    (("embed", "1"),),
    (("embed", "2"),),
    (("theme", "dark"),),
    (("theme", "x"),),
    (("split", "model"), ("embed", "1")),
)
_WORDS: Final[tuple[Any, ...]] = (None, [], "", "\0", "$ 0.5", 7, ["nothing"], "x" * 300, "abc")


class OfPage:
    """Draws what browsers ask of a product that is served below ``prefix``."""

    def __init__(self, parts: Drawing, prefix: str) -> None:
        self._parts, self._prefix = parts, prefix

    @property
    def weights(self) -> dict[Callable[[], Question], int]:
        """Each kind, and how often it comes."""
        of_the_screen = {self._page: 40, self._table: 90, self._figures: 50}
        return of_the_screen | {self._opened: 25, self._file: 35, self._else: 30}

    def _page(self) -> Question:
        rng = self._parts.rng
        viewer, workspace = self._parts.who()
        # A proxy may strip the prefix or keep it.
        path = self._pathname(workspace)
        path = path.removeprefix(self._prefix.rstrip("/")) if self._parts.chance(0.5) else path
        if self._parts.chance(0.4):
            path = rng.choice(_PAGES)
        params = (self._parts.window() if self._parts.chance(0.3) else ()) + rng.choice(_FRAMES)
        method = rng.choice((*["GET"] * 9, "HEAD", "POST"))
        return Question("page", path, self._parts.facts.viewers[viewer], params, method=method)

    def _table(self) -> Question:
        parts = self._parts
        before = parts.earlier("table")
        if before is None or parts.chance(0.3):
            return self._arrival()
        last = parts.asked[before]
        values = dict(shown(last))
        clicked = self._click(values)
        asked = replace(last, callback=Callback(TABLE, clicked, values))
        if parts.chance(0.06):
            values[VIEW] = parts.rng.choice(spoilt.STORED)
            return replace(asked, earlier=None, taken={})
        return replace(asked, earlier=before, taken={one: data_of(one) for one in (VIEW, SUBJECT)})

    def _arrival(self) -> Question:
        parts = self._parts
        viewer, workspace = parts.who()
        params = parts.window() + parts.filters(workspace) + parts.rng.choice(_FRAMES)
        if parts.chance(0.12):
            params = spoilt.spoil(parts.rng, params)
        values = {PATHNAME: self._pathname(workspace), SEARCH: f"?{search_of(params)}"}
        return self._asked("table", viewer, Callback(TABLE, ("usage-asked.data",), values))

    def _click(self, values: dict[str, Any]) -> tuple[str, ...]:
        """Click or choose something; ``values`` then hold what was chosen."""
        parts = self._parts
        what = parts.rng.choice((*["preset", "next", "filter"] * 2, "prev", "retry", "range"))
        if what == "preset":
            return (f"usage-preset-{parts.rng.choice(PRESETS)}.n_clicks",)
        if what == "range":
            ends = ("usage-range.start_date", "usage-range.end_date")
            days: list[str | None] = [word for _, word in parts.days()]
            if parts.chance(0.15):
                days[1] = parts.rng.choice((None, "x", "1900-01-01"))
            values |= dict(zip(ends, days, strict=True))
            return ends
        return self._choose(values) if what == "filter" else (f"usage-{what}.n_clicks",)

    def _choose(self, values: dict[str, Any]) -> tuple[str, ...]:
        parts = self._parts
        name = parts.rng.choice(FILTERS)
        words = [word for _, word in parts.filter(name, values[PATHNAME].split("/")[-2])]
        element = f"usage-filter-{name.replace('_', '-')}"
        values[f"{element}.value"] = words[0] if name in {"q", "min_cost_usd"} else words
        if parts.chance(0.12):
            values[f"{element}.value"] = parts.rng.choice(_WORDS)
        if parts.chance(0.3):
            values[f"{element}.options"] = [{"value": word, "label": word} for word in words]
        return (f"{element}.value",)

    def _figures(self) -> Question:
        parts = self._parts
        split = parts.rng.choice((None, "type", "type", "workflow", "workflow", "model", "x"))
        clicked = (parts.rng.choice((SUBJECT, "usage-split.data")),)
        values: dict[str, Any] = {"usage-split.data": split}
        before = parts.earlier("table")
        if before is not None and parts.chance(0.7):
            last = parts.asked[before]
            values[SEARCH] = shown(last)[SEARCH]
            callback = Callback(FIGURES, clicked, values)
            taken = {SUBJECT: data_of(SUBJECT)}
            return replace(last, kind="figures", callback=callback, earlier=before, taken=taken)
        viewer, workspace = parts.who()
        asked: dict[str, list[str]] = {}
        for name, word in parts.days() + parts.filters(workspace):
            asked.setdefault(name, []).append(word)
        subject = {"workspace": workspace, "asked": asked}
        values[SUBJECT] = parts.rng.choice((*[subject] * 9, {"workspace": 3}, 7))
        return self._asked("figures", viewer, Callback(FIGURES, clicked, values))

    def _opened(self) -> Question:
        viewer, workspace = self._parts.who()
        place = {"pathname": self._pathname(workspace)}
        row: Any = {**place, "id": self._parts.row(workspace)["id"]}
        if self._parts.chance(0.12):
            row = self._parts.rng.choice(
                (None, {}, {"pathname": 3, "id": []}, {**place, "id": "\0"})
            )
        asked = Callback(OPENED, ("usage-opened-row.data",), {"usage-opened-row.data": row})
        return self._asked("opened row", viewer, asked)

    def _file(self) -> Question:
        parts = self._parts
        button = parts.rng.choice(("export", "export-chosen", "confirm"))
        clicked = (f"usage-{button}.n_clicks",)
        values: dict[str, Any] = {
            "usage-export-columns.value": parts.rng.choice((None, "standard", "extended")),
            "usage-export-format.value": parts.rng.choice((None, "comma", "semicolon", "tab")),
            "usage-export-manifest.value": parts.rng.choice((None, False, True, True)),
        }
        if parts.chance(0.05):
            values["usage-export-columns.value"] = "all"
        before = parts.earlier("table")
        if before is not None and parts.chance(0.7):
            last = parts.asked[before]
            callback = Callback(FILE, clicked, {**values, PATHNAME: shown(last)[PATHNAME]})
            taken = {VIEW: data_of(VIEW)}
            return replace(last, kind="file", callback=callback, earlier=before, taken=taken)
        viewer, workspace = parts.who()
        window = dict(parts.days() if parts.chance(0.6) else spoilt.LONG)
        values |= {VIEW: {"window": window}, PATHNAME: self._pathname(workspace)}
        return self._asked("file", viewer, Callback(FILE, clicked, values))

    def _else(self) -> Question:
        rng = self._parts.rng
        viewer, _ = self._parts.who()
        headers = self._parts.facts.viewers[viewer]
        if self._parts.chance(0.5):
            return Question("Dash, else", rng.choice(_OF_DASH), headers)
        asked = self._asked("Dash, else", viewer, Callback("", number=rng.randrange(100)))
        if self._parts.chance(0.3):
            return replace(asked, callback=None, body=rng.choice(spoilt.BODIES))
        return asked

    def _pathname(self, workspace: str) -> str:
        return f"{self._prefix}workspace/{quote(workspace, safe='')}/usage"

    def _asked(self, kind: str, viewer: str, callback: Callback) -> Question:
        headers: Mapping[str, str] = {
            **self._parts.facts.viewers[viewer],
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        return Question(kind, _ADDRESS, headers, method="POST", callback=callback)
