"""A command with the bundled PostgreSQL, however it ends: one sentence, nothing is left running.

``at`` is called where a phase of a first start begins; there the disk fills up, the database dies
or somebody wants the command to end.
"""

import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import pytest
from click.testing import CliRunner, Result

import app
import demo
from data.rules.errors import UsageError
from data.sums import rollup
from demo import local_postgres
from demo.local_postgres import LocalPostgres, cluster, space
from tests.support.serving import PATIENCE, environment, free_port, start

FULL = (
    r"Error: There is no room left on the disk of USAGE_HOME \(.*/home\): free some \(the demo "
    r"takes about 300 MB\), set USAGE_HOME to a directory on another disk, or set DATABASE_URL "
    r"to a PostgreSQL of your own\.\n"
)
STOPPED = "Error: Stopped before it was done. Start again to have it done from the beginning.\n"
ROWS = 1000


def running(home: Path) -> list[psutil.Process]:
    """Return the processes of PostgreSQL that work in a home."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(str(home) in word for word in process.cmdline()) and "postgres" in str(
                process.exe()
            ):
                found.append(process)
    return found


def assert_nothing_runs(home: Path) -> None:
    """Wait for those to be gone that have lost their server and are about to notice."""
    deadline = time.monotonic() + PATIENCE
    while left := running(home):
        assert time.monotonic() < deadline, left


def assert_nothing_is_left(home: Path) -> None:
    assert_nothing_runs(home)
    assert [path.name for path in home.glob("postgres*") if path.is_dir()] == []


def seed(home: Path) -> Result:
    command = ["seed", "--executions", str(ROWS)]
    return CliRunner().invoke(app.main, command, env=environment(USAGE_HOME=str(home)))


def assert_a_start_from_the_beginning_works(home: Path) -> None:
    result = seed(home)
    assert result.exit_code == 0, result.output
    assert holds(home) == (True, ROWS)
    assert_nothing_runs(home)


def holds(home: Path) -> tuple[bool, int]:
    with LocalPostgres(home) as server:
        url = server.start()
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM workflow_execution_logs").fetchone()
        assert row
        return demo.generation_at(url) == 1, row[0]


class Disk:
    """A disk of its own, which can be filled to the last byte."""

    def __init__(self, path: Path) -> None:
        self.home = path / "home"
        self._ballast = path / "ballast"

    def fill(self, but: int = 0) -> None:
        """Leave no more room than so many bytes."""
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(1 << 16))
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(b"\0")
        os.truncate(self._ballast, self._ballast.stat().st_size - but)

    def empty(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def disk_of(tmp_path: Path) -> Iterator[Callable[[str], Disk]]:
    """Yield a function that makes a disk of a size such as ``30m``."""
    mounted: list[Path] = []

    def make(size: str) -> Disk:
        path = tmp_path / f"disk{len(mounted)}"
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
        try:
            done = subprocess.run(mount, check=False, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount here")
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(path)
        return Disk(path)

    yield make
    for path in mounted:
        # S607: where mount was found, so is umount
        subprocess.run(["umount", str(path)], check=True)  # noqa: S607


# Where each phase begins: the function that is called then.
BEGINNINGS: Final[dict[str, tuple[object, str]]] = {
    "setting up": (cluster, "run"),
    "starting": (LocalPostgres, "_pg_ctl"),
    "seeding": (demo, "_fill"),
    "half seeded": (psycopg.Copy, "write_row"),
    "tidying up": (demo, "_vacuum"),
    "adding up": (rollup, "install"),
    "stopping": (local_postgres, "halt"),
}
PHASES: Final = tuple(BEGINNINGS)[:-1]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Let requests to end be heard, also where whoever runs the tests has them ignored (nohup)."""
    defaults: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {each: signal.signal(each, handler) for each, handler in defaults.items()}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Return a function that has something happen where a phase begins, once."""

    def set_up(phase: str, happen: Callable[[], object]) -> None:
        place, name = BEGINNINGS[phase]
        function = getattr(place, name)
        calls = itertools.count(1)
        due = ROWS // 2 if phase == "half seeded" else 1

        def called(*args: Any, **options: Any) -> Any:
            if next(calls) == due:
                happen()
            return function(*args, **options)

        monkeypatch.setattr(place, name, called)

    return set_up


@pytest.mark.parametrize("size", ["4k", "1m", "30m"])
def test_a_disk_that_is_too_small_for_a_database_is_told_and_left_as_it_was(
    disk_of: Callable[[str], Disk], size: str
) -> None:
    home = disk_of(size).home
    result = seed(home)
    assert result.exit_code == 1
    assert re.fullmatch(FULL, result.output)
    assert_nothing_is_left(home)


def test_a_disk_without_room_for_the_directory_is_told(disk_of: Callable[[str], Disk]) -> None:
    disk = disk_of("4k,nr_inodes=1")  # the one is the disk's own directory
    result = seed(disk.home)
    assert result.exit_code == 1
    assert re.fullmatch(FULL, result.output)


def test_what_is_full_of_shared_memory_is_not_the_disk(tmp_path: Path) -> None:
    disk, memory = (
        f"ERROR: could not resize {what}: No space left on device"
        for what in ('file "base/5/16551"', 'shared memory segment "/PostgreSQL.1" to 65536 bytes')
    )
    assert space.is_full(tmp_path, [memory, disk])
    assert not space.is_full(tmp_path, [memory])


@pytest.mark.parametrize("phase", PHASES)
def test_a_disk_that_fills_up_on_the_way_is_told_and_nothing_is_left(
    disk_of: Callable[[str], Disk], at: Callable[..., None], phase: str
) -> None:
    disk = disk_of("120m")
    at(phase, disk.fill)
    result = seed(disk.home)
    assert result.exit_code == 1
    assert re.fullmatch(f"(Seeding demo data\n)?{FULL}", result.output)
    assert_nothing_is_left(disk.home)
    disk.empty()
    assert_a_start_from_the_beginning_works(disk.home)


def test_a_disk_that_is_full_when_the_server_stops_keeps_what_was_written(
    disk_of: Callable[[str], Disk], at: Callable[..., None]
) -> None:
    disk = disk_of("120m")
    at("stopping", disk.fill)
    result = seed(disk.home)
    assert result.exit_code == 0, result.output
    assert_nothing_runs(disk.home)
    disk.empty()
    assert holds(disk.home) == (True, ROWS)


def test_a_database_of_before_is_kept_where_the_disk_is_full_now(
    disk_of: Callable[[str], Disk],
) -> None:
    disk = disk_of("120m")
    assert_a_start_from_the_beginning_works(disk.home)
    taken_out = CliRunner().invoke(app.main, ["uninstall"], env={"USAGE_HOME": str(disk.home)})
    assert taken_out.exit_code == 0
    disk.fill(but=8 << 20)
    refused = CliRunner().invoke(app.main, ["compact"], env={"USAGE_HOME": str(disk.home)})
    assert refused.output.startswith("Error: The rollup is not installed here")
    disk.fill()
    result = CliRunner().invoke(app.main, ["install"], env={"USAGE_HOME": str(disk.home)})
    assert result.exit_code == 1
    assert re.fullmatch(FULL, result.output)
    assert_nothing_runs(disk.home)
    disk.empty()
    assert holds(disk.home) == (True, ROWS)


def test_a_served_demo_on_a_full_disk_ends_as_the_others_do(disk_of: Callable[[str], Disk]) -> None:
    home = disk_of("60m").home
    process = start(free_port(), USAGE_HOME=str(home))
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.fullmatch(f"Seeding demo data\n{FULL}", said)
    assert_nothing_is_left(home)


def kill_the_server(home: Path) -> None:
    pid = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    server = psutil.Process(pid)
    server.kill()
    psutil.wait_procs([server], timeout=PATIENCE)


@pytest.mark.parametrize("phase", ["seeding", "half seeded", "tidying up", "adding up"])
def test_a_database_that_dies_on_the_way_is_told_and_nothing_is_left(
    tmp_path: Path, at: Callable[..., None], phase: str
) -> None:
    home = tmp_path / "home"
    at(phase, lambda: kill_the_server(home))
    result = seed(home)
    assert result.exit_code == 1
    assert re.fullmatch(
        r"(Seeding demo data\n)?Error: The database (failed \(.+\)\. Start again|said: .+)\.?\n",
        result.output,
    )
    assert_nothing_is_left(home)
    assert_a_start_from_the_beginning_works(home)


@pytest.mark.parametrize(
    ("request_to_end", "phase"),
    [
        *((signal.SIGTERM, phase) for phase in PHASES),
        (signal.SIGINT, "starting"),
        (signal.SIGINT, "half seeded"),
        (signal.SIGHUP, "half seeded"),
    ],
)
def test_a_request_to_end_on_the_way_is_told_and_nothing_is_left(
    tmp_path: Path, at: Callable[..., None], phase: str, request_to_end: signal.Signals
) -> None:
    home = tmp_path / "home"
    before = signal.getsignal(request_to_end)
    at(phase, lambda: os.kill(os.getpid(), request_to_end))
    result = seed(home)
    assert result.exit_code == 1
    assert re.fullmatch(f"(Seeding demo data\n)?{STOPPED}", result.output)
    assert_nothing_is_left(home)
    assert signal.getsignal(request_to_end) == before


def test_requests_to_end_do_not_disturb_the_end(tmp_path: Path, at: Callable[..., None]) -> None:
    at("stopping", lambda: os.kill(os.getpid(), signal.SIGTERM))
    result = seed(tmp_path / "home")
    assert result.exit_code == 0, result.output
    assert_nothing_runs(tmp_path / "home")


def test_a_hang_up_that_is_ignored_stays_ignored(tmp_path: Path, at: Callable[..., None]) -> None:
    at("seeding", lambda: os.kill(os.getpid(), signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = seed(tmp_path / "home")
        assert result.exit_code == 0, result.output
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
def test_a_first_start_that_is_ended_while_it_sets_up_leaves_nothing(
    tmp_path: Path, request_to_end: signal.Signals
) -> None:
    """A real one: wherever the request comes, in initdb or behind it, the end is the same."""
    home = tmp_path / "home"
    process = start(free_port(), USAGE_HOME=str(home))
    deadline = time.monotonic() + PATIENCE
    while not any(home.glob("postgres.new-*/PG_VERSION")):
        assert time.monotonic() < deadline
    # As a terminal does, to everything that belongs to it.
    os.killpg(process.pid, request_to_end)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.fullmatch(f"(Seeding demo data\n)?{STOPPED}", said)
    assert_nothing_is_left(home)


def test_a_failure_leaves_the_server_to_another_that_uses_it(
    tmp_path: Path, at: Callable[..., None]
) -> None:
    home = tmp_path / "home"
    other = LocalPostgres(home)

    def another_comes_and_this_fails() -> None:
        other.start()
        raise UsageError("Nothing more is done.")

    at("half seeded", another_comes_and_this_fails)
    try:
        assert seed(home).output.endswith("Error: Nothing more is done.\n")
        assert demo.generation_at(other.start()) is None
    finally:
        other.stop()
    assert_nothing_runs(home)
