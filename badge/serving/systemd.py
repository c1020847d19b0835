"""Readiness for systemd's `Type=notify` (sd_notify(3)).

gunicorn would report readiness before any worker has started, so this service does it itself.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import MutableMapping

READY = "READY=1"


def take_socket(environment: MutableMapping[str, str]) -> str | None:
    """Return the address that systemd listens on, and hide it from gunicorn; None if systemd expects no message."""
    return environment.pop("NOTIFY_SOCKET", None)


def notify(address: str, message: str) -> None:
    """Send a message to systemd; raises `OSError` if that is not possible."""
    path = "\0" + address[1:] if address.startswith("@") else address  # an abstract socket (unix(7))
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
        sender.sendto(message.encode(), path)
