"""The command that serves the product, over the platform's database or over demo data."""

import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import click

import demo
from commands.lifetime import local_postgres
from commands.seed import fill
from data.platform.access import Viewer
from data.platform.connection import connect
from data.sums import rollup
from settings import Settings
from web.application import application


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Serve the page on USAGE_HOST and USAGE_PORT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if settings.database_url and not settings.can_sign_in:
        raise click.ClickException(
            "DATABASE_URL is set, but there is no way to sign in, so viewers could not be told "
            "apart. Set BETTER_AUTH_SECRET, or USAGE_PROXY_HEADER and USAGE_PROXY_CIDRS, or "
            "USAGE_EMBED_SECRET and USAGE_EMBED_ORIGINS."
        )
    _check_port(settings)
    if settings.database_url:
        _serve_platform(settings, settings.database_url)
    else:
        _serve_demo(settings)


def _serve_platform(settings: Settings, url: str) -> None:
    _run(settings, lambda: application(settings, connect(url)))


def _serve_demo(settings: Settings) -> None:
    with local_postgres(settings) as url:
        if not demo.generation_at(url):
            fill(url, demo.EXECUTIONS)
        # One that an older version made has no rollup, or an older one, and lets less be read.
        rollup.install(url)
        demo.admit_reader(url)
        # The demo viewer is whoever presents no credential; one that is presented counts, so that
        # an example portal can be tried on the demo.
        viewer = Viewer(demo.DEMO_VIEWER_ID)
        _run(settings, lambda: application(settings, connect(demo.reader_url(url)), viewer))


def _run(settings: Settings, make_app: Callable[[], Any]) -> None:
    # gunicorn reads WEB_CONCURRENCY at its own import, and ends with a traceback where it is no
    # number. The settings have read and checked it, so it goes before that import.
    os.environ.pop("WEB_CONCURRENCY", None)
    from web.server import Server  # noqa: PLC0415 - only now that the variable is gone

    Server(make_app, settings).run()


def _check_port(settings: Settings) -> None:
    """Refuse a taken address before anything is started for it."""
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise click.ClickException(
                f"{settings.host}:{settings.port} cannot be served: {error.strerror}. Stop what "
                "uses it, or set USAGE_HOST and USAGE_PORT."
            ) from None
