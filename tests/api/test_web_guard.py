"""What a browser may ask of Dash itself; whatever else is sent is refused in a sentence."""

import logging
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

import demo
from tests.support.calling import call, client_of, question

PATH = "/workspace/ws_support/usage"


@pytest.fixture
def database(demo_database: str) -> str:
    return demo_database


@pytest.fixture
def client(engine: Engine) -> FlaskClient:
    return client_of(engine, demo.DEMO_VIEWER_ID)


def always(sent: Any) -> Any:
    return lambda _: sent


def without(name: str) -> Any:
    return lambda body: {key: value for key, value in body.items() if key != name}


def instead(name: str, value: Any) -> Any:
    return lambda body: body | {name: value}


@pytest.mark.parametrize(
    "change",
    [
        *map(always, (None, [], "x", 5, {})),
        *map(without, ("output", "outputs", "inputs", "state", "changedPropIds")),
        *map(partial(instead, "output"), ("", "x.y", None, ["x"], "usage-main.id")),
        *map(partial(instead, "changedPropIds"), (None, 5, [None], [[]], "x")),
        *map(partial(instead, "inputs"), (None, [], [{}], {})),
        *map(partial(instead, "state"), (None, [], [{}], {})),
        lambda body: body | {"inputs": body["inputs"][1:]},
        lambda body: body | {"inputs": [*body["inputs"], body["inputs"][0]]},
        lambda body: body | {"outputs": body["outputs"][1:]},
        lambda body: body | {"inputs": [{"value": 1}, *body["inputs"][1:]]},
    ],
)
def test_a_question_that_the_page_does_not_ask_is_refused_in_a_sentence(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, change: Any
) -> None:
    asked = question(client, "usage-table.data", {"usage-location.pathname": PATH})
    assert client.post("/_dash-update-component", json=asked).status_code == 200
    with caplog.at_level(logging.ERROR):
        answer = client.post("/_dash-update-component", json=change(asked))
    assert answer.status_code == 400
    assert answer.get_json()["error"]["message"].endswith("Reload the page.")
    assert caplog.records == []


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_is_refused_alike(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/_dash-update-component", data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "callback_unknown")


@pytest.mark.parametrize("shown", [{"params": {"q": "\ud800"}}, {"window": {"from": "\ud800"}}])
@pytest.mark.parametrize("search", ["?q=\ud800", "?\ud800=1", "?preset=7d"])
def test_what_is_no_text_is_an_answer_in_words(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, search: str, shown: Any
) -> None:
    values = {
        "usage-location.search": search,
        "usage-location.pathname": PATH,
        "usage-view.data": shown,
        "usage-filter-q.value": "\ud800",
        "usage-filter-model.options": [{"value": []}, 5, {"value": "gpt-4o"}],
    }
    with caplog.at_level(logging.ERROR):
        answer = call(client, "usage-table.data", values, "usage-filter-q.value")
    assert answer.status_code == 200
    assert answer.get_json()["response"]["usage-trouble"]["hidden"] is False
    assert caplog.records == []


@pytest.mark.parametrize("path", ["x/y.js", "dash_table/x.js", "dash_table/%00", "dash_table/../x"])
def test_a_script_that_there_is_not_is_a_404(client: FlaskClient, path: str) -> None:
    assert client.get(f"/_dash-component-suites/{path}").status_code == 404


@pytest.mark.parametrize("path", ["/_dash-x", "/assets/", "/assets", "/_dash-layout/x"])
def test_beside_dashs_own_addresses_nothing_is_there(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"Page not found" in answer.data
