"""gunicorn's configuration. Everything an operator may change is a `BADGE_…` setting."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from badge.serving.master import WORKER_CLASS, Master, configuration_or_exit
from badge.telemetry.shared_counts import share_counts


@cache
def _master() -> Master:
    """Return this process's `Master`, which survives reloads."""
    configuration = configuration_or_exit()
    return Master(configuration, share_counts(configuration.settings.workers))


def gunicorn_values() -> dict[str, object]:
    """Return gunicorn's settings and server hooks by name; exits the process if a `BADGE_…` setting is invalid.

    gunicorn calls this again on a reload, after the master has loaded the new settings.
    """
    master = _master()
    settings = master.settings
    return {
        "bind": settings.bind,
        "workers": settings.workers,
        "wsgi_app": "badge.asgi:application",
        "worker_class": WORKER_CLASS,
        "worker_connections": settings.connections,
        "preload_app": settings.preload,
        # At "debug", gunicorn logs paths and unfinished requests, which hold names and secrets.
        "loglevel": "info" if settings.log_level == "debug" else settings.log_level,
        "timeout": 30,  # for a worker that no longer sends heartbeats; it does not limit single requests
        "graceful_timeout": 10,
        "keepalive": 5,
        "max_requests": 1_000_000,  # limits the damage of a memory leak
        "max_requests_jitter": 100_000,
        # gunicorn's own maximum; valid request targets have at most 8,000 bytes after the path prefix.
        "limit_request_line": 8190,
        "limit_request_fields": 50,
        # gunicorn 25.1 and later would create a control socket in $HOME, which may be read-only.
        "control_socket_disable": True,
        # Workers update a heartbeat file here. It is kept in memory, because writing to a disk may block.
        "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
        **{hook: getattr(master, hook) for hook in HOOKS},
    }


HOOKS = (
    "on_starting",
    "when_ready",
    "pre_fork",
    "post_fork",
    "post_worker_init",
    "worker_exit",
    "child_exit",
    "on_exit",
)
"""gunicorn's server hooks; `Master` has a method of the same name for each."""
