"""The product as any WSGI server takes it: ``benchmarks.served:application``, a factory."""

from typing import Any

from data.platform.connection import connect
from settings import Settings
from web.application import application as over_engine


def application() -> Any:
    """Return the application over DATABASE_URL."""
    settings = Settings.read()
    return over_engine(settings, connect(str(settings.database_url)))
