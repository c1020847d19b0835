"""`python -m badge.healthcheck`: request /healthz from the local service; exit code 0 if it answers 200.

For containers without curl. Standard library only, because it runs twice a minute.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Mapping

from badge.settings_file import find_file

TIMEOUT_SECONDS = 2.5


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the Unix socket at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(self._path)


def connection_to(bind: str) -> http.client.HTTPConnection:
    """Return a connection to the service's address, written as in `BADGE_BIND`."""
    if bind.startswith("unix:"):
        return _UnixConnection(bind.removeprefix("unix:"))
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, never bound
    return http.client.HTTPConnection(here, int(port), timeout=TIMEOUT_SECONDS)


def bind_in(environment: Mapping[str, str]) -> str:
    """Return the service's address from the environment or the settings file.

    Ignores faults in the file: the service reports them.
    """
    file = find_file(environment)
    in_file = file.values.get("BADGE_BIND") if file else None
    return environment.get("BADGE_BIND") or in_file or "127.0.0.1:8000"


def main() -> int:
    """Return the exit code: 0 if the service answers 200, else 1."""
    try:
        connection = connection_to(bind_in(os.environ))
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"no answer: {type(error).__name__}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
