"""How many pages of a list one worker gives in a second, beside Datasette with one worker."""

from statistics import median
from typing import Final

from benchmarks import datasette, wrk
from benchmarks.peers import DATASETTE_PAGES
from benchmarks.questions import first_page
from benchmarks.section import Section, Table, milliseconds, times
from benchmarks.serving import product
from benchmarks.stage import Scene

CLIENTS: Final = 4
_ROUNDS: Final = 3
_OURS: Final = "Usage Ledger"


def measure(scene: Scene) -> list[Section]:
    """Ask both in turn, several rounds, with both servers up; the median of the rounds counts."""
    scene.use_rollup(scene.options.rollup[-1])
    seconds = max(5, scene.options.seconds // 6)
    rounds: dict[str, list[wrk.Load]] = {}
    with product(scene) as ours, datasette.serving(scene) as theirs:
        asked = {_OURS: (ours, first_page())} | {
            f"Datasette, {name}": (theirs, datasette.page(**given))
            for name, given in DATASETTE_PAGES.items()
        }
        for _ in range(_ROUNDS):
            for name, (server, question) in asked.items():
                load = wrk.run(server, [question], clients=CLIENTS, seconds=seconds)
                rounds.setdefault(name, []).append(load)
    rates = {name: median(load.throughput for load in loads) for name, loads in rounds.items()}
    rows = [
        (
            name,
            f"{rates[name]:,.1f}",
            milliseconds(median(load.p50 for load in loads)),
            milliseconds(median(load.p99 for load in loads)),
            f"{sum(load.errors + load.refused for load in loads)}",
            times(rates[_OURS] / rates[name]) if rates[name] else "",
        )
        for name, loads in rounds.items()
    ]
    return [
        Section(
            key="throughput",
            title="Pages in a second, one worker each",
            prose=(
                f"{CLIENTS} clients ask for the newest 100 rows out of {scene.executions:,} of a "
                f"month; the product {scene.rollup_words}. {_ROUNDS} rounds of {seconds} s, in "
                "turn, both servers up; medians, milliseconds. The product counts the rows of the "
                "window and finds the Crossing for each page. Datasette counts the workspace's "
                "rows unless told not to, and by default suggests facets."
            ),
            tables=[Table(("who", "pages/s", "p50", "p99", "errors", "ours is"), rows)],
            figures={f"{name}/throughput": rate for name, rate in rates.items()}
            | {"executions": scene.executions},
        )
    ]
