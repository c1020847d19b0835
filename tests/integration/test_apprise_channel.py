"""Apprise sends to a real mail server and to a server that looks like ntfy, within limits of time and redirects."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from badge.app import utc_now
from badge.deadline import Deadline
from badge.notices import Condition, Message, Notice, NoticeKind
from badge.sources.secrets import Secret
from badge.watching.channels import NotDelivered
from badge.watching.channels.apprise import AppriseChannel
from tests.pages import PROJECT
from tests.servers import START_SECONDS, free_port
from tests.serving import serving
from tests.smtp_server import running_smtp
from tests.watching import named

NAME = "wéb <!channel> & more"
NOTICE = Notice(kind=NoticeKind.FAILED, subject=named(NAME), before=Condition.PROTECTED, after=Condition.FAILED)
MESSAGE = Message("0b7a0a52-5a63-4b7c-9d8e-0f1f2f3f4f5f", utc_now(), NoticeKind.FAILED, [NOTICE])
TITLE = "Backup failed: GitHub/acme/Repository/wéb %3C%21channel%3E %26 more"


def send(url: str, seconds: float = START_SECONDS) -> None:
    AppriseChannel("chat", Secret(value=url)).send(MESSAGE, Deadline.after(seconds))


def failure(url: str, seconds: float = START_SECONDS) -> str:
    with pytest.raises(NotDelivered) as raised:
        send(url, seconds)
    return raised.value.failure


@dataclass
class Ntfy:
    """A server that looks like ntfy's."""

    port: int = 0
    published: list[dict[str, object]] = field(default_factory=list)
    redirect: str | None = None
    hang: threading.Event | None = None


@contextlib.contextmanager
def running_ntfy() -> Iterator[Ntfy]:
    ntfy = Ntfy()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if ntfy.hang is not None:
                ntfy.hang.wait(START_SECONDS)
            if ntfy.redirect is not None:
                self.send_response(307)
                self.send_header("Location", ntfy.redirect)
            else:
                ntfy.published.append(json.loads(body))
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ntfy.port = server.server_port
    with serving(server):
        yield ntfy


def test_mail_and_ntfy_get_the_text() -> None:
    with running_smtp() as box, running_ntfy() as ntfy:
        send(f"mailto://127.0.0.1:{box.port}/?from=badge@example.org&to=ops@example.org&mode=insecure")
        send(f"ntfy://127.0.0.1:{ntfy.port}/backups")
    [mail] = box.mails
    assert (mail["Subject"], mail["To"]) == (TITLE, "ops@example.org")
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Status: protected → failed" in body.get_content()
    [published] = ntfy.published
    assert (published["topic"], published["title"]) == ("backups", TITLE)
    assert "Status: protected → failed" in str(published["message"])


def test_a_redirect_is_not_followed() -> None:
    with running_ntfy() as ntfy, running_ntfy() as other:
        ntfy.redirect = f"http://127.0.0.1:{other.port}/"
        assert failure(f"ntfy://127.0.0.1:{ntfy.port}/backups") == "notAccepted"
    assert other.published == []


def test_a_server_that_does_not_answer_costs_no_more_than_the_deadline() -> None:
    with running_ntfy() as ntfy:
        ntfy.hang = threading.Event()
        assert failure(f"ntfy://127.0.0.1:{ntfy.port}/backups?rto=60", seconds=3) == "timeout"
        ntfy.hang.set()


def test_a_server_that_is_down_is_told_apart_from_a_url_of_an_unknown_kind() -> None:
    assert failure(f"ntfy://127.0.0.1:{free_port()}/backups") == "notAccepted"
    assert failure("carrier-pigeon://hunter2") == "badUrl"


def test_nothing_that_apprise_says_gets_into_a_log() -> None:
    job = {"url": f"ntfy://hunter2:hunter2@127.0.0.1:{free_port()}/t", "title": "t", "body": "b", "type": "info"}
    command = [sys.executable, "-m", "badge.watching.channels.apprise_process"]
    done = subprocess.run(command, cwd=PROJECT, input=json.dumps(job).encode(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
