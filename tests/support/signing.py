"""What the tests of signing in share: the product put together, its endpoints, credentials to show.

The few tests here hold the credentials to ones that the platform's own runtime made.
"""

import hmac
import itertools
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from urllib.parse import quote

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Engine, create_engine
from werkzeug.test import TestResponse

from app import create_app
from data.answers.ledger import Ledger
from data.platform import schema
from data.platform.connection import connect
from data.platform.identity import Identity
from settings import Settings
from tests.support.calling import call
from tests.support.platform import FOUNDED, Platform
from web.auth import identify_by

SIGNED_WITH: Final = "better-auth-secret"
ENCRYPTION_KEY: Final = "00112233445566778899aabbccddeeff" * 2
PLAIN_NAME: Final = "better-auth.session_token"
SECURE_NAME: Final = "__Secure-better-auth.session_token"
IN_A_DAY: Final = datetime.now(UTC) + timedelta(days=1)
A_DAY_AGO: Final = datetime.now(UTC) - timedelta(days=1)
WINDOW: Final = {"from": "2026-10-01", "to": "2026-10-31"}

_numbers = itertools.count()


def short(value: object) -> str:
    """Name an example by its beginning; some are long, some are not even text."""
    return ascii(value)[:40]


def signed(token: str, secret: str = SIGNED_WITH) -> str:
    """Return the value of the platform's cookie for a session."""
    signature = hmac.digest(secret.encode(), token.encode(), sha256)
    return quote(f"{token}.{b64encode(signature).decode()}", safe="")


def encrypted(key: str, secret: str = ENCRYPTION_KEY, iv: bytes = b"\x0f" * 16) -> str:
    """Return a key as the platform stores it where it encrypts."""
    sealed = AESGCM(bytes.fromhex(secret)).encrypt(iv, key.encode(), None)
    return f"{iv.hex()}:{sealed[:-16].hex()}:{sealed[-16:].hex()}"


@dataclass(frozen=True)
class Asker:
    """What a request shows of who sends it: its headers, and the address it comes from."""

    headers: Mapping[str, str]
    address: str = "127.0.0.1"


NOBODY: Final = Asker({})


def by_cookie(token: str, name: str = PLAIN_NAME) -> Asker:
    return Asker({"Cookie": f"{name}={signed(token)}"})


def by_key(key: str) -> Asker:
    return Asker({"X-API-Key": key})


def add_session(
    platform: Platform, token: str, user_id: str, *, expires_at: datetime = IN_A_DAY
) -> None:
    platform.add(
        schema.session,
        id=f"session-{token}"[:80],
        token=token,
        user_id=user_id,
        expires_at=expires_at,
        created_at=FOUNDED,
        updated_at=FOUNDED,
    )


def add_key(
    platform: Platform,
    stored: str,
    user_id: str,
    *,
    workspace_id: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    platform.add(
        schema.api_key,
        id=f"key-{next(_numbers)}",
        name="a key",
        key=stored,
        user_id=user_id,
        workspace_id=workspace_id,
        expires_at=expires_at,
        type="workspace" if workspace_id else "personal",
    )


def ban(platform: Platform, user_id: str, until: datetime | None = None) -> None:
    platform.sql(
        'UPDATE "user" SET banned = true, ban_expires = :until WHERE id = :id',
        id=user_id,
        until=until and until.astimezone(UTC).replace(tzinfo=None),
    )


@contextmanager
def own_platform(cluster: str, *, later: bool = False) -> Iterator[Platform]:
    """Make a database of the platform for one module or test; ``later``: second generation."""
    name = f"sign_in_{next(_numbers)}"
    url = cluster.replace("/postgres?", f"/{name}?")
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        writer = create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(url), pool_size=1
        )
        reader = connect(url)
        try:
            platform = Platform(url, writer, reader)
            if later:
                platform.upgrade()
            yield platform
        finally:
            reader.dispose()
            writer.dispose()
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class House:
    """The product as app.py puts it together, and every endpoint that people come to."""

    def __init__(self, reader: Engine, **variables: str) -> None:
        defaults = {field.alias: field.default for field in Settings.model_fields.values()}
        self.settings = Settings.model_validate(defaults | variables)
        self.identity = Identity(reader)
        ledger = Ledger(reader, self.settings.billing)
        app = create_app(self.settings, ledger, identify_by(self.settings, self.identity))
        # The jar of the test client would replace the cookies of the request's own header.
        self.client = app.server.test_client(use_cookies=False)

    def get(self, path: str, asker: Asker, **params: str) -> TestResponse:
        answer: TestResponse = self.client.get(
            path,
            query_string=params,
            headers=dict(asker.headers),
            environ_overrides={"REMOTE_ADDR": asker.address},
            buffered=True,
        )
        return answer

    def api(self, path: str, asker: Asker, **params: str) -> TestResponse:
        return self.get(f"/api/billing/{path}", asker, **params)

    def may(self, asker: Asker) -> int:
        """Return the status of the simplest question that only somebody may ask."""
        return self.api("workspaces", asker).status_code

    def named(self, asker: Asker) -> list[str]:
        """Return the workspaces of whoever is recognised."""
        answer = self.api("workspaces", asker)
        assert answer.status_code == 200, answer.text
        return [workspace["id"] for workspace in answer.get_json()["data"]]

    def code(self, asker: Asker) -> str:
        """Return the code of the refusal of somebody who is not recognised."""
        answer = self.api("workspaces", asker)
        assert answer.status_code == 401, answer.text
        code: str = answer.get_json()["error"]["code"]
        return code

    def page(self, asker: Asker, workspace_id: str) -> TestResponse:
        return self.get(f"/workspace/{workspace_id}/usage", asker, **WINDOW)

    def page_callback(self, asker: Asker, workspace_id: str) -> TestResponse:
        return self._call("usage-table.data", "", asker, workspace_id)

    def export_callback(self, asker: Asker, workspace_id: str) -> TestResponse:
        return self._call("usage-download.data", "usage-export.n_clicks", asker, workspace_id)

    def listed(self, asker: Asker, workspace_id: str) -> TestResponse:
        return self.api("usage", asker, workspaceId=workspace_id, **WINDOW)

    def summary(self, asker: Asker, workspace_id: str) -> TestResponse:
        return self.api("usage/summary", asker, workspaceId=workspace_id, **WINDOW)

    def export(self, asker: Asker, workspace_id: str) -> TestResponse:
        return self.api("usage/export", asker, workspaceId=workspace_id, **WINDOW)

    def opened(self, asker: Asker, workspace_id: str, row_id: str = "run") -> TestResponse:
        return self.api("usage/execution", asker, workspaceId=workspace_id, id=row_id)

    def figures_callback(self, asker: Asker, workspace_id: str) -> TestResponse:
        return self._call("usage-summary.children", "usage-subject.data", asker, workspace_id)

    def _call(self, output: str, trigger: str, asker: Asker, workspace_id: str) -> TestResponse:
        """Call a callback of the page as its script does."""
        values = {
            "usage-location.search": f"?from={WINDOW['from']}&to={WINDOW['to']}",
            "usage-location.pathname": f"/workspace/{workspace_id}/usage",
            "usage-view.data": {"window": WINDOW},
            "usage-subject.data": {"workspace": workspace_id, "asked": WINDOW},
            "usage-opened-row.data": {
                "pathname": f"/workspace/{workspace_id}/usage",
                "id": "anything",
            },
        }
        return call(
            self.client,
            output,
            values,
            trigger,
            headers=dict(asker.headers),
            environ_overrides={"REMOTE_ADDR": asker.address},
            buffered=True,
        )
