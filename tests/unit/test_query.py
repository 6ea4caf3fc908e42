from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.question.cursor import Cursor, Direction
from data.question.query import CURSOR_PARAMS, UsageQuery
from data.question.window import WINDOW_PARAMS
from data.rules.calendar import Preset, Window, resolve
from data.rules.errors import BadRequestError
from data.rules.position import Position
from tests.support.platform import utc

NOW: Final = utc("2026-11-22 21:14:03.123456")
KNOWN: Final = (*WINDOW_PARAMS, *CURSOR_PARAMS, "limit")
HAVANA = ZoneInfo("America/Havana")
WINDOW = Window(utc("2026-10-01"), utc("2026-10-08"))
RANGE: Final = {"from": "2026-10-01T00:00:00Z", "to": "2026-10-08T00:00:00Z"}

type_of_params = st.dictionaries(
    st.one_of(st.sampled_from(KNOWN), st.text(st.characters(), max_size=8)),
    st.lists(st.text(st.characters(), max_size=40), max_size=2),
    max_size=5,
)


def parse(
    params: Mapping[str, str | Sequence[str]] | None = None,
    *,
    zone: tzinfo = UTC,
    now: datetime = NOW,
    **more: str,
) -> UsageQuery:
    """Read parameters each given once, unless the value is a list."""
    given_params = {**(params or {}), **more}
    many = {
        name: [value] if isinstance(value, str) else value for name, value in given_params.items()
    }
    return UsageQuery.parse(many, workspace_id="ws", now=now, zone=zone, known=KNOWN)


def cursor(workspace_id: str = "ws", window: Window = WINDOW) -> str:
    return Cursor(workspace_id, window, Position(utc("2026-10-03"), "a")).encode()


def refused(
    params: Mapping[str, str | Sequence[str]], *, zone: tzinfo = UTC, now: datetime = NOW
) -> BadRequestError:
    with pytest.raises(BadRequestError) as refusal:
        parse(params, zone=zone, now=now)
    error = refusal.value
    assert error.status == 400
    assert error.sentence.endswith(".")
    return error


# What is understood.


def test_nothing_asked_is_the_first_hundred_of_the_last_thirty_days() -> None:
    assert parse() == UsageQuery(
        "ws", resolve(Preset.DAYS_30, NOW, UTC), 100, None, Direction.OLDER
    )
    assert parse().window.preset is Preset.DAYS_30


@pytest.mark.parametrize("preset", list(Preset))
def test_a_preset_is_resolved_at_now_in_the_zone(preset: Preset) -> None:
    assert parse(preset=preset.value, zone=HAVANA).window == resolve(preset, NOW, HAVANA)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-10-01T00:00:00Z", "2026-10-08T00:00:00z"),
        ("2026-10-01t00:00:00z", "2026-10-08t00:00:00Z"),
        ("2026-10-01T05:30:00+05:30", "2026-10-07T19:00:00-05:00"),
        ("2026-10-01T00:00:00.000000Z", "2026-10-08T00:00:00.0-00:00"),
        ("2026-10-01", "2026-10-07"),
        ("2026-10-01", "2026-10-08T00:00:00Z"),
    ],
)
def test_a_range_is_read_in_every_spelling_of_its_ends(start: str, end: str) -> None:
    window = parse({"from": start, "to": end}).window
    assert window == WINDOW
    assert window.start.tzinfo is UTC
    assert window.end.tzinfo is UTC


def test_fractions_are_kept_to_the_microsecond() -> None:
    window = parse({"from": "2026-10-01T00:00:00.1Z", "to": "2026-10-01T00:00:00.100001Z"}).window
    assert window.end - window.start == timedelta(microseconds=1)


def test_a_day_alone_is_a_day_of_the_zone_and_to_includes_it() -> None:
    window = parse({"from": "2026-11-01", "to": "2026-11-01"}, zone=HAVANA).window
    assert window == Window(utc("2026-11-01 04:00"), utc("2026-11-02 05:00"))


def test_the_last_day_that_can_be_asked_for_is_included() -> None:
    window = parse({"from": "1970-01-01", "to": "9998-12-31"}).window
    assert (window.start.year, window.end) == (1970, utc("9999-01-01"))


@pytest.mark.parametrize(("word", "limit"), [("1", 1), ("100", 100), ("7", 7)])
def test_a_limit_is_a_whole_number_from_1_to_100(word: str, limit: int) -> None:
    assert parse(limit=word).limit == limit


@pytest.mark.parametrize("direction", list(Direction))
def test_a_cursor_brings_its_own_window_and_says_the_direction(direction: Direction) -> None:
    query = parse({direction.value: cursor()})
    assert query.window == WINDOW
    assert query.direction is direction
    assert query.cursor == Cursor("ws", WINDOW, Position(utc("2026-10-03"), "a"))


def test_a_cursor_agrees_with_the_range_it_came_from() -> None:
    assert parse(RANGE, starting_after=cursor()).window == WINDOW
    days = {"from": "2026-10-01", "to": "2026-10-07"}
    assert parse(days, starting_after=cursor()).window == WINDOW


def test_a_presets_cursor_keeps_the_bounds_that_it_was_resolved_to() -> None:
    then = resolve(Preset.WEEK, NOW - timedelta(minutes=5), UTC)
    query = parse(preset="7d", starting_after=cursor(window=then))
    assert query.window == then
    range_of_then = {"from": then.start.isoformat(), "to": then.end.isoformat()}
    assert parse(range_of_then, starting_after=cursor(window=then)).window == then


@pytest.mark.parametrize("direction", list(Direction))
def test_any_other_word_may_be_the_id_of_a_row(direction: Direction) -> None:
    query = parse({direction.value: "run_1", "preset": "7d"})
    assert (query.cursor, query.direction) == ("run_1", direction)
    assert query.window == resolve(Preset.WEEK, NOW, UTC)


# What is refused.


@pytest.mark.parametrize(
    ("params", "param", "code", "advice"),
    [
        ({"form": "2026-10-01"}, "form", "parameter_unknown", "Known are: preset, from, to"),
        ({"Preset": "7d"}, "Preset", "parameter_unknown", "Known are: preset"),
        ({"": "x"}, "", "parameter_unknown", "Known are"),
        ({"preset": ""}, "preset", "parameter_empty", "give it a value or leave it out"),
        ({"preset": []}, "preset", "parameter_empty", "give it a value or leave it out"),
        ({"from": "", "to": "2026-10-01"}, "from", "parameter_empty", "leave it out"),
        ({"limit": ""}, "limit", "parameter_empty", "leave it out"),
        ({"starting_after": ""}, "starting_after", "parameter_empty", "leave it out"),
        ({"preset": ["7d", "7d"]}, "preset", "parameter_repeated", "send it once"),
        ({"limit": ["5", "5", "5"]}, "limit", "parameter_repeated", "3 times; send it once"),
        ({"preset": "7d", **RANGE}, "preset", "parameters_exclusive", "preset, or from and to"),
        ({"preset": "7d", "to": "2026-10-01"}, "preset", "parameters_exclusive", "not both"),
        ({"from": "2026-10-01"}, "to", "parameter_missing", "from needs to; send both"),
        ({"to": "2026-10-01"}, "from", "parameter_missing", "to needs from; send both"),
        ({"from": RANGE["to"], "to": RANGE["from"]}, "from", "range_reversed", "swap them"),
        ({"from": RANGE["to"], "to": RANGE["to"]}, "from", "range_reversed", "a later to"),
        ({"from": "2026-10-02", "to": "2026-10-01"}, "from", "range_reversed", "earlier than to"),
        ({"preset": "2d"}, "preset", "parameter_invalid", "1d, 7d, 30d, mtd, last_month"),
        ({"preset": "7D"}, "preset", "parameter_invalid", "one of"),
        ({"preset": "7d "}, "preset", "parameter_invalid", "one of"),
    ],
)
def test_a_question_that_contradicts_itself_is_refused_with_what_to_send(
    params: Mapping[str, str | Sequence[str]], param: str, code: str, advice: str
) -> None:
    error = refused(params)
    assert (error.param, error.code) == (param, code)
    assert advice in error.sentence


@pytest.mark.parametrize(
    "word", ["0", "101", "1.5", "-1", "+1", "1e2", " 1", "1\n", "ten", "9" * 5000, "1_0", "\u0661"]
)
def test_a_limit_outside_1_to_100_is_refused(word: str) -> None:
    error = refused({"limit": word})
    assert (error.param, error.code) == ("limit", "parameter_invalid")
    assert "from 1 to 100" in error.sentence


@pytest.mark.parametrize(
    "word",
    [
        "2026-W40-4",
        "2026-W40",
        "2026-274",
        "20261001",
        "2026-10-1",
        "2026-10",
        "2026-10-01T00:00Z",
        "2026-10-01T00:00:00",
        "2026-10-01 00:00:00Z",
        "2026-10-01T00:00:00.1234567Z",
        "2026-10-01T00:00:00.Z",
        "2026-10-01T00:00:00,5Z",
        "2026-10-01T00:00:00+0530",
        "2026-10-01T00:00:00+05",
        "2026-10-01T00:00:00+24:00",
        "2026-10-01T00:00:00+05:60",
        "2026-10-01T24:00:00Z",
        "2026-10-01T00:00:00ZZ",
        "2026-10-01\n",
        " 2026-10-01",
        "٢٠٢٦-10-01",
        "+2026-10-01",
        "1790812800",
        "today",
        "\0",
        "\ud800",
    ],
)
def test_any_other_spelling_of_an_instant_is_refused_with_an_example(word: str) -> None:
    for params in ({"from": word, "to": "2026-12-01"}, {"from": "2026-01-01", "to": word}):
        error = refused(params)
        wrong = next(name for name, value in params.items() if value == word)
        assert (error.param, error.code) == (wrong, "parameter_invalid")
        assert f"{wrong} must be YYYY-MM-DD or RFC 3339 with an offset" in error.sentence
        assert "2026-10-01T00:00:00Z" in error.sentence
        assert "%2B" not in error.sentence


@pytest.mark.parametrize(
    "word",
    [
        "2026-02-30",
        "2026-13-01",
        "2026-00-01",
        "0000-01-01",
        "2026-10-01T12:60:00Z",
        "2026-06-30T23:59:60Z",
        "2026-02-29T00:00:00Z",
    ],
)
def test_an_instant_that_does_not_exist_is_refused_leap_seconds_too(word: str) -> None:
    error = refused({"from": word, "to": "2026-12-01"})
    assert (error.param, error.code) == ("from", "parameter_invalid")
    assert "does not exist; check month, day and hour" in error.sentence


@pytest.mark.parametrize("word", ["9999-01-01", "9999-12-31T23:59:59Z", "1969-12-31", "0001-01-01"])
def test_an_instant_beyond_the_calendar_is_refused_with_the_bounds(word: str) -> None:
    error = refused({"from": "2026-10-01", "to": word})
    assert (error.param, error.code) == ("to", "parameter_invalid")
    assert "between 1970-01-01 and 9998-12-31" in error.sentence


@pytest.mark.parametrize("word", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Pacific/Kiritimati")])
def test_an_instant_that_no_calendar_can_express_in_utc_is_refused(word: str, zone: tzinfo) -> None:
    assert refused({"from": "2026-10-01", "to": word}, zone=zone).param == "to"


@pytest.mark.parametrize(
    "word", ["2026-10-01T05:30:00 05:30", "2026-10-01t05:30:00.25 05:30", "2026-10-01T05:30 05:30"]
)
def test_a_plus_that_arrived_as_a_blank_is_answered_with_how_to_send_it(word: str) -> None:
    error = refused({"from": word, "to": "2026-12-01"})
    assert error.param == "from"
    assert "write it as %2B" in error.sentence


def test_both_cursors_are_refused() -> None:
    error = refused({"starting_after": cursor(), "ending_before": cursor()})
    assert (error.param, error.code) == ("ending_before", "parameters_exclusive")
    assert "starting_after or ending_before, not both" in error.sentence


@pytest.mark.parametrize("direction", list(Direction))
def test_a_cursor_of_another_workspace_is_refused(direction: Direction) -> None:
    error = refused({direction.value: cursor("other")})
    assert (error.param, error.code) == (direction.value, "cursor_mismatch")
    assert "another workspace" in error.sentence
    assert "leave it out" in error.sentence


@pytest.mark.parametrize(
    ("window", "params"),
    [
        (WINDOW, {**RANGE, "to": "2026-10-09"}),
        (WINDOW, {"preset": "7d"}),
        (resolve(Preset.WEEK, NOW, UTC), {"preset": "30d"}),
        (resolve(Preset.WEEK, NOW, UTC), RANGE),
    ],
)
def test_a_cursor_of_another_window_is_refused(window: Window, params: dict[str, str]) -> None:
    error = refused({**params, "starting_after": cursor(window=window)})
    assert (error.param, error.code) == ("starting_after", "cursor_mismatch")
    assert "Send the window that it came from, or leave the cursor out" in error.sentence


def test_a_window_that_is_wrong_is_refused_although_the_cursor_has_one() -> None:
    assert refused({"preset": "2d", "starting_after": cursor()}).param == "preset"
    assert refused({"from": "2026-10-01", "starting_after": cursor()}).param == "to"


def test_what_was_sent_is_repeated_in_part_only() -> None:
    error = refused({"x" * 100_000: "1"})
    assert error.param == "x" * 80
    assert len(error.sentence) < 300


# Whatever arrives.


def answered(ask: Callable[[], UsageQuery]) -> bool:
    """Tell whether there is an answer; anything but an answer or a refusal is raised."""
    try:
        query = ask()
    except BadRequestError as refusal:
        error = refusal
    else:
        assert 1 <= query.limit <= 100
        assert query.window.start <= query.window.end
        return True
    assert error.status == 400
    assert error.code.startswith(("parameter", "cursor", "range"))
    assert error.sentence
    return False


@given(params=type_of_params)
def test_no_parameters_raise_anything_but_a_refusal(params: dict[str, list[str]]) -> None:
    answered(lambda: UsageQuery.parse(params, workspace_id="ws", now=NOW, zone=HAVANA, known=KNOWN))


dates = st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True)
times = st.from_regex(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-9]{2}:[0-6][0-9](\.[0-9]{1,7})?"
    r"([Zz]|[-+ ][0-2][0-9]:[0-5][0-9])?",
    fullmatch=True,
)
ends = st.one_of(dates, times, st.text(st.characters(), max_size=30))


@given(start=ends, end=ends, zone=st.sampled_from([UTC, HAVANA, ZoneInfo("Pacific/Kiritimati")]))
def test_no_ends_of_a_range_raise_anything_but_a_refusal(
    start: str, end: str, zone: tzinfo
) -> None:
    answered(lambda: parse({"from": start, "to": end}, zone=zone))


@given(word=st.text(st.characters(), min_size=1), direction=st.sampled_from(Direction))
def test_no_cursor_raises_anything_but_a_refusal(word: str, direction: Direction) -> None:
    assert answered(lambda: parse({direction.value: word}))


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(
    "word",
    ["\0", "a\0b", "\ud800", "T" * 100_000, "1" * 100_000, "T" + "1" * 99_999, "2" * 99_999 + " "],
)
def test_no_hostile_word_raises_anything_but_a_refusal(name: str, word: str) -> None:
    allowed = name in CURSOR_PARAMS
    assert answered(lambda: parse({name: word})) is allowed
