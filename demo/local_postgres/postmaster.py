"""What ``postmaster.pid``, the file of a running PostgreSQL, tells: true, stale or half written."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from demo.local_postgres.sockets import SOCKET_NAME


@dataclass(frozen=True)
class Postmaster:
    """The server that the file names."""

    pid: int  # 0 where the file tells of no server of this cluster
    socket_dir: Path
    ready: bool

    @classmethod
    def read(cls, cluster: Path) -> Self | None:
        """Return what the cluster's file says, or None when there is none."""
        try:
            lines = os.fsdecode((cluster / "postmaster.pid").read_bytes()).splitlines()
        except FileNotFoundError:
            return None
        pid, data, _, _, socket_dir, _, _, status = (
            line.strip() for line in (lines + [""] * 8)[:8]
        )
        if not pid.isdigit() or data != str(cluster):
            # Half written, or copied with its cluster: the other server's sockets are not ours.
            return cls(0, cluster, ready=False)
        return cls(int(pid), Path(socket_dir), ready=status == "ready")

    def answers(self) -> bool:
        """Whether a server listens where the file says."""
        if not self.ready:
            return False
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(os.fspath(self.socket_dir / SOCKET_NAME))
            except OSError:
                return False
        return True

    def alive(self) -> bool:
        """Whether any process has the number; 0 counts as alive."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def runs(self, cluster: Path) -> bool:
        """Whether the process is this cluster's postmaster, not another program with its number."""
        try:
            if sys.platform == "linux":
                command = Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ")
            else:
                ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(self.pid)]
                # S603: a fixed program and a number
                command = subprocess.run(ps, capture_output=True, check=False).stdout  # noqa: S603
        except OSError:
            return False
        return b"-D " + os.fsencode(cluster) + b" " in command
