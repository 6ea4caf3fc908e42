"""Cursors as words, and the laws of paging against a real PostgreSQL."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.answers.ledger import Ledger
from data.answers.page import Page
from data.question.cursor import Cursor, Direction
from data.question.query import UsageQuery
from data.rules.calendar import Preset, Window
from data.rules.errors import BadRequestError
from data.rules.position import Position
from tests.support.platform import (
    VIEWER,
    WORKSPACE,
    Platform,
    Run,
    first_page,
    ids,
    spaced,
    utc,
    walk,
)

NOON = utc("2026-10-10 12:00")
MICROSECOND = timedelta(microseconds=1)
OCTOBER = Window(utc("2026-10-01"), utc("2026-11-01"))
CURSOR: Final = Cursor("ws", Window(NOON, NOON + timedelta(1), Preset.DAY), Position(NOON, "a-1"))
LAST_MICROSECOND: Final = datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

instants = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis takes naive bounds and adds the zone
    max_value=LAST_MICROSECOND.replace(tzinfo=None),
    timezones=st.just(UTC),
)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def sealed(body: bytes) -> str:
    """Make a word that carries ``body`` with the checksum it ought to have."""
    checksum = blake2b(body, digest_size=8, person=b"usage-cursor").digest()
    return base64.urlsafe_b64encode(checksum + body).rstrip(b"=").decode()


# Words.


@given(
    ends=st.tuples(instants, instants),
    preset=st.sampled_from([None, *Preset]),
    instant=instants,
    workspace_id=names,
    row_id=names,
)
def test_a_cursor_is_read_back_from_its_word_which_any_url_can_carry(
    ends: tuple[datetime, datetime],
    preset: Preset | None,
    instant: datetime,
    workspace_id: str,
    row_id: str,
) -> None:
    window = Window(min(ends), max(ends), preset)
    cursor = Cursor(workspace_id, window, Position(instant, row_id))
    word = cursor.encode()
    assert quote(word, safe="") == word
    assert Cursor.decode(word) == cursor


def test_positions_compare_by_instant_and_then_by_code_point() -> None:
    tied = ["B2", "_x", "a-1", "a1", "a_1", "é", "日", "ﬀ", "😀"]
    assert sorted(tied) == tied == sorted(tied, key=str.encode)
    assert Position(NOON, "😀") > Position(NOON, "ﬀ")
    assert Position(NOON, "z") < Position(NOON + MICROSECOND, "a")


@given(place=st.integers(0, len(CURSOR.encode()) - 1), character=st.characters(codec="ascii"))
def test_a_word_with_any_one_character_changed_is_no_cursor(place: int, character: str) -> None:
    word = CURSOR.encode()
    changed = word[:place] + character + word[place + 1 :]
    assert Cursor.decode(changed) == (CURSOR if changed == word else None)


@pytest.mark.parametrize("length", range(0, len(CURSOR.encode()), 7))
def test_a_word_that_was_cut_off_is_no_cursor(length: int) -> None:
    assert Cursor.decode(CURSOR.encode()[:length]) is None


@pytest.mark.parametrize(
    "word",
    [
        CURSOR.encode() + "=",
        CURSOR.encode() + "A",
        " " + CURSOR.encode(),
        CURSOR.encode() + "\n",
        CURSOR.encode()[:9] + "!" + CURSOR.encode()[9:],
        "\0",
        "\ud800",
        "é",
        "A" * 100_000,
        "",
    ],
)
def test_there_is_one_spelling_of_a_cursor(word: str) -> None:
    assert Cursor.decode(word) is None


def body(**changes: Any) -> bytes:
    """Write the body of CURSOR as an inventive stranger would, with other values in it."""
    values = {"workspace": "ws", "start": 0, "end": 9, "preset": None, "at": 5, "id": "a"} | changes
    return json.dumps(list(values.values()), separators=(",", ":")).encode()


def test_a_stranger_who_knows_the_checksum_can_make_a_cursor() -> None:
    assert Cursor.decode(sealed(body())) is not None


@pytest.mark.parametrize(
    "written",
    [
        body(id=5),
        body(id=None),
        body(id=["a"]),
        body(id="a\0b"),
        body(id="\ud800"),
        body(workspace=7),
        body(workspace="\0"),
        body(preset="2d"),
        body(preset=""),
        body(preset=0),
        body(preset=[]),
        body(start=10),
        body(start="0"),
        body(at=0.5),
        body(at=None),
        body(at=True),
        body(at=253_380_000_000_000_000),
        body(at=-(10**16)),
        body(end=10**30),
        body(more=1),
        b"[]",
        b"{}",
        b"null",
        b"",
        b"\xff",
        b"[" * 50_000 + b"]" * 50_000,
        b"[NaN,1,2,null,3,4]",
        b'["ws",0,9,null,Infinity,"a"]',
        b'["ws", 0, 9, null, 5, "a"]',
    ],
)
def test_a_right_checksum_makes_no_cursor_of_what_the_database_could_not_take(
    written: bytes,
) -> None:
    assert Cursor.decode(sealed(written)) is None


# Pages.


@dataclass
class Shelf:
    """An example: rows of few instants, so that many share one; some lie outside the window."""

    runs: list[Run]
    limit: int
    changes: list[list[tuple[bool, Run]]] = field(default_factory=list)

    def build(self, stage: Platform) -> Ledger:
        stage.clear()
        stage.account(3)
        stage.runs(self.runs)
        return stage.ledger()

    @property
    def expected(self) -> list[str]:
        inside = [run for run in self.runs if run.at in OCTOBER]
        return [run.id for run in sorted(inside, key=lambda r: (r.at, r.id.encode()), reverse=True)]


moments = st.sampled_from(
    [
        OCTOBER.start - MICROSECOND,
        OCTOBER.start,
        NOON,
        NOON + MICROSECOND,
        OCTOBER.end - MICROSECOND,
        OCTOBER.end,
    ]
)
words = st.sampled_from("B2 _x a1 a_1 b-1 a-1 A_1 Z z é ü9 日本 😀 ﬀ ~ a1b A1 10 9".split())  # noqa: SIM905 - a list of bare words reads best as a line
runs = st.lists(st.builds(Run, words, moments), unique_by=lambda run: run.id, max_size=16)
limits = st.sampled_from([1, 2, 3, 4, 5, 7, 16, 17, 100])
changes = st.lists(
    st.lists(st.tuples(st.booleans(), st.builds(Run, words, moments)), max_size=4), max_size=9
)


def newer_pages(ledger: Ledger, page: Page, limit: int) -> list[Page]:
    """Page from ``page`` to the newest row."""
    pages = []
    while page.previous_cursor is not None:
        cursor = Cursor.decode(page.previous_cursor.encode())
        page = first_page(
            ledger, window=OCTOBER, limit=limit, cursor=cursor, direction=Direction.NEWER
        )
        pages.append(page)
    return pages


@settings(max_examples=120)
@given(shelf=st.builds(Shelf, runs, limits))
def test_the_gathered_pages_are_the_unpaged_result_both_ways_for_every_page_size(
    any_stage: Platform, shelf: Shelf
) -> None:
    ledger = shelf.build(any_stage)
    older = list(walk(ledger, window=OCTOBER, limit=shelf.limit))
    assert [row_id for page in older for row_id in ids(page)] == shelf.expected
    assert all(len(page.rows) == shelf.limit for page in older[:-1])
    assert older[0].previous_cursor is None
    newer = newer_pages(ledger, older[-1], shelf.limit)
    gathered = [row_id for page in newer[::-1] for row_id in ids(page)] + ids(older[-1])
    assert gathered == shelf.expected
    for page in older + newer:
        assert page.total == len(shelf.expected)
        assert page.newer == (shelf.expected.index(ids(page)[0]) if ids(page) else 0)
        assert (page.next_cursor is None) == (page.newer + len(page.rows) == page.total)
        assert (page.previous_cursor is None) == (page.newer == 0)


@settings(max_examples=30)
@given(shelf=st.builds(Shelf, runs, limits))
def test_from_the_id_of_any_row_paging_goes_on_with_its_neighbours(
    stage: Platform, shelf: Shelf
) -> None:
    ledger = shelf.build(stage)
    for place, row_id in enumerate(shelf.expected):
        older = first_page(ledger, window=OCTOBER, limit=shelf.limit, cursor=row_id)
        assert ids(older) == shelf.expected[place + 1 :][: shelf.limit]
        newer = first_page(
            ledger, window=OCTOBER, limit=shelf.limit, cursor=row_id, direction=Direction.NEWER
        )
        assert ids(newer) == shelf.expected[:place][-shelf.limit :]


@settings(max_examples=80)
@given(
    shelf=st.builds(Shelf, runs, st.integers(1, 4), changes),
    direction=st.sampled_from(Direction),
)
def test_rows_that_exist_throughout_appear_once_whatever_comes_and_goes_between_pages(
    any_stage: Platform, shelf: Shelf, direction: Direction
) -> None:
    stage = any_stage
    ledger = shelf.build(stage)
    present = {run.id: run for run in shelf.runs}
    throughout = set(shelf.expected)
    ever = set(throughout)
    page = first_page(ledger, window=OCTOBER, limit=shelf.limit)
    if direction is Direction.NEWER:
        page = list(walk(ledger, window=OCTOBER, limit=shelf.limit))[-1]
    shown = ids(page)
    pending = list(shelf.changes)
    while cursor := (page.next_cursor if direction is Direction.OLDER else page.previous_cursor):
        for insert, run in pending.pop(0) if pending else []:
            if insert and run.id not in present:
                stage.runs([run])
                present[run.id] = run
                ever.add(run.id)
            elif not insert and run.id in present:
                stage.sql("DELETE FROM workflow_execution_logs WHERE id = :id", id=run.id)
                del present[run.id]
                throughout.discard(run.id)
        page = first_page(
            ledger, window=OCTOBER, limit=shelf.limit, cursor=cursor, direction=direction
        )
        shown = shown + ids(page) if direction is Direction.OLDER else ids(page) + shown
    kept = [row_id for row_id in shown if row_id in throughout]
    assert len(kept) == len(set(kept))
    assert set(shown) <= ever
    assert kept == [row_id for row_id in shelf.expected if row_id in set(kept)]
    assert set(kept) == throughout


def test_a_cursor_holds_although_its_row_is_gone(platform: Platform) -> None:
    platform.account()
    platform.runs(spaced(5, start=NOON))
    ledger = platform.ledger()
    cursor = first_page(ledger, limit=2).next_cursor
    assert cursor is not None
    platform.sql("DELETE FROM workflow_execution_logs WHERE id = :id", id=cursor.position.id)
    assert ids(first_page(ledger, limit=2, cursor=cursor)) == ["run-00002", "run-00001"]
    newer = first_page(ledger, limit=2, cursor=cursor, direction=Direction.NEWER)
    assert ids(newer) == ["run-00004"]


def test_a_row_that_arrives_late_takes_its_place_without_moving_the_others(
    platform: Platform,
) -> None:
    platform.account()
    platform.runs(spaced(4, start=NOON))
    ledger = platform.ledger()
    first = first_page(ledger, limit=2)
    platform.runs([Run("late-old", NOON), Run("late-new", NOON + timedelta(hours=1))])
    second = first_page(ledger, limit=9, cursor=first.next_cursor)
    assert ids(second) == ["run-00001", "run-00000", "late-old"]
    assert (second.newer, second.total) == (3, 6)
    assert second.previous_cursor is not None
    back = newer_pages(ledger, second, 100)
    assert [ids(page) for page in back] == [["late-new", "run-00003", "run-00002"]]


@pytest.mark.parametrize("limit", [1, 100])
def test_an_empty_page_at_either_end_gives_a_cursor_back_that_reaches_everything(
    platform: Platform, limit: int
) -> None:
    platform.account()
    platform.runs([*spaced(2, start=NOON), Run("run-00000b", NOON), Run("z", NOON + MICROSECOND)])
    ledger = platform.ledger()
    everything = ids(first_page(ledger, window=OCTOBER))

    past = first_page(ledger, window=OCTOBER, cursor=everything[-1])
    assert (ids(past), past.newer, past.total, past.next_cursor) == ([], 4, 4, None)
    newer = newer_pages(ledger, past, limit)
    assert [row_id for page in newer[::-1] for row_id in ids(page)] == everything

    ahead = first_page(
        ledger, window=OCTOBER, cursor=everything[0], direction=Direction.NEWER, limit=limit
    )
    assert (ids(ahead), ahead.newer, ahead.total, ahead.previous_cursor) == ([], 0, 4, None)
    assert ahead.next_cursor is not None
    gathered: list[str] = []
    cursor: Cursor | None = ahead.next_cursor
    while cursor is not None:
        page = first_page(ledger, window=OCTOBER, limit=limit, cursor=cursor)
        gathered += ids(page)
        cursor = page.next_cursor
    assert gathered == everything


def test_an_empty_page_at_the_last_instant_that_can_be_asked_for_still_gives_a_cursor(
    platform: Platform,
) -> None:
    platform.account()
    platform.runs([Run("last", LAST_MICROSECOND)])
    window = Window(NOON, LAST_MICROSECOND + MICROSECOND)
    ledger = platform.ledger()
    ahead = first_page(ledger, window=window, cursor="last", direction=Direction.NEWER)
    assert ahead.next_cursor is not None
    cursor = Cursor.decode(ahead.next_cursor.encode())
    assert ids(first_page(ledger, window=window, cursor=cursor)) == ["last"]


def test_a_window_emptied_between_two_pages_has_no_cursors(platform: Platform) -> None:
    platform.account()
    platform.runs(spaced(3, start=NOON))
    cursor = first_page(platform.ledger(), limit=1).next_cursor
    platform.sql("DELETE FROM workflow_execution_logs")
    for direction in Direction:
        page = first_page(platform.ledger(), cursor=cursor, direction=direction)
        assert (ids(page), page.total, page.newer) == ([], 0, 0)
        assert (page.next_cursor, page.previous_cursor) == (None, None)


@settings(max_examples=60)
@given(word=st.text(st.characters(), min_size=1), direction=st.sampled_from(Direction))
def test_no_word_for_a_cursor_gets_anything_but_a_refusal(
    stage: Platform, word: str, direction: Direction
) -> None:
    stage.clear()
    stage.account()
    query = UsageQuery.parse({direction.value: [word]}, workspace_id=WORKSPACE, now=NOON, zone=UTC)
    with pytest.raises(BadRequestError, match="neither a cursor nor the id of a row"):
        stage.ledger().page(VIEWER, query)


whole = st.one_of(st.integers(-(10**18), 10**18), st.integers(-(10**10), 10**10))
forgeries = st.tuples(
    st.just(WORKSPACE),
    whole,
    whole,
    st.sampled_from([None, *Preset]),
    whole,
    st.text(st.characters()),
)


@settings(max_examples=200)
@given(forgery=forgeries, direction=st.sampled_from(Direction))
def test_a_forged_cursor_is_none_or_one_that_the_ledger_can_answer(
    stage: Platform, forgery: tuple[object, ...], direction: Direction
) -> None:
    cursor = Cursor.decode(sealed(json.dumps(forgery, separators=(",", ":")).encode()))
    if cursor is None:
        return
    stage.clear()
    stage.account(3)
    stage.runs([Run("a", cursor.position.started_at)])
    page = first_page(
        stage.ledger(), window=cursor.window, cursor=cursor, direction=direction, limit=1
    )
    assert page.total == (cursor.position.started_at in cursor.window)


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(
    "row_id", ["gone", "outside", "theirs", "a\0b", "\ud800", "", "x" * 100_000, "run-00000 "]
)
def test_an_id_that_is_no_row_of_the_window_is_refused(
    platform: Platform, direction: Direction, row_id: str
) -> None:
    platform.account(1, WORKSPACE, "second")
    platform.runs([*spaced(2, start=NOON), Run("outside", OCTOBER.end)])
    platform.runs([Run("theirs", NOON, workspace="second")])
    with pytest.raises(BadRequestError, match="leave it out") as refusal:
        first_page(platform.ledger(), window=OCTOBER, cursor=row_id, direction=direction)
    assert (refusal.value.status, refusal.value.code) == (400, "cursor_invalid")
    assert refusal.value.param == direction.value
    assert direction.value in refusal.value.sentence
