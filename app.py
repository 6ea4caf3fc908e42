"""The front door: joins settings, ledger and page, and is the command line."""

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from dash import Dash, set_props
from sqlalchemy import Engine
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import api
import components
from auth import embed, identify_by
from components import ids
from data import demo, rollup
from data.access import Viewer
from data.engine import connect
from data.identity import Identity
from data.ledger import Ledger
from lifetime import embedded
from settings import VERSION, Settings, SettingsError
from upkeep import COMMANDS
from web import guard, headers, pages
from web.admission import Admission

_LOG: Final = logging.getLogger("usage")


def create_app(
    settings: Settings,
    ledger: Ledger,
    identify: Callable[[], Viewer],
    checks: Sequence[Callable[[], None]] = (),
) -> Dash:
    """Return the application: pages and callbacks over ``ledger``, for whom ``identify`` names.

    Each of ``checks`` raises UnavailableError where it is not ready.
    """
    app = Dash(
        "usage",
        assets_folder=str(Path(__file__).parent / "assets"),
        assets_ignore=r"theme\.js|plotly-basic\.min\.js|.*LICENSE.*",
        title="Usage",
        update_title="",
        compress=True,
        enable_mcp=False,
        requests_pathname_prefix=settings.url_prefix,
        routes_pathname_prefix="/",
        on_error=_unexpected,
    )
    # A proxy may strip the prefix or keep it: both arrive at the same routes.
    if settings.url_prefix != "/":
        app.server.wsgi_app = DispatcherMiddleware(
            app.server.wsgi_app, {settings.url_prefix.rstrip("/"): app.server.wsgi_app}
        )
    guard.register(app)
    pages.register(app, ledger, identify, settings, checks)
    api.register(app.server, ledger, identify, settings)
    components.register(app, ledger, identify, settings)
    headers.register(app.server, app.csp_hashes(), settings)
    return app


def _unexpected(error: Exception) -> None:
    """Log what nobody foresaw, and tell the viewer that something went wrong."""
    _LOG.error("a callback failed", exc_info=error)
    set_props(ids.TROUBLE_TEXT, {"children": "Something went wrong here. Try again in a moment."})
    set_props(ids.TROUBLE, {"hidden": False})


def _help_of_settings() -> str:
    lines = ["\b", "Settings (environment variables, or a .env file):"]
    for field in Settings.model_fields.values():
        default = "unset" if field.default is None else str(field.default)
        lines.append(f"  {field.alias:<20} {field.description} [{default}]")
    return "\n".join(lines)


@click.version_option(VERSION, prog_name="Usage Ledger")
@click.group(epilog=_help_of_settings(), context_settings={"max_content_width": 120})
@click.pass_context
def main(context: click.Context) -> None:
    """Show what every workflow execution cost, what the plan includes, what is on demand."""
    try:
        context.obj = Settings.read()
    except SettingsError as wrong:
        raise click.ClickException(str(wrong)) from None


@main.command()
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
    with embedded(settings) as url:
        if not demo.is_seeded(url):
            _seed(url, demo.EXECUTIONS)
        # One that an older version made has none, or an older one.
        rollup.install(url)
        # The demo viewer is whoever presents no credential; one that is presented counts, so that
        # an example portal can be tried on the demo.
        viewer = Viewer(demo.DEMO_VIEWER_ID)
        _run(settings, lambda: application(settings, connect(demo.reader_url(url)), viewer))


def _run(settings: Settings, make_app: Callable[[], Any]) -> None:
    # The settings have read and checked it; gunicorn would read it again, unchecked.
    os.environ.pop("WEB_CONCURRENCY", None)
    from web.server import Server  # noqa: PLC0415 - gunicorn reads that while it is imported

    Server(make_app, settings).run()


def application(settings: Settings, engine: Engine, otherwise: Viewer | None = None) -> Any:
    """Return what the web server calls (WSGI): the application, each request in its turn."""
    admission = Admission()
    ledger = Ledger(
        engine, zone=settings.zone, scope=settings.limit_scope, file_turn=admission.file
    )
    identify = admission.before(identify_by(settings, Identity(engine), otherwise))
    return admission.over(create_app(settings, ledger, identify, [admission.check]).server)


@main.command()
@click.option("--executions", type=click.IntRange(1000), default=demo.EXECUTIONS, show_default=True)
@click.pass_obj
def seed(settings: Settings, executions: int) -> None:
    """Fill an empty embedded database with demo data; one that has some is left as it is."""
    if settings.database_url:
        raise click.ClickException(
            "DATABASE_URL is set, and demo data goes only into the embedded database. Unset it."
        )
    with embedded(settings) as url:
        if demo.is_seeded(url):
            raise click.ClickException(
                f"There is demo data already. Stop the server and delete {settings.home} to start "
                "anew."
            )
        _seed(url, executions)
        rollup.install(url)


@main.command("embed-token")
@click.option("--user", required=True, help="Whom it speaks for: a user's id.")
@click.option("--workspace", required=True, help="The one workspace that it opens.")
@click.option(
    "--seconds",
    type=click.IntRange(1, embed.LIFETIME),
    default=embed.LIFETIME,
    show_default=True,
    help="How long it holds.",
)
@click.pass_obj
def embed_token(settings: Settings, user: str, workspace: str, seconds: int) -> None:
    """Print a token such as a portal signs to embed the page; needs USAGE_EMBED_SECRET."""
    if not settings.embed_secret:
        raise click.ClickException("USAGE_EMBED_SECRET is unset, so there is nothing to sign with.")
    for option, word in {"--user": user, "--workspace": workspace}.items():
        if not 1 <= len(word) <= embed.ID_LENGTH_AT_MOST:
            raise click.ClickException(
                f"{option} must be an id of 1 to {embed.ID_LENGTH_AT_MOST} characters."
            )
    click.echo(embed.mint(settings.embed_secret, user, workspace, seconds, time.time()))


for _command in COMMANDS:
    main.add_command(_command)


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


def _seed(url: str, executions: int) -> None:
    with click.progressbar(length=executions, label="Seeding demo data") as bar:
        demo.seed(
            url,
            now=datetime.now(UTC),
            executions=executions,
            progress=lambda done, _: bar.update(done - bar.pos),
        )


if __name__ == "__main__":
    main()
