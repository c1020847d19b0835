"""Sends mail and chat messages with Apprise (github.com/caronc/apprise), in a separate process for each message.

Apprise's HTTP client limits neither the total time of a request nor the size of a response, and Apprise takes 40 MB of
memory. In a separate process, the time and memory of each delivery are limited, and the memory is freed afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from badge.deadline import Deadline
from badge.notices import Message, NoticeKind
from badge.ports import SourceUnavailable
from badge.sources.secrets import Secret
from badge.watching.channels import NotDelivered
from badge.watching.channels.apprise_process import BAD_URL, SENT

_TYPES: Mapping[NoticeKind, str] = {
    NoticeKind.FAILED: "failure",
    NoticeKind.RECOVERED: "success",
    NoticeKind.OVERDUE: "failure",
    NoticeKind.UNKNOWN: "warning",
    NoticeKind.DELETED: "warning",
    NoticeKind.VERIFICATION_FAILED: "failure",
    NoticeKind.VERIFICATION_TOO_OLD: "warning",
    NoticeKind.VERIFIED: "success",
    NoticeKind.FLAPPING: "warning",
    NoticeKind.STEADY: "info",
    NoticeKind.TEST: "info",
}
"""Apprise's types of notifications, from which services choose colours and icons."""


@dataclass(frozen=True, slots=True)
class AppriseChannel:
    """A channel that sends to one Apprise URL."""

    name: str
    url: Secret

    def send(self, message: Message, deadline: Deadline) -> None:
        """Send the message as text."""
        try:
            url = self.url.reveal()
        except SourceUnavailable as failed:
            raise NotDelivered(failed.kind) from None
        job = {"url": url, "title": message.title, "body": message.text, "type": _TYPES[message.kind]}
        exit_code = _run(job, deadline)
        if exit_code != SENT:
            raise NotDelivered("badUrl" if exit_code == BAD_URL else "notAccepted")


def fault_of(secret: Secret, deadline: Deadline) -> str | None:
    """Return what is wrong with a URL, without sending anything."""
    try:
        exit_code = _run({"url": secret.reveal()}, deadline)
    except NotDelivered as failed:
        return f"Apprise can't be run: {failed.failure}"
    return None if exit_code == SENT else "is not a URL that Apprise supports"


def _run(job: Mapping[str, str], deadline: Deadline) -> int:
    try:
        return subprocess.run(
            [sys.executable, "-m", "badge.watching.channels.apprise_process"],
            input=json.dumps(job).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=deadline.remaining,
            env=_environment(),
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        raise NotDelivered("timeout") from None
    except OSError:
        raise NotDelivered("noProcess") from None


def _environment() -> dict[str, str]:
    """Return the environment without the service's settings and without proxy variables.

    The service sends no request through a proxy.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BADGE_") and not name.lower().endswith("_proxy")
    }
