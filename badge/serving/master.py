"""What gunicorn's master does around its workers: start, reloads and stop.

No connection or thread used by a worker is created before the fork. Workers inherit values, compiled code, compiled SQL
statements, and the lock that protects the catalogue from a restore.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from badge.app import Configuration, built_around, create_edge, load_configuration
from badge.artwork.png_check import PngCheck
from badge.cache.embedded.server import EmbeddedServer, binary_path
from badge.edge.application import Edge
from badge.private_files import is_open_to_others
from badge.serving import listening, systemd
from badge.serving.child_process import ChildProcess, in_child
from badge.serving.greeting import first_words, greet_with_link
from badge.serving.open_catalogue import CatalogueUnusable, OpenCatalogue, open_catalogue
from badge.serving.reloading import Reloads
from badge.serving.watcher_process import run_watcher
from badge.settings import (
    RESTART_ONLY,
    BadSettings,
    Settings,
    changed,
    unknown_variables,
    variable_for,
)
from badge.telemetry.metrics import Metrics
from badge.telemetry.shared_counts import SharedCounts

START_TIMEOUT = timedelta(seconds=5)
WORKER_CLASS = "badge.serving.worker.BadgeWorker"
CONFIGURATION_CURRENT = "badge_configuration_current"
WATCHER = "watcher"
"""Owner of the watcher's counts. The owner of a worker's counts is its number (`worker.age`)."""


def configuration_or_exit() -> Configuration:
    """Return the configuration, or write every fault to standard error and exit with code 2."""
    try:
        return load_configuration()
    except BadSettings as bad:
        for fault in bad.faults:
            sys.stderr.write(f"{fault}\n")
        sys.stderr.write("The service was not started.\n")
        sys.exit(2)


@dataclass(slots=True)
class Master:
    """The hooks of one gunicorn master (gunicorn's documentation, "Server Hooks"). Survives reloads."""

    configuration: Configuration
    counts: SharedCounts
    """Shared with the workers."""
    embedded: EmbeddedServer | None = field(default=None, init=False)
    png: PngCheck | None = field(default=None, init=False)
    catalogue: OpenCatalogue | None = field(default=None, init=False)
    reloads: Reloads | None = field(default=None, init=False)
    watcher: ChildProcess | None = field(default=None, init=False)
    metrics: Metrics = field(init=False)
    postponed: Sequence[str] = field(default=(), init=False)
    """Changed settings that need a restart."""
    notify_socket: str | None = field(default=None, init=False)
    """Where systemd waits for the message that the service is ready."""

    @property
    def settings(self) -> Settings:
        """The settings in use."""
        return self.configuration.settings

    def __post_init__(self) -> None:
        """Before the application is loaded: create the data folder, and disable garbage collection.

        A collection now would leave gaps in the memory pages that workers share. Each worker that filled them would
        get its own copy of the pages (Python's documentation, gc.freeze).
        """
        gc.disable()
        os.umask(0o077)  # for files in the data folder; gunicorn sets its own umask for a Unix socket
        self.notify_socket = systemd.take_socket(os.environ)
        self.metrics = Metrics(self.counts)
        self._mark_configuration(is_current=True)
        try:
            self.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            sys.stderr.write(f"BADGE_DATA_DIR: {self.settings.data_dir} can't be created: {error.strerror}\n")
            sys.exit(2)

    def on_starting(self, server: Any) -> None:
        """Before the first fork: log non-default settings, create the schema, start the cache, take over reloads."""
        # A socket inherited from systemd, or from a master that this one replaces (SIGUSR2), is in use already, which
        # is not a fault.
        is_handed_on = server.master_pid != 0 or os.environ.get("LISTEN_PID") == str(os.getpid())
        if not is_handed_on and (fault := listening.fault_of(self.settings.bind)):
            sys.stderr.write(f"BADGE_BIND: {fault}.\n")
            sys.exit(1)
        if server.cfg.worker_class_str != WORKER_CLASS:
            sys.stderr.write("Remove -k: config/gunicorn.conf.py works only with its own worker class.\n")
            sys.exit(2)
        self._log_settings(server)
        self.png = PngCheck()
        try:
            self.catalogue = open_catalogue(self.configuration)
        except CatalogueUnusable as unusable:
            sys.stderr.write(f"{unusable}\n")
            sys.exit(1)
        self._report_damage(server)
        if self.settings.preload:
            self._prepare_for_fork(server.app.wsgi())
        if self.settings.redis_url is None:
            self._start_cache(server)
        self._take_over_reloads(server)
        self._keep_watcher_running(server)

    def _log_settings(self, server: Any) -> None:
        for line in changed(self.settings):
            server.log.info("%s", line)
        for sentence in (*unknown_variables(), *self.settings.warnings):
            server.log.warning("%s", sentence)
        if is_open_to_others(self.settings.data_dir):
            folder = self.settings.data_dir
            server.log.warning("Other users can access BADGE_DATA_DIR; `chmod go= %s` prevents that.", folder)

    def _prepare_for_fork(self, application: Any) -> None:
        site: Any = application.site if isinstance(application, Edge) else application
        parts = built_around(site).parts
        if self.catalogue is not None:
            parts.use_catalogue_state(self.catalogue.state)
        parts.prepare_for_fork()

    def _report_damage(self, server: Any) -> None:
        if self.catalogue is not None and self.catalogue.state.is_damaged:
            from badge.catalogue.faults import DAMAGED  # noqa: PLC0415 - loaded where there is a catalogue

            server.log.error("The catalogue %s can't be used: %s.", self.settings.catalogue_name, DAMAGED)

    def _start_cache(self, server: Any) -> None:
        if binary_path() is None:
            server.log.warning("The embedded Valkey does not run on this machine: each worker keeps its own cache.")
            return
        embedded = EmbeddedServer(self.settings.data_dir, self.settings.redis_memory_mb, server.log.info)
        try:
            is_answering = embedded.start(START_TIMEOUT)
        except OSError as error:
            server.log.warning("The embedded Valkey can't be started: %s. Each worker has its own cache.", error)
            return
        self.embedded = embedded
        if not is_answering:
            server.log.warning("The embedded Valkey does not answer yet: until it does, workers use their own caches.")

    def when_ready(self, server: Any) -> None:
        """Start what runs beside the workers, and show new users where to look and what to do first."""
        if self.png is not None:
            self.png.start()
        self._start_watcher(server)
        # Only on a terminal: in a log, others could find the link and use it.
        is_for_link = self.settings.dashboard == "link" and self.settings.address and sys.stderr.isatty()
        if not (is_for_link and in_child(lambda: greet_with_link(self.settings))):
            sys.stderr.write(first_words(self.settings))

    def post_worker_init(self, worker: Any) -> None:
        """In a new worker: connect to the cache, report "draining" on stop, and report readiness to systemd."""
        built = built_around(worker.asgi.site)
        parts, readiness = built.parts, built.readiness
        if self.catalogue is not None:
            parts.use_catalogue_state(self.catalogue.state)
        parts.warm_up()
        readiness.watch("configuration", self._is_configuration_current)
        if (png := self.png) is not None:
            readiness.watch("png", lambda: png.is_fine)
        worker.on_stop = readiness.drain
        self._report_readiness(worker)

    def _report_readiness(self, worker: Any) -> None:
        if self.notify_socket is not None:
            try:
                systemd.notify(self.notify_socket, systemd.READY)
            except OSError as error:
                worker.log.warning("systemd was not notified that the service is ready: %s.", error.strerror)

    def pre_fork(self, server: Any, worker: Any) -> None:
        """Before each fork: exempt all existing objects from garbage collection, so that their pages stay shared."""
        del server
        self.counts.reserve(worker.age)
        gc.freeze()

    def post_fork(self, server: Any, worker: Any) -> None:
        """In a new worker, before anything else: prepare its own counts, and enable garbage collection."""
        del server, worker
        self.counts.begin_in_worker()
        gc.enable()

    def worker_exit(self, server: Any, worker: Any) -> None:  # noqa: ARG002 - gunicorn's signature
        """In an exiting worker: close the catalogue."""
        if (edge := getattr(worker, "asgi", None)) is not None:
            built_around(edge.site).parts.close()

    def child_exit(self, server: Any, worker: Any) -> None:
        """After a worker has ended: add its counts to the totals, and free its slot."""
        del server
        self.counts.release(worker.age)

    def on_exit(self, server: Any) -> None:
        """After the last worker has ended: stop everything else that the master started."""
        del server
        if self.reloads is not None:
            self.reloads.cancel()
        if self.watcher is not None:
            self.watcher.stop()
        if self.catalogue is not None:
            self.catalogue.merge_log()
        if self.png is not None:
            self.png.close()
        if self.embedded is not None:
            self.embedded.stop()

    def _take_over_reloads(self, server: Any) -> None:
        """Replace gunicorn's own handling of SIGHUP, which ends the service if the configuration has a fault."""
        reloads = self.reloads = Reloads(partial(self._rehearse, server), partial(self._finish_reload, server))
        reap_workers = server.handle_chld

        def handle_chld() -> None:
            reloads.check_child()
            reap_workers()

        server.handle_hup = reloads.request
        server.handle_chld = server.handle_cld = handle_chld  # gunicorn uses either name
        server.app.load = lambda: _build_app(self.configuration)  # instead of reading the files again

    def _keep_watcher_running(self, server: Any) -> None:
        """Check the watcher whenever gunicorn checks its workers: after each signal, and at least once a second.

        A signal alone would not do: none arrives after a fork has failed.
        """
        manage_workers = server.manage_workers

        def manage() -> None:
            self._check_watcher(server)  # before new workers are forked, one of which could get the watcher's old PID
            manage_workers()

        server.manage_workers = manage

    def _start_watcher(self, server: Any) -> None:
        """Start the watcher, or replace it with one that uses the new configuration."""
        if self.watcher is not None:
            self.watcher.stop()
        self.watcher = None
        if self.settings.needs_watcher:
            state = self.catalogue.state if self.catalogue is not None else None
            work = partial(run_watcher, self.configuration, state, server.LISTENERS)
            self.watcher = ChildProcess(work, fork=self._fork_watcher)
            self._check_watcher(server)

    def _fork_watcher(self) -> int:
        """Fork the watcher, with its own counts, so that /metrics includes what it does."""
        self.counts.release(WATCHER)  # of the previous watcher
        self.counts.reserve(WATCHER)
        pid = os.fork()
        if pid == 0:
            self.counts.begin_in_worker()
        return pid

    def _check_watcher(self, server: Any) -> None:
        if self.watcher is not None:
            try:
                self.watcher.check()
            except OSError as error:
                server.log.error("The watcher can't be started yet: %s.", error.strerror)  # noqa: TRY400 - a traceback would add nothing

    def _rehearse(self, server: Any) -> Sequence[str]:
        """In a child process: do what a reload does before it starts workers; return the faults."""
        for listener in server.LISTENERS:
            listener.close()  # otherwise, if this process hung, the address would stay in use
        faults = self._load(server)
        if not faults:
            server.app.reload()  # gunicorn's own configuration file
        return faults

    def _load(self, server: Any) -> Sequence[str]:
        """Load the configuration, build the application and open the catalogue; use them, or return the faults."""
        previous = self.catalogue
        try:
            loaded = load_configuration()
            postponed = _restart_only_changes(self.settings, loaded.settings)
            configuration = replace(loaded, settings=loaded.settings.keeping(postponed, self.settings))
            app = _build_app(configuration)
            catalogue = open_catalogue(configuration, previous)
        except BadSettings as bad:
            return [str(fault) for fault in bad.faults]
        except CatalogueUnusable as unusable:
            return [str(unusable)]
        except Exception as error:  # noqa: BLE001 - printed; a running service keeps running
            traceback.print_exc()
            return [f"The application can't be built ({type(error).__name__})."]
        if previous is not None and previous is not catalogue:
            previous.close()
        self.configuration, self.postponed, self.catalogue = configuration, postponed, catalogue
        if configuration.settings.preload:
            self._prepare_for_fork(app)
        # Without preloading, each worker builds its own application.
        server.app.callable = app if configuration.settings.preload else None
        return []

    def _finish_reload(self, server: Any, faults: Sequence[str]) -> None:
        """Replace the workers with ones that use the new configuration, unless it has faults."""
        # What the trial loaded was lost with its child process, so everything is loaded once more, in this process.
        faults = faults or self._load(server)
        for fault in faults:
            server.log.error("%s", fault)
        if faults:
            self._mark_configuration(is_current=False)
            server.log.error("The configuration was not reloaded; the previous one stays in use.")
            return
        if self.postponed:
            names = ", ".join(map(variable_for, self.postponed))
            server.log.warning("Changes to %s take effect only after a restart.", names)
        # The previous application is garbage by now, but `pre_fork` has exempted it from collection.
        gc.unfreeze()
        gc.collect()
        if not self._replace_workers(server):
            self._mark_configuration(is_current=False)
            return
        self._start_watcher(server)
        self._mark_configuration(is_current=not self.postponed)
        self._report_damage(server)
        for line in changed(self.settings):
            server.log.info("%s", line)
        server.log.info("The configuration was reloaded.")

    def _replace_workers(self, server: Any) -> bool:
        """Replace the workers; returns whether all could be replaced. A failed fork must not end the service."""
        try:
            server.reload()
        except OSError as error:
            if all(worker.age != server.worker_age for worker in server.WORKERS.values()):
                self.counts.release(server.worker_age)  # reserved in `pre_fork` for the worker that was not forked
            server.log.error(  # noqa: TRY400 - a traceback would add nothing
                "Some workers could not be replaced: %s. They keep the previous configuration; reload again.",
                error.strerror,
            )
            return False
        return True

    def _mark_configuration(self, *, is_current: bool) -> None:
        self.metrics.set(CONFIGURATION_CURRENT, int(is_current))

    def _is_configuration_current(self) -> bool:
        return self.metrics.value(CONFIGURATION_CURRENT) == 1


def _restart_only_changes(old: Settings, new: Settings) -> list[str]:
    """Return the settings that differ and can't be changed by a reload."""
    names = [name for name in RESTART_ONLY if getattr(old, name) != getattr(new, name)]
    # The embedded cache starts and ends with the service, so a reload can't switch to it or away from it.
    return names + (["redis_url"] if (old.redis_url is None) != (new.redis_url is None) else [])


def _build_app(configuration: Configuration) -> Edge:
    return create_edge(configuration.settings, configured=configuration.sources)
