"""A system with its own certificate authority, as clusters and appliances have."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from badge.app import utc_now
from badge.deadline import Deadline
from badge.model import BackupStatus, Subject
from badge.ports import SourceUnavailable
from badge.sources.configuration.factory import build_routing
from badge.sources.configuration.sources_file import load
from badge.sources.http.messages import HttpRequest
from badge.sources.http.transport import HttpTransport
from tests.doubles import RecordedEvents
from tests.serving import serving
from tests.topologies import Certificate, certificate_in


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "11")
        self.end_headers()
        self.wfile.write(b'{"ok":true}')

    def log_message(self, format: str, *args: object) -> None:
        pass


CLUSTER = """
[[source]]
name = "cluster"
kind = "http"
url = "{url}"
ca_file = "{ca}"
rules = [{{ when = "ok", status = "succeeded" }}]
subjects = {{ "acme/web" = {{}} }}
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def address(certificate: Certificate) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    server = HTTPServer(("127.0.0.1", 0), Answering)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield f"https://127.0.0.1:{server.server_port}/"


def test_the_configured_ca_file_is_trusted(address: str, certificate: Certificate, tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(CLUSTER.format(url=address.rstrip("/"), ca=certificate.certificate))
    (source,) = build_routing(load(file), None, utc_now, RecordedEvents()).sources
    assert source.fetch(Subject.legacy("acme", "web"), None, Deadline.after(5)).status is BackupStatus.SUCCEEDED


def test_the_certificate_is_refused_without_a_ca_file(address: str) -> None:
    with pytest.raises(SourceUnavailable, match=r"^tls$"):
        HttpTransport().ask(HttpRequest("GET", address), Deadline.after(5))
