"""What the service does before its workers start."""

from __future__ import annotations

import errno
import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from badge.app import Configuration, built_around, create_edge, load_configuration
from badge.catalogue.migration import migrate
from badge.model import BackupStatus
from badge.serving.child_process import ChildProcess
from badge.serving.master import WORKER_CLASS, Master
from badge.serving.open_catalogue import CatalogueUnusable, migrate_and_check, open_catalogue
from badge.settings import load
from badge.telemetry.shared_counts import SharedCounts
from tests.store import Store
from tests.unit.catalogue.test_database import compiled_by


def test_the_start_warns_about_times_ahead_of_now(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = load({"BADGE_DATA_DIR": str(tmp_path)})
    migrate(settings.catalogue_location)
    with closing(Store.on(settings.catalogue_location)) as store:
        migrate_and_check(settings)
        assert capfd.readouterr().err == ""
        store.clock.now = datetime(2099, 1, 1, tzinfo=UTC)
        store.receive(BackupStatus.SUCCEEDED)
    migrate_and_check(settings)
    assert "1 subject has times ahead of this machine's clock" in capfd.readouterr().err


def test_an_unusable_lock_disables_only_what_needs_the_catalogue(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "catalogue.sqlite3.in-use").symlink_to("elsewhere")
    settings = load({"BADGE_DATA_DIR": str(tmp_path)})
    with pytest.raises(CatalogueUnusable, match="in-use can't be used: Too many levels of symbolic links"):
        open_catalogue(Configuration(settings, []))
    with_upstream = load({"BADGE_DATA_DIR": str(tmp_path), "BADGE_UPSTREAM_URL": "http://127.0.0.1:9"})
    assert open_catalogue(Configuration(with_upstream, [])) is None
    assert "Nobody can log in to the dashboard." in capfd.readouterr().err


@dataclass
class GunicornWithoutForks:
    """The part of gunicorn's master used when starting and reloading, on a machine where no process can be started."""

    hooks: Master
    log: logging.Logger = field(default_factory=lambda: logging.getLogger(__name__))
    app: SimpleNamespace = field(default_factory=SimpleNamespace)
    cfg: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(worker_class_str=WORKER_CLASS))
    master_pid: int = 1
    worker_age: int = 2
    WORKERS: dict[int, SimpleNamespace] = field(default_factory=lambda: {1: SimpleNamespace(age=1)})

    def __post_init__(self) -> None:
        self.app.wsgi = lambda: self.app.callable

    def handle_chld(self) -> None:
        """Handle the end of a worker."""

    def reload(self) -> None:
        self.worker_age += 1
        self.hooks.pre_fork(self, SimpleNamespace(age=self.worker_age))
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def manage_workers(self) -> None:
        """Start as many workers as there should be."""


@pytest.fixture
def master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Master]:
    settings = {"BADGE_SETTINGS_FILE": os.devnull, "BADGE_DATA_DIR": str(tmp_path), "BADGE_DASHBOARD": "off"}
    for name, value in {**settings, "BADGE_UPSTREAM_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    with new_master() as made:
        yield made


@contextmanager
def new_master() -> Iterator[Master]:
    mask = os.umask(0o077)
    yield Master(load_configuration(), SharedCounts(6))
    os.umask(mask)
    gc.unfreeze()
    gc.enable()


def test_a_reload_that_cannot_start_workers_does_not_end_the_service(
    master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    master._finish_reload(GunicornWithoutForks(master), [])
    (line,) = caplog.messages
    assert line.startswith("Some workers could not be replaced: Resource temporarily unavailable.")
    assert not master._is_configuration_current()
    assert master.counts._owners == {}, "the place for the new worker's counts was not released"


def test_the_watcher_is_checked_whenever_gunicorn_checks_its_workers(
    master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    now, forks = [0.0], [0]

    def fork() -> int:
        forks[0] += 1
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    gunicorn = GunicornWithoutForks(master)
    master.watcher = ChildProcess(lambda _: None, monotonic=lambda: now[0], fork=fork)
    master._keep_watcher_running(gunicorn)
    for seconds in (0.0, 1.0, 59.0):
        now[0] += seconds
        gunicorn.manage_workers()
    assert forks == [2]
    assert caplog.messages == ["The watcher can't be started yet: Resource temporarily unavailable."] * 2


def start(master: Master, gunicorn: GunicornWithoutForks) -> None:
    gunicorn.app.callable = create_edge(master.settings)
    master.on_starting(gunicorn)
    master.on_exit(gunicorn)


def reload(master: Master, gunicorn: GunicornWithoutForks) -> None:
    master._finish_reload(gunicorn, [])


@pytest.mark.parametrize("begin", [start, reload])
def test_the_statements_for_a_badge_are_compiled_before_workers_are_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: Callable[[Master, GunicornWithoutForks], None]
) -> None:
    settings = {"BADGE_SETTINGS_FILE": os.devnull, "BADGE_DATA_DIR": str(tmp_path)}
    for name, value in {**settings, "BADGE_REDIS_URL": "redis://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    with new_master() as master:
        gunicorn = GunicornWithoutForks(master)
        begin(master, gunicorn)
    catalogue = built_around(gunicorn.app.callable.site).parts.catalogue
    assert catalogue is not None
    assert compiled_by(catalogue.store) == 0
    catalogue.store.database.close()
