"""Every endpoint of the product at one size, with the rollup and without: time and effort."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import psycopg

from benchmarks import plans
from benchmarks.inside import inside, patient_engine
from benchmarks.loading import sum_of_costs
from benchmarks.questions import Question, endpoints
from benchmarks.section import Section, Table, kilobytes, milliseconds
from benchmarks.serving import product
from benchmarks.stage import Scene
from benchmarks.timing import Times, client_of, repeated, timed
from benchmarks.world import PAYER
from data.files.export import ROW_LIMIT

SUM: Final = "one sum over the month"
_EXPORT_ROWS: Final = ROW_LIMIT + 32


@dataclass(frozen=True)
class Cost:
    """What one endpoint took: ``times`` from outside, the others of one request."""

    times: Times
    queries: int
    buffers: int
    violations: list[plans.Violation]


def measure(scene: Scene) -> list[Section]:
    """Measure every endpoint, first without the rollup, then with it."""
    sections = []
    for rollup in scene.options.rollup:
        scene.use_rollup(rollup)
        sections.append(_section(scene, _measured(scene)))
    return sections


def _measured(scene: Scene) -> dict[str, Cost]:
    with product(scene) as server, client_of(server) as client:
        questions = endpoints(scene, lambda question: client.ask(question).body)
        times = {
            endpoint: timed(client, each, scene.options) for endpoint, each in questions.items()
        }
    seen = _plans_of(scene, questions)
    costs = {
        endpoint: Cost(
            times[endpoint],
            len(seen[endpoint]),
            sum(plan.buffers for plan in seen[endpoint]),
            plans.violations(seen[endpoint], rows=_rows_of(endpoint)),
        )
        for endpoint in questions
    }
    return costs | {SUM: _sum_of_the_month(scene)}


def _rows_of(endpoint: str) -> int:
    return _EXPORT_ROWS if endpoint.startswith("export") else plans.PAGE_ROWS


def _plans_of(scene: Scene, questions: Mapping[str, Question]) -> dict[str, list[plans.Plan]]:
    """Ask everything once more in this process, where the statements can be seen."""
    patient = patient_engine(scene)
    with inside(scene) as product_inside:
        return {
            endpoint: plans.explain(patient, product_inside.statements_of(question))
            for endpoint, question in questions.items()
        }


def _sum_of_the_month(scene: Scene) -> Cost:
    """Measure what reading the period once costs at least: one statement, straight to the data."""
    month = scene.calendar.month
    statement = sum_of_costs(PAYER, month.start, month.end).as_string()
    with psycopg.connect(scene.reader_url, options="-c jit=off", autocommit=True) as connection:

        def once() -> float:
            connection.execute("SELECT 1")
            begun = time.perf_counter()
            connection.execute(statement.encode()).fetchall()
            return time.perf_counter() - begun

        seconds = repeated(once, scene.options)
    (plan,) = plans.explain(
        patient_engine(scene), [plans.Statement(statement, None, streamed=False)]
    )
    return Cost(Times(seconds, {200: len(seconds)}, 0), 1, plan.buffers, [])


def _section(scene: Scene, costs: Mapping[str, Cost]) -> Section:
    state = "with" if scene.has_rollup else "without"
    figures: dict[str, float] = {}
    for endpoint, cost in costs.items():
        figures |= _figures(f"{endpoint}/{state}", cost)
    remarks = list(_remarks({endpoint: cost.violations for endpoint, cost in costs.items()}))
    if scene.has_rollup and scene.install_seconds is not None:
        figures["install"] = scene.install_seconds
        remarks.append(f"Installing and compacting the rollup took {scene.install_seconds:.1f} s.")
    return Section(
        key=f"endpoints-{scene.executions}-{state}",
        title=f"Every endpoint at {scene.executions:,} executions in one workspace-month, "
        f"{scene.rollup_words}",
        prose=(
            "Milliseconds at the client, over a connection that is kept, one question at a time. "
            "Queries and pages of 8 KiB (buffers) are those of one request, signing in included. "
            f"The row *{SUM}* is one SQL statement, not an endpoint."
        ),
        tables=[
            Table(
                ("endpoint", "p50", "p95", "queries", "buffers", "kB"),
                [(endpoint, *_cells(cost)) for endpoint, cost in costs.items()],
            )
        ],
        figures=figures,
        remarks=remarks,
    )


def _remarks(violations: Mapping[str, list[plans.Violation]]) -> Iterator[str]:
    """Say what was read by no index or sorted though it is long, each kind of node once."""
    kinds = sorted({each.node for found in violations.values() for each in found})
    for kind in kinds:
        seen = {
            endpoint: [each.rows for each in found if each.node == kind]
            for endpoint, found in violations.items()
        }
        where = [f"{endpoint} ({max(rows):,} rows)" for endpoint, rows in seen.items() if rows]
        yield f"{kind}: {', '.join(where)}."


def _cells(cost: Cost) -> list[str]:
    times = cost.times
    p50 = milliseconds(times.at(0.5))
    return [
        f"{p50} ({times.failed})" if times.failed else p50,
        milliseconds(times.at(0.95)),
        f"{cost.queries}",
        f"{cost.buffers:,}",
        kilobytes(times.size),
    ]


def _figures(name: str, cost: Cost) -> dict[str, float]:
    times = cost.times
    return {
        f"{name}/p50": times.at(0.5),
        f"{name}/p95": times.at(0.95),
        f"{name}/samples": len(times.seconds),
        f"{name}/failed": sum(n for code, n in times.statuses.items() if code != 200),
        f"{name}/queries": cost.queries,
        f"{name}/buffers": cost.buffers,
        f"{name}/bytes": times.size,
        f"{name}/violations": len(cost.violations),
    }
