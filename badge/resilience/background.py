"""Threads that work behind requests, and end with the process."""

from __future__ import annotations

import threading
from collections.abc import Callable


def begin(work: Callable[[], None], name: str) -> bool:
    """Have a daemon thread do it; False where the system has no thread to give (a container's pids limit)."""
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:
        return False
    return True
