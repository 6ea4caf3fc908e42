"""The command that fills the bundled PostgreSQL with demo data."""

from datetime import UTC, datetime

import click

import demo
from commands.lifetime import local_postgres
from data.sums import rollup
from settings import Settings


@click.command()
@click.option("--executions", type=click.IntRange(1000), default=demo.EXECUTIONS, show_default=True)
@click.pass_obj
def seed(settings: Settings, executions: int) -> None:
    """Fill the bundled PostgreSQL with demo data; one that has some is left as it is."""
    if settings.database_url:
        raise click.ClickException(
            "DATABASE_URL is set, and demo data goes only into the bundled PostgreSQL. Unset it."
        )
    with local_postgres(settings) as url:
        if demo.is_seeded(url):
            raise click.ClickException(
                f"There is demo data already. Stop the server and delete {settings.home} to start "
                "anew."
            )
        fill(url, executions)
        rollup.install(url)


def fill(url: str, executions: int) -> None:
    """Fill the database at this libpq URL with demo data, and show how far that is."""
    with click.progressbar(length=executions, label="Seeding demo data") as bar:
        demo.seed(
            url,
            now=datetime.now(UTC),
            executions=executions,
            progress=lambda done, _: bar.update(done - bar.pos),
        )
