"""Which revision of the platform this is: probed in the database, because versions tell little."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

_HAS_COLUMN = """EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = to_regclass(:{0}_table) AND attname = :{0}_column AND NOT attisdropped
)"""


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
    row = connection.execute(
        text(f"SELECT {_HAS_COLUMN.format('org')} AS org, {_HAS_COLUMN.format('hash')} AS hash"),
        {
            "org_table": "workspace",
            "org_column": "organization_id",
            "hash_table": "api_key",
            "hash_column": "key_hash",
        },
    ).one()
    return Revision(organizations=row.org, key_hashes=row.hash)
