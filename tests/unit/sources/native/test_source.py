"""The requests of the native source, recorded by a transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from requests.structures import CaseInsensitiveDict

from badge.deadline import Deadline
from badge.model import BackupStatus, Report, Subject
from badge.ports import SourceUnavailable
from badge.sources.http.messages import HttpAnswer, HttpRequest
from badge.sources.http.transport import HttpTransport
from badge.sources.native.source import NativeSource
from tests.doubles import ManualClock, RecordedEvents

WEB = Subject.legacy("acme", "web")
KNOWN = Report(status=BackupStatus.SUCCEEDED, observed_at=ManualClock().now, validator='"7"')


@dataclass
class NotModified(HttpTransport):
    """Answers every request with 304."""

    requests: list[Mapping[str, str]] = field(default_factory=list)

    def ask(self, request: HttpRequest, deadline: Deadline) -> HttpAnswer:
        del deadline
        self.requests.append(request.headers)
        return HttpAnswer(304, CaseInsensitiveDict(), b"")


def fetch(transport: HttpTransport, known: Report | None, *, by_post: bool) -> Report:
    source = NativeSource("http://up", None, transport, ManualClock(), RecordedEvents(), "upstream", by_post=by_post)
    return source.fetch(WEB, known, Deadline.after(1))


def test_a_304_to_a_conditional_request_confirms_the_report() -> None:
    transport = NotModified()
    assert fetch(transport, KNOWN, by_post=False) == KNOWN
    assert transport.requests == [{"If-None-Match": '"7"'}]


@pytest.mark.parametrize(("known", "by_post"), [(None, False), (KNOWN, True), (None, True)])
def test_a_304_to_an_unconditional_request_confirms_nothing(known: Report | None, by_post: bool) -> None:  # noqa: FBT001 - a parameter
    with pytest.raises(SourceUnavailable, match=r"^http3xx$"):
        fetch(NotModified(), known, by_post=by_post)
