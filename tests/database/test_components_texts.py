"""Foreign texts wherever they are read: on the page, on pages of messages, in the log, in files."""

import csv
import html
import io
import json
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest

from data.platform.access import Viewer
from data.question.filters import LENGTH_AT_MOST
from data.rules.shown import NO_NAME, one_line, quoted, shown
from tests.conftest import Api
from tests.support.calling import call, call_page
from tests.support.platform import PAYER, VIEWER_ID, Platform, Run, utc

WINDOW: Final = {"from": "2026-05-01", "to": "2026-05-31"}
SEARCH: Final = f"?{urlencode(WINDOW)}"
PAGE: Final = "/workspace/ws/usage"
TEXTS: Final = {
    "long": "n" * 100_000,
    "long of many words": "word " * 20_000,
    "turned around": "gnp.\u202eeciovni\u2069\u2066\u200f",
    "from right to left": "\u05e9\u05dc\u05d5\u05dd 12",
    "lines and controls": "a\nb\r\n\x1b[31mc\x85d\u2028e\x9b2J",
    "nothing to be seen": "\u202e\u200b",
    "markup": "<b>&amp;</b> **x** [y](z) $1$ %s {0}",
}
_ISOLATE: Final = re.compile("\u2068([^\u2066-\u2069]*)\u2069")
_LINKED: Final = re.compile(r"\[(.*)\]\(\S*\)")
# What the browser sends back or follows as it is, and nobody reads.
_NOT_READ: Final = {
    *("search", "href", "value", "id", "rule", "selector", "customdata"),
    *("usage-answered", "usage-subject", "usage-location"),
}
_LONGEST_SENTENCE: Final = 900


@pytest.fixture(params=TEXTS)
def text(request: pytest.FixtureRequest) -> str:
    return TEXTS[request.param]


@pytest.fixture
def hostile(platform: Platform, text: str, api_of: Callable[..., Api]) -> Api:
    """Return the product over a workspace in which everything has ``text`` for its name."""
    platform.account(1, "ws")
    platform.grant(PAYER, "ws")
    platform.sql("UPDATE workspace SET name = :name", name=text)
    platform.workspace("twin", name=text)
    platform.grant(VIEWER_ID, "twin")
    platform.workflow("w-1", text)
    platform.workflow("w-2", text)
    platform.workflow("w-3", "Plain")
    cost = json.dumps({"total": 2, "models": {text: {"total": 1.5}, f"{text}!": {"total": 0.5}}})
    platform.runs(
        Run(
            f"run-{number}",
            utc(f"2026-05-0{number} 08:00"),
            cost,
            workflow=f"w-{number}",
            execution_id=f"{text}{number}",
            trigger=text,
            status=text,
        )
        for number in (1, 2, 3)
    )
    return api_of(
        platform.reader, USAGE_APP_URL="https://app.example", USAGE_TIMEZONE="Europe/Berlin"
    )


def read(value: Any, within: str = "") -> Iterator[str]:
    """Yield every text of an answer that somebody can read; ``within`` is what it is a part of."""
    if isinstance(value, str):
        linked = _LINKED.fullmatch(value)
        yield linked[1] if linked else value
    elif isinstance(value, list):
        for each in value:
            yield from read(each, within)
    elif isinstance(value, dict):
        for key, each in value.items():
            if within == "usage-view":
                yield (each or {}).get("title", "")
            elif key not in _NOT_READ or within == "tooltip_data":
                yield from read(each, key if key in {"usage-view", "tooltip_data"} else within)


def assert_read_safely(line: str, *, longest: int = _LONGEST_SENTENCE) -> None:
    """Nothing in ``line`` is long, moves to another line, or turns what stands beside it."""
    assert len(line) <= longest
    for part in _ISOLATE.sub("", line), *_ISOLATE.findall(line):
        kinds = {unicodedata.category(each) for each in part.replace("\n", "")}
        assert not kinds & {"Cc", "Cs", "Zl", "Zp"}, part
        assert not set(part) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067")
    outside = {unicodedata.bidirectional(each) for each in _ISOLATE.sub("", line)}
    assert not outside & {"R", "AL", "AN", "LRI", "RLI", "FSI", "PDI"}, line


def plain(markdown: str) -> str:
    return re.sub(r"\\(.)", r"\1", markdown)


def figures(api: Api, split: str) -> Any:
    values = {
        "usage-subject.data": {"workspace": "ws", "asked": WINDOW},
        "usage-split.data": split,
        "usage-location.search": SEARCH,
    }
    return call(api.client, "usage-summary.children", values).get_json()["response"]


def opened(api: Api, row: str = "run-1", pathname: str = PAGE) -> Any:
    values = {"usage-opened-row.data": {"id": row, "pathname": pathname}}
    return call(api.client, "usage-opened-body.children", values).get_json()["response"]


def seen(text: str, most: int = 200) -> str:
    return shown(text, most) or "(no name)"


def test_the_page_shows_them_short_and_isolated(hostile: Api, text: str) -> None:
    answer = call_page(hostile.client, PAGE, SEARCH).get_json()["response"]
    assert len(json.dumps(answer)) < 30_000
    rows = answer["usage-table"]["data"]
    # The style isolates these cells.
    names = [plain(label) for row in rows for label in read(row.pop("workflow"))]
    assert names == ["Plain", *[one_line(text) or NO_NAME] * 2]
    for line in (*map(plain, read(answer)), *(f"\u2068{name}\u2069" for name in names)):
        assert_read_safely(line)
    assert {row["model"] for row in rows} == {f"{seen(text, 60)} +1"}
    tips = answer["usage-table"]["tooltip_data"]
    assert tips[1]["workflow"]["value"] == seen(text)
    assert tips[1]["model"]["value"].split("\n") == [seen(text), seen(f"{text}!")]
    assert answer["usage-view"]["data"]["title"].startswith(f"Usage · {seen(text)} · ")
    assert answer["usage-workspace"]["label"] == f"{seen(text)} (ws)"
    items = [item["props"]["children"] for item in answer["usage-workspace"]["children"]]
    assert items == [f"{seen(text)} (twin)", f"{seen(text)} (ws)"]


@pytest.mark.parametrize("split", ["type", "workflow", "model"])
def test_the_figures_show_them_short_and_isolated(hostile: Api, text: str, split: str) -> None:
    answer = figures(hostile, split)
    for line in read(answer):
        assert_read_safely(line.replace("<br>", " "), longest=8_000)
    legend = [key["props"]["title"] for key in answer["usage-legend"]["children"]]
    told = json.dumps(answer["usage-course"], ensure_ascii=False)
    bars = answer["usage-picture"]["data"]["data"]
    hovers = [hover for bar in bars for hover in bar.get("hovertext", [])]
    names = {
        "type": [],
        "workflow": [f"{seen(text)} (w-1)", f"{seen(text)} (w-2)", "Plain"],
        # Sums tell models apart by their first 200 characters.
        "model": list(dict.fromkeys(seen(name[:LENGTH_AT_MOST]) for name in (text, f"{text}!"))),
    }[split]
    assert [name for name in legend if name in names] == names
    for name in names:
        assert json.dumps(name, ensure_ascii=False)[1:-1] in told
    short = html.escape(seen(text, 40), quote=False)
    assert any(short in hover for hover in hovers) == (split != "type")
    offered = answer["usage-filter-workflow"]["options"]
    assert [each["label"] for each in offered] == [
        *sorted(["Plain", *(f"{seen(text, 80)} (w-{number})" for number in (1, 2))], key=_by(text)),
        "Deleted workflow",
    ]
    for name, words in (("trigger", {text}), ("status", {text}), ("model", {text, f"{text}!"})):
        assert [
            (each["value"], each["label"]) for each in answer[f"usage-filter-{name}"]["options"]
        ] == [(each, seen(each, 80)) for each in sorted(words) if len(each) <= LENGTH_AT_MOST]
    assert len(json.dumps(answer)) < 60_000


def _by(text: str) -> Callable[[str], bool]:
    """Order labels as the database orders the names behind them."""
    first = text > "Plain"
    return lambda label: (label == "Plain") != first


def test_an_opened_row_shows_them_short_and_isolated(hostile: Api, text: str) -> None:
    answer = opened(hostile)
    for line in read(answer):
        assert_read_safely(line)
    told = json.dumps(answer, ensure_ascii=False)
    assert answer["usage-opened-title"]["children"] == seen(text)
    for name in (f" · {shown(text)} · {shown(text)}", shown(f"{text}1"), seen(text)):
        assert json.dumps(name, ensure_ascii=False)[1:-1] in told
    assert len(told) < 10_000


def test_filters_out_of_an_address_are_chips_of_a_name_that_can_be_read(
    hostile: Api, text: str
) -> None:
    search = f"{SEARCH}&{urlencode({'trigger': text[:400], 'model': text[:400]})}"
    answer = call_page(hostile.client, PAGE, search).get_json()["response"]
    for row in answer["usage-table"].get("data", []):
        row.pop("workflow")
    for line in read(answer):
        assert_read_safely(plain(line))
    if len(text) > LENGTH_AT_MOST:
        assert "must be a text of 1 to 200 characters" in str(answer["usage-trouble-text"])
        return
    assert answer["usage-filter-trigger"]["value"] == [text]
    assert answer["usage-filter-trigger"]["options"] == [{"value": text, "label": seen(text, 80)}]
    assert len(answer["usage-table"]["data"]) == 3


@pytest.mark.parametrize("param", ["name", "type", "cursor"])
def test_sentences_quote_them_short_and_isolated(hostile: Api, text: str, param: str) -> None:
    asked = {
        "name": {text: "1"},
        "type": {"type": text[:LENGTH_AT_MOST]},
        "cursor": {"starting_after": text},
    }[param]
    answer = call_page(hostile.client, PAGE, f"{SEARCH}&{urlencode(asked)}").get_json()["response"]
    sentence = " ".join(read(answer["usage-trouble-text"]))
    assert sentence
    for line in read(answer):
        assert_read_safely(line)
    if param != "cursor":
        assert quoted(next(iter(asked)) if param == "name" else asked["type"]) in sentence


def test_pages_of_messages_show_them_short_and_isolated(hostile: Api, text: str) -> None:
    home = hostile.client.get("/").get_data(as_text=True)
    names = [html.unescape(name) for name in re.findall(r'<a href="[^"]*">([^<]*)</a>', home)]
    assert names == [f"{seen(text)} (twin)", f"{seen(text)} (ws)"]
    for name in names:
        assert_read_safely(name)
    missing = hostile.client.get(f"/workspace/{quote(text[:900])}/usage")
    assert missing.status_code == 404
    assert text[:9] not in missing.get_data(as_text=True)


def test_the_api_and_files_have_them_whole(hostile: Api, text: str) -> None:
    asked = {"workspaceId": "ws", **WINDOW}
    row = hostile.json("billing/usage", asked)["data"][-1]
    assert (row["execution_id"], row["trigger"], row["status"]) == (f"{text}1", text, text)
    assert (row["workflow"]["name"], row["models"]) == (text, [text, f"{text}!"])
    one = hostile.json("billing/usage/execution", {"workspaceId": "ws", "id": "run-1"})
    assert [part["model"] for part in one["parts"]] == [text, f"{text}!"]
    shares = hostile.json("billing/usage/series", asked | {"split": "workflow"})["shares"]
    assert [share["label"] for share in shares] == [f"{text} (w-1)", f"{text} (w-2)", "Plain"]
    listed = hostile.json("billing/workspaces", {})["data"]
    assert {workspace["name"] for workspace in listed} == {text}
    file = hostile.get("billing/usage/export", asked).get_data(as_text=True)
    limit = csv.field_size_limit(1_000_000)
    try:
        cells = list(csv.reader(io.StringIO(file, newline="")))[-1]
    finally:
        csv.field_size_limit(limit)
    assert cells[1:5] == [f"{text}1", text, text, f"{text} +1"]
    manifest = hostile.json("billing/usage/export/manifest", asked)
    assert manifest["workspace"]["name"] == text


def test_log_lines_hold_them_short_spelled_and_isolated(
    hostile: Api, text: str, api_of: Callable[..., Api], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    word = text[:1000]
    client = hostile.client
    asked = {"workspaceId": text[:250], **WINDOW}
    client.get(f"/workspace/{quote(word)}/usage")
    call_page(client, f"/workspace/{quote(word)}/usage", SEARCH)
    call_page(client, PAGE, f"{SEARCH}&{urlencode({text: 1})}")
    opened(hostile, row=text)
    opened(hostile, pathname=f"/workspace/{quote(word)}/usage")
    hostile.get("billing/usage", asked)
    hostile.get("billing/usage/export", {"workspaceId": "ws", **WINDOW})
    subject = {"workspace": f"{text}\ud800", "asked": {text: "1"}}
    call(client, "usage-summary.children", {"usage-subject.data": subject})
    for viewer in (Viewer(text), Viewer(None, workspace_id=text)):
        api_of(hostile.ledger._engine, viewer).client.get(PAGE)
    lines = [record.getMessage() for record in caplog.records if record.name != "asyncio"]
    assert len(lines) >= 10
    for line in lines:
        assert "\n" not in line
        assert_read_safely(line, longest=2_000)
        line.encode()
    assert any(quoted(word) in line for line in lines)
    assert f"refused: {quoted(text)} may not see workspace 'ws'" in lines
