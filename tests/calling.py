"""Calls the callbacks of the page as its script does."""

from collections.abc import Mapping
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def call(
    client: FlaskClient,
    output: str,
    values: Mapping[str, Any],
    trigger: str = "",
    **request: Any,
) -> TestResponse:
    """Ask for ``output``, such as ``usage-table.data``, with ``values`` by id and property.

    What is not among them is null; ``request`` goes with the request as it is.
    """
    listed = client.get("/_dash-dependencies").get_json()
    names, callback = next(
        (names, callback)
        for callback in listed
        if output in (names := callback["output"].strip(".").split("..."))
    )
    outputs = [name.split("@")[0].rpartition(".") for name in names]
    given = {
        of: [
            {**part, "value": values.get(f"{part['id']}.{part['property']}")}
            for part in callback[of]
        ]
        for of in ("inputs", "state")
    }
    return client.post(
        "/_dash-update-component",
        json={
            "output": callback["output"],
            "outputs": [{"id": name, "property": value} for name, _, value in outputs],
            "changedPropIds": [trigger] if trigger else [],
            **given,
        },
        **request,
    )


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
