"""Beside what others do with the same rows: the floor, Datasette, and Dash as it is mostly used."""

from typing import Final

from benchmarks import datasette, floor, plain
from benchmarks.questions import Question, first_page, get, preset_click
from benchmarks.section import Section, Table, kilobytes, milliseconds, times
from benchmarks.serving import product
from benchmarks.stage import Scene
from benchmarks.timing import Times, client_of, timed
from benchmarks.world import BUSY, PRESET

DATASETTE_PAGES: Final = {
    "default": {},
    "no facet suggestions": {"_nosuggest": "1"},
    "no suggestions, no count": {"_nosuggest": "1", "_nocount": "1"},
}
_PAGE, _EXPORT, _CLICK = "page of 100 rows", "file of 10,000 rows", "a click on a preset"


def measure(scene: Scene) -> list[Section]:
    """Measure each side by side; the product with the rollup where there is one."""
    scene.use_rollup(scene.options.rollup[-1])
    measured = _ours(scene) | _floor(scene) | _datasette(scene)
    measured[_CLICK, "plain Dash"] = plain.measured(scene)
    rows = []
    figures: dict[str, float] = {}
    for (what, who), seen in sorted(measured.items(), key=_order):
        ours = measured.get((what, "Usage Ledger"))
        rows.append(
            (
                what,
                who,
                f"{milliseconds(seen.at(0.5))}{f' ({seen.failed})' if seen.failed else ''}",
                milliseconds(seen.at(0.95)),
                kilobytes(seen.size) if seen.size else "",
                times(seen.at(0.5) / ours.at(0.5)) if ours else "",
            )
        )
        figures[f"{what}/{who}/p50"] = seen.at(0.5)
        figures[f"{what}/{who}/p95"] = seen.at(0.95)
        figures[f"{what}/{who}/bytes"] = seen.size
    figures["executions"] = scene.executions
    return [
        Section(
            key="peers",
            title=f"Beside others, at {scene.executions:,} executions",
            prose=(
                f"Milliseconds, one question at a time; the product {scene.rollup_words}. "
                "`\\copy` is psql's own CSV of the very statement that the export runs, thrown "
                "away; Datasette serves the same rows out of SQLite with the same index, costs and "
                "tokens already taken out of the JSON; plain Dash reads the whole window into a "
                "frame at each click, adds it up there, and sends all of it to a DataTable that "
                "pages in the browser."
            ),
            tables=[Table(("what", "who", "p50", "p95", "kB", "of ours"), rows)],
            figures=figures,
        )
    ]


def _order(entry: tuple[tuple[str, str], Times]) -> tuple[str, float]:
    (what, _), seen = entry
    return what, seen.at(0.5)


def _ours(scene: Scene) -> dict[tuple[str, str], Times]:
    month = {"workspaceId": BUSY, "preset": PRESET.value}
    with product(scene) as server, client_of(server) as client:
        click = preset_click(lambda question: client.ask(question).body, BUSY)
        questions = {
            (_PAGE, "Usage Ledger"): first_page(),
            (_EXPORT, "Usage Ledger"): get("usage/export", **month),
            (_CLICK, "Usage Ledger"): click,
            ("round trip", "GET /readyz, which runs SELECT 1"): Question("/readyz"),
            ("round trip", "GET /healthz"): Question("/healthz"),
        }
        return {key: timed(client, each, scene.options) for key, each in questions.items()}


def _floor(scene: Scene) -> dict[tuple[str, str], Times]:
    return {
        (_EXPORT, "\\copy in psql"): floor.copy(scene),
        ("round trip", "SELECT 1 in psycopg"): floor.round_trip(scene),
    }


def _datasette(scene: Scene) -> dict[tuple[str, str], Times]:
    with datasette.serving(scene) as server, client_of(server) as client:
        pages = {
            (_PAGE, f"Datasette, {name}"): timed(client, datasette.page(**given), scene.options)
            for name, given in DATASETTE_PAGES.items()
        }
        return pages | {(_EXPORT, "Datasette"): timed(client, datasette.csv(), scene.options)}
