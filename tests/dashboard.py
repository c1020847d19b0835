"""A service with its own catalogue, and a browser that is logged in if login is by link."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from badge.app import build_app, build_parts
from badge.catalogue.events import RunEvent
from badge.catalogue.logins import Logins
from badge.model import BackupStatus, Subject, Visibility
from badge.settings import load
from badge.web.login.link import link_url
from tests.doubles import START, ManualClock, OneProcess
from tests.migrated import migrate


class Dashboard:
    """The service, and methods to fill and read it. Tests get it from the fixture `dashboards`, which closes it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.clock = ManualClock()
        wired = load({"BADGE_DATA_DIR": str(folder), **settings})
        cache = OneProcess(self.clock)
        self.parts = build_parts(wired, cache=cache, clock=self.clock, jitter=lambda: 0.0)
        migrate(wired.catalogue_location)
        self.client = build_app(self.parts).test_client()
        if wired.dashboard == "link":
            assert self.log_in(self.client, self.login_link()).status_code == 303

    def login_link(self, lifetime: timedelta = timedelta(minutes=10)) -> str:
        """Return the path of a new login link."""
        assert self.parts.database is not None
        return link_url("", Logins(self.parts.database.get(), self.parts.clock).make_link(lifetime), self.parts.paths)

    @staticmethod
    def log_in(client: FlaskClient, link: str) -> TestResponse:
        """Open a login link and press its button."""
        form = BeautifulSoup(client.get(link).data, "html.parser").select("form.find input")
        fields = {str(field["name"]): str(field.get("value", "")) for field in form}
        return client.post(link.partition("?")[0], data=fields)

    def anonymous(self) -> FlaskClient:
        """Return another browser, which is not logged in."""
        return self.client.application.test_client()

    def close(self) -> None:
        self.parts.close()

    def report(
        self, subject: Subject, status: BackupStatus = BackupStatus.SUCCEEDED, visibility: Visibility | None = None
    ) -> None:
        assert self.parts.catalogue is not None
        event = RunEvent(subject=subject, status=status, at=START, visibility=visibility)
        self.parts.catalogue.store.record(event)

    def record_run(self, subject: Subject, status: BackupStatus, **times: Any) -> None:
        assert self.parts.catalogue is not None
        self.parts.catalogue.store.record(RunEvent(subject=subject, status=status, at=self.clock(), **times))

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def soup(self, path: str) -> BeautifulSoup:
        answer = self.get(path)
        assert answer.status_code == 200
        return BeautifulSoup(answer.data, "html.parser")


Dashboards = Callable[..., Dashboard]
"""Creates a `Dashboard`; settings are keyword arguments, and `folder` is the test's own by default."""
