"""The platform's own session: its signed cookie, looked up anew each time."""

import hmac
from base64 import b64encode
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

from flask import Request

from data.platform.access import Viewer
from data.platform.identity import Identity

# The first where the platform is served over https.
_COOKIES: Final = ("__Secure-better-auth.session_token", "better-auth.session_token")


class SessionSignIn:
    """Believes a cookie that the platform signed for a session that has not ended."""

    def __init__(self, identity: Identity, secret: str) -> None:
        self._identity = identity
        self._secret = secret.encode()

    def __call__(self, request: Request) -> Viewer | None:
        """Return the session's user; None where there is no session that holds."""
        for name in _COOKIES:
            token = self._token(request.cookies.get(name, ""))
            user_id = self._identity.user_of_session(token) if token else None
            if user_id:
                return Viewer(user_id)
        return None

    def _token(self, cookie: str) -> str | None:
        """Return the token of a cookie ``token.signature`` whose signature is right."""
        token, _, signature = unquote(cookie).rpartition(".")
        signed = b64encode(hmac.digest(self._secret, token.encode(), sha256))
        right = hmac.compare_digest(signed, signature.encode(errors="surrogateescape"))
        return token if token and right else None
