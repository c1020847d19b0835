"""Checks whether the service can listen on BADGE_BIND, before gunicorn tries and retries."""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path

TIMEOUT_SECONDS = 1.0


def fault_of(bind: str) -> str | None:
    """Return why the service can't listen there and what to do about it; None if it can."""
    if bind.startswith("unix:"):
        return _fault_of_path(Path(re.sub(r"^unix:(//)?", "", bind)))
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            return _problem(error, bind, int(port))
    return None


def _problem(error: OSError, bind: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"another program is listening on {bind}; stop it, "
                f"or set another port, such as 127.0.0.1:{port % 65535 + 1}"
            )
        case errno.EACCES:
            return f"this user may not listen on {bind}; set a port of 1024 or above, such as 127.0.0.1:8000"
        case errno.EADDRNOTAVAIL | socket.EAI_NONAME:
            return f"{bind} is not an address of this machine; set one that is, such as 127.0.0.1:{port}"
        case _:
            return f"the service can't listen on {bind} ({error.strerror}); set another address, such as 127.0.0.1:8000"


def _fault_of_path(path: Path) -> str | None:
    """Check the socket's path; gunicorn would replace a socket file even if another program is listening on it."""
    try:
        if path.exists() and not path.is_socket():
            return f"{path} exists and is not a socket; remove it, or set another path"
        if not path.parent.is_dir():
            return f"there is no folder {path.parent} for the socket; create it, or set another path"
    except OSError as error:
        return f"{path} can't be used ({error.strerror}); set another path"
    return f"another program is listening on {path}; stop it, or set another path" if _has_listener(path) else None


def _has_listener(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(TIMEOUT_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
