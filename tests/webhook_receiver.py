"""A webhook receiver for tests, which verifies each message with the library of Standard Webhooks."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.serving import serving

SECRET = "whsec_" + base64.b64encode(b"only for tests, 24 bytes").decode()


@dataclass
class Received:
    """What a receiver got, in order."""

    port: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """IDs of messages answered with `status`."""
    status: int = 204
    broken_types: set[str] = field(default_factory=set)
    """Types of messages that are answered with 400."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def kinds_of(self, subject: str) -> list[str]:
        """Return the types of the messages about a subject, in the order in which they arrived."""
        return [each["type"] for each in self.messages if each["data"].get("subject") == subject]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Verify and keep a message; raises the library's error for a wrong signature."""
        Webhook(SECRET).verify(body, headers)
        message, id = json.loads(body), headers["webhook-id"]
        status = 400 if message["type"] in self.broken_types else self.status
        if status >= 300:
            self.refused.append(id)
        else:
            self.messages.append(message)
            self.ids.append(id)
        return status


@contextlib.contextmanager
def receiving(received: Received | None = None) -> Iterator[Received]:
    """Run a receiver; given what an earlier one received, it adds to that and uses the same port."""
    kept = received or Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(kept.take({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", kept.port), Handler)
    kept.port = server.server_port
    with serving(server):
        yield kept
