"""What a client asks a server over a connection, and what it is answered."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlencode

from tests.support.serving import PATIENCE


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: str


def ask(port: int, path: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with closing(connection):
        connection.request("GET", path, headers={"X-Usage-User": "viewer"})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())


def is_refusal(answer: Answer) -> bool:
    return answer.status == 503 and json.loads(answer.body)["error"] == {
        "type": "api_error",
        "code": "overloaded",
        "message": "Too many are asking at once. Try again in a moment.",
        "param": None,
    }


@contextmanager
def asked(port: int, path: str, **params: str) -> Iterator[http.client.HTTPResponse]:
    """Ask, and go away at the end of the block, whatever has been read."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", f"/api/{path}?{urlencode(params)}")
        with connection.getresponse() as answer:
            yield answer


def listed(port: int, **params: str) -> dict[str, Any]:
    with asked(port, "billing/usage", **params) as answer:
        assert answer.status == 200
        body: dict[str, Any] = json.loads(answer.read())
        return body


def broken_off(answer: http.client.HTTPResponse) -> bool:
    """Read to the end; tell whether the client learns that it is not all."""
    try:
        while answer.read(1 << 20):
            pass
    except (http.client.IncompleteRead, ConnectionError):
        return True
    return False
