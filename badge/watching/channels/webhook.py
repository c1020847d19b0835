"""Webhooks as standardwebhooks.com specifies them: JSON in a POST, signed with a shared secret."""

from __future__ import annotations

import json
from dataclasses import dataclass

from standardwebhooks import Webhook

from badge.deadline import Deadline
from badge.notices import Message
from badge.ports import Clock, SourceUnavailable
from badge.sources.http.answer import unavailable
from badge.sources.http.messages import HttpRequest
from badge.sources.http.transport import HttpTransport
from badge.sources.secrets import Secret
from badge.watching.channels import NotDelivered

ABOUT_THE_MESSAGE = frozenset({400, 413, 415, 422})
"""HTTP statuses that reject only this message; the receiver may still accept others."""


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """One receiver."""

    name: str
    url: str
    secret: Secret
    transport: HttpTransport
    """Must not read bodies, because only an answer's status and headers are used."""
    clock: Clock

    def send(self, message: Message, deadline: Deadline) -> None:
        """Send the message; every attempt has the same ID, by which receivers recognise duplicates."""
        body = json.dumps(message.document())
        now = self.clock()
        try:
            signature = Webhook(self.secret.reveal()).sign(message.id, now, body)
            headers = {
                "Content-Type": "application/json",
                "webhook-id": message.id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signature,
            }
            answer = self.transport.ask(HttpRequest("POST", self.url, headers, body.encode()), deadline)
        except SourceUnavailable as failed:
            raise NotDelivered(failed.kind) from None
        except ValueError:  # the secret's file was replaced by something else
            raise NotDelivered("badSecret") from None
        if not 200 <= answer.status < 300:
            failure = unavailable(answer.status, answer.headers, now)
            is_about_message = answer.status in ABOUT_THE_MESSAGE
            raise NotDelivered(failure.kind, failure.retry_after, is_about_message=is_about_message)
