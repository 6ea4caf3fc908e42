"""The command that fills the bundled PostgreSQL with demo data."""

from datetime import UTC, datetime

import click

import demo
from commands.lifetime import local_postgres
from data.sums import rollup
from settings import Settings


@click.command()
@click.option("--executions", type=click.IntRange(1000), default=demo.EXECUTIONS, show_default=True)
@click.option(
    "--generation",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="How the platform keeps costs: 1 in JSON, as in April 2026; 2 in columns, upgraded since.",
)
@click.pass_obj
def seed(settings: Settings, executions: int, generation: int) -> None:
    """Fill the bundled PostgreSQL with demo data; one that has some is left as it is."""
    if settings.database_url:
        raise click.ClickException(
            "DATABASE_URL is set, and demo data goes only into the bundled PostgreSQL. Unset it."
        )
    with local_postgres(settings) as url:
        if found := demo.generation_at(url):
            raise click.ClickException(
                f"There is demo data of generation {found} already. Stop the server and delete "
                f"{settings.home} to start anew."
            )
        fill(url, executions, generation)
        rollup.install(url)


def fill(url: str, executions: int, generation: int = 1) -> None:
    """Fill the database at this libpq URL with demo data, and show how far that is."""
    with click.progressbar(length=executions, label="Seeding demo data") as bar:
        demo.seed(
            url,
            now=datetime.now(UTC),
            executions=executions,
            generation=generation,
            progress=lambda done, _: bar.update(done - bar.pos),
        )
