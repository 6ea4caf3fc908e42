"""The style sheets: one a part, each rule once, !important where it is needed and nowhere else."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from web import pages

ROOT: Final = Path(__file__).parents[2]
SHEETS: Final = sorted((ROOT / "assets").glob("[1-9]*.css"))
BASE, TABLE = "20_base.css", "55_table.css"
# What holds against whatever a library says of its own elements.
IMPORTANT_IN_BASE: Final = [
    "[hidden]",
    ":focus-visible",
    ".dash-dropdown-content .dash-dropdown-search:focus-visible, .usage-opened.offcanvas",
    ".dash-dropdown-content",
    '.usage-main[aria-busy="true"] *',
]
LINES_AT_MOST: Final = 300


def rules_of(text: str, media: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield media, selectors and declarations of every rule, as they stand in ``text``."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    while "{" in text:
        head, _, text = text.partition("{")
        end, depth = 0, 1
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        body, text = text[: end - 1], text[end:]
        head = " ".join(head.split())
        if head.startswith("@media"):
            yield from rules_of(body, head)
        else:
            yield media, head, body


def name_of(sheet: Path) -> str:
    return sheet.name


@pytest.mark.parametrize("sheet", SHEETS, ids=name_of)
def test_a_sheet_is_of_one_part_and_short(sheet: Path) -> None:
    text = sheet.read_text()
    assert text.startswith("/* ")
    # The table's two shapes, wide and narrow, are one part.
    assert sheet.name == TABLE or len(text.splitlines()) < LINES_AT_MOST


@pytest.mark.parametrize("sheet", SHEETS, ids=name_of)
def test_a_sheet_says_of_a_selector_once_what_it_has_to_say(sheet: Path) -> None:
    rules = Counter((media, selectors) for media, selectors, _ in rules_of(sheet.read_text()))
    assert [rule for rule, times in rules.items() if times > 1] == []


@pytest.mark.parametrize("sheet", SHEETS, ids=name_of)
def test_only_the_table_and_what_is_named_here_needs_important(sheet: Path) -> None:
    if sheet.name == TABLE:
        return
    important = [head for _, head, body in rules_of(sheet.read_text()) if "!important" in body]
    assert important == (IMPORTANT_IN_BASE if sheet.name == BASE else [])


def test_every_class_and_id_in_a_sheet_is_one_of_a_component() -> None:
    sources = [
        *(ROOT / "components").rglob("*.py"),
        *(ROOT / "web").glob("*.py"),
        *(ROOT / "web" / "templates").iterdir(),
    ]
    written = "\n".join(source.read_text() for source in sources)
    # A share's number is put behind the rest of its name.
    known = set(re.findall(r"(?<![\w-])usage-[a-z0-9-]*[a-z0-9]", written))
    heads = [head for sheet in SHEETS for _, head, _ in rules_of(sheet.read_text())]
    named = set(re.findall(r"[.#](usage-[\w-]+)", " ".join(heads)))
    assert {re.sub(r"-\d$", "", name) for name in named} <= known


def test_a_plain_page_has_sheets_that_exist_in_the_order_of_the_page() -> None:
    names = list(pages._MESSAGE_SHEETS)
    assert names == sorted(names)
    assert set(names) <= {sheet.name for sheet in (ROOT / "assets").glob("*.css")}
