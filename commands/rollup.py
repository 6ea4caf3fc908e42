"""The commands that keep the rollup: install, compact, verify, uninstall."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from commands.lifetime import local_postgres, spoken
from data.sums import rollup
from settings import Settings


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """Yield the URL of the platform's database, or of the bundled PostgreSQL."""
    if settings.database_url:
        with spoken():
            yield settings.database_url
    else:
        with local_postgres(settings) as url:
            yield url


@click.command()
@click.pass_obj
def install(settings: Settings) -> None:
    """Put the rollup into the database and fill it; DATABASE_URL names the tables' owner."""
    with _database(settings) as url:
        done = rollup.install(url, lambda day: click.echo(f"{day} is filled"))
        click.echo("The rollup is installed." if done else "The rollup is there, and whole.")


@click.command()
@click.pass_obj
def compact(settings: Settings) -> None:
    """Fold what changed since the last time into the rollup; run it every minute or so."""
    with _database(settings) as url:
        click.echo(f"{rollup.compact(url)} changes folded.")


@click.command()
@click.pass_obj
def verify(settings: Settings) -> None:
    """Compare the rollup with the executions and repair it; fails where it was wrong."""
    with _database(settings) as url:
        verified = rollup.verify(url)
    click.echo(f"{verified.days} days compared, {verified.wrong} sums were wrong and repaired.")
    if verified.wrong:
        raise click.exceptions.Exit(1)


@click.command()
@click.pass_obj
def uninstall(settings: Settings) -> None:
    """Take the rollup out of the database; the executions answer again."""
    with _database(settings) as url:
        rollup.uninstall(url)
        click.echo("The rollup is gone.")
