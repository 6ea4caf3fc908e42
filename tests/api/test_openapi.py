"""The OpenAPI document: valid, complete, and true of what is really asked and answered."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import pytest
import schemathesis
from jsonschema_rs import Draft202012Validator
from openapi_pydantic import OpenAPI
from schemathesis import hooks
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

import demo
from data.platform.access import Viewer
from data.platform.connection import connect
from tests.conftest import Api
from tests.support.platform import PAYER, WORKSPACE, Platform, Run, utc

WORKSPACES: Final = ("ws_support", "ws_finance", "ws_research", "ws_empty")
CONFIG: Final = {
    "generation": {"deterministic": True, "max-examples": 40, "database": "none"},
    # Its WSGI transport asks for compression, but does not undo it.
    "headers": {"Accept-Encoding": "identity"},
}


@pytest.fixture(scope="module")
def shown(cluster: str, demo_template: str) -> Iterator[Api]:
    """Yield the product over the demo's data, as its document's readers first meet it."""
    engine = connect(cluster.replace("/postgres?", f"/{demo_template}?"))
    yield Api(engine, Viewer(demo.DEMO_VIEWER_ID), {})
    engine.dispose()


@pytest.fixture(scope="module")
def described(shown: Api) -> Any:
    config = SchemathesisConfig.from_dict(CONFIG)
    return schemathesis.openapi.from_wsgi("/api/openapi.json", shown.server, config=config)


def _possible(query: dict[str, Any]) -> None:
    """Keep of a well-formed question what OpenAPI cannot say must not come together.

    - preset and from/to exclude each other, and so do starting_after and ending_before;
    - from needs to, must be earlier, and both lie in the years that windows can have;
    - a cursor is opaque: only a response can give one;
    - a comma cannot be both separator and decimal mark;
    - workspaceId has to be one of the viewer's own, or nothing but 404 would be tried.
    """
    if "workspaceId" in query:
        query["workspaceId"] = WORKSPACES[len(str(query["workspaceId"])) % len(WORKSPACES)]
    for name in ("starting_after", "ending_before"):
        query.pop(name, None)
    if query.get("separator", "comma") == "comma":
        query.pop("decimal", None)
    ends = [query.pop(name, None) for name in ("from", "to")]
    if None in ends or "preset" in query:
        return
    first, last = sorted((_year_possible(str(end)) for end in ends), key=lambda end: end[:10])
    if first[:10] < last[:10]:
        query |= {"from": first, "to": last}


def _year_possible(end: str) -> str:
    return end if "1971" <= end[:4] <= "9997" else f"2026{end[4:]}"


@pytest.fixture
def only_possible() -> Iterator[None]:
    """Let what schemathesis takes for well-formed be so, see _possible."""

    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        del context, kwargs
        if case.meta and case.meta.generation.mode.is_positive:
            _possible(case.query)

    schemathesis.hook(before_call)
    yield
    hooks.unregister(before_call)


@pytest.mark.usefixtures("only_possible")
def test_schemathesis_finds_nothing_with_every_check_on(described: Any) -> None:
    found: set[str] = set()
    checked: Counter[str] = Counter()
    phases: set[str] = set()
    statuses: set[int] = set()
    for event in from_schema(described).execute():
        if isinstance(event, NonFatalError | FatalError):
            found.add(repr(event))
        if not isinstance(event, ScenarioFinished):
            continue
        phases.add(event.phase.value)
        recorder = event.recorder
        for checks in recorder.checks.values():
            checked.update(check.name for check in checks)
            failures = (check.failure_info for check in checks if check.failure_info)
            found |= {f"{told.failure!r} {told.code_sample}" for told in failures}
        answers = (each.response for each in recorder.interactions.values() if each.response)
        statuses |= {answer.status_code for answer in answers}
    assert not found
    # It did ask: in every phase, with every check, for what is right and for what is wrong.
    assert phases == {"examples", "coverage", "fuzzing", "stateful"}
    assert set(checked) == set(CHECKS.get_all_names())
    assert statuses == {200, 400, 404, 405}


@pytest.fixture(scope="module")
def document(shown: Api) -> dict[str, Any]:
    return shown.json("openapi.json", {})


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    read = OpenAPI.model_validate(document)
    assert read.model_dump(mode="json", by_alias=True, exclude_none=True) == document
    for schema in document["components"]["schemas"].values():
        Draft202012Validator(_resolved(document, schema))


def test_the_document_is_found_where_the_server_is(
    platform: Platform, api_of: Callable[..., Api], document: dict[str, Any]
) -> None:
    assert document["servers"] == [{"url": "/"}]
    elsewhere = api_of(platform.reader, USAGE_URL_PREFIX="/finance/").json("openapi.json", {})
    assert elsewhere["servers"] == [{"url": "/finance"}]
    assert elsewhere["paths"] == document["paths"]


def test_every_endpoint_and_every_parameter_is_described(
    shown: Api, document: dict[str, Any]
) -> None:
    served = {
        rule.rule
        for rule in shown.server.url_map.iter_rules()
        if rule.rule.startswith("/api/billing/")
    }
    assert set(document["paths"]) == served
    filters = ["workflow", "model", "trigger", "type", "status", "q", "min_cost_usd"]
    window = ["workspaceId", "preset", "from", "to", *filters]
    written = ["columns", "separator", "decimal"]
    named = {
        path: [parameter["name"] for parameter in item["get"].get("parameters", [])]
        for path, item in document["paths"].items()
    }
    assert named == {
        "/api/billing/usage": [*window, "limit", "starting_after", "ending_before"],
        "/api/billing/usage/summary": window,
        "/api/billing/usage/series": [*window, "split"],
        "/api/billing/usage/export": [*window, *written, "manifest"],
        "/api/billing/usage/export/manifest": [*window, *written],
        "/api/billing/usage/execution": ["workspaceId", "id"],
        "/api/billing/workspaces": [],
    }
    for item in document["paths"].values():
        assert list(item) == ["get"]
        for parameter in item["get"].get("parameters", []):
            assert parameter["description"]
            assert parameter["required"] == (parameter["name"] in {"workspaceId", "id"})
    parameters = document["paths"]["/api/billing/usage"]["get"]["parameters"]
    [limit] = [each["schema"] for each in parameters if each["name"] == "limit"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 100, 100)
    preset = document["paths"]["/api/billing/usage"]["get"]["parameters"][1]["schema"]
    assert preset["enum"] == ["1d", "7d", "30d", "mtd", "last_month"]
    assert preset["default"] == "30d"


def test_every_answer_is_described_with_the_one_shape_of_errors(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        responses = item["get"]["responses"]
        own = {"200", "400", "401", "405", "503"} | ({"404"} if path.count("usage") else set())
        assert set(responses) == own
        for status, response in responses.items():
            assert response["description"]
            if status != "200":
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}
            # What else tells a program how to go on.
            beside = {"401": {"WWW-Authenticate"}, "405": {"Allow"}, "503": {"Retry-After"}}
            if status in beside:
                assert set(response["headers"]) == beside[status]
    export = document["paths"]["/api/billing/usage/export"]["get"]["responses"]["200"]
    assert list(export["content"]) == ["text/csv", "application/zip"]
    assert set(export["headers"]) == {
        "Content-Disposition",
        "X-Export-Truncated",
        "X-Export-Row-Limit",
    }


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"components": document["components"]}


def _complaints(document: dict[str, Any], path: str, status: int, body: Any) -> list[str]:
    response = document["paths"][path]["get"]["responses"][str(status)]
    schema = response["content"]["application/json"]["schema"]
    validator = Draft202012Validator(_resolved(document, schema), validate_formats=True)
    return [f"{error}" for error in validator.iter_errors(body)]


@pytest.mark.parametrize("workspace", [*WORKSPACES, "odd"])
@pytest.mark.parametrize(
    "path",
    ["/api/billing/usage", "/api/billing/usage/summary", "/api/billing/usage/export/manifest"],
)
@pytest.mark.parametrize("preset", ["7d", "30d", "last_month"])
def test_what_is_answered_is_what_is_described(
    shown: Api,
    *,
    platform: Platform,
    api_of: Callable[..., Api],
    document: dict[str, Any],
    workspace: str,
    path: str,
    preset: str,
) -> None:
    api = shown
    if workspace == "odd":
        api, workspace = api_of(platform.reader, PAYER, USAGE_APP_URL="https://app.x"), WORKSPACE
        platform.account("1e-7")
        platform.grant(PAYER, WORKSPACE)
        platform.workflow("wf", "")
        now = datetime.now().astimezone()
        costs = ('{"total": 1e-30}', None, '{"total": 5, "tokens": 5, "model": "m"}', '"x"', "[]")
        platform.runs(
            Run(f"r{place}", utc(f"{now:%Y-%m}-01 00:00"), cost, workflow="wf" if place else None)
            for place, cost in enumerate(costs)
        )
    body = api.json(path.removeprefix("/api/"), {"workspaceId": workspace, "preset": preset})
    assert _complaints(document, path, 200, body) == []


def test_every_refusal_is_as_described(shown: Api, document: dict[str, Any]) -> None:
    for path in document["paths"]:
        below = path.removeprefix("/api/")
        refusals = [(shown.get(below, {"x": "1"}), 400), (shown.client.post(path), 405)]
        if "usage" in path:
            one = {"id": "1"} if path.endswith("execution") else {}
            refusals.append((shown.get(below, {"workspaceId": "no", **one}), 404))
        for answer, status in refusals:
            assert answer.status_code == status
            assert _complaints(document, path, status, answer.get_json()) == []


def test_the_validator_of_these_tests_does_refuse(shown: Api, document: dict[str, Any]) -> None:
    path = "/api/billing/usage"
    body = shown.page(workspaceId="ws_support", limit=1)
    row = body["data"][0]
    for wrong in (
        {"cost_usd": 1.5},
        {"cost_usd": "1E-7"},
        {"date": "yesterday"},
        {"type": "On-Demand"},
        {"tokens": "1"},
        {"surprise": 1},
    ):
        assert _complaints(document, path, 200, body | {"data": [row | wrong]})
    assert _complaints(document, path, 404, {"error": "no"})
