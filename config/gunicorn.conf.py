"""How gunicorn serves the application. Everything that varies is a BADGE_… setting."""

from pathlib import Path

from badge.serving import Master, settings_or_exit

_master = Master(settings_or_exit())

bind = _master.settings.bind
workers = _master.settings.workers
worker_class = "gthread"  # a slow reader or source holds one thread, not a worker
threads = _master.settings.threads
preload_app = _master.settings.preload
loglevel = _master.settings.log_level

timeout = 30  # for a worker that stopped answering its master; requests have their own, far shorter, deadline
graceful_timeout = 10
keepalive = 5
max_requests = 1_000_000  # a leak, ours or a library's, ends with its worker
max_requests_jitter = 100_000

limit_request_line = 8190  # a name of 3 KiB takes 9 KiB at worst when percent-encoded; longer is refused
limit_request_fields = 50
control_socket_disable = True  # gunicorn 25.1 and later write one into $HOME otherwise, which may be read-only
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - heartbeats; a disk may block

on_starting = _master.on_starting
when_ready = _master.when_ready
pre_fork = _master.pre_fork
post_fork = _master.post_fork
post_worker_init = _master.post_worker_init
child_exit = _master.child_exit
on_exit = _master.on_exit
