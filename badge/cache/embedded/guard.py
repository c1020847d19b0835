"""`python -m badge.cache.embedded.guard PARENT COMMAND…`: becomes a server that dies with its parent.

On Linux the kernel's parent-death signal is set and this process then turns into the server; the
signal outlives exec (prctl(2), PR_SET_PDEATHSIG). Elsewhere it stays, and ends the server when
standard input, which the parent holds open, ends.
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
    """The server's exit code, where this process outlives it."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the signal was set
            return 1
        os.execv(command[0], command)  # noqa: S606 - the command is the launcher's, no shell involved
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the launcher's command
    sys.stdin.buffer.read()
    server.kill()
    return server.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
