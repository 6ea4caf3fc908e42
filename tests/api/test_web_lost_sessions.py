"""The database's session ends in every phase of every question: 200 or 503, and no turn is lost."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import event

from app import create_app
from data.answers.ledger import Ledger
from data.platform.identity import Identity
from tests.support.platform import Platform, Run, utc
from tests.support.signing import (
    SIGNED_WITH,
    Asker,
    House,
    add_session,
    by_cookie,
    own_platform,
)
from web.admission import FILES, TURNS, Admission
from web.answers import BrokenOffError
from web.auth import identify_by
from web.turns import Turns

# A cursor whose session has gone has nothing left to close.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function ServerCursorMixin.__del__:"
    "pytest.PytestUnraisableExceptionWarning"
)

ASKER: Final = by_cookie("t-viewer")
OPENED: Final = "usage-opened.children"
Endpoint = Callable[["Behind"], int]


class Behind(House):
    """The product behind its turns."""

    def __init__(self, platform: Platform) -> None:
        self.turns, self.files = Turns(TURNS, waiting=0), Turns(FILES, waiting=0)
        admission = Admission(self.turns, self.files)
        super().__init__(platform.reader, BETTER_AUTH_SECRET=SIGNED_WITH)
        ledger = Ledger(
            platform.reader,
            self.settings.billing,
            file_turn=admission.file,
        )
        identify = admission.before(identify_by(self.settings, Identity(platform.reader)))
        server = create_app(self.settings, ledger, identify, [admission.check]).server
        server.wsgi_app = admission.over(server.wsgi_app)
        self.client = server.test_client(use_cookies=False)

    def all_turns_are_free(self) -> bool:
        return (self.turns.free, self.files.free) == (TURNS, FILES)


def of_api(path: str, **params: str) -> Endpoint:
    window = {"from": "2026-10-01", "to": "2026-10-31", "workspaceId": "ws"}
    return lambda house: house.api(path, ASKER, **(window | params)).status_code


def of_callback(called: Callable[[House, Asker, str], Any]) -> Endpoint:
    """Return the status of a callback; what it tells on the page counts as its own status."""

    def ask(house: Behind) -> int:
        answer = called(house, ASKER, "ws")
        told = "The database cannot be reached" in answer.text
        assert "Something went wrong" not in answer.text
        return 503 if told else int(answer.status_code)

    return ask


ENDPOINTS: Final[dict[str, Endpoint]] = {
    "list": of_api("usage"),
    "list, one Type": of_api("usage", type="on_demand"),
    "list, by cursor": of_api("usage", starting_after="run-1"),
    "summary": of_api("usage/summary"),
    "series": of_api("usage/series"),
    "series, by workflow": of_api("usage/series", split="workflow"),
    "export": of_api("usage/export"),
    "export, extended": of_api("usage/export", columns="extended"),
    "export with manifest": of_api("usage/export", manifest="1"),
    "manifest": of_api("usage/export/manifest"),
    "execution": lambda house: house.opened(ASKER, "ws", "run-1").status_code,
    "workspaces": lambda house: house.may(ASKER),
    "home": lambda house: house.get("/", ASKER).status_code,
    "page": lambda house: house.page(ASKER, "ws").status_code,
    "page, callback": of_callback(House.page_callback),
    "figures, callback": of_callback(House.figures_callback),
    "export, callback": of_callback(House.export_callback),
    "ready": lambda house: house.get("/readyz", ASKER).status_code,
}


@pytest.fixture(scope="module")
def platform(cluster: str) -> Iterator[Platform]:
    with own_platform(cluster) as platform:
        platform.account(3, "ws", viewer="viewer")
        platform.account(3, "second", payer="other", viewer="viewer")
        platform.runs(
            [Run(f"run-{n}", utc(f"2026-10-{n:02} 12:00"), '{"total": 1}') for n in range(1, 8)]
        )
        add_session(platform, "t-viewer", "viewer")
        yield platform


@pytest.fixture(scope="module")
def house(platform: Platform) -> Behind:
    return Behind(platform)


@contextmanager
def ending_at(platform: Platform, phase: int) -> Iterator[list[str]]:
    """End the product's session at so many-th of its statements or commits; yield the phases."""
    phases: list[str] = []

    def passed(connection: Any, what: str) -> None:
        if len(phases) == phase:
            pid = connection.connection.dbapi_connection.info.backend_pid
            with psycopg.connect(platform.url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        phases.append(what)

    def before(connection: Any, _: Any, statement: str, *__: Any) -> None:
        passed(connection, statement)

    def committing(connection: Any) -> None:
        passed(connection, "COMMIT")

    event.listen(platform.reader, "before_cursor_execute", before)
    event.listen(platform.reader, "commit", committing)
    try:
        yield phases
    finally:
        event.remove(platform.reader, "before_cursor_execute", before)
        event.remove(platform.reader, "commit", committing)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_session_that_ends_in_any_phase_is_a_503_and_costs_no_turn(
    house: Behind, platform: Platform, caplog: pytest.LogCaptureFixture, endpoint: str
) -> None:
    seen = []
    for phase in range(100):
        # Only what has begun to be sent can break off.
        with ending_at(platform, phase) as phases, suppress(BrokenOffError):
            seen.append(ENDPOINTS[endpoint](house))
        assert house.all_turns_are_free()
        if len(phases) <= phase:
            break
    assert len(phases) > 2
    assert set(seen) == {200, 503}
    assert seen[-1] == 200
    assert not [record for record in caplog.records if record.exc_info]


def test_a_file_that_breaks_off_is_one_line_in_the_log(
    house: Behind, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    # The first question of all asks one thing more: whether there is a rollup.
    ENDPOINTS["export"](house)
    with ending_at(platform, 10**9) as phases:
        ENDPOINTS["export"](house)
    # The last commit is at the end of the file.
    with ending_at(platform, len(phases) - 1), suppress(BrokenOffError):
        ENDPOINTS["export"](house)
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 1
    assert lines[0].startswith("GET '/api/billing/usage/export' broke off: The database cannot be")
    assert json.dumps(lines[0]).count("\\n") == 0
