"""Questions that programs ask: every endpoint of the API, and what is none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from benchmarks.sameness import spoilt
from benchmarks.sameness.drawing import Drawing
from benchmarks.sameness.question import Params, Question

_OTHER: Final = (
    *("/api/openapi.json", "/api/openapi.json", "/api/docs", "/api/viewer/rapidoc-min.js"),
    *("/api/", "/api/billing", "/api/billing/nothing", "/api/billing/usage/"),
)
_SPOILT: Final = 0.15  # share of questions with something wrong


class OfApi:
    """Draws questions of the API out of ``parts``."""

    def __init__(self, parts: Drawing) -> None:
        self._parts = parts

    @property
    def weights(self) -> dict[Callable[[], Question], int]:
        """Each kind, and how often it comes."""
        of_windows = {self._list: 90, self._summary: 50, self._series: 60, self._execution: 35}
        of_files = {self._export: 50, self._manifest: 25}
        return of_windows | of_files | {self._workspaces: 10, self._other: 14}

    def _list(self) -> Question:
        parts = self._parts
        before = parts.earlier("list")
        if before is not None and parts.chance(0.35):
            return self._turned(before)
        viewer, workspace = parts.who()
        params = parts.window() + parts.filters(workspace)
        if parts.chance(0.4):
            params += (("limit", str(parts.rng.choice((1, 2, 7, 25, 99, 100)))),)
        if parts.chance(0.15):
            way = parts.rng.choice(("starting_after", "ending_before"))
            params += ((way, parts.row(workspace)["id"]),)
        return self._asked("list", "usage", viewer, workspace, params)

    def _turned(self, before: int) -> Question:
        """Ask for a page beside an earlier one, at times with something wrong."""
        parts = self._parts
        base = parts.asked[before]
        cursors = {"starting_after", "ending_before"}
        params = tuple(one for one in base.params if one[0] not in cursors)
        if parts.chance(0.3):
            params = tuple(one for one in params if one[0] == "workspaceId")
        if parts.chance(0.1):
            params = spoilt.spoil(parts.rng, params)
        older = ("starting_after", "next_cursor")
        way, key = parts.rng.choice((older, older, ("ending_before", "previous_cursor")))
        return replace(base, params=params, earlier=before, taken={way: (key,)})

    def _summary(self) -> Question:
        viewer, workspace = self._parts.who()
        params = self._parts.window() + self._parts.filters(workspace)
        return self._asked("summary", "usage/summary", viewer, workspace, params)

    def _series(self) -> Question:
        viewer, workspace = self._parts.who()
        params = self._parts.window() + self._parts.filters(workspace)
        if split := self._parts.rng.choice(("", "type", "workflow", "model")):
            params += (("split", split),)
        return self._asked("series", "usage/series", viewer, workspace, params)

    def _execution(self) -> Question:
        viewer, workspace = self._parts.who()
        row = self._parts.row(workspace if self._parts.chance(0.9) else "")
        return self._asked("execution", "usage/execution", viewer, workspace, (("id", row["id"]),))

    def _export(self) -> Question:
        viewer, workspace = self._parts.who()
        params = self._parts.window() + self._parts.filters(workspace) + self._form()
        if self._parts.chance(0.4):
            params += (("manifest", self._parts.rng.choice("011")),)
        asked = self._asked("export", "usage/export", viewer, workspace, params)
        older = {"SERVER_PROTOCOL": "HTTP/1.0"} if self._parts.chance(0.2) else {}
        return replace(asked, environ=older)

    def _manifest(self) -> Question:
        viewer, workspace = self._parts.who()
        params = self._parts.window() + self._parts.filters(workspace) + self._form()
        return self._asked("manifest", "usage/export/manifest", viewer, workspace, params)

    def _form(self) -> Params:
        """Return how a file is to be written."""
        rng = self._parts.rng
        given = {
            "separator": rng.choice(("", "", "comma", "semicolon", "tab")),
            "columns": rng.choice(("", "standard", "extended", "extended")),
        }
        if self._parts.chance(0.4):
            comma = given["separator"] in {"semicolon", "tab"} and self._parts.chance(0.8)
            given["decimal"] = "comma" if comma else "point"
        return tuple((name, word) for name, word in given.items() if word)

    def _workspaces(self) -> Question:
        params = (("page", "2"),) if self._parts.chance(0.1) else ()
        viewers = self._parts.facts.viewers
        headers = viewers[self._parts.rng.choice(list(viewers))]
        return Question("workspaces", "/api/billing/workspaces", headers, params)

    def _other(self) -> Question:
        viewer, _ = self._parts.who()
        headers = self._parts.facts.viewers[viewer]
        method = self._parts.rng.choice((*["GET"] * 8, "HEAD", "POST"))
        return Question("API, else", self._parts.rng.choice(_OTHER), headers, method=method)

    def _asked(self, kind: str, path: str, viewer: str, workspace: str, params: Params) -> Question:
        parts = self._parts
        params = (("workspaceId", workspace), *params)
        if parts.chance(_SPOILT):
            params = spoilt.spoil(parts.rng, params, path)
        if parts.chance(0.3):
            params = tuple(parts.rng.sample(params, len(params)))
        headers = parts.facts.viewers[viewer]
        # A header that did not come from the proxy is not believed.
        environ = {"REMOTE_ADDR": "192.0.2.7"} if parts.chance(0.01) else {}
        return Question(kind, f"/api/billing/{path}", headers, params, environ=environ)
