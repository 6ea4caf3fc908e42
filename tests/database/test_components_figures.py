"""Summary, limit, picture and table of a window's figures, as people read them."""

import json
import re
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from components.figures import chart, picture, summary
from components.figures import limit as limit_band
from components.figures.step_words import name_of, searches_of
from data.answers.figures import Figures
from data.platform.access import Viewer
from data.question.query import Split, UsageQuery
from data.rules.calendar import Span, Window, month_at
from data.rules.steps import Unit, steps_of
from settings import Settings
from tests.support.platform import PAYER, VIEWER, WORKSPACE, Platform, Run, utc

DEFAULTS: Final = {field.alias: field.default for field in Settings.model_fields.values()}
SETTINGS: Final = Settings.model_validate(DEFAULTS)
OCTOBER: Final = Window(utc("2026-10-01"), utc("2026-11-01"))
SHEET: Final = (Path(__file__).parents[2] / "assets" / "10_tokens.css").read_text()


def read(parts: Any) -> str:
    """Return what is written in components, in order."""
    if isinstance(parts, (list, tuple)):
        return "".join(map(read, parts))
    if parts is None or isinstance(parts, (str, int)):
        return str("" if parts is None else parts)
    return read(getattr(parts, "children", None))


def figures_of(
    platform: Platform,
    limit: int | None,
    *costs: str,
    split: Split = Split.TYPE,
    viewer: Viewer = VIEWER,
    window: Window = OCTOBER,
) -> Figures:
    platform.account(limit)
    platform.grant(PAYER, WORKSPACE)
    platform.workflow("w", "<b>R&D</b> " + "x" * 60)
    platform.runs(
        Run(f"r{place}", utc("2026-10-05") + place * timedelta(days=1), cost, workflow="w")
        for place, cost in enumerate(costs)
    )
    return platform.ledger().figures(viewer, UsageQuery(WORKSPACE, window), split)


@pytest.mark.parametrize(
    ("limit", "viewer", "text"),
    [
        (None, VIEWER, "The payer · October, no limit set, whole accountEverything is Included"),
        (
            *(None, Viewer(PAYER)),
            "payer · October, no limit set, whole account$3.50 used: everything is Included",
        ),
        (5, Viewer(PAYER), "payer · October, limit $5.00, whole account$3.50 used, $1.50 left"),
        (
            *(2, Viewer(PAYER)),
            (
                "payer · October, limit $2.00, whole account"
                "$3.50 used: $2.00 Included, $1.50 On-Demand since 6 Oct 2026 00:00:00 UTC"
            ),
        ),
        (5, VIEWER, "The payer · October, limit $5.00, whole accountLimit not crossed"),
        (
            *(2, VIEWER),
            "The payer · October, limit $2.00, whole accountLimit crossed 6 Oct 2026 00:00:00 UTC",
        ),
        (
            *(0, Viewer(PAYER)),
            (
                "payer · October, limit $0.00, whole account"
                "$3.50 used: $0.00 Included, $3.50 On-Demand since 5 Oct 2026 00:00:00 UTC"
            ),
        ),
        (
            *(999_999, Viewer(PAYER)),
            "payer · October, no end set, whole account$3.50 used: on-demand use has no end set",
        ),
        (
            *(1_000_000, VIEWER),
            "The payer · October, no end set, whole accountOn-demand use has no end set",
        ),
    ],
)
def test_the_limit_is_told_to_whom_it_may_be_told(
    platform: Platform, limit: int | None, viewer: Viewer, text: str
) -> None:
    figures = figures_of(platform, limit, '{"total": 1.5}', '{"total": 2}', viewer=viewer)
    assert read(limit_band.show(figures, SETTINGS)) == text


def test_sums_stand_beside_those_of_the_window_before(platform: Platform) -> None:
    figures = figures_of(platform, 2, '{"total": 1.5, "tokens": 7}', '{"total": 2}', "{}")
    assert [read(cell) for cell in summary.show(figures, UTC, "?")] == [
        "Cost1 unknown$3.50no earlier data",
        "Included$2.00no earlier data",
        "On-Demand$1.50no earlier data",
        "Executions3no earlier data",
        "Tokens7no earlier data",
    ]
    later = platform.ledger().figures(
        VIEWER, UsageQuery(WORKSPACE, Window(utc("2026-10-06"), utc("2026-10-07")))
    )
    assert [read(cell) for cell in summary.show(later, UTC, "?")] == [
        "Cost$2.00+33.3% from $1.50",
        "Included$0.5000\N{MINUS SIGN}66.7% from $1.50",
        "On-Demand$1.50from $0.00",
        "Executions10.0% from 1",
        "Tokens0\N{MINUS SIGN}100.0% from 7",
    ]


def test_a_window_in_which_executions_began_is_no_measure(platform: Platform) -> None:
    figures_of(platform, 2, '{"total": 1.5}', '{"total": 2}')
    later = platform.ledger().figures(
        VIEWER, UsageQuery(WORKSPACE, Window(utc("2026-10-07"), utc("2026-10-10")))
    )
    cost = summary.show(later, UTC, "?")[0]
    assert read(cost) == "Cost$0.00from $3.50 since 5 Oct 2026"
    assert (
        "Compared with 4 Oct 2026 – 6 Oct 2026 UTC, in which the first execution started on "
        "5 Oct 2026 00:00"
    ) in str(cost)


@pytest.mark.parametrize(
    ("cost", "decimals"), [("0", 2), ("0.0042", 4), ("0.42", 2), ("4.2", 0), ("42000000", 0)]
)
def test_labels_of_the_axis_have_the_decimals_they_need_and_room(
    platform: Platform, cost: str, decimals: int
) -> None:
    figures = figures_of(platform, None, f'{{"total": {cost}}}', viewer=VIEWER)
    drawn = picture.picture(figures, UTC, searches_of(figures.steps, figures.unit, UTC, {}))
    assert drawn is not None
    assert drawn["layout"]["yaxis"]["tickformat"] == f",.{decimals}f"
    assert drawn["layout"]["margin"]["l"] >= 7 * len(f"${float(cost):,.{decimals}f}")


@pytest.mark.parametrize("split", Split)
def test_every_colour_of_the_picture_is_in_the_sheet_of_both_themes(
    platform: Platform, split: Split
) -> None:
    models = '{"total": 2, "models": {"a": {"total": 0.5}, "b": {"total": 0.5}}}'
    figures = figures_of(platform, 3, models, models, split=split, viewer=Viewer(PAYER))
    searches = searches_of(figures.steps, figures.unit, UTC, {})
    drawn = picture.picture(figures, UTC, searches)
    assert drawn is not None
    named = set(re.findall(r'"(--[a-z0-9-]+)"', json.dumps(drawn)))
    themes = ["", ""]
    for theme, body in re.findall(
        r'\[data-bs-theme="(light|dark)"\] \{(.*?)\n\}', SHEET, re.DOTALL
    ):
        themes[theme == "dark"] += body
    for body in themes:
        assert named <= set(re.findall(r"(--[a-z0-9-]+):", body))
    heights = [sum(filter(None, ys)) for ys in zip(*(b["y"] for b in _bars(drawn)), strict=True)]
    assert heights == [float(sums.cost) for sums in figures.by_step]


def _bars(drawn: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in drawn["data"] if trace["type"] == "bar"]


def test_a_name_is_no_markup_and_not_endless(platform: Platform) -> None:
    figures = figures_of(platform, None, '{"total": 2}', split=Split.WORKFLOW)
    drawn = picture.picture(figures, UTC, searches_of(figures.steps, figures.unit, UTC, {}))
    assert drawn is not None
    told = _bars(drawn)[0]["hovertext"][4]
    assert told.startswith("<b>5 Oct</b><br>&lt;b&gt;R&amp;D&lt;/b&gt; xxxxx")
    assert "x… $2.00<br>Cost $2.00<br>1 execution" in told


def test_the_table_says_what_the_picture_shows(platform: Platform) -> None:
    figures = figures_of(platform, 2, '{"total": 1.5}', '{"total": 2}')
    searches = searches_of(figures.steps, figures.unit, UTC, {"trigger": ["api", "chat"]})
    sentence, details = chart.course(figures, SETTINGS, searches)
    assert read(sentence) == (
        "$3.50 in 31 days. The dearest day was 6 Oct with $2.00. "
        "The limit of $2.00 was crossed on 6 Oct 2026 00:00:00 UTC."
    )
    assert "6 Oct$0.5000$1.50$2.001" in read(details)
    assert searches[5] == "?from=2026-10-06&to=2026-10-06&trigger=api&trigger=chat"


def test_steps_are_named_in_the_zone_and_where_the_window_cuts_them() -> None:
    zone = ZoneInfo("Europe/Berlin")
    window = Span(utc("2026-10-24 10:00"), utc("2026-10-26 08:30"))
    days = steps_of(window, Unit.DAY, zone)
    names = [name_of(day, Unit.DAY, zone) for day in days]
    assert names == ["24 Oct from 12:00", "25 Oct", "26 Oct to 09:30"]
    assert searches_of(days, Unit.DAY, zone, {})[:2] == [
        "?from=2026-10-24T10%3A00%3A00.000000Z&to=2026-10-24T22%3A00%3A00.000000Z",
        "?from=2026-10-25&to=2026-10-25",
    ]
    hours = steps_of(Span(utc("2026-10-24 22:00"), utc("2026-10-25 23:00")), Unit.HOUR, zone)
    assert len(hours) == 25
    assert [name_of(hour, Unit.HOUR, zone) for hour in hours[2:4]] == [
        "25 Oct 02:00 (+02:00)–02:00 (+01:00) Europe/Berlin",
        "25 Oct 02:00 (+01:00)–03:00 Europe/Berlin",
    ]
    month = month_at(utc("2026-09-30 22:00"), zone)
    assert name_of(month, Unit.MONTH, zone) == "Oct 2026"


def test_nothing_is_drawn_where_there_are_no_steps(platform: Platform) -> None:
    empty = Window(OCTOBER.start, OCTOBER.start)
    figures = figures_of(platform, 2, '{"total": 1.5}', window=empty)
    assert picture.picture(figures, UTC, []) is None
    assert chart.course(figures, SETTINGS, []) == []
    assert read(limit_band.show(figures, SETTINGS)) == "The payer · limit $2.00, whole account"
    assert figures.sums.cost == Decimal(0)
