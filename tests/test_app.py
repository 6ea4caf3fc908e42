"""The command line, as a person at a terminal meets it: real processes, a real port."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app import main
from data.embedded import EmbeddedPostgres
from settings import Settings

ROOT = Path(__file__).parent.parent
SECONDS_TO_START = 60


def _environment(home: Path, port: int) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"USAGE_HOME": str(home), "USAGE_PORT": str(port), "PYTHONUNBUFFERED": "1"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(home: Path, port: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "app.py", "serve"],
        cwd=ROOT,
        env=_environment(home, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _lines_until_ready(process: "subprocess.Popen[str]") -> list[str]:
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "is ready on" in line:
            return lines
    raise AssertionError("the server ended before it was ready: " + "".join(lines))


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS_TO_START)


@contextmanager
def _serving(home: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    process = _start(home, port)
    try:
        _lines_until_ready(process)
        yield process
    finally:
        _end(process)


def _body(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as response:
        text: str = response.read().decode()
        return text


def _count(home: Path) -> int:
    with EmbeddedPostgres(home) as server, psycopg.connect(server.start()) as connection:
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
        env=_environment(home, 8050),
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
    port = _free_port()
    process = _start(seeded_home, port)
    try:
        assert f"http://127.0.0.1:{port}/" in _lines_until_ready(process)[-1]
        assert _body(port, "/healthz") == "ok\n"
        assert _body(port, "/readyz") == "ready\n"
        assert "Support automation" in _body(port, "/")
        assert "usage-table" in _body(port, "/workspace/ws_support/usage")
    finally:
        _end(process)
    assert not (seeded_home / "postgres" / "postmaster.pid").exists()


def test_after_a_kill_of_the_application_it_starts_again_with_its_data(seeded_home: Path) -> None:
    before = _count(seeded_home)
    process = _start(seeded_home, _free_port())
    _lines_until_ready(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS_TO_START)
    port = _free_port()
    with _serving(seeded_home, port):
        assert _body(port, "/readyz") == "ready\n"
    assert _count(seeded_home) == before


def test_two_starts_at_once_serve_the_same_data(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ports = [_free_port(), _free_port()]
    processes = [_start(home, port) for port in ports]
    try:
        for process, port in zip(processes, ports, strict=True):
            _lines_until_ready(process)
            assert "Support automation" in _body(port, "/")
    finally:
        for process in processes:
            _end(process)
    assert _count(home) >= 40_000
