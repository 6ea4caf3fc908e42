"""What browsers may ask of Dash itself: the questions of its callbacks, and its scripts."""

from typing import Any, Final

from dash import Dash
from dash.exceptions import DependencyException
from flask import Flask, Response, request
from pydantic import BaseModel, ValidationError

from data.rules.errors import BadRequestError
from web.api.errors import answer

_CALLBACKS: Final = "/_dash-update-component"


class _Prop(BaseModel):
    """A property of an element; its value is the callback's business."""

    id: str
    property: str


class _Question(BaseModel):
    """What the renderer sends."""

    output: str
    outputs: _Prop | list[_Prop]
    inputs: list[_Prop]
    state: list[_Prop] = []
    changedPropIds: list[str]  # noqa: N815 - the renderer's spelling


def register(app: Dash) -> None:
    """Refuse what the page does not ask; Dash would fall over it before anybody looks at it."""
    server: Flask = app.server

    @server.before_request
    def refuse() -> Response | None:
        if request.path == _CALLBACKS and request.method == "POST" and not _is_asked(app):
            return answer(
                BadRequestError(
                    "This is not a question that the page asks. Reload the page.",
                    code="callback_unknown",
                )
            )
        return None

    @server.errorhandler(DependencyException)
    def no_such_script(_: Exception) -> tuple[str, int]:
        return "There is no such script.\n", 404


def _is_asked(app: Dash) -> bool:
    """Tell whether the request has the form of a registered callback's."""
    try:
        question = _Question.model_validate(request.get_json(silent=True))
    except (ValidationError, RecursionError):
        return False
    callback = app.callback_map.get(question.output)
    if callback is None or "callback" not in callback:
        return False
    asked = question.outputs if isinstance(question.outputs, list) else [question.outputs]
    names = question.output.strip(".").split("...")
    return (
        [f"{prop.id}.{prop.property}" for prop in asked] == names
        and _named(question.inputs) == _registered(callback["inputs"])
        and _named(question.state) == _registered(callback["state"])
    )


def _named(props: list[_Prop]) -> list[tuple[str, str]]:
    return [(prop.id, prop.property) for prop in props]


def _registered(props: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(prop["id"], prop["property"]) for prop in props]
