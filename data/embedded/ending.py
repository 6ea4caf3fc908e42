"""How the embedded PostgreSQL ends: gently where it can, and in any case within bounds."""

from pathlib import Path
from typing import Final

from data.embedded.postmaster import Postmaster
from data.embedded.programs import run

_GENTLY_SECONDS: Final = "20"
_AT_ONCE_SECONDS: Final = "10"


def halt(cluster: Path, server: Postmaster) -> bool:
    """Stop the cluster's server; return whether it is gone.

    What was committed is safe either way: a server that is stopped at once reads it from its log
    at the next start.
    """

    def stop(mode: str, seconds: str) -> bool:
        options = ("-D", cluster, "-m", mode, "-t", seconds)
        done = run("pg_ctl", "stop", *options, cwd=cluster.parent)
        return done.returncode == 0 or not server.runs(cluster)

    # One that recovers from a crash, as on a full disk, may take the gentle word and never end.
    accepts = run("pg_isready", "-q", "-h", server.socket_dir, cwd=cluster.parent).returncode == 0
    return (accepts and stop("fast", _GENTLY_SECONDS)) or stop("immediate", _AT_ONCE_SECONDS)
