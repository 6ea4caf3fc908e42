"""A portal that embeds the page, and says for whom in a token that it signs and renews."""

import time
from collections.abc import Callable
from typing import Annotated, Final

import jwt
from flask import Request
from pydantic import BaseModel, ConfigDict, Field

from data.platform.access import Viewer
from data.platform.identity import Identity
from data.rules.errors import UnauthenticatedError

AUDIENCE: Final = "usage-ledger"
LIFETIME: Final = 600  # seconds, at most

_ALGORITHM: Final = "HS256"
# By so much may the portal's clock be ahead of this one's.
_CLOCKS_APART: Final = 5.0

ID_LENGTH_AT_MOST: Final = 255
Id = Annotated[str, Field(max_length=ID_LENGTH_AT_MOST, pattern=r"^[^\x00]+$")]
Instant = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True)

    sub: Id
    workspace: Id
    iat: Instant
    exp: Instant
    nbf: Instant = 0.0


def mint(secret: str, user: str, workspace: str, seconds: int, now: float) -> str:
    """Return a token that opens one workspace for one user, for ``seconds`` from ``now`` on."""
    claims = {
        "aud": AUDIENCE,
        "sub": user,
        "workspace": workspace,
        "iat": int(now),
        "exp": int(now) + seconds,
    }
    return jwt.encode(claims, secret, _ALGORITHM)


class EmbedSignIn:
    """Believes ``Authorization: Bearer`` with a token that :func:`mint` could have made."""

    def __init__(
        self, identity: Identity, secret: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._identity = identity
        self._secret = secret
        self._clock = clock

    def __call__(self, request: Request) -> Viewer | None:
        """Return whom a token speaks for; None where there is none, an error where it is wrong."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        claims = self._claims(token.strip())
        now = self._clock()
        if claims.exp <= now:
            raise UnauthenticatedError(
                "The portal's token has expired. Ask it for a new one.", code="embed_token_expired"
            )
        if max(claims.iat, claims.nbf) > now + _CLOCKS_APART:
            raise _invalid("is not valid yet")
        if not 0 < claims.exp - claims.iat <= LIFETIME:
            raise _invalid(f"is meant to live longer than {LIFETIME} seconds")
        # Asked by id alone: an e-mail address would find somebody by another name.
        if self._identity.user_named(claims.sub) != claims.sub:
            raise _invalid("names somebody whom the platform does not know, or has banned")
        return Viewer(claims.sub, workspace_id=claims.workspace)

    def _claims(self, token: str) -> _Claims:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                # Their meaning is checked above, by one clock.
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            return _Claims.model_validate(claims)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            # Why is not passed on: the text of some of these errors has the token in it.
            raise _invalid("was not signed by a portal of ours, or lacks a claim") from None


def _invalid(reason: str) -> UnauthenticatedError:
    return UnauthenticatedError(
        f"The portal's token {reason}. Check how the portal makes it.", code="embed_token_invalid"
    )
