"""What is asked: one request, some of which may be taken out of an earlier answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

Params = tuple[tuple[str, str], ...]

# One output of each of the page's callbacks, and the elements whose values they hand on.
TABLE: Final = "usage-table.data"
FIGURES: Final = "usage-picture.data"
OPENED: Final = "usage-opened-body.children"
FILE: Final = "usage-download.data"
VIEW: Final = "usage-view.data"
SUBJECT: Final = "usage-subject.data"
PATHNAME: Final = "usage-location.pathname"
SEARCH: Final = "usage-location.search"


@dataclass(frozen=True)
class Callback:
    """A question of the page: ``output`` is one of the callback's, ``values`` its elements'.

    Where ``output`` is empty it is the ``number``-th of all callbacks, counted around.
    """

    output: str
    clicked: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True)
class Question:
    """A request of some ``kind``; ``environ`` is what its WSGI environment has beside.

    ``taken`` maps a parameter, or an element of the callback, to the keys that lead to its value in
    the answer to the question with the number ``earlier``.
    """

    kind: str
    path: str
    headers: Mapping[str, str]
    params: Params = ()
    method: str = "GET"
    body: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    callback: Callback | None = None
    earlier: int | None = None
    taken: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What there is to ask about: who asks, by their headers; whose workspaces; rows of each."""

    instant: datetime
    viewers: Mapping[str, Mapping[str, str]]
    workspaces: Mapping[str, list[str]]
    rows: Mapping[str, list[dict[str, Any]]]


def search_of(params: Params) -> str:
    """Write a query string; half a character stands for the byte that it was made of."""
    return urlencode(params, errors="surrogateescape")


def shown(question: Question) -> Mapping[str, Any]:
    """Return what the elements of a callback's question hold."""
    return question.callback.values if question.callback else {}


def data_of(element: str) -> tuple[str, ...]:
    """Return the keys that lead to an element's property in a callback's answer."""
    return ("response", *element.split("."))
