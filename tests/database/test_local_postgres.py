"""Real servers, in homes of their own; ``Application`` is another process that uses one."""

import os
import pwd
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from data.rules.errors import UsageError
from demo import local_postgres
from demo.local_postgres import LocalPostgres, cluster, programs
from demo.local_postgres.user import SERVER_USER
from tests.support.serving import PATIENCE

REPOSITORY = Path(__file__).parents[2]
OUTSIDER = 65534  # an ordinary user that every system has: nobody
AS_OUTSIDER = ["setpriv", f"--reuid={OUTSIDER}", f"--regid={OUTSIDER}", "--clear-groups"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# Says the URL once the server runs; ends when told to by a line, or is killed.
APPLICATION = """
import sys
from pathlib import Path
from demo.local_postgres import LocalPostgres
postgres = LocalPostgres(Path(sys.argv[1]))
print(postgres.start(), flush=True)
sys.stdin.readline()
postgres.stop()
print("stopped", flush=True)
"""

# Stops while a child forked from it, like a worker, lives on.
PARENT_OF_A_WORKER = """
import os, sys
from pathlib import Path
from demo.local_postgres import LocalPostgres
postgres = LocalPostgres(Path(sys.argv[1]))
print(postgres.start(), flush=True)
reading, writing = os.pipe()
if os.fork() == 0:
    os.close(writing)
    postgres.stop()  # not the child's to stop
    print("forked", flush=True)
    os.read(reading, 1)  # until the parent has ended
    os._exit(0)
sys.stdin.readline()
postgres.stop()
print("stopped", flush=True)
sys.stdin.readline()
"""


class Application:
    """A process of its own session that starts the server of ``home``."""

    def __init__(
        self, home: Path, program: str = APPLICATION, user: list[str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [*(user or []), sys.executable, "-B", "-c", program, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=REPOSITORY,
            start_new_session=True,
        )

    def says(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def tell(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        # What it started may have outlived it, in the same group.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with self.process:
            pass


class Bench:
    """Makes applications, and knows what to end after the test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.homes = {home}
        self.applications: list[Application] = []
        self.servers: list[LocalPostgres] = []

    def server(self, home: Path | None = None) -> LocalPostgres:
        self.homes.add(home or self.home)
        self.servers.append(LocalPostgres(home or self.home))
        return self.servers[-1]

    def application(
        self, home: Path | None = None, program: str = APPLICATION, user: list[str] | None = None
    ) -> Application:
        self.homes.add(home or self.home)
        self.applications.append(Application(home or self.home, program, user))
        return self.applications[-1]

    def end(self) -> None:
        for server in self.servers:
            server.stop()
        for application in self.applications:
            application.end()
        for home in self.homes:
            postmaster = postmaster_of(home)
            if postmaster:
                kill(postmaster)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "home")
    yield bench
    bench.end()


@pytest.fixture
def outsider() -> list[str]:
    """Return what makes a command run as an ordinary user."""
    python = [*AS_OUTSIDER, sys.executable, "-B", "-c", "import demo.local_postgres"]
    if subprocess.run(python, cwd=REPOSITORY, capture_output=True, check=False).returncode:
        pytest.skip("an ordinary user cannot reach this Python or this repository")
    return AS_OUTSIDER


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Yield a directory that every user of the machine can reach, unlike ``tmp_path``."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def postmaster_of(home: Path) -> int | None:
    try:
        return int((home / "postgres" / "postmaster.pid").read_text().split("\n")[0])
    except FileNotFoundError:
        return None


def kill(pid: int) -> None:
    """Kill a process that is not a child of ours, and wait until it is gone."""
    process = os.pidfd_open(pid)
    signal.pidfd_send_signal(process, signal.SIGKILL)
    assert select.select([process], [], [], PATIENCE)[0]
    os.close(process)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row
    return row[0]


def write_a_row(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 42 as answer")


def test_a_fresh_server_answers_in_locale_c_and_utf8_off_the_network(bench: Bench) -> None:
    url = bench.server().start()
    assert ask(url, "show server_encoding") == "UTF8"
    assert ask(url, "select datcollate || datctype from pg_database limit 1") == "CC"
    assert ask(url, "show listen_addresses") == ""
    assert ask(url, "show fsync") == "on"


def test_a_server_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(bench: Bench) -> None:
    bench.server().start()
    postmaster = postmaster_of(bench.home)
    assert postmaster
    assert os.getsid(postmaster) == postmaster


def test_an_existing_cluster_starts_as_it_is_with_its_rows(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.server() as server:
        write_a_row(server.start())
    ran: list[str] = []

    def noted(program: str, *arguments: str | Path, cwd: Path) -> Any:
        ran.append(program)
        return programs.run(program, *arguments, cwd=cwd)

    for place in (local_postgres, cluster):
        monkeypatch.setattr(place, "run", noted)
    log = bench.home / "postgres" / "server.log"
    before = log.stat().st_size
    url = bench.server().start()
    # One program, once, and nothing to recover from: that is all there is to wait for.
    assert ran == ["pg_ctl"]
    assert "recovery" not in log.read_text()[before:]
    assert ask(url, "select answer from kept") == 42


def test_committed_rows_survive_kill_9_of_the_postmaster(bench: Bench) -> None:
    server = bench.server()
    url = server.start()
    write_a_row(url)
    postmaster = postmaster_of(bench.home)
    assert postmaster
    with psycopg.connect(url):  # its backend is an orphan for a moment
        kill(postmaster)
        assert ask(server.start(), "select answer from kept") == 42


def test_a_start_waits_for_the_orphans_of_a_killed_postmaster(bench: Bench) -> None:
    url = bench.server().start()
    write_a_row(url)
    postmaster = postmaster_of(bench.home)
    assert postmaster
    with psycopg.connect(url) as connection:
        orphan = connection.info.backend_pid
        os.kill(orphan, signal.SIGSTOP)  # too busy to notice
        kill(postmaster)
        application = bench.application()
        log = bench.home / "postgres" / "server.log"
        wait_until(lambda: "shared memory block" in log.read_text())
        os.kill(orphan, signal.SIGCONT)
        assert ask(application.says(), "select answer from kept") == 42


def test_a_stale_pid_that_now_belongs_to_another_program_is_no_server(bench: Bench) -> None:
    server = bench.server()
    write_a_row(server.start())
    postmaster = postmaster_of(bench.home)
    assert postmaster
    kill(postmaster)
    pid_file = bench.home / "postgres" / "postmaster.pid"
    # The test itself is the other program: whoever takes it for a server ends it.
    pid_file.write_text(pid_file.read_text().replace(str(postmaster), str(os.getpid()), 1))
    server.stop()
    assert ask(server.start(), "select answer from kept") == 42


def test_an_empty_pid_file_as_a_power_cut_leaves_it_is_no_server(bench: Bench) -> None:
    with bench.server():
        pass
    (bench.home / "postgres" / "postmaster.pid").touch()
    assert ask(bench.server().start(), "select 42") == 42


def test_a_home_copied_while_in_use_leaves_the_original_alone(tmp_path: Path, bench: Bench) -> None:
    with bench.server():
        pass
    copy = tmp_path / "copy"
    # S607: any cp does, and keeps the owner
    subprocess.run(["cp", "-a", bench.home, copy], check=True)  # noqa: S607
    original = bench.server().start()
    shutil.copy(bench.home / "postgres" / "postmaster.pid", copy / "postgres")
    assert ask(bench.server(copy).start(), "show data_directory") == str(copy / "postgres")
    assert ask(original, "show data_directory") == str(bench.home / "postgres")


def test_a_second_process_adopts_the_server_and_the_last_one_out_stops_it(bench: Bench) -> None:
    server = bench.server()
    url = server.start()
    postmaster = postmaster_of(bench.home)
    second = bench.application()
    assert second.says() == url
    assert postmaster_of(bench.home) == postmaster
    server.stop()
    assert ask(url, "select 42") == 42
    second.tell()
    assert second.says() == "stopped"
    assert postmaster_of(bench.home) is None
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_two_processes_starting_at_once_get_the_same_server(bench: Bench) -> None:
    both = [bench.application(), bench.application()]
    urls = {application.says() for application in both}
    assert len(urls) == 1
    assert ask(urls.pop(), "select 42") == 42
    for application in both:
        application.tell()
        assert application.says() == "stopped"
    assert postmaster_of(bench.home) is None


def test_a_server_survives_kill_9_of_its_application_and_is_adopted(bench: Bench) -> None:
    application = bench.application()
    url = application.says()
    postmaster = postmaster_of(bench.home)
    application.kill()
    assert ask(url, "select 42") == 42
    with bench.server() as server:
        assert server.start() == url
        assert postmaster_of(bench.home) == postmaster
    assert postmaster_of(bench.home) is None


def test_a_forked_worker_neither_stops_the_server_nor_keeps_it(bench: Bench) -> None:
    parent = bench.application(program=PARENT_OF_A_WORKER)
    url = parent.says()
    assert parent.says() == "forked"
    assert ask(url, "select 42") == 42
    parent.tell()
    assert parent.says() == "stopped"
    assert postmaster_of(bench.home) is None


def test_an_initdb_killed_half_way_is_redone(tmp_path: Path, bench: Bench) -> None:
    for attempt in range(5):  # a busy machine may let initdb finish before we kill
        home = tmp_path / f"home{attempt}"
        application = bench.application(home)
        # misc: mypy gives a lambda's default no type
        wait_until(lambda home=home: any(home.glob("postgres.new-*/PG_VERSION")))  # type: ignore[misc]
        application.kill()
        if not (home / "postgres").exists():
            break
    else:
        pytest.fail("initdb was never caught half way")
    assert ask(bench.server(home).start(), "select 42") == 42


def test_what_an_interrupted_initdb_left_is_removed(bench: Bench) -> None:
    left_over = bench.home / "postgres.new-dead"
    left_over.mkdir(parents=True)
    (left_over / "PG_VERSION").write_text("18\n")
    bench.server().start()
    assert not left_over.exists()


def test_a_private_home_works_under_umask_077_and_nobody_elses_mode_changes(
    tmp_path: Path, bench: Bench
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    parents = [private, *private.parents]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in parents]
    umask = os.umask(0o077)
    try:
        assert ask(bench.server(private / "home").start(), "select 42") == 42
    finally:
        os.umask(umask)
    assert [(path.stat().st_mode, path.stat().st_uid) for path in parents] == before
    assert stat.S_IMODE((private / "home" / "postgres").stat().st_mode) == 0o700
    assert (private / "home").stat().st_uid == os.geteuid()


def test_a_home_too_long_for_a_socket_gets_a_directory_for_it_and_loses_it_again(
    tmp_path: Path, bench: Bench
) -> None:
    home = tmp_path / ("long" * 30)
    server = bench.server(home)
    url = server.start()
    sockets = Path(url.partition("host=")[2])
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert ask(url, "select 42") == 42
    assert bench.server(home).start() == url
    for each in bench.servers:
        each.stop()
    assert not sockets.exists()


def test_a_home_with_a_space_a_comma_and_an_umlaut_works(tmp_path: Path, bench: Bench) -> None:
    assert ask(bench.server(tmp_path / "my, höme's %20+").start(), "select 42") == 42


def test_a_home_that_a_shell_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose another directory"):
        LocalPostgres(tmp_path / "$HOME").start()


def test_a_home_that_cannot_be_made_is_named_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"USAGE_HOME .*file/home.* cannot be used: Not a directory"
    ):
        LocalPostgres(tmp_path / "file" / "home").start()


def test_a_failed_start_names_its_log_and_what_the_log_says(bench: Bench) -> None:
    with bench.server():
        pass
    with (bench.home / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("work_mem = 'plenty'\n")
    with pytest.raises(UsageError, match=r"FATAL: .*See its log, .*server\.log, or set") as raised:
        bench.server().start()
    assert "\n" not in raised.value.sentence


def test_a_cluster_of_another_version_is_left_alone(bench: Bench) -> None:
    with bench.server():
        pass
    (bench.home / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(UsageError, match="not a database of PostgreSQL 18"):
        bench.server().start()


def test_a_home_deleted_while_in_use_does_not_keep_the_application_from_ending(
    bench: Bench,
) -> None:
    server = bench.server()
    server.start()
    postmaster = postmaster_of(bench.home)
    assert postmaster
    shutil.rmtree(bench.home)
    server.stop()
    kill(postmaster)


@needs_root
def test_as_root_the_server_runs_as_a_user_of_its_own(bench: Bench) -> None:
    bench.server().start()
    owner = pwd.getpwuid((bench.home / "postgres").stat().st_uid)
    assert owner.pw_name == SERVER_USER
    assert Path(f"/proc/{postmaster_of(bench.home)}").stat().st_uid == owner.pw_uid


@needs_root
def test_starts_at_the_same_time_make_one_user() -> None:
    name = f"usage-ledger-{os.getpid()}"
    program = f"""
import sys
from demo.local_postgres import user
user.SERVER_USER = {name!r}
print("ready", flush=True)
sys.stdin.readline()
print(*user.server_ids())
"""
    starts = [
        subprocess.Popen(
            [sys.executable, "-B", "-c", program],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for start in starts:
            assert start.stdout
            assert start.stdout.readline() == "ready\n"
        for start in starts:
            assert start.stdin
            start.stdin.write("now\n")
            start.stdin.flush()
        said = {start.communicate(timeout=PATIENCE)[0].strip() for start in starts}
        made = pwd.getpwnam(name)
        assert said == {f"{made.pw_uid} {made.pw_gid}"}
    finally:
        subprocess.run(["/usr/sbin/userdel", name], check=True)


@needs_root
def test_the_programs_too_may_lie_below_a_private_directory(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    install = programs._binaries().parent
    wheel, libraries = install.parent, install.parent.with_suffix(".libs")
    shutil.copytree(install, private / wheel.name / install.name, symlinks=True)
    shutil.copytree(libraries, private / libraries.name, symlinks=True)
    monkeypatch.setattr(programs, "_binaries", lambda: private / wheel.name / install.name / "bin")
    assert ask(bench.server(private / "home").start(), "select 42") == 42


@needs_root
def test_another_user_reaches_neither_the_socket_nor_the_data(
    open_directory: Path, bench: Bench
) -> None:
    home = open_directory / "home"
    home.mkdir(mode=0o755)
    bench.server(home).start()
    # Forked, because another user may not be able to start this Python anew.
    outsider = os.fork()
    if outsider == 0:
        os.setgroups([])
        os.setgid(OUTSIDER)
        os.setuid(OUTSIDER)
        refused = 0
        try:
            socket.socket(socket.AF_UNIX).connect(str(home / "postgres" / ".s.PGSQL.5432"))
        except PermissionError:
            refused += 1
        try:
            list((home / "postgres").iterdir())
        except PermissionError:
            refused += 1
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(outsider, 0)[1]) == 2


@needs_root
def test_an_ordinary_user_runs_the_server_as_itself(
    open_directory: Path, bench: Bench, outsider: list[str]
) -> None:
    os.chown(open_directory, OUTSIDER, OUTSIDER)
    application = bench.application(open_directory / "home", user=outsider)
    assert application.says().startswith("postgresql://")
    assert (open_directory / "home" / "postgres").stat().st_uid == OUTSIDER
    application.tell()
    assert application.says() == "stopped"


@needs_root
def test_a_home_that_an_ordinary_user_may_not_write_is_named_in_a_sentence(
    open_directory: Path, bench: Bench, outsider: list[str]
) -> None:
    application = bench.application(open_directory / "home", user=outsider)
    said = application.process.communicate(timeout=PATIENCE)[0]
    assert f"USAGE_HOME ({open_directory}/home) cannot be used: Permission denied." in said


@needs_root
def test_without_a_way_to_leave_root_the_sentence_says_what_to_do(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"setpriv is missing.*ordinary user, or set DATABASE_URL"):
        bench.server().start()


@needs_root
def test_a_cluster_of_another_user_is_refused(bench: Bench) -> None:
    with bench.server():
        pass
    os.chown(bench.home / "postgres", OUTSIDER, OUTSIDER)
    with pytest.raises(UsageError, match="does not belong to user"):
        bench.server().start()
