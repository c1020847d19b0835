"""The watcher as a child of gunicorn's master, forked like a worker so that it shares the master's memory."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import signal
import threading
from collections.abc import Iterable
from typing import Any

from badge.app import Configuration, build_parts, build_watcher
from badge.catalogue.on_demand import CatalogueState
from badge.telemetry import Telemetry
from badge.telemetry.logs import log_to_stderr

PROCESS_NAME = b"badge-watcher"
"""At most 15 characters (prctl(2), PR_SET_NAME)."""
PR_SET_NAME = 15
POLL_SECONDS = 1.0
LESS_IMPORTANT = 10
"""Added to the process's niceness, so that badges are answered first."""


def run_watcher(
    configuration: Configuration, state: CatalogueState | None, listeners: Iterable[Any], pause: float
) -> None:
    """Watch until the process is asked to stop, or its parent has ended. `pause`: seconds to wait first."""
    parent, stopping = os.getppid(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    for listener in listeners:
        listener.close()  # otherwise, if this process hung, the address would stay in use
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, PROCESS_NAME, 0, 0, 0)
    os.nice(LESS_IMPORTANT)
    gc.freeze()  # as before a worker is forked, so that a collection doesn't copy the pages that are shared
    gc.enable()
    if stopping.wait(pause):
        return
    settings = configuration.settings
    log_to_stderr(settings.log_level, settings.log_format)
    parts = build_parts(settings, configured=configuration.sources or None)
    if state is not None:
        parts.use_catalogue_state(state)
    service = build_watcher(parts, configuration.notify, lambda: os.getppid() != parent)
    if service is None:
        # No source can list its subjects. If this process ended, the master would only start another one.
        while not stopping.wait(POLL_SECONDS) and os.getppid() == parent:
            pass
        return
    service.stopping = stopping
    if migrated(service.store.database.url, parts.events):
        service.run()
    parts.close()
    service.store.database.close()


def migrated(url: str, events: Telemetry) -> bool:
    """Make or migrate the watcher's tables; returns False, after a log line, if that fails."""
    from badge.catalogue.faults import UNUSABLE, why_unusable  # noqa: PLC0415 - loaded in the watcher only
    from badge.catalogue.migration import migrate  # noqa: PLC0415
    from badge.events import WatchFailed  # noqa: PLC0415

    try:
        migrate(url)
    except UNUSABLE as error:
        events.emit(WatchFailed(f"its database can't be used: {why_unusable(error)}"))
        return False
    return True
