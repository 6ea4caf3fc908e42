"""The API's documentation in a real browser: readable without any network but this host's."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from data.answers.ledger import Ledger
from data.platform.connection import connect
from tests.conftest import Api
from tests.support.browsing import Site, served
from tests.support.serving import PATIENCE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=["/", "/finance/"])
def documented(cluster: str, demo_template: str, request: pytest.FixtureRequest) -> Iterator[Site]:
    engine = connect(cluster.replace("/postgres?", f"/{demo_template}?"))
    variables = {"USAGE_URL_PREFIX": request.param}
    with served(
        lambda settings: Ledger(engine, settings.billing),
        variables=variables,
    ) as site:
        yield site
    engine.dispose()


@pytest.fixture
def tab(browser: Browser, documented: Site) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    yield documented.visited_by(context.new_page())
    context.close()


def test_the_documentation_shows_every_operation_and_asks_no_other_host(
    documented: Site, tab: Page
) -> None:
    asked: list[str] = []
    refused: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("response", lambda answer: refused.extend([answer.url] if answer.status >= 400 else []))
    tab.on("console", lambda said: complaints.extend([said.text] if said.type != "log" else []))
    tab.on("pageerror", lambda error: complaints.append(f"{error}"))
    host = urlsplit(documented.url).netloc

    with tab.expect_response("**/api/openapi.json") as described:
        tab.goto(f"{documented.url}api/docs")
    document = json.loads(described.value.text())
    for path, item in document["paths"].items():
        # In the page's list of operations or in the text: the words are there to be seen.
        tab.get_by_text(item["get"]["summary"], exact=True).locator("visible=true").first.wait_for()
        assert path in tab.locator("rapi-doc").evaluate("doc => doc.shadowRoot.textContent")
    assert tab.title() == "API · Usage"

    tab.wait_for_load_state("networkidle")
    elsewhere = [
        url
        for url in asked
        if urlsplit(url).netloc != host and not url.startswith(("data:", "blob:"))
    ]
    assert elsewhere == []
    assert any(url.endswith("/api/viewer/rapidoc-min.js") for url in asked)
    assert refused == []
    assert complaints == []


def test_the_page_names_no_address_but_its_own(api: Api) -> None:
    page = api.get("docs").get_data(as_text=True)
    assert api.get("docs").mimetype == "text/html"
    assert "http://" not in page
    assert "https://" not in page
    assert 'src="/api/viewer/rapidoc-min.js"' in page
    assert 'spec-url="/api/openapi.json"' in page
    assert 'load-fonts="false"' in page
