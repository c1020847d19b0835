"""A system behind a certificate authority of its own, as clusters and appliances have."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app import utc_now
from badge.model import BackupStatus, Subject
from badge.ports import Deadline, SourceUnavailable
from badge.sources.building import build_routing
from badge.sources.http_transport import HttpTransport, Question
from badge.sources.sources_file import load
from tests.doubles import RecordedEvents
from tests.servers import needs


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
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("openssl", is_there=shutil.which("openssl") is not None)
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=own -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-keyout", "key.pem", "-out", "own.pem"], cwd=folder, check=True, capture_output=True
    )
    return folder / "own.pem"


@pytest.fixture(scope="module")
def address(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server = HTTPServer(("127.0.0.1", 0), Answering)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_authority_of_its_own_is_trusted_where_it_is_named(address: str, certificate: Path, tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(CLUSTER.format(url=address.rstrip("/"), ca=certificate))
    (source,) = build_routing(load(file), None, utc_now, RecordedEvents()).sources
    assert source.fetch(Subject.legacy("acme", "web"), None, Deadline.after(5)).status is BackupStatus.SUCCEEDED


def test_nobody_else_trusts_it(address: str) -> None:
    with pytest.raises(SourceUnavailable, match=r"^tls$"):
        HttpTransport().ask(Question("GET", address), Deadline.after(5))
