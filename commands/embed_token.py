"""The command that prints a token such as a portal signs."""

import time

import click

from settings import Settings
from web.auth import embed


@click.command("embed-token")
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
