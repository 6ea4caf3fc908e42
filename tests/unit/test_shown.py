import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rules.labels import told_apart
from data.rules.shown import NO_NAME, READ_AT_MOST, SHOWN_AT_MOST, named, quoted, shown

ISOLATE, END = "\u2068", "\u2069"
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HEBREW = "\u05e9\u05dc\u05d5\u05dd"
# Every kind of character that a text may hold, half of a character among them.
ANY = st.text(
    st.one_of(
        st.characters(codec=None, exclude_categories=()),
        st.sampled_from(f"{TURNING}{HEBREW}\u0301\u200d\n\r\t\x1b\x85\u2028\ufeff a"),
    ),
    max_size=2 * READ_AT_MOST,
)


def inside(text: str) -> str:
    """Return what an isolate holds, or a text that is in none as it is."""
    if ISOLATE in text:
        assert (text[0], text[-1]) == (ISOLATE, END)
        return text[1:-1]
    return text


def turns(text: str) -> bool:
    return any(unicodedata.bidirectional(each) in {"R", "AL", "AN"} for each in text)


@given(ANY, st.integers(min_value=2, max_value=SHOWN_AT_MOST))
def test_whatever_is_shown_is_short_on_one_line_and_turns_nothing_but_itself(
    text: str, most: int
) -> None:
    line = inside(shown(text, most))
    assert len(line) <= most
    assert line.splitlines() in ([], [line])
    assert not set(line) & set(TURNING)
    assert not {unicodedata.category(each) for each in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert turns(line) == (shown(text, most) != line)
    assert inside(named(text, most)) == (line or NO_NAME)
    line.encode()


@given(ANY)
def test_whatever_is_quoted_is_short_can_be_printed_and_turns_nothing_but_itself(text: str) -> None:
    line = inside(quoted(text))
    assert line.isprintable()
    assert len(line) <= len(repr("\U000e0001")) * SHOWN_AT_MOST + 1
    assert turns(line) == (quoted(text) != line)
    assert line.endswith("…") == (len(text) > SHOWN_AT_MOST)


@given(ANY)
def test_what_was_cut_after_the_part_that_is_read_is_shown_alike(text: str) -> None:
    assert shown(text[: READ_AT_MOST + 1]) == shown(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Lead enrichment", "Lead enrichment"),
        ("é 日本 👩‍👩‍👧", "é 日本 👩‍👩‍👧"),
        (" two\r\n  lines\tand\x1b[31ma\x00b\u2028c\x9d ", "two lines and [31ma b c"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        (HEBREW, f"{ISOLATE}{HEBREW}{END}"),
        (f"{END}\u202eA {HEBREW}\u202c{END}", f"{ISOLATE}A {HEBREW}{END}"),
        ("\ud83d!", "\ufffd!"),
        ("", ""),
        (" \n\u200b\u202e\u3000", ""),
    ],
)
def test_a_text_that_fits_is_left_as_it_is_but_for_what_is_not_seen(text: str, line: str) -> None:
    assert shown(text) == line


@pytest.mark.parametrize(
    ("text", "most", "line"),
    [
        ("n" * 1_000_000, SHOWN_AT_MOST, "n" * 199 + "…"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abcd efg", 6, "abcd…"),
        # An accent, a vowel and the parts of an emoji stay with what they belong to.
        ("abcde\u0301fg", 6, "abcd…"),
        ("abcd👩‍👧 or so", 7, "abcd…"),
        ("abcd👍🏽 or so", 6, "abcd…"),
        ("a" + "\u0301" * 1000, 6, "a\u0301…"),
        (" " * 1000 + "a", 6, "…"),
        ("a" + " " * 1000 + "b", 6, "a…"),
        (HEBREW * 2, 5, f"{ISOLATE}{HEBREW}…{END}"),
    ],
)
def test_a_text_that_is_cut_says_so(text: str, most: int, line: str) -> None:
    assert shown(text, most) == line


def test_a_name_of_which_nothing_is_seen_says_so() -> None:
    assert named("\u202e \n") == "(no name)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ws_1", "'ws_1'"),
        ("x\n2026-11-22 ERROR forged", r"'x\n2026-11-22 ERROR forged'"),
        ("\x1b[2J\u202e'\ud800", '"\\x1b[2J\\u202e\'\\ud800"'),
        (HEBREW, f"{ISOLATE}'{HEBREW}'{END}"),
        ("x" * 1_000_000, f"'{'x' * 200}'…"),
    ],
)
def test_a_word_in_a_log_line_is_spelled_so_that_it_can_be_searched_for(
    text: str, line: str
) -> None:
    assert quoted(text) == line


def test_names_that_are_alike_once_they_are_shown_are_told_apart() -> None:
    names = {"\u202e1": "a" * 230 + "x", "2" * 20: "a" * 230 + "y", "3": "b"}
    alike = "a" * 199 + "…"
    assert told_apart(names, named) == {
        "\u202e1": f"{alike} (1)",
        "2" * 20: f"{alike} (22222222)",
        "3": "b",
    }
    assert told_apart(names) == names
