"""Who is asking: one module per way to sign in; all give the same Viewer.

The ways are tried in a fixed order, each is off until its settings are there. A key or a name that
is presented and wrong ends the question: it never falls through to another way. A cookie that no
longer holds is as good as none, because browsers keep them.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from flask import Request, request

from data.platform.access import Viewer
from data.platform.identity import Identity
from data.rules.errors import UnauthenticatedError
from data.rules.shown import quoted
from settings import Settings
from web.auth.api_keys import ApiKeySignIn
from web.auth.embed import EmbedSignIn
from web.auth.proxy import ProxySignIn
from web.auth.sessions import SessionSignIn

_LOG: Final = logging.getLogger(__name__)


def identify_by(
    settings: Settings, identity: Identity, otherwise: Viewer | None = None
) -> Callable[[], Viewer]:
    """Return the function that names the viewer of the request that is being answered.

    Where no credential is presented that is ``otherwise``; without one, and where a credential is
    wrong, it raises UnauthenticatedError.
    """
    ways: list[Callable[[Request], Viewer | None]] = [ApiKeySignIn(identity, settings)]
    if settings.embed_secret:
        ways.append(EmbedSignIn(identity, settings.embed_secret))
    if settings.better_auth_secret:
        ways.append(SessionSignIn(identity, settings.better_auth_secret))
    if settings.proxy_header:
        ways.append(ProxySignIn(identity, settings.proxy_header, settings.proxy_networks))

    def identify() -> Viewer:
        try:
            return _first_of(ways, otherwise)
        except UnauthenticatedError as refusal:
            _LOG.info(
                "refused %s %s from %s: %s",
                request.method,
                quoted(request.path),
                request.remote_addr,
                refusal.sentence,
            )
            raise

    return identify


def _first_of(
    ways: Sequence[Callable[[Request], Viewer | None]], otherwise: Viewer | None
) -> Viewer:
    for way in ways:
        viewer = way(request)
        if viewer:
            return viewer
    if otherwise:
        return otherwise
    raise UnauthenticatedError("Sign in to the platform first, or send X-API-Key.")
