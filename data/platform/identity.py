"""Who somebody is: what the ways to sign in look up in the platform's tables; read only.

Nothing here is remembered: a session that ended, a key that expired and a person who was banned are
gone at the next question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Row, Select, and_, func, or_, select

from data.platform.connection import transaction
from data.platform.revision import Revision, revision_of
from data.platform.schema import api_key, api_key_hash, session, user
from data.platform.types import UtcTimestamp

_NOW: Final = func.timezone("UTC", func.statement_timestamp(), type_=UtcTimestamp)


@dataclass(frozen=True)
class ApiKey:
    """An API key that may be used now, as it is stored; a personal one has no workspace."""

    stored: str
    user_id: str
    workspace_id: str | None


class Identity:
    """Looks people up; raises UnavailableError where the database does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def revision(self) -> Revision:
        """Return which revision of the platform this is."""
        with transaction(self._engine) as connection:
            return revision_of(connection)

    def user_of_session(self, token: str) -> str | None:
        """Return the user of a session that has not expired."""
        found = self._rows(
            select(session.c.user_id)
            .join(user, user.c.id == session.c.user_id)
            .where(session.c.token == token, session.c.expires_at > _NOW, _not_banned())
        )
        return str(found[0].user_id) if found else None

    def user_named(self, name: str) -> str | None:
        """Return the user whose id, or e-mail address in any case, ``name`` is."""
        named = or_(user.c.id == name, func.lower(user.c.email) == func.lower(name))
        found = self._rows(select(user.c.id, _not_banned().label("welcome")).where(named).limit(2))
        # Two people by one name are nobody, even where one of them is banned.
        return str(found[0].id) if len(found) == 1 and found[0].welcome else None

    def key_of_hash(self, hashed: str) -> ApiKey | None:
        """Return the key with this SHA-256 (hex), on a platform that stores hashes."""
        found = self._keys(_usable_keys().where(api_key_hash == hashed))
        return found[0] if found else None

    def all_keys(self) -> list[ApiKey]:
        """Return every key, on a platform that stores no hashes to find one by."""
        return self._keys(_usable_keys())

    def _keys(self, statement: Select[Any]) -> list[ApiKey]:
        return [ApiKey(row.key, row.user_id, row.workspace_id) for row in self._rows(statement)]

    def _rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        with transaction(self._engine) as connection:
            return connection.execute(statement).all()


def _usable_keys() -> Select[Any]:
    return (
        select(api_key.c.key, api_key.c.user_id, api_key.c.workspace_id)
        .join(user, user.c.id == api_key.c.user_id)
        .where(or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > _NOW), _not_banned())
    )


def _not_banned() -> ColumnElement[bool]:
    over = and_(user.c.ban_expires.is_not(None), user.c.ban_expires <= _NOW)
    return or_(user.c.banned.is_not(True), over)
