"""What gunicorn's master does around its workers: schema, embedded cache, start-up messages, reloads.

Workers inherit only values: no connection or lock that a worker uses is made before the fork.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any

from flask import Flask

from badge import listening
from badge.app import Configuration, create_app, load_configuration
from badge.artwork.png_check import PngCheck
from badge.cache.embedded.server import EmbeddedServer, binary_path
from badge.reloading import Reloads
from badge.settings import RESTART_ONLY, BadSettings, Settings, changed, unknown_variables, variable_for
from badge.telemetry.metrics import Metrics
from badge.telemetry.shared_counts import SharedCounts, share_counts
from badge.web.health import Readiness
from badge.web.paths import AT_ROOT, DASHBOARD, Paths
from badge.web.terminal import EXAMPLE, Terminal

START_TIMEOUT = timedelta(seconds=5)
CONFIGURATION_CURRENT = "badge_configuration_current"


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
    """The hooks of one gunicorn master (gunicorn's documentation, "Server Hooks"). A reload keeps it."""

    configuration: Configuration
    counts: SharedCounts = field(init=False)
    embedded: EmbeddedServer | None = field(default=None, init=False)
    png: PngCheck | None = field(default=None, init=False)
    reloads: Reloads | None = field(default=None, init=False)
    metrics: Metrics = field(init=False)
    postponed: Sequence[str] = field(default=(), init=False)
    """Changed settings that need a restart."""

    @property
    def settings(self) -> Settings:
        """The settings in use."""
        return self.configuration.settings

    def __post_init__(self) -> None:
        """Before the application is loaded: create the counts that workers share, and stop collecting garbage.

        Collecting now would leave free room in pages that workers share, and filling it would unshare them (gc.freeze).
        """
        gc.disable()
        self.counts = share_counts(self.settings.workers)
        self.metrics = Metrics(self.counts)
        self._mark_configuration(is_current=True)
        try:
            self.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            sys.stderr.write(f"BADGE_DATA_DIR: can't be written: {error.strerror}\n")
            sys.exit(2)

    def on_starting(self, server: Any) -> None:
        """Before the first fork: log changed settings, create the schema, start the cache, take over reloads."""
        # The socket may be inherited, from a master that this one replaces (SIGUSR2) or from systemd.
        is_handed_on = server.master_pid != 0 or os.environ.get("LISTEN_PID") == str(os.getpid())
        if not is_handed_on and (fault := listening.fault_of(self.settings.bind)):
            sys.stderr.write(f"BADGE_BIND: {fault}.\n")
            sys.exit(1)
        for line in changed(self.settings):
            server.log.info("%s", line)
        for sentence in unknown_variables():
            server.log.warning("%s", sentence)
        self.png = PngCheck()
        if _catalogue_of(self.configuration):
            _make_schema(self.settings)
        if self.settings.redis_url is None:
            self._start_cache(server)
        self._take_over_reloads(server)

    def _start_cache(self, server: Any) -> None:
        if binary_path() is None:
            server.log.warning("The embedded Valkey does not run on this machine: each worker keeps its own cache.")
            return
        self.embedded = EmbeddedServer(self.settings.data_dir, self.settings.redis_memory_mb, server.log.info)
        if not self.embedded.start(START_TIMEOUT):
            server.log.warning("The embedded Valkey does not answer yet: until it does, sources are asked directly.")

    def when_ready(self, server: Any) -> None:
        """Show new users where to look and what to do first."""
        del server
        if self.png is not None:
            self.png.start()
        sys.stderr.write(first_words(self.settings))

    def post_worker_init(self, worker: Any) -> None:
        """In a worker: connect, and report "draining" as soon as it is asked to stop."""
        worker.wsgi.extensions["warm_up"]()
        readiness: Readiness = worker.wsgi.extensions["readiness"]
        readiness.watch("configuration", self._is_configuration_current)
        if (png := self.png) is not None:
            readiness.watch("png", lambda: png.is_fine)
        stop = signal.getsignal(signal.SIGTERM)

        def drain_and_stop(number: int, frame: FrameType | None) -> None:
            readiness.drain()
            if callable(stop):
                stop(number, frame)

        signal.signal(signal.SIGTERM, drain_and_stop)

    def pre_fork(self, server: Any, worker: Any) -> None:
        """Before each fork: exempt what is loaded from garbage collection, which would unshare its pages."""
        del server
        self.counts.reserve(worker.age)
        gc.freeze()

    def post_fork(self, server: Any, worker: Any) -> None:
        """In a worker, before anything else."""
        del server, worker
        self.counts.begin_in_worker()
        gc.enable()

    def worker_exit(self, server: Any, worker: Any) -> None:  # noqa: ARG002 - gunicorn's signature
        """In a worker that ends: close the catalogue, so that the last one to close it leaves a single file."""
        if (wsgi := getattr(worker, "wsgi", None)) is not None:
            wsgi.extensions["close"]()

    def child_exit(self, server: Any, worker: Any) -> None:
        """After a worker has ended: keep its counts."""
        del server
        self.counts.release(worker.age)

    def on_exit(self, server: Any) -> None:
        """After the last worker has ended: stop the embedded cache."""
        del server
        if self.reloads is not None:
            self.reloads.cancel()
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
        server.app.load = self._app  # from now on, without reading the files again

    def _app(self) -> Flask:
        return create_app(self.settings, configured=self.configuration.sources)

    def _rehearse(self, server: Any) -> Sequence[str]:
        """In a child process: do what a reload does before it starts workers; return the faults."""
        for listener in server.LISTENERS:
            listener.close()  # otherwise the address would stay in use while this process hangs
        catalogue = _catalogue_of(self.configuration)
        faults = self._load(server)
        if not faults and _catalogue_of(self.configuration) not in (None, catalogue):
            faults = [fault for fault in [_migration_fault(self.settings)] if fault]
        if not faults:
            server.app.reload()  # gunicorn's own configuration file
        return faults

    def _load(self, server: Any) -> Sequence[str]:
        """Load the configuration and build the application; return the faults, if any, without changing anything."""
        try:
            loaded = load_configuration()
            postponed = _restart_only_changes(self.settings, loaded.settings)
            settings = loaded.settings.keeping(postponed, self.settings)
            app = create_app(settings, configured=loaded.sources)
        except BadSettings as bad:
            return [str(fault) for fault in bad.faults]
        except Exception as error:  # noqa: BLE001 - printed; a running service goes on
            traceback.print_exc()
            return [f"The application can't be built ({type(error).__name__})."]
        self.configuration, self.postponed = Configuration(settings, loaded.sources), postponed
        server.app.callable = app if settings.preload else None
        return []

    def _finish_reload(self, server: Any, faults: Sequence[str]) -> None:
        """Replace the workers by ones with the new configuration, unless it has faults."""
        faults = faults or self._load(server)
        self._mark_configuration(is_current=not faults and not self.postponed)
        for fault in faults:
            server.log.error("%s", fault)
        if faults:
            server.log.error("The configuration was not reloaded; the previous one stays in use.")
            return
        if self.postponed:
            names = ", ".join(map(variable_for, self.postponed))
            server.log.warning("The new value of %s needs a restart; until then, the previous one stays in use.", names)
        # The previous application is garbage, but exempt from collection (pre_fork).
        gc.unfreeze()
        gc.collect()
        server.reload()
        for line in changed(self.settings):
            server.log.info("%s", line)
        server.log.info("The configuration was reloaded.")

    def _mark_configuration(self, *, is_current: bool) -> None:
        self.metrics.set(CONFIGURATION_CURRENT, int(is_current))

    def _is_configuration_current(self) -> bool:
        return self.metrics.value(CONFIGURATION_CURRENT) == 1


def _restart_only_changes(old: Settings, new: Settings) -> list[str]:
    """Return the settings that differ and can't be changed by a reload."""
    names = [name for name in RESTART_ONLY if getattr(old, name) != getattr(new, name)]
    # The embedded cache starts and ends with the service.
    return names + (["redis_url"] if (old.redis_url is None) != (new.redis_url is None) else [])


def _catalogue_of(configuration: Configuration) -> str | None:
    """Return the URL of the catalogue's database, or None if no source uses it."""
    settings = configuration.settings
    if settings.sources is not None:
        from badge.sources.configuration.factory import catalogue_names  # noqa: PLC0415 - only if there is such a file

        return settings.catalogue_location if catalogue_names(configuration.sources) else None
    return settings.catalogue_location if settings.upstream_url is None else None


def _make_schema(settings: Settings) -> None:
    """Migrate the catalogue in a child process, because nothing else in the master needs what that loads."""
    pid = os.fork()
    if pid == 0:
        try:
            fault = _migration_fault(settings)
            sys.stderr.write(f"{fault}\n" if fault else "")
            os._exit(1 if fault else 0)
        except BaseException:  # noqa: BLE001 - printed; this process must not return into its parent's code
            traceback.print_exc()
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        sys.exit(1)


def _migration_fault(settings: Settings) -> str | None:
    """Migrate the catalogue; return what is wrong, or None."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - only if there is a catalogue

    from badge.catalogue.faults import why_unusable  # noqa: PLC0415
    from badge.catalogue.migration import SchemaTooNew, migrate  # noqa: PLC0415

    try:
        migrate(settings.catalogue_location)
    except (SQLAlchemyError, OSError, SchemaTooNew) as error:
        return f"The catalogue {settings.catalogue_name} can't be used: {why_unusable(error)}."
    return None


def first_words(settings: Settings, paths: Paths = AT_ROOT) -> str:
    """Return the message that is shown once the service answers."""
    address = settings.address or settings.bind
    lines = [
        "",
        "Backup Status Badge is ready.",
        f"  Dashboard    {address}{paths.to(DASHBOARD)}",
        f"  A badge      {address}{paths.badge(EXAMPLE)}",
    ]
    if settings.upstream_url is None and settings.sources is None:
        terminal = Terminal.of(settings)
        lines += [
            "  Report a first backup, in another terminal:",
            "               " + terminal.command("report", EXAMPLE, "succeeded"),
            *([f"  {terminal.note}"] if terminal.note else []),
        ]
    return "\n".join([*lines, "", ""])
