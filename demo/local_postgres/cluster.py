"""The directory of the bundled databases: made whole or not at all, and checked before use."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from data.rules.errors import UsageError
from demo.local_postgres.programs import MAJOR_VERSION, complaint, run
from demo.local_postgres.space import is_full, no_room
from demo.local_postgres.user import ELSEWHERE, give_to_server, server_ids


def ensure_cluster(cluster: Path) -> None:
    """Make the cluster, or check that the one there can be served.

    Raises ``UsageError`` with one sentence that says why not, and what to do.
    """
    user, _ = server_ids()
    for left_over in cluster.parent.glob(f"{cluster.name}.new-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    if not cluster.exists():
        _make(cluster)
    if cluster.stat().st_uid != user:
        raise UsageError(
            f"{cluster} does not belong to user {user}, whom the server would run as: "
            f"change its owner, choose another USAGE_HOME, {ELSEWHERE}."
        )
    version = cluster / "PG_VERSION"
    if not version.exists() or version.read_text().strip() != MAJOR_VERSION:
        raise UsageError(
            f"{cluster} is not a database of PostgreSQL {MAJOR_VERSION}: move it away, "
            f"choose another USAGE_HOME, {ELSEWHERE}."
        )


def discard_cluster(cluster: Path) -> None:
    """Remove the cluster of a server that is gone; a half removed one is none."""
    unwanted = cluster.with_name(f"{cluster.name}.new-unwanted")
    with suppress(OSError):  # whole it may stay
        cluster.rename(unwanted)
    shutil.rmtree(unwanted, ignore_errors=True)


def _make(cluster: Path) -> None:
    home = cluster.parent
    # The name is new each time: an initdb that outlived its application may still be writing.
    fresh = Path(tempfile.mkdtemp(prefix=f"{cluster.name}.new-", dir=home))
    try:
        _fill(fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    fresh.rename(cluster)
    # Without this a power cut could take the new name back, and what was committed with it.
    directory = os.open(home, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def _fill(fresh: Path) -> None:
    home = fresh.parent
    give_to_server(fresh)
    # Only root and the server's user can enter the directory, so nobody is asked who they are.
    options = ["--locale=C", "--encoding=UTF8", "--auth-local=trust", "--auth-host=reject"]
    done = run("initdb", "-D", fresh, "-U", "postgres", *options, cwd=home)
    if done.returncode:
        said = done.stderr.splitlines()
        if is_full(home, said):
            raise no_room(home)
        raise UsageError(
            f"The bundled PostgreSQL could not be set up in {home}: {complaint(said)}. "
            "Start as an ordinary user named in /etc/passwd, choose another USAGE_HOME, "
            f"{ELSEWHERE}."
        )
