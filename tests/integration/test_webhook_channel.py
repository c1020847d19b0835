"""Webhooks against a real receiver, which verifies the signature with the library of Standard Webhooks."""

from __future__ import annotations

import pytest

from badge.app import utc_now
from badge.deadline import Deadline
from badge.notices import Condition, Message, Notice, NoticeKind
from badge.sources.http.transport import HttpTransport
from badge.sources.secrets import Secret
from badge.watching.channels import NotDelivered
from badge.watching.channels.webhook import WebhookChannel
from tests.fault_server import running_fault_server
from tests.servers import free_port
from tests.watching import named
from tests.webhook_receiver import SECRET, Received, receiving

NOTICE = Notice(kind=NoticeKind.FAILED, subject=named("wéb"), before=Condition.PROTECTED, after=Condition.FAILED)
MESSAGE = Message("0b7a0a52-5a63-4b7c-9d8e-0f1f2f3f4f5f", utc_now(), NoticeKind.FAILED, [NOTICE])


def channel(url: str, secret: Secret | None = None) -> WebhookChannel:
    return WebhookChannel("ops", url, secret or Secret(value=SECRET), HttpTransport(reads_body=False), utc_now)


def failure(channel: WebhookChannel, seconds: float = 5.0) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        channel.send(MESSAGE, Deadline.after(seconds))
    return raised.value


def test_a_message_arrives_signed_with_the_same_id_each_time() -> None:
    with receiving() as received:
        for _ in range(2):
            channel(received.url).send(MESSAGE, Deadline.after(5))
    assert received.messages == [MESSAGE.document()] * 2
    assert received.ids == [MESSAGE.id] * 2


@pytest.mark.parametrize(
    ("status", "kind", "is_about_message"),
    [(400, "badRequest", True), (422, "http4xx", True), (401, "unauthorised", False), (500, "http5xx", False)],
)
def test_a_refusal_says_whether_other_messages_may_be_accepted(status: int, kind: str, is_about_message: bool) -> None:  # noqa: FBT001 - a parameter of the test
    with receiving(Received(status=status)) as received:
        failed = failure(channel(received.url))
    assert (failed.failure, failed.is_about_message) == (kind, is_about_message)


def test_a_receiver_that_is_down_is_a_failed_connection() -> None:
    assert failure(channel(f"http://127.0.0.1:{free_port()}/hook")).failure == "connect"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("drip-headers", "timeout"), ("redirect-other-host", "http3xx"), ("reset", "reset")],
)
def test_each_misbehaviour_of_a_receiver_has_its_kind_of_failure(mode: str, kind: str) -> None:
    with running_fault_server() as server:
        server.mode = mode
        assert failure(channel(f"http://127.0.0.1:{server.port}/hook"), seconds=1.0).failure == kind


@pytest.mark.parametrize("mode", ["huge", "gzip-bomb", "cut-with-length", "drip"])
def test_only_the_status_of_an_answer_counts(mode: str) -> None:
    with running_fault_server() as server:
        server.mode = mode
        channel(f"{server.url}/hook").send(MESSAGE, Deadline.after(5))
    assert len(server.asked) == 1


def test_a_secret_replaced_by_an_invalid_one_is_a_failure() -> None:
    with receiving() as received:
        assert failure(channel(received.url, Secret(value="whsec_x"))).failure == "badSecret"
