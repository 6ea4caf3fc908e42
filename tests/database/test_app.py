"""The command line, as a person at a terminal meets it: real processes, a real port."""

import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app import main
from demo.local_postgres import LocalPostgres
from settings import Settings
from tests.support.serving import (
    PATIENCE,
    ROOT,
    end,
    environment,
    free_port,
    lines_until_ready,
    serving,
    start,
)
from web.api import openapi


def _body(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as response:
        text: str = response.read().decode()
        return text


def _count(home: Path) -> int:
    with LocalPostgres(home) as server, psycopg.connect(server.start()) as connection:
        row = connection.execute("SELECT count(*) FROM workflow_execution_logs").fetchone()
        assert row is not None
        count: int = row[0]
        return count


@pytest.fixture(scope="module")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("usage") / "home"
    result = subprocess.run(
        [sys.executable, "app.py", "seed", "--executions", "2000"],
        cwd=ROOT,
        env=environment(USAGE_HOME=str(home)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return home


def test_help_lists_the_commands_and_every_setting() -> None:
    text = CliRunner().invoke(main, ["--help"], env={"COLUMNS": "120"}).output
    for command in main.commands:
        assert re.search(rf"^  {command}\b", text, re.MULTILINE)
    for field in Settings.model_fields.values():
        assert str(field.alias) in text
        assert str(field.description) in text


def test_there_is_one_version() -> None:
    said = CliRunner().invoke(main, ["--version"], env={"USAGE_TIMEZONE": "Mars/Olympus"}).output
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert said == f"Usage Ledger, version {version}\n"
    assert openapi.document("/")["info"]["version"] == version
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == version


@pytest.mark.parametrize("command", ["serve", "seed"])
def test_a_database_without_a_way_to_sign_in_is_refused(command: str) -> None:
    url = "postgresql://finance:secret@db.example/sim"
    result = CliRunner().invoke(main, [command], env={"DATABASE_URL": url})
    assert result.exit_code == 1
    assert "DATABASE_URL" in result.output
    assert "secret" not in result.output
    assert result.output.count("\n") == 1


def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it() -> None:
    result = CliRunner().invoke(main, ["serve"], env={"USAGE_TIMEZONE": "Mars/Olympus"})
    assert result.exit_code == 1
    assert result.output == (
        "Error: USAGE_TIMEZONE: must be an IANA time zone such as Europe/Berlin\n"
    )


def test_a_taken_port_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(
            main, ["serve"], env={"USAGE_PORT": str(port), "USAGE_HOME": str(tmp_path / "home")}
        )
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in result.output
    assert "USAGE_PORT" in result.output
    assert not (tmp_path / "home").exists()


def test_seeding_twice_is_refused_and_changes_nothing(seeded_home: Path) -> None:
    before = _count(seeded_home)
    env = {"USAGE_HOME": str(seeded_home)}
    result = CliRunner().invoke(main, ["seed"], env=env)
    assert result.exit_code == 1
    assert "already" in result.output
    assert _count(seeded_home) == before >= 2000


def test_the_server_says_where_it_is_and_answers_there(seeded_home: Path) -> None:
    port = free_port()
    process = start(port, USAGE_HOME=str(seeded_home))
    try:
        assert f"http://127.0.0.1:{port}/" in lines_until_ready(process)[-1]
        assert _body(port, "/healthz") == "ok\n"
        assert _body(port, "/readyz") == "ready\n"
        assert "Support automation" in _body(port, "/")
        assert "usage-table" in _body(port, "/workspace/ws_support/usage")
    finally:
        end(process)
    assert not (seeded_home / "postgres" / "postmaster.pid").exists()


def test_after_a_kill_of_the_application_it_starts_again_with_its_data(seeded_home: Path) -> None:
    before = _count(seeded_home)
    process = start(free_port(), USAGE_HOME=str(seeded_home))
    lines_until_ready(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    with serving(USAGE_HOME=str(seeded_home)) as server:
        assert _body(server.port, "/readyz") == "ready\n"
    assert _count(seeded_home) == before


def test_two_starts_at_once_serve_the_same_data(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ports = [free_port(), free_port()]
    processes = [start(port, USAGE_HOME=str(home)) for port in ports]
    try:
        for process, port in zip(processes, ports, strict=True):
            lines_until_ready(process)
            assert "Support automation" in _body(port, "/")
    finally:
        for process in processes:
            end(process)
    assert _count(home) >= 40_000
