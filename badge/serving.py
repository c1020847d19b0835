"""What gunicorn's master does around its workers: the embedded cache, the schema, the first words.

Workers inherit only values, and the lock that keeps a restore away from the catalogue: no connection and no thread that
a worker uses is made before the fork.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import FrameType
from typing import Any

from badge import listening
from badge.app import CatalogueState
from badge.artwork.png_check import PngCheck
from badge.cache.embedded.server import EmbeddedServer, binary_path
from badge.private_files import is_open_to_others
from badge.settings import BadSettings, Settings, changed, load, show_duration, unknown_variables
from badge.telemetry.shared_counts import SharedCounts, share_counts
from badge.web.health import Readiness
from badge.web.login.link import link_url
from badge.web.paths import AT_ROOT, DASHBOARD, Paths
from badge.web.terminal import EXAMPLE, Terminal

START_TIMEOUT = timedelta(seconds=5)
LINK_LIFETIME = timedelta(hours=1)


def settings_or_exit() -> Settings:
    """The settings, or every fault on standard error and exit code 2."""
    try:
        settings = load()
        if settings.sources is not None:
            from badge.sources.configuration.sources_file import load as load_sources  # noqa: PLC0415 - where it is wanted

            load_sources(settings.sources)
    except BadSettings as bad:
        for fault in bad.faults:
            sys.stderr.write(f"{fault}\n")
        sys.stderr.write("The service was not started. `badge check-config` explains more.\n")
        sys.exit(2)
    return settings


@dataclass(slots=True)
class Master:
    """The hooks of one gunicorn master (gunicorn's documentation, "Server Hooks")."""

    settings: Settings
    counts: SharedCounts = field(init=False)
    embedded: EmbeddedServer | None = field(default=None, init=False)
    png: PngCheck | None = field(default=None, init=False)
    catalogue: CatalogueState | None = field(default=None, init=False)
    in_use: int | None = field(default=None, init=False)
    """Keeps a restore away; workers inherit it."""

    def __post_init__(self) -> None:
        """Before the application is loaded: make room for the workers' counts, and keep loading from leaving holes.

        Garbage that is collected now would be room, in pages that workers share, for what they make (gc.freeze).
        """
        gc.disable()
        os.umask(0o077)  # for whatever is written to the data folder; gunicorn sets its own for a Unix socket
        self.counts = share_counts(self.settings.workers)
        try:
            self.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            sys.stderr.write(f"BADGE_DATA_DIR: can't be written: {error.strerror}\n")
            sys.exit(2)

    def on_starting(self, server: Any) -> None:
        """Before anything is forked: log the settings that were changed, make the schema, start the cache."""
        # gunicorn calls this once, not when it reloads; a new master takes the old one's socket over, or systemd's.
        is_handed_on = server.master_pid != 0 or os.environ.get("LISTEN_PID") == str(os.getpid())
        if not is_handed_on and (fault := listening.fault_of(self.settings.bind)):
            sys.stderr.write(f"BADGE_BIND: {fault}.\n")
            sys.exit(1)
        for line in changed(self.settings):
            server.log.info("%s", line)
        for sentence in unknown_variables():
            server.log.warning("%s", sentence)
        if is_open_to_others(self.settings.data_dir):
            folder = self.settings.data_dir
            server.log.warning("Other users can look into BADGE_DATA_DIR; `chmod go= %s` prevents that.", folder)
        self.png = PngCheck()
        has_catalogue = _has_catalogue(self.settings)
        if has_catalogue or self.settings.has_logins:
            self._open_database(server)
            if self.catalogue is None and has_catalogue:
                sys.exit(1)  # without one, badges work even if nobody can log in
        if self.settings.redis_url is None:
            self._start_cache(server)

    def _open_database(self, server: Any) -> None:
        from badge.catalogue.faults import DAMAGED  # noqa: PLC0415 - loaded where there is a catalogue
        from badge.catalogue.in_use import CatalogueInUse, hold  # noqa: PLC0415

        try:
            self.in_use = hold(self.settings.catalogue_location)
        except CatalogueInUse:
            sys.stderr.write(f"The catalogue {self.settings.catalogue_name} is being restored; start again later.\n")
            sys.exit(1)
        self.catalogue = _migrate_and_check(self.settings)
        if self.catalogue is not None and self.catalogue.is_damaged:
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
            server.log.warning("The embedded Valkey does not answer yet: until it does, sources are asked directly.")

    def when_ready(self, server: Any) -> None:
        """Tell a newcomer where to look and what to do first."""
        del server
        if self.png is not None:
            self.png.start()
        # Not into a log, where a link would be read by others.
        is_for_link = self.settings.dashboard == "link" and self.settings.address and sys.stderr.isatty()
        if not (is_for_link and _in_child(lambda: _greet_with_link(self.settings))):
            sys.stderr.write(first_words(self.settings))

    def post_worker_init(self, worker: Any) -> None:
        """In a worker: connect, and say "not ready" from the moment it is told to stop."""
        if self.catalogue is not None:
            worker.wsgi.extensions["use_catalogue_state"](self.catalogue)
        worker.wsgi.extensions["warm_up"]()
        readiness: Readiness = worker.wsgi.extensions["readiness"]
        if (png := self.png) is not None:
            readiness.watch("png", lambda: png.is_fine)
        stop = signal.getsignal(signal.SIGTERM)

        def drain_and_stop(number: int, frame: FrameType | None) -> None:
            readiness.drain()
            if callable(stop):
                stop(number, frame)

        signal.signal(signal.SIGTERM, drain_and_stop)

    def pre_fork(self, server: Any, worker: Any) -> None:
        """Before each fork: what is loaded by now is never garbage, and looking for some would unshare its pages."""
        del server
        self.counts.reserve(worker.age)
        gc.freeze()

    def post_fork(self, server: Any, worker: Any) -> None:
        """In a worker, before it does anything."""
        del server, worker
        self.counts.begin_in_worker()
        gc.enable()

    def worker_exit(self, server: Any, worker: Any) -> None:  # noqa: ARG002 - gunicorn's signature
        """In a worker that ends: close the catalogue, so that the last one to do so leaves one whole file."""
        if (wsgi := getattr(worker, "wsgi", None)) is not None:
            wsgi.extensions["close"]()

    def child_exit(self, server: Any, worker: Any) -> None:
        """After a worker has ended: its counts stay."""
        del server
        self.counts.release(worker.age)

    def on_exit(self, server: Any) -> None:
        """After the last worker: end the cache too."""
        del server
        if self.png is not None:
            self.png.close()
        if self.embedded is not None:
            self.embedded.stop()


def _has_catalogue(settings: Settings) -> bool:
    if settings.sources is not None:
        from badge.sources.configuration.factory import catalogue_names  # noqa: PLC0415 - loaded where there is such a file
        from badge.sources.configuration.sources_file import load as load_sources  # noqa: PLC0415

        return bool(catalogue_names(load_sources(settings.sources)))
    return settings.upstream_url is None


def _in_child(work: Callable[[], int]) -> bool:
    """Run this in a process of its own, because no other needs what it loads; whether it returned 0."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(work())
        except BaseException:  # noqa: BLE001 - printed; this process has to end here
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _migrate_and_check(settings: Settings) -> CatalogueState | None:
    """Migrate and check the database; returns None if it can't be used. A damaged one only costs what depends on it."""
    receiving, sending = os.pipe()
    is_usable = _in_child(lambda: _migrated_and_checked(settings, sending))
    os.close(sending)
    with os.fdopen(receiving, "r") as pipe:
        return CatalogueState(**json.loads(pipe.read())) if is_usable else None


def _migrated_and_checked(settings: Settings, result: int) -> int:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - loaded where there is a catalogue

    from badge.catalogue.database import Database, is_damage  # noqa: PLC0415
    from badge.catalogue.faults import why_unusable  # noqa: PLC0415
    from badge.catalogue.integrity import START_SECONDS, Integrity, integrity_of  # noqa: PLC0415
    from badge.catalogue.migration import SchemaFault, migrate  # noqa: PLC0415

    cache_identity, is_damaged = None, True
    try:
        migrate(settings.catalogue_location)
        database = Database(settings.catalogue_location)
        cache_identity = database.read_cache_identity()
        is_damaged = integrity_of(database, START_SECONDS) is Integrity.DAMAGED
        database.close()
    except (SQLAlchemyError, OSError, SchemaFault) as error:
        if not is_damage(error):
            sys.stderr.write(f"The catalogue {settings.catalogue_name} can't be used: {why_unusable(error)}.\n")
            return 1
    with os.fdopen(result, "w") as pipe:
        json.dump(CatalogueState(cache_identity, is_damaged)._asdict(), pipe)
    return 0


def _greet_with_link(settings: Settings) -> int:
    from badge.app import utc_now  # noqa: PLC0415 - loaded where there are logins
    from badge.catalogue.database import Database  # noqa: PLC0415
    from badge.catalogue.logins import Logins, LoginsUnavailable  # noqa: PLC0415

    try:
        secret = Logins(Database(settings.catalogue_location), utc_now).make_link(LINK_LIFETIME)
    except LoginsUnavailable:
        return 1
    sys.stderr.write(first_words(settings, link=secret))
    return 0


def first_words(settings: Settings, paths: Paths = AT_ROOT, link: str = "") -> str:
    """Return what is printed once the service answers; `link` is the secret of a login link."""
    address, terminal = settings.address or settings.bind, Terminal.of(settings)
    lines = [
        "",
        "Backup Status Badge is ready.",
        f"  Dashboard    {link_url(address, link, paths) if link else address + paths.to(DASHBOARD)}",
        f"  Visible to   {_audience(settings, terminal, has_link=bool(link))}",
        f"  A badge      {address}{paths.badge(EXAMPLE)}",
    ]
    if settings.upstream_url is None and settings.sources is None:
        lines += [
            "  Report a first backup, in another terminal:",
            "               " + terminal.command("report", EXAMPLE, "succeeded"),
        ]
    if terminal.note:
        lines.append(f"  {terminal.note}")
    return "\n".join([*lines, "", ""])


def _audience(settings: Settings, terminal: Terminal, *, has_link: bool) -> str:
    """Return who may see the dashboard, and how."""
    match settings.dashboard:
        case "open":
            return "everyone, without private subjects"
        case "off":
            return "nobody (BADGE_DASHBOARD=off)"
        case "token":
            return "whoever logs in with BADGE_DASHBOARD_TOKEN"
        case "oidc":
            return "users of BADGE_OIDC_ISSUER listed in BADGE_OIDC_ALLOW"
        case "link" if has_link:
            first = f"whoever opens this link first, within {show_duration(LINK_LIFETIME)}"
            return f"{first}. For another, run: {terminal.login_link}"
        case "link":
            return f"whoever opens a link printed by: {terminal.login_link}"
