"""A backup API in the native contract as a status source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from badge.model import Report, SourceWordUnknown, Subject
from badge.ports import Clock, Deadline, Events
from badge.sources.http_transport import HttpAnswer, HttpTransport
from badge.sources.native_answer import interpret


@dataclass(frozen=True, slots=True)
class NativeSource:
    """Asks `GET {base_url}/ops/status`, conditionally where something is known, for a 304 costs no body.

    With `by_post` it asks `POST {base_url}/ops/status/get` instead, which can't be conditional
    (RFC 9110, section 13.1.2: If-None-Match is for GET and HEAD).
    """

    base_url: str
    api_key: str | None
    transport: HttpTransport
    clock: Clock
    events: Events
    name: str = "upstream"
    by_post: bool = False

    def folds_case(self, subject: Subject) -> bool:
        """The contract compares accounts and names as their platform does."""
        del subject
        return True

    def is_local(self, subject: Subject) -> bool:
        """It is across a network."""
        del subject
        return False

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """What the upstream says now; raises `SourceUnavailable` and nothing else."""
        coordinates = {
            "platform": subject.platform,
            "account": subject.account,
            "subjectType": subject.type,
            "subjectName": subject.name,
        }
        if self.by_post and known is not None:
            # Asked without condition, so a 304 would be an answer to somebody else's question.
            known = replace(known, validator=None)
        ask = self._post if self.by_post else self._get
        answer = ask(coordinates, known, deadline)
        parsed = interpret(answer, subject, known, self.clock())
        if parsed.unknown_word:
            self.events.emit(SourceWordUnknown(self.name))
        return parsed.report

    def _get(self, coordinates: Mapping[str, str], known: Report | None, deadline: Deadline) -> HttpAnswer:
        headers = self._headers()
        if known is not None and known.validator is not None:
            headers["If-None-Match"] = known.validator
        return self.transport.get(f"{self.base_url}/ops/status", coordinates, headers, deadline)

    def _post(self, coordinates: Mapping[str, str], known: Report | None, deadline: Deadline) -> HttpAnswer:
        del known
        return self.transport.post(f"{self.base_url}/ops/status/get", coordinates, self._headers(), deadline)

    def _headers(self) -> dict[str, str]:
        return {"X-API-Key": self.api_key} if self.api_key else {}
