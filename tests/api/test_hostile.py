"""Thousands of requests that nobody should send: each is answered, none with a 500."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Final
from urllib.parse import quote_from_bytes

import pytest

from tests.conftest import Api
from tests.support.platform import WORKSPACE, Platform, spaced, utc

REQUESTS: Final = 5_000
SEED: Final = 20_261_122
START: Final = utc("2026-10-10 12:00")

ENDPOINTS: Final = (
    "/api/billing/usage",
    "/api/billing/usage/summary",
    "/api/billing/usage/export",
    "/api/billing/workspaces",
    "/api/openapi.json",
    "/api/docs",
)
PARAMETERS: Final = (
    "workspaceId",
    "preset",
    "from",
    "to",
    "limit",
    "starting_after",
    "ending_before",
)
METHODS: Final = (
    *("GET",) * 30,
    *("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"),
)
GOOD: Final = {
    "workspaceId": (WORKSPACE,) * 6 + ("missing",),
    "preset": ("1d", "7d", "30d", "mtd", "last_month"),
    "from": ("2026-10-01", "2026-10-01T00:00:00Z", "2026-10-01T00:00:00%2B02:00"),
    "to": ("2026-10-31", "2026-10-31T23:59:59.999999-12:00"),
    "limit": ("1", "7", "100"),
    "starting_after": ("run-00003",),
    "ending_before": ("run-00003",),
}
# Already as they stand in an address.
BAD: Final = (
    "",
    "%",
    "%0",
    "%zz",
    "%00",
    "ws%00",
    "%2500",
    "%ff%fe",
    "%c0%af",
    "%ed%a0%80",  # a lone surrogate
    "%f4%90%80%80",
    "%u0041",
    "%EF%BB%BFws",
    "%e2%80%aews",
    "%0d%0aSet-Cookie:%20a=b",
    "a;b",
    "null",
    "undefined",
    "NaN",
    "Infinity",
    "-0",
    "true",
    "[]",
    "{}",
    "[object%20Object]",
    "0",
    "-1",
    "+1",
    "1.5",
    "1e309",
    "9" * 400,
    "9" * 5000,
    "0x10",
    "%D9%A5",
    "%EF%BC%91",
    "%C2%B2",
    "1_0",
    "2147483648",
    "9223372036854775808",
    "2026-W40-4",
    "2026-274",
    "20261001",
    "2026-10-01T00:00:00.1234567Z",
    "2026-10-01T00:00:00.123456Z",
    "2026-10-01T00:00:00+02:00",
    "2026-10-01T00:00:00%2B24:00",
    "2026-10-01T00:00:00-00:00",
    "2026-10-01T23:59:60Z",
    "2026-02-30",
    "0000-00-00",
    "0001-01-01",
    "0001-01-01T00:00:00%2B23:59",
    "9999-12-31",
    "9999-12-31T23:59:59.999999-23:59",
    "9998-12-31",
    "9998-12-31T23:59:59.999999-23:59",
    "1970-01-01",
    "1970-01-01T00:00:00%2B23:59",
    "%D9%A2%D9%A0%D9%A2%D9%A6-10-01",
    "-2026-10-01",
    "+2026-10-01",
    "2026-10-01%00",
    "2026-10-01%0A",
    "today",
    "'%20OR%201=1--",
    "$(id)",
    "../../etc/passwd",
    "A" * 8,
    "A" * 100_000,
    "%F0%9F%98%80" * 2_000,
    "eyJhIjoxfQ==",
    "W10",
    "AAAAAAAAAAAAAAAAAAAAAA",
    "-_" * 50,
)
NAMES: Final = (
    "workspaceid",
    "workspace_id",
    "workspaceId%00",
    "workspaceId[]",
    "from_",
    "From",
    "%ff",
    "%ed%a0%80",
    "",
    "offset",
    "cursor",
    "x" * 3_000,
    "__class__",
    "%20to",
)
PATHS: Final = (
    "",
    "nope",
    "billing",
    "billing/",
    "billing/usage/",
    "billing//usage",
    "billing/usage/export/x",
    "billing/usage%00",
    "billing/usage%2Fexport",
    "billing%5Cusage",
    "billing/usage;a=b",
    "../healthz",
    "%2e%2e/healthz",
    ".git/config",
    "viewer/../routes.py",
    "viewer/%2e%2e/routes.py",
    "viewer/%00",
    "viewer//",
    "/billing/usage",
    "%ff%fe",
    "%ed%a0%80",
    "_dash-update-component",
    "x" * 10_000,
    "%F0%9F%98%80",
)


@pytest.fixture
def filled(platform: Platform, api: Api) -> list[str]:
    """Fill a workspace; return cursors of it, good ones."""
    platform.account(3)
    platform.runs(spaced(9, start=START, step=timedelta(hours=1)))
    page = api.page(
        workspaceId=WORKSPACE,
        from_="2026-10-01",
        to="2026-10-31",
        limit=4,
        starting_after="run-00006",
    )
    return [page["next_cursor"], page["previous_cursor"]]


def addresses(random: Random, cursors: list[str]) -> Iterator[tuple[str, str]]:
    """Make up methods and addresses, mostly right but for one or two things."""
    for _ in range(REQUESTS):
        method = random.choice(METHODS)
        if random.random() < 0.1:
            yield method, f"/api/{random.choice(PATHS)}?{random.choice(BAD)}"
            continue
        names = ["workspaceId", *random.sample(PARAMETERS, random.randrange(4))]
        if random.random() < 0.1:
            names.append(random.choice(NAMES))
        if random.random() < 0.1:
            names = names[1:]
        pairs = []
        for name in names:
            wrong = random.random() < (0.05 if name == "workspaceId" else 0.6)
            value = random.choice(BAD) if wrong or name not in GOOD else random.choice(GOOD[name])
            if name in ("starting_after", "ending_before") and random.random() < 0.4:
                value = _mangled(random, random.choice(cursors))
            pairs.append(f"{name}={value}" if random.random() < 0.97 else name)
        path = random.choice(ENDPOINTS[:3]) if random.random() < 0.9 else random.choice(ENDPOINTS)
        yield method, f"{path}?{'&'.join(pairs)}"


def _mangled(random: Random, cursor: str) -> str:
    place = random.randrange(len(cursor))
    some_bytes = quote_from_bytes(random.randbytes(random.randrange(1, 5)))
    return random.choice(
        [
            cursor,
            cursor[:place],
            cursor[place:],
            cursor[:place] + some_bytes + cursor[place:],
            cursor + "=",
            cursor.swapcase(),
            cursor * 50,
            quote_from_bytes(random.randbytes(60)),
        ]
    )


def test_no_request_breaks_the_api_and_every_refusal_has_the_one_shape(
    filled: list[str], api: Api
) -> None:
    statuses: Counter[int] = Counter()
    for method, address in addresses(Random(SEED), filled):
        # From the whole address nothing is read but what a server would read.
        answer = api.client.open(f"http://localhost{address}", method=method, buffered=True)
        asked = f"{method} {address[:300]}"
        statuses[answer.status_code] += 1
        assert answer.status_code in {200, 400, 404, 405}, asked
        if address.startswith("/api/viewer/") and answer.status_code == 200:
            continue
        assert answer.headers["Cache-Control"] == "private, no-store", asked
        if answer.status_code == 200:
            told = answer.mimetype in {"application/json", "text/csv"}
            assert told or not answer.data or address.startswith("/api/docs"), asked
            continue
        if method == "HEAD":
            continue
        assert answer.mimetype == "application/json", asked
        body = answer.get_json()
        assert list(body) == ["error"], asked
        error = body["error"]
        assert list(error) == ["type", "code", "message", "param"], asked
        assert error["type"] == "invalid_request_error", asked
        assert error["message"].endswith("."), asked
        assert len(answer.data) < 2_000, asked
        blames_a_parameter = error["code"] not in {"endpoint_unknown", "method_not_allowed"}
        assert blames_a_parameter == (error["param"] is not None), asked
        assert (answer.status_code == 405) == (error["code"] == "method_not_allowed"), asked
        assert (answer.status_code == 405) == ("Allow" in answer.headers), asked
    assert sum(statuses.values()) == REQUESTS
    # Neither everything refused nor everything taken: the requests reach all the way down.
    assert min(statuses[status] for status in (200, 400, 404, 405)) > REQUESTS / 50, statuses


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b'{"workspaceId": "ws"}', b"x" * 100_000])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "\xff", ""])
@pytest.mark.usefixtures("filled")
def test_a_body_is_no_part_of_the_question(api: Api, body: bytes, kind: str) -> None:
    answer = api.get("billing/usage", {"workspaceId": WORKSPACE}, data=body, content_type=kind)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/html"},
        {"Accept": "\xff"},
        {"Accept-Encoding": "gzip;q=x, *;q=nan, br"},
        {"Range": "bytes=0-1"},
        {"If-Modified-Since": "yesterday"},
        {"If-None-Match": "*"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Forwarded-Prefix": "/elsewhere", "X-Forwarded-Host": "evil.example"},
        {"Cookie": "a=\xff; " * 200},
        {"Authorization": "Bearer \xff"},
        {"Origin": "https://evil.example"},
    ],
    ids="-".join,
)
@pytest.mark.usefixtures("filled")
def test_no_header_changes_what_is_answered(api: Api, headers: dict[str, str]) -> None:
    query = {"workspaceId": WORKSPACE, "from": "2026-10-01", "to": "2026-10-31"}
    for path in ("billing/usage", "billing/usage/export", "nope"):
        plain, answer = api.get(path, query), api.get(path, query, headers=headers)
        assert answer.status_code == plain.status_code
        assert answer.mimetype == plain.mimetype
        assert "Access-Control-Allow-Origin" not in answer.headers
        if "Accept-Encoding" not in headers and path.endswith("export"):
            assert answer.data == plain.data


@pytest.mark.parametrize("word", ["%ED%A0%80", "%FF", "%F0%9F"])
@pytest.mark.parametrize("path", ["usage", "usage/summary", "usage/series", "usage/export"])
def test_bytes_that_are_no_text_are_refused(api: Api, path: str, word: str) -> None:
    answer = api.client.get(f"/api/billing/{path}?workspaceId=ws&q={word}")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["param"] == "q"
