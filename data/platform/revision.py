"""Which revision of the platform this is: probed in the database, because versions tell little."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

# By name: the SQL expression that tells whether it is here.
_PROBES: Final = {
    name: f"""EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('{table}') AND attname = '{column}' AND NOT attisdropped
    )"""
    for name, table, column in (
        ("organizations", "workspace", "organization_id"),
        ("key_hashes", "api_key", "key_hash"),
    )
}
_REVISION: Final = text("SELECT " + ", ".join(f"{sql} AS {name}" for name, sql in _PROBES.items()))


@dataclass(frozen=True)
class Revision:
    """What later revisions of the platform brought, and whether it is here.

    ``organizations``: workspaces may belong to one, whose admins may see them; before, the owner of
    a workspace might. ``key_hashes``: API keys are stored with a hash and found by it alone.
    """

    organizations: bool
    key_hashes: bool


def revision_of(connection: Connection) -> Revision:
    """Probe the platform's tables; any role may."""
    return Revision(**connection.execute(_REVISION).mappings().one())
