"""The whole application around a scripted source; everything else is real."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from badge.app import create_app
from badge.events import FailureKind
from badge.model import BackupStatus, Report, Subject
from badge.ports import SourceUnavailable
from badge.settings import load
from tests.doubles import START, ManualClock, OneProcess, ScriptedSource

SUCCEEDED = Report(status=BackupStatus.SUCCEEDED, observed_at=START)


SIGNING_KEY = "k" * 32


@dataclass
class Site:
    """A test client, and what the application's source answers: a report, None for an outage, or an exception."""

    says: Report | Exception | None = SUCCEEDED
    clock: ManualClock = field(default_factory=ManualClock)
    edge_cache: str = "0"
    """For BADGE_EDGE_CACHE; off by default, because that cache uses the real clock and tests should not wait."""
    public_url: str = ""

    def __post_init__(self) -> None:
        # Local, so that it is called on the request's thread and nothing runs in the background.
        self.source = ScriptedSource(self._answer, local=True)
        settings = load(
            {
                "BADGE_EDGE_CACHE": self.edge_cache,
                "BADGE_SECRET_KEY": SIGNING_KEY,
                "BADGE_DASHBOARD": "open",
                "BADGE_PUBLIC_URL": self.public_url,
            }
        )
        cache = OneProcess(self.clock)
        self.app = create_app(settings, source=self.source, cache=cache, clock=self.clock, jitter=lambda: 0.0)
        self.client: FlaskClient = self.app.test_client()

    def _answer(self, subject: Subject) -> Report:
        if isinstance(self.says, Exception):
            raise self.says
        if self.says is None:
            raise SourceUnavailable(FailureKind.TIMEOUT)
        return replace(self.says, observed_at=self.clock())

    def get(self, path: str, **options: object) -> TestResponse:
        return self.client.open(path, method="GET", **options)  # type: ignore[arg-type] # passed through
