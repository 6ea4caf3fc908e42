"""Cursors over HTTP: where they hold, where they are refused, what stands at the ends."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Api
from tests.support.platform import WORKSPACE, Platform, Run, spaced, utc

START = utc("2026-10-10 12:00")
WINDOW = {"from_": "2026-10-01", "to": "2026-10-31"}


@pytest.fixture
def ten(platform: Platform) -> Platform:
    """Return the platform with ten executions, run-00009 the newest."""
    platform.account(None, WORKSPACE, "other")
    platform.runs(spaced(10, start=START))
    return platform


def page(api: Api, **params: Any) -> dict[str, Any]:
    return api.page(workspaceId=WORKSPACE, limit=3, **params)


def numbers(page: dict[str, Any]) -> list[int]:
    return [int(row["id"].removeprefix("run-")) for row in page["data"]]


@pytest.mark.usefixtures("ten")
def test_has_more_speaks_of_the_direction_asked_for_and_the_ends_are_null(api: Api) -> None:
    pages = [page(api, **WINDOW)]
    for _ in range(3):
        pages.append(page(api, starting_after=pages[-1]["next_cursor"]))
    assert [numbers(each) for each in pages] == [[9, 8, 7], [6, 5, 4], [3, 2, 1], [0]]
    assert [each["has_more"] for each in pages] == [True, True, True, False]
    assert [each["next_cursor"] is None for each in pages] == [False, False, False, True]
    assert [each["previous_cursor"] is None for each in pages] == [True, False, False, False]

    back = [page(api, ending_before=pages[-1]["previous_cursor"])]
    while back[-1]["previous_cursor"]:
        back.append(page(api, ending_before=back[-1]["previous_cursor"]))
    assert [numbers(each) for each in back] == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]
    assert [each["has_more"] for each in back] == [True, True, False]
    assert all(each["next_cursor"] for each in back)


@pytest.mark.usefixtures("ten")
def test_an_empty_window_has_neither_end(api: Api) -> None:
    empty = page(api, from_="2026-09-01", to="2026-09-30")
    assert (empty["data"], empty["has_more"]) == ([], False)
    assert (empty["next_cursor"], empty["previous_cursor"]) == (None, None)


@pytest.mark.usefixtures("ten")
def test_a_cursor_is_one_url_safe_word(api: Api) -> None:
    cursor = page(api, **WINDOW)["next_cursor"]
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_holds_in_another_process_and_keeps_the_window(
    ten: Platform, api: Api, api_of: Callable[..., Api]
) -> None:
    first = page(api, **WINDOW)
    # Another zone would resolve both otherwise; the cursor says what was meant.
    elsewhere = api_of(ten.reader, USAGE_TIMEZONE="Pacific/Auckland")
    second = page(elsewhere, starting_after=first["next_cursor"])
    assert numbers(second) == [6, 5, 4]
    for end in ("from", "to", "preset"):
        assert second["period"][end] == first["period"][end]
    assert second["period"]["timezone"] == "Pacific/Auckland"


@pytest.mark.parametrize("preset", ["1d", "7d", "30d", "mtd", "last_month"])
def test_a_cursor_of_a_preset_keeps_the_instants_at_which_it_was_resolved(
    platform: Platform, api: Api, preset: str
) -> None:
    platform.account()
    empty = page(api, preset=preset)
    start, end = (utc(empty["period"][name][:26]) for name in ("from", "to"))
    middle = start + (end - start) / 2
    platform.runs(Run(f"run-{n}", middle + timedelta(microseconds=n)) for n in range(5))
    first = page(api, preset=preset)
    for given in ({}, {"preset": preset}):
        second = page(api, starting_after=first["next_cursor"], **given)
        assert numbers(second) == [1, 0]
        assert second["period"] == first["period"]
        assert second["period"]["preset"] == preset
    others = {"1d", "7d", "30d", "mtd", "last_month"} - {preset}
    for other in others:
        params = {
            "workspaceId": WORKSPACE,
            "preset": other,
            "starting_after": first["next_cursor"],
        }
        error = api.refusal(400, "billing/usage", params)
        assert (error["code"], error["param"]) == ("cursor_mismatch", "starting_after")


@pytest.mark.parametrize("direction", ["starting_after", "ending_before"])
@pytest.mark.usefixtures("ten")
def test_a_cursor_of_another_window_is_refused(api: Api, direction: str) -> None:
    cursor = page(api, **WINDOW)["next_cursor"]
    for given in (
        {"from": "2026-10-01", "to": "2026-10-30"},
        {"from": "2026-10-02", "to": "2026-10-31"},
        {"from": "2026-10-01T00:00:00.000001Z", "to": "2026-11-01T00:00:00Z"},
        {"preset": "30d"},
    ):
        params = {"workspaceId": WORKSPACE, direction: cursor} | given
        error = api.refusal(400, "billing/usage", params)
        assert (error["code"], error["param"]) == ("cursor_mismatch", direction)
        assert "Send the window that it came from, or leave the cursor out" in error["message"]
    same = {"from": "2026-10-01T02:00:00+02:00", "to": "2026-10-31"}
    params = {"workspaceId": WORKSPACE, direction: cursor} | same
    assert api.get("billing/usage", params).status_code == 200


@pytest.mark.usefixtures("ten")
def test_a_cursor_of_another_workspace_is_refused(api: Api) -> None:
    cursor = page(api, **WINDOW)["next_cursor"]
    params = {"workspaceId": "other", "starting_after": cursor}
    error = api.refusal(400, "billing/usage", params)
    assert (error["code"], error["param"]) == ("cursor_mismatch", "starting_after")
    assert "Use one of this workspace's own, or leave it out" in error["message"]


@pytest.mark.usefixtures("ten")
def test_every_single_damaged_character_is_refused(api: Api) -> None:
    cursor = page(api, **WINDOW)["next_cursor"]
    for place, character in enumerate(cursor):
        flipped = "A" if character != "A" else "B"
        damaged = cursor[:place] + flipped + cursor[place + 1 :]
        error = api.refusal(
            400, "billing/usage", {"workspaceId": WORKSPACE, "starting_after": damaged}
        )
        assert (error["code"], error["param"]) == ("cursor_invalid", "starting_after")
        assert "exactly as a response gave it, or leave it out" in error["message"]


@pytest.mark.parametrize("change", ["{}=", "{} ", " {}", "{}A", "{}\n", "{}{}", "{}.", "%s{}"])
@pytest.mark.usefixtures("ten")
def test_a_cursor_has_one_spelling(api: Api, change: str) -> None:
    cursor = page(api, **WINDOW)["next_cursor"]
    for word in (change.replace("{}", cursor), cursor[1:], cursor[:-1]):
        params = {"workspaceId": WORKSPACE, "starting_after": word}
        assert api.refusal(400, "billing/usage", params)["code"] == "cursor_invalid"


def test_a_cursor_holds_after_its_row_is_gone(ten: Platform, api: Api) -> None:
    first = page(api, **WINDOW)
    ten.sql("DELETE FROM workflow_execution_logs WHERE id = 'run-00007'")
    second = page(api, starting_after=first["next_cursor"])
    assert numbers(second) == [6, 5, 4]
    ten.sql("DELETE FROM workflow_execution_logs WHERE id = 'run-00006'")
    assert numbers(page(api, ending_before=second["previous_cursor"])) == [9, 8]


def test_a_cursor_grants_nothing(ten: Platform, api: Api, api_of: Callable[..., Api]) -> None:
    cursor = page(api, **WINDOW)["next_cursor"]
    params = {"workspaceId": WORKSPACE, "starting_after": cursor}
    stranger = api_of(ten.reader, "stranger")
    assert stranger.refusal(404, "billing/usage", params)["code"] == "resource_missing"
    ten.sql("DELETE FROM permissions WHERE user_id = :id", id="viewer")
    assert api.refusal(404, "billing/usage", params)["code"] == "resource_missing"


@pytest.mark.usefixtures("ten")
def test_the_id_of_a_row_of_the_window_is_a_cursor_too(api: Api) -> None:
    assert numbers(page(api, starting_after="run-00005", **WINDOW)) == [4, 3, 2]
    newer = page(api, ending_before="run-00005", **WINDOW)
    assert (numbers(newer), newer["has_more"]) == ([8, 7, 6], True)
    last = page(api, starting_after="run-00000", **WINDOW)
    assert (last["data"], last["has_more"], last["next_cursor"]) == ([], False, None)
    # From beyond the end there is a way back to all of it.
    back = page(api, ending_before=last["previous_cursor"])
    assert numbers(back) == [2, 1, 0]


@pytest.mark.parametrize("direction", ["starting_after", "ending_before"])
def test_the_id_of_a_row_outside_the_window_is_refused(
    ten: Platform, api: Api, direction: str
) -> None:
    ten.runs(
        [
            Run("september", utc("2026-09-30 23:59")),
            Run("november", utc("2026-11-01 00:00")),
            Run("elsewhere", START, workspace="other"),
        ]
    )
    for row_id in ("september", "november", "elsewhere", "execution-run-00005"):
        params = {
            "workspaceId": WORKSPACE,
            "from": "2026-10-01",
            "to": "2026-10-31",
            direction: row_id,
        }
        error = api.refusal(400, "billing/usage", params)
        assert (error["code"], error["param"]) == ("cursor_invalid", direction)
        assert "of a row of this window" in error["message"]
