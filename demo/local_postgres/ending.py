"""How the bundled PostgreSQL ends: gently where it can, and in any case within bounds."""

from pathlib import Path
from typing import Final

from demo.local_postgres.postmaster import Postmaster
from demo.local_postgres.programs import run

_ANSWERS_WITHIN_SECONDS: Final = "20"
_ENDS_WITHIN_SECONDS: Final = "60"


def halt(cluster: Path, server: Postmaster) -> bool:
    """Stop the cluster's server; return whether it is gone.

    What was committed is safe either way: a server that is stopped at once reads it from its log
    at the next start.
    """

    def stop(mode: str) -> bool:
        options = ("-D", cluster, "-m", mode, "-t", _ENDS_WITHIN_SECONDS)
        done = run("pg_ctl", "stop", *options, cwd=cluster.parent)
        return done.returncode == 0 or not server.runs(cluster)

    # One that recovers from a crash, as on a full disk, may take the gentle word and never end.
    asked = ("-q", "-h", server.socket_dir, "-t", _ANSWERS_WITHIN_SECONDS)
    accepts = run("pg_isready", *asked, cwd=cluster.parent).returncode == 0
    return (accepts and stop("fast")) or stop("immediate")
