"""A relay between two services that records the status code of each answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from tests.serving import serving

PASSED_ON = ("X-API-Key", "If-None-Match", "Accept")
PASSED_BACK = ("Content-Type", "ETag", "Date")


@dataclass
class Relay:
    """Address of the relay, and the recorded codes."""

    url: str
    codes: list[int] = field(default_factory=list)


@contextlib.contextmanager
def running_relay(target: str) -> Iterator[Relay]:
    """Relay GET requests to `target`."""

    class Passing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name: value for name in PASSED_ON if (value := self.headers.get(name))}
            answer = requests.get(target + self.path, headers=headers, timeout=5)
            relay.codes.append(answer.status_code)
            self.send_response_only(answer.status_code)
            for name in PASSED_BACK:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    relay = Relay(f"http://127.0.0.1:{server.server_port}")
    with serving(server):
        yield relay
