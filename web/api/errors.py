"""Errors in the one shape of the API, whatever raised them."""

import logging
from typing import Final

from flask import Response, request
from werkzeug.exceptions import HTTPException

from data.rules.errors import UsageError
from data.rules.shown import quoted
from web.api.models import Error, ErrorType, Trouble

_LOG: Final = logging.getLogger(__name__)
_RETRY_AFTER_SECONDS: Final = "5"


def answer(error: Exception) -> Response:
    """Return the response for ``error``; what nobody foresaw is logged and told as a 500."""
    if isinstance(error, UsageError):
        return _response(error.status, error.code, error.sentence, error.param)
    if isinstance(error, HTTPException) and error.code == 405:
        response = _response(405, "method_not_allowed", "Use GET or HEAD here.", None)
        response.headers["Allow"] = "GET, HEAD, OPTIONS"
        return response
    if isinstance(error, HTTPException) and error.code == 404:
        return not_found()
    if isinstance(error, HTTPException) and error.code and error.code < 500:
        return _response(error.code, "request_invalid", f"{error.description}", None)
    _LOG.error("%s %s failed", request.method, quoted(request.path), exc_info=error)
    return _response(500, "internal_error", "Something went wrong here. Try again later.", None)


def not_found() -> Response:
    """Return the 404 of an address that the API does not have."""
    return _response(
        404, "endpoint_unknown", "There is no such endpoint; /api/openapi.json lists them.", None
    )


def told(status: int, code: str, message: str, param: str | None = None) -> str:
    """Return the body of a refusal."""
    whose = {401: ErrorType.AUTHENTICATION}.get(status, ErrorType.INVALID_REQUEST)
    if status >= 500:
        whose = ErrorType.API
    trouble = Trouble(type=whose, code=code, message=message, param=param)
    return Error(error=trouble).model_dump_json()


def _response(status: int, code: str, message: str, param: str | None) -> Response:
    response = Response(told(status, code, message, param), status, mimetype="application/json")
    if status == 401:
        response.headers["WWW-Authenticate"] = 'ApiKey realm="usage", header="X-API-Key"'
    if status == 503:
        response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return response
