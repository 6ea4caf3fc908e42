"""Turns: who comes when, who is refused, and that every one of them comes back."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from itertools import product
from typing import Any

import pytest
from flask import Flask

from data.platform.access import Viewer
from data.rules.errors import UnavailableError
from tests.support.serving import PATIENCE
from web.admission import FILES, FILES_EACH, TURNS, Admission
from web.answers import BrokenOffError
from web.turns import Turns

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def wait_for_queue(turns: Turns, length: int) -> None:
    while turns.waiting < length:
        pass


def test_turns_come_in_the_order_of_the_queue() -> None:
    turns = Turns(1, patience=PATIENCE)
    order: list[int] = []

    def take(place: int) -> None:
        with turns.take():
            order.append(place)

    first = turns.take()
    with ThreadPoolExecutor(5) as clients:
        for place in range(5):
            clients.submit(take, place)
            wait_for_queue(turns, place + 1)
        first.end()
    assert order == list(range(5))


def test_who_has_enough_is_passed_by_in_the_queue() -> None:
    turns = Turns(3, each=2, patience=PATIENCE)
    theirs = [turns.take("greedy"), turns.take("greedy")]
    with ThreadPoolExecutor(3) as clients:
        third = clients.submit(turns.take, "greedy")
        wait_for_queue(turns, 1)
        assert turns.free == 1
        other = turns.take("modest")
        fourth = clients.submit(turns.take, "modest")
        wait_for_queue(turns, 2)
        other.end()
        assert fourth.result(PATIENCE).owner == "modest"
        assert not third.done()
        theirs[0].end()
        assert third.result(PATIENCE).owner == "greedy"


def test_a_turn_that_is_ended_twice_comes_back_once() -> None:
    turns = Turns(2)
    turn = turns.take()
    turns.take()
    turn.end()
    turn.end()
    assert turns.free == 1


def test_who_waits_in_vain_leaves_the_queue() -> None:
    turns = Turns(1, patience=0)
    turn = turns.take()
    for _ in range(3):
        with pytest.raises(UnavailableError, match="Too many are asking at once"):
            turns.take()
    assert turns.waiting == 0
    turn.end()
    assert turns.free == 1


class FaultError(Exception):
    """What a test lets happen."""


def body(chunks: int, fails_at: int | None, *, fails_at_close: bool) -> Iterator[bytes]:
    """Yield chunks; fail at one of them, or when it is left before or closed."""
    try:
        for place in range(chunks):
            if place == fails_at:
                raise FaultError
            yield b"chunk"
    finally:
        if fails_at_close:
            raise FaultError


class Requests:
    """Requests at an application behind an Admission, as a server makes them."""

    def __init__(self) -> None:
        self.turns, self.files = Turns(TURNS, waiting=0), Turns(FILES, each=FILES_EACH, waiting=0)
        self.admission = Admission(self.turns, self.files)
        self.flask = Flask("requests")

    def answered(self, application: Wsgi, reads: int) -> None:
        """Ask, read so many chunks, and leave."""
        answer = self.admission.over(application)({"REQUEST_METHOD": "GET"}, None)
        try:
            for _ in range(reads):
                next(iter(answer))
        finally:
            close: Callable[[], None] = getattr(answer, "close")  # noqa: B009 - not of the type
            close()

    def application(self, made: Callable[[], Iterable[bytes]], viewer: str | None) -> Wsgi:
        """Return an application that takes its turn, a file's too where a viewer is given."""

        def application(environ: dict[str, Any], _: Any) -> Iterable[bytes]:
            with self.flask.test_request_context() as context:
                context.request.environ = environ
                self.admission.before(lambda: Viewer("somebody"))()
                if viewer is None:
                    return made()
                with self.admission.file(Viewer(viewer)):
                    return list(made())

        return application


@pytest.mark.parametrize("viewer", [None, "greedy"], ids=["list", "file"])
@pytest.mark.parametrize(
    ("fails_at", "fails_at_close", "reads"),
    list(product((None, 0, 1, 2), (False, True), (0, 1, 2, 3))),
)
def test_every_turn_comes_back_whatever_fails(
    *, viewer: str | None, fails_at: int | None, fails_at_close: bool, reads: int
) -> None:
    requests = Requests()

    def made() -> Iterable[bytes]:
        return body(3, fails_at, fails_at_close=fails_at_close)

    for _ in range(2 * TURNS):
        with suppress(FaultError, BrokenOffError, StopIteration):
            requests.answered(requests.application(made, viewer), reads)
    assert requests.turns.free == TURNS
    assert requests.files.free == FILES


def test_a_turn_comes_back_where_the_application_fails_before_its_answer() -> None:
    requests = Requests()

    def fails() -> Iterable[bytes]:
        raise FaultError

    for _ in range(2 * TURNS):
        with pytest.raises(FaultError):
            requests.answered(requests.application(fails, None), 0)
    assert requests.turns.free == TURNS


def test_what_fails_on_the_way_breaks_the_answer_off() -> None:
    requests = Requests()
    application = requests.application(lambda: body(3, 1, fails_at_close=False), None)
    with pytest.raises(BrokenOffError):
        requests.answered(application, 2)


def test_a_file_that_waits_for_its_turn_holds_none_of_the_table() -> None:
    turns = Turns(1, patience=PATIENCE)
    files = Turns(1, patience=PATIENCE)
    admission = Admission(turns, files)
    flask = Flask("requests")

    def export() -> None:
        with flask.test_request_context(), admission.file(Viewer("second")):
            pass

    first = files.take("first")
    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(export)
        wait_for_queue(files, 1)
        assert turns.free == 1
        first.end()
        asked.result(PATIENCE)
    assert files.free == 1


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        (Viewer("a"), Viewer("a", workspace_id="ws", by_personal_key=True), 2),
        (Viewer("a"), Viewer("b"), 1),
        (Viewer(None, workspace_id="ws"), Viewer(None, workspace_id="ws"), 2),
        (Viewer(None, workspace_id="ws"), Viewer(None, workspace_id="other"), 1),
        # Names that a log cuts to the same.
        (Viewer("x" * 300 + "a"), Viewer("x" * 300 + "b"), 1),
        (Viewer("ws"), Viewer(None, workspace_id="ws"), 1),
    ],
)
def test_files_are_counted_by_person_or_by_the_workspace_of_a_key(
    first: Viewer, second: Viewer, left: int
) -> None:
    files = Turns(3, each=1, patience=0)
    admission = Admission(Turns(TURNS), files)
    flask = Flask("requests")
    with flask.test_request_context(), admission.file(first):
        expected = pytest.raises(UnavailableError) if left == 2 else nullcontext()
        with flask.test_request_context(), expected, admission.file(second):
            assert files.free == left


def test_not_ready_while_a_turn_does_not_come_back() -> None:
    now = 0.0
    turns = Turns(TURNS, clock=lambda: now)
    admission = Admission(turns)
    held = turns.take()
    now = 660.0
    admission.check()
    now = 660.1
    with pytest.raises(UnavailableError, match="1 of 7 turns at the database did not come back"):
        admission.check()
    held.end()
    admission.check()


def test_not_ready_while_a_turn_for_a_file_does_not_come_back() -> None:
    now = 0.0
    files = Turns(FILES, clock=lambda: now)
    admission = Admission(Turns(TURNS), files)
    held = files.take()
    now = 660.1
    with pytest.raises(UnavailableError, match="1 of 3 turns for files did not come back"):
        admission.check()
    held.end()
    admission.check()
