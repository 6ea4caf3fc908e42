"""A client of the product in this process, which calls the page's callbacks as its script does."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from app import create_app
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.rules.billing import Billing
from settings import Settings


def client_of(engine: Engine, viewer: str, **given: Any) -> FlaskClient:
    settings = Settings(_env_file=None, **given)
    ledger = Ledger(engine, Billing(ZoneInfo("UTC")))
    client: FlaskClient = create_app(settings, ledger, lambda: Viewer(viewer)).server.test_client()
    return client


def call(
    client: FlaskClient,
    output: str,
    values: Mapping[str, Any],
    trigger: str = "",
    **request: Any,
) -> TestResponse:
    """Ask for ``output`` as the page does; ``request`` goes with the request as it is."""
    asked = question(client, output, values, trigger)
    return client.post("/_dash-update-component", json=asked, **request)


def question(
    client: FlaskClient, output: str, values: Mapping[str, Any], trigger: str = ""
) -> dict[str, Any]:
    """Return what the page sends for ``output``, such as ``usage-table.data``.

    ``values`` are by id and property; what is not among them is null.
    """
    listed = client.get("/_dash-dependencies").get_json()
    names, callback = next(
        (names, callback)
        for callback in listed
        if output in (names := callback["output"].strip(".").split("..."))
    )
    outputs = [name.rpartition(".") for name in names]
    given = {
        of: [
            {**part, "value": values.get(f"{part['id']}.{part['property']}")}
            for part in callback[of]
        ]
        for of in ("inputs", "state")
    }
    return {
        "output": callback["output"],
        "outputs": [{"id": name, "property": value} for name, _, value in outputs],
        "changedPropIds": [trigger] if trigger else [],
        **given,
    }


def call_page(
    client: FlaskClient,
    pathname: str,
    search: str = "",
    shown: Any = None,
    trigger: str = "",
    **request: Any,
) -> TestResponse:
    """Ask for the table of an address; ``shown`` is what the page remembers of its last answer."""
    values = {
        "usage-location.search": search,
        "usage-location.pathname": pathname,
        "usage-view.data": shown,
    }
    return call(client, "usage-table.data", values, trigger, **request)
