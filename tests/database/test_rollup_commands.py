"""The commands that keep the rollup, as a person or cron runs them."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import main
from data.platform.connection import connect
from demo.local_postgres import LocalPostgres
from tests.support.platform import Platform, is_whole, spaced, utc
from tests.support.serving import environment, serving
from tests.support.summing import assert_agrees

COMMANDS = ("install", "compact", "verify", "uninstall")
NOON = utc("2026-10-10 12:00")


def run(command: str, **variables: str) -> Result:
    return CliRunner().invoke(main, [command], env=variables)


def said(command: str, platform: Platform) -> str:
    result = run(command, DATABASE_URL=platform.url)
    assert result.exit_code == 0, result.output
    return result.output


def is_trusted(url: str) -> bool:
    engine = connect(url)
    try:
        with engine.connect() as connection:
            return is_whole(connection)
    finally:
        engine.dispose()


@pytest.fixture
def filled(rolled: Platform) -> Platform:
    rolled.account()
    rolled.runs(spaced(3, start=NOON))
    return rolled


def test_a_rollup_from_its_installation_to_its_end(filled: Platform) -> None:
    assert said("install", filled) == "The rollup is there, and whole.\n"
    assert said("compact", filled) == "3 changes folded.\n"
    assert said("verify", filled) == "1 days compared, 0 sums were wrong and repaired.\n"
    assert said("uninstall", filled) == "The rollup is gone.\n"
    assert said("install", filled) == "2026-10-10 is filled\nThe rollup is installed.\n"
    assert_agrees(filled)


def test_verifying_fails_where_sums_were_wrong_so_that_cron_tells_somebody(
    filled: Platform,
) -> None:
    said("compact", filled)
    filled.sql("UPDATE usage.hour SET cost = 0")
    result = run("verify", DATABASE_URL=filled.url)
    assert (result.exit_code, result.output) == (
        1,
        "1 days compared, 1 sums were wrong and repaired.\n",
    )
    assert said("verify", filled).endswith(" 0 sums were wrong and repaired.\n")


@pytest.mark.parametrize("command", ["compact", "verify"])
def test_what_is_not_installed_is_told_in_one_line(filled: Platform, command: str) -> None:
    said("uninstall", filled)
    result = run(command, DATABASE_URL=filled.url)
    assert result.exit_code == 1
    assert re.fullmatch(
        r"Error: The rollup is not installed here.*app\.py install\n", result.output
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_does_not_answer_is_told_in_one_line(command: str) -> None:
    result = run(command, DATABASE_URL="postgresql://finance:secret@127.0.0.1:1/sim")
    assert result.exit_code == 1
    assert result.output.startswith("Error: The database said: ")
    assert result.output.count("\n") == 1
    assert "secret" not in result.output


def test_a_local_home_that_an_older_version_made_is_brought_forward_by_serving_it(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    variables = environment(USAGE_HOME=str(home))
    runner = CliRunner()
    assert runner.invoke(main, ["seed", "--executions", "1000"], env=variables).exit_code == 0
    assert run("install", USAGE_HOME=str(home)).output == "The rollup is there, and whole.\n"
    assert run("uninstall", USAGE_HOME=str(home)).output == "The rollup is gone.\n"
    with serving(USAGE_HOME=str(home)), LocalPostgres(home) as server:
        url = server.start()
        assert is_trusted(url)
        # And the commands work on the database that is served.
        assert run("verify", USAGE_HOME=str(home)).exit_code == 0
        assert is_trusted(url)
