"""A backup API in the native contract as a status source."""

from __future__ import annotations

from dataclasses import dataclass

from badge.model import Report, SourceWordUnknown, Subject
from badge.ports import Clock, Deadline, Events
from badge.sources.http_transport import HttpTransport
from badge.sources.native_answer import interpret


@dataclass(frozen=True, slots=True)
class NativeSource:
    """`GET {base_url}/ops/status`, conditional where something is known (a 304 costs no body)."""

    base_url: str
    api_key: str | None
    transport: HttpTransport
    clock: Clock
    events: Events
    name: str = "upstream"

    def folds_case(self, subject: Subject) -> bool:
        """The contract compares accounts and names as their platform does."""
        del subject
        return True

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """What the upstream says now; raises `SourceUnavailable` and nothing else."""
        query = {
            "platform": subject.platform,
            "account": subject.account,
            "subjectType": subject.type,
            "subjectName": subject.name,
        }
        answer = self.transport.get(f"{self.base_url}/ops/status", query, self._headers(known), deadline)
        parsed = interpret(answer, subject, known, self.clock())
        if parsed.unknown_word:
            self.events.emit(SourceWordUnknown(self.name))
        return parsed.report

    def _headers(self, known: Report | None) -> dict[str, str]:
        headers = {"X-API-Key": self.api_key} if self.api_key else {}
        if known is not None and known.validator is not None:
            headers["If-None-Match"] = known.validator
        return headers
