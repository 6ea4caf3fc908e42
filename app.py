"""The command line, and the application for whoever serves it otherwise."""

import click

from commands import COMMANDS
from settings import VERSION, Settings, SettingsError
from web.application import create_app

__all__ = ["create_app", "main"]


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


for _command in COMMANDS:
    main.add_command(_command)


if __name__ == "__main__":
    main()
