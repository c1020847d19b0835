"""`python -m badge.cache.embedded.guard PARENT COMMAND…`: run a server that ends with its parent.

On Linux, set the parent-death signal, which survives exec (prctl(2), PR_SET_PDEATHSIG), and exec the server. Elsewhere,
stay and kill the server when standard input, which the parent holds open, is closed.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> int:
    """Run the server; returns its exit code, or 1 if the parent is already gone."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the signal was set
            return 1
        os.execv(command[0], command)  # noqa: S606 - the command is the launcher's, no shell involved
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the launcher's command
    sys.stdin.buffer.read()
    server.kill()
    return server.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
