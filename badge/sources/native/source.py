"""A status source for backup APIs that implement the native contract."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from badge.contract import coordinates_of
from badge.deadline import Deadline
from badge.events import UnknownStatusReceived
from badge.model import Report, Subject
from badge.ports import CacheKey, Clock, Events
from badge.sources.http.messages import HttpRequest
from badge.sources.http.request import describe_answer, describe_request, json_request
from badge.sources.http.trace import Trace, no_trace
from badge.sources.http.transport import HttpTransport
from badge.sources.native.answer import interpret


@dataclass(frozen=True, slots=True)
class NativeSource:
    """Calls `GET {base_url}/ops/status`, as a conditional request if a report with an ETag is known.

    With `by_post` it calls `POST {base_url}/ops/status/get` instead, never as a conditional request (RFC 9110,
    section 13.1.2: only GET and HEAD are answered with 304).
    """

    base_url: str
    api_key: str | None
    transport: HttpTransport
    clock: Clock
    events: Events
    place: str
    name: str = "upstream"
    by_post: bool = False

    def cache_key(self, subject: Subject) -> CacheKey:
        """Return the subject's key; accounts and names ignore case if the platform does."""
        return self.place, *subject.key(fold_case=True)

    def is_local(self, subject: Subject) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: the API is reached over a network."""
        return False

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """Return the upstream's current report; raises `SourceUnavailable` and nothing else."""
        return self.explain(subject, known, deadline, no_trace)

    def explain(self, subject: Subject, known: Report | None, deadline: Deadline, trace: Trace) -> Report:
        """Fetch as `fetch` does, and trace each step."""
        if self.by_post and known is not None:
            # The request is unconditional, so a 304 would not mean that this report is still current.
            known = replace(known, validator=None)
        request = self._request(subject, known)
        signed = request.with_headers({"X-API-Key": self.api_key} if self.api_key else {})
        for line in describe_request(request, signed):
            trace(line)
        answer = self.transport.ask(signed, deadline)
        for line in describe_answer(answer):
            trace(line)
        parsed = interpret(answer, subject, known, self.clock())
        if parsed.has_unknown_status:
            self.events.emit(UnknownStatusReceived(self.name))
        return parsed.report

    def _request(self, subject: Subject, known: Report | None) -> HttpRequest:
        coordinates = coordinates_of(subject)
        if self.by_post:
            return json_request(f"{self.base_url}/ops/status/get", coordinates)
        request = HttpRequest("GET", f"{self.base_url}/ops/status?{urlencode(coordinates)}")
        validator = known.validator if known is not None else None
        return request if validator is None else request.with_headers({"If-None-Match": validator})
