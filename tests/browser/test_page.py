"""The window and its pages: presets, the date range, paging; what one click costs."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from data.rules.calendar import Preset
from tests.support.browsing import Duo, Screen, Seen, Site, Tab, cells
from tests.support.serving import PATIENCE

pytestmark = pytest.mark.browser

SUPPORT, FINANCE, RESEARCH = "ws_support", "ws_finance", "ws_research"
NAMES = {"1d": "1d", "7d": "7d", "30d": "30d", "mtd": "MTD", "last_month": "Last month"}


def in_berlin(site: Site, instant: datetime) -> datetime:
    return instant.astimezone(site.ledger.zone)


def two_weeks(site: Site) -> dict[str, str]:
    """Return fourteen whole days, of which FINANCE fills three pages or four."""
    today = in_berlin(site, datetime.now(UTC)).date()
    return {"from": str(today - timedelta(days=15)), "to": str(today - timedelta(days=2))}


def newest_by_sql(database: str, workspace_id: str, seen: Seen) -> tuple[datetime, str | None, int]:
    """Ask the database itself for the newest row of the window on the screen, and its count."""
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT e.started_at, w.name, count(*) OVER () "
            "FROM workflow_execution_logs e LEFT JOIN workflow w ON w.id = e.workflow_id "
            "WHERE e.workspace_id = %s AND e.started_at >= %s AND e.started_at < %s "
            'ORDER BY e.started_at DESC, e.id COLLATE "C" DESC LIMIT 1',
            [
                workspace_id,
                seen.window.start.replace(tzinfo=None),
                seen.window.end.replace(tzinfo=None),
            ],
        ).fetchone()
    assert row
    return row[0].replace(tzinfo=UTC), row[1], row[2]


def expected_start(site: Site, preset: Preset, end: datetime) -> datetime:
    lengths = {"1d": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
    if preset in lengths:
        return end - lengths[preset]
    month = in_berlin(site, end - timedelta(microseconds=1)).replace(day=1)
    return month.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def test_each_preset_shows_its_window_in_the_url_the_caption_and_the_table(
    duo: Duo, big_database: str
) -> None:
    duo.open(SUPPORT)
    assert duo.shows(SUPPORT).pressed == ["usage-preset-30d"]  # the default
    for preset in (Preset.DAY, Preset.WEEK, Preset.MONTH_TO_DATE, Preset.LAST_MONTH, *Preset):
        before = datetime.now(UTC)
        duo.click(f"#usage-preset-{preset}")
        wanted = [f"usage-preset-{preset}"]
        seen = duo.shows(SUPPORT, lambda seen, wanted=wanted: seen.pressed == wanted)  # type: ignore[misc]  # mypy cannot see through the default
        assert seen.search == f"?preset={preset}"
        if preset is not Preset.LAST_MONTH:
            assert before <= seen.window.end <= datetime.now(UTC)
        assert seen.window.start == expected_start(duo.site, preset, seen.window.end)
        newest, workflow, count = newest_by_sql(big_database, SUPPORT, seen)
        local = in_berlin(duo.site, newest)
        assert seen.rows[0][0] == f"{local.day} {local:%b %Y %H:%M:%S}"
        assert seen.rows[0][2] == " ".join((workflow or "Deleted workflow").split())
        assert seen.caption.startswith(f"{NAMES[preset]}: ")
        rows = f" Europe/Berlin · rows 1–{min(count, 100)} of {count:,}"
        assert seen.caption.endswith(rows)
        assert seen.title == f"Usage · Support automation · {seen.caption.split(' · ')[0]}"
    assert duo.logs() == []


def pick(duo: Duo, *days: date) -> None:
    """Click days in the picker's calendar."""
    duo.click("#usage-range")
    duo.duo.wait_for_element(".dash-datepicker-content", timeout=PATIENCE)
    for day in days:
        duo.js(
            "[...document.querySelectorAll('.dash-datepicker-calendar')]"
            f".find(month => month.textContent.startsWith('{day:%B %Y}'))"
            f".querySelectorAll('td.dash-datepicker-calendar-date-inside')[{day.day - 1}]"
            ".setAttribute('data-picked-by-test', '')"
        )
        duo.click("td[data-picked-by-test]")
        duo.js(
            "document.querySelectorAll('[data-picked-by-test]')"
            ".forEach(day => day.removeAttribute('data-picked-by-test'))"
        )


def whole_days(seen: Seen, site: Site) -> tuple[str, str]:
    """Return the window's first and last day, and see that it is made of whole ones."""
    start, end = in_berlin(site, seen.window.start), in_berlin(site, seen.window.end)
    assert (start.hour, start.minute, start.second, start.microsecond) == (0, 0, 0, 0)
    assert (end.hour, end.minute, end.second, end.microsecond) == (0, 0, 0, 0)
    return str(start.date()), str(end.date() - timedelta(days=1))


def test_two_days_picked_in_either_order_or_the_same_day_twice_show_whole_days(duo: Duo) -> None:
    # The picker opens at the month of its first day; the viewer's own clock does not matter.
    duo.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Pacific/Auckland"})
    today = in_berlin(duo.site, datetime.now(UTC)).date()
    month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    duo.open(FINANCE, {"preset": "last_month"})
    duo.shows(FINANCE)
    third, ninth, fifth = month.replace(day=3), month.replace(day=9), month.replace(day=5)
    for clicks, days in (
        ((third, ninth), [third, ninth]),
        ((ninth, fifth), [fifth, ninth]),
        ((fifth, fifth), [fifth, fifth]),
    ):
        first, last = str(days[0]), str(days[1])
        pick(duo, *clicks)
        search = f"?from={first}&to={last}"
        seen = duo.shows(FINANCE, lambda seen, search=search: seen.search == search)  # type: ignore[misc]  # mypy cannot see through the default
        assert whole_days(seen, duo.site) == (first, last)
        assert seen.days == [first, last]
        assert seen.pressed == []
        named = [f"{day.day} {day:%b %Y}" for day in days]
        words = named[0] if clicks == (fifth, fifth) else " – ".join(named)
        assert seen.caption.startswith(f"{words} Europe/Berlin · rows 1–")
    assert duo.logs() == []


def test_a_range_in_the_url_is_whole_days_of_the_configured_zone(tab: Tab) -> None:
    days = two_weeks(tab.site)
    tab.open(FINANCE, days)
    seen = tab.shows(FINANCE)
    assert whole_days(seen, tab.site) == (days["from"], days["to"])
    assert seen.days == list(days.values())
    assert seen.rows


def turn(screen: Screen, click: Callable[[str], None], button: str, rows: list[list[str]]) -> Seen:
    """Turn the page after scrolling down, and wait for ``rows``."""
    screen.js(
        "(document.querySelector('#usage-table .dash-spreadsheet-container').scrollTop = 999)"
    )
    assert screen.see().scrolled > 0
    click(button)
    return screen.until(lambda seen: seen.rows == rows and seen.scrolled == 0)


def test_next_to_the_end_and_prev_to_the_start_show_every_row_once(duo: Duo) -> None:
    duo.open(FINANCE, two_weeks(duo.site))
    window = duo.shows(FINANCE).window
    pages = [cells(page, duo.site.ledger.zone) for page in duo.site.pages(FINANCE, window)]
    total = sum(map(len, pages))
    assert 3 <= len(pages) <= 5
    seen = duo.see()
    gathered = [*seen.rows]
    for place, rows in enumerate(pages[1:], 1):
        assert (seen.prev, seen.next) == (place > 1, True)
        seen = turn(duo, duo.click, "#usage-next", rows)
        gathered += seen.rows
        first = place * 100 + 1
        assert seen.caption.endswith(f" · rows {first}–{first + len(rows) - 1} of {total}")
        assert seen.window == window
    assert gathered == [row for page in pages for row in page]
    assert (seen.prev, seen.next) == (True, False)
    for rows in reversed(pages[:-1]):
        seen = turn(duo, duo.click, "#usage-prev", rows)
    assert (seen.prev, seen.next) == (False, True)
    assert seen.caption.endswith(f" · rows 1–100 of {total}")
    assert seen.window == window
    assert duo.logs() == []


def test_a_window_is_asked_for_twice_and_a_page_of_it_once(tab: Tab) -> None:
    page = tab.page
    tab.open(FINANCE, two_weeks(tab.site))
    start = tab.shows(FINANCE)
    # The table, and then the figures above it.
    requests = 2
    assert ["usage-summary" in body for body in tab.asked] == [False, True]

    def costs(count: int, condition: Callable[[Seen], bool]) -> Seen:
        nonlocal requests
        requests += count
        return tab.until(lambda seen: len(tab.asked) == requests and condition(seen))

    page.click("#usage-next")
    costs(1, lambda seen: "rows 101–200" in seen.caption)
    page.click("#usage-prev")
    costs(1, lambda seen: seen.prev is False and "rows 1–100" in seen.caption)
    page.click("#usage-preset-7d")
    costs(2, lambda seen: seen.pressed == ["usage-preset-7d"])
    page.click("#usage-theme button")
    page.click("#usage-theme-dark")
    page.wait_for_selector("html[data-bs-theme=dark]")
    costs(0, lambda seen: seen.pressed == ["usage-preset-7d"])
    page.go_back()
    costs(2, lambda seen: seen.rows == start.rows and seen.days == start.days)
    page.go_forward()
    costs(2, lambda seen: seen.pressed == ["usage-preset-7d"])
    page.click("#usage-range")
    page.click(".dash-datepicker-calendar >> nth=0 >> td:not([aria-disabled=true]) >> text=/^5$/")
    page.click(".dash-datepicker-calendar >> nth=0 >> td:not([aria-disabled=true]) >> text=/^9$/")
    costs(2, lambda seen: seen.pressed == [] and seen.days[0].endswith("-05"))
    page.reload()
    costs(2, lambda seen: seen.pressed == [] and seen.days[1].endswith("-09"))
    # A request that any of these sent too late for its own turn is counted in this one.
    page.click("#usage-preset-1d")
    costs(2, lambda seen: seen.pressed == ["usage-preset-1d"])
