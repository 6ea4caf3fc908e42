"""Types of columns that SQLAlchemy does not bring."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator


class UtcTimestamp(TypeDecorator[datetime]):
    """``timestamp without time zone`` that holds UTC; aware datetimes in Python, microseconds."""

    impl = TIMESTAMP(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Aware datetime to the naive UTC that the column holds."""
        del dialect
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Naive UTC of the column to an aware datetime."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)
