"""The shipped nginx configuration in front of the real service: caching, forwarding and access."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from badge.appearance import COLOURS, TONES, WORDS, Palette
from badge.artwork import svg
from badge.model import BackupStatus, Badge, Subject
from badge.web.badges.answer import PROBLEMS, AnswerKind
from badge.web.badges.http_cache import COMMON_HEADERS
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.errors import PROBLEM_TYPE, problem
from tests.load import all_at_once, at_a_rate, percentile
from tests.nginx import Nginx, running_nginx
from tests.servers import Service, eventually, running_service
from tests.serving import serving

WEB = "GitHub/acme/Repository/web"
SVG_TYPE = "image/svg+xml; charset=utf-8"
SIGNING_KEY = "k" * 32
FOR_PROGRAMS = (
    ".json",
    ".json/",
    ".txt?v=1",
    ".json?expect=succeeded&max_age=1h",
    "?strict=1",
    "?strict=True&label=x",
    "?format=JSON",
    "?format=shields",
    "?label=x&expect=succeeded",
)


@dataclass
class Site:
    """A service behind nginx."""

    service: Service
    nginx: Nginx

    def stop_service(self) -> None:
        self.service.process.terminate()
        self.service.process.wait(15)


@contextlib.contextmanager
def running_site(folder: Path, **settings: str) -> Iterator[Site]:
    (folder / "nginx").mkdir()
    with running_service(folder / "service", **settings) as service:
        service.flask_badge("report", WEB, "succeeded")
        with running_nginx(folder / "nginx", service.url.removeprefix("http://")) as nginx:
            yield Site(service, nginx)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), BADGE_SECRET_KEY=SIGNING_KEY) as site:
        yield site


def answer_to(nginx: Nginx, request: bytes) -> tuple[bytes, bytes]:
    """Send a raw request; returns head and body of the answer."""
    address = nginx.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=5) as client:
        client.sendall(request)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def raw_get(target: str, *headers: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", "Connection: close", *(headers or ("Host: badges.example.org",)), "", ""]
    return "\r\n".join(lines).encode()


def test_raw_paths_are_passed_on_unchanged(site: Site) -> None:
    site.service.flask_badge("report", "GitLab/group%2Fsub/Repository/x", "succeeded")
    assert site.nginx.get("/badge/GitLab/group%2Fsub/Repository/x.json").json()["account"] == "group/sub"
    assert site.nginx.get("/badge/GitLab/group%252Fsub/Repository/x.json").status_code == 404
    assert site.nginx.get("/badge/GitLab/group/sub/Repository/x.json").status_code == 404


def test_a_badge_is_cached_and_has_an_age(site: Site) -> None:
    first, again = (site.nginx.get(f"/badge/{WEB}?v=stored") for _ in range(2))
    statuses = [answer.headers["Cache-Status"].rpartition(", ")[2] for answer in (first, again)]
    assert statuses == ["nginx; fwd=miss", "nginx; hit"]
    time.sleep(1.1)  # noqa: TID251 - so that the current Date differs
    later = site.nginx.get(f"/badge/{WEB}?v=stored", headers={"If-None-Match": first.headers["ETag"]})
    assert (later.status_code, later.headers["Date"]) == (304, first.headers["Date"])
    assert again.content == first.content == site.service.get(f"/badge/{WEB}").content


def test_a_summary_is_cached_like_a_badge(site: Site) -> None:
    path = "/summary/GitHub/acme?v=cached"
    assert [site.nginx.get(path).headers["Cache-Status"].split(", ")[-1] for _ in range(2)] == [
        "nginx; fwd=miss",
        "nginx; hit",
    ]


def test_private_answers_are_never_cached(site: Site) -> None:
    site.service.flask_badge("report", "acme/secret", "failed", "--visibility", "private")
    token = PrivateTokens(lambda: SIGNING_KEY).of(Subject.legacy("acme", "secret"))
    for form in ("?", ".json?", "?strict=1&", "?format=shields&"):
        for _ in range(2):
            private = site.nginx.get(f"/badge/acme/secret{form}token={token}")
            assert "failed" in private.text
            assert private.headers["Cache-Status"].endswith("nginx; fwd=miss")
        assert "failed" not in site.nginx.get(f"/badge/acme/secret{form}").text


def test_pages_are_not_cached_and_metrics_not_exposed(site: Site) -> None:
    assert "Cache-Status" not in site.nginx.get("/readyz").headers
    for path in ("/metrics", "/metrics/", "//metrics", "/%6detrics", "/badge/../metrics"):
        head, body = answer_to(site.nginx, raw_get(path))
        assert head.startswith(b"HTTP/1.1 404")
        assert b"badge_requests_total" not in body


@pytest.mark.parametrize(
    "target",
    [
        "//badge/acme/web",
        "/badge//acme//web",
        "/badge/../badge/acme/web",
        "http://evil.example/badge/acme/web",
        "/badge/",
        "/badge/../../etc/passwd",
        "/badge/acme/50%",
        "/badge/acme/%00",
        *("/badge/acme/" + "x" * length for length in (8_150, 8_165, 8_170, 8_180, 11_000)),
    ],
    ids=lambda target: target[:40],
)
def test_odd_targets_are_answered_with_an_image(site: Site, target: str) -> None:
    head, body = answer_to(site.nginx, raw_get(target))
    assert (head[:13], b"Content-Type: image/svg+xml; charset=utf-8" in head) == (b"HTTP/1.1 200 ", True)
    assert b"cache-control: public" in head.lower()
    assert b"</svg>" in body


@pytest.mark.parametrize("target", ["/badge/acme/%00.json", "/badge/acme/%00?strict=1", "/badge/acme/%00?format=txt"])
def test_programs_get_the_true_status_code_of_a_refused_request(site: Site, target: str) -> None:
    head, body = answer_to(site.nginx, raw_get(target))
    assert (head[:13], b"Content-Type: application/problem+json" in head) == (b"HTTP/1.1 400 ", True)
    assert body == problem_of(AnswerKind.INVALID)


def problem_of(outcome: AnswerKind) -> bytes:
    expected = PROBLEMS[outcome]
    return problem(expected.http_status, expected.code, expected.detail)


@pytest.mark.parametrize(
    "header",
    [
        "Host: evil.example",
        "Host: 127.0.0.1",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: evil",
        "X-Forwarded-Prefix: /evil",
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=127.0.0.1;host=evil.example",
        "SCRIPT_NAME: /evil",
        "PATH_INFO: /badge/evil/evil",
        "X-Original-URL: /badge/evil/evil",
        "X-HTTP-Method-Override: DELETE",
        "Range: bytes=0-3",
        "If-None-Match: *",
        "Accept-Language: de",
        "X-Huge: " + "x" * 40_000,
    ],
)
def test_no_client_header_changes_what_others_get(site: Site, header: str) -> None:
    name = header.partition(":")[0]
    path = f"/badge/{WEB}?v={name}-{len(header)}"
    hosts = () if name == "Host" else ("Host: badges.example.org",)
    answer_to(site.nginx, raw_get(path, header, *hosts))
    others = site.nginx.get(path)
    assert (others.status_code, others.content) == (200, site.service.get(f"/badge/{WEB}").content)


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_slow_clients_do_not_block_others(site: Site) -> None:
    host, port = site.nginx.url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as connections:
        slow = [connections.enter_context(socket.create_connection((host, int(port)), timeout=10)) for _ in range(200)]
        for client in slow:
            client.sendall(f"GET /badge/{WEB} HTTP/1.1\r\nHost: x".encode())
        answers = at_a_rate((f"{site.nginx.url}/badge/{WEB}?slow={number}" for number in range(30)), 30)
        assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
        assert percentile(answers, 0.99) < 1.0
        assert all(is_closed(client) for client in slow)


def test_badges_follow_their_reports_and_stay_true_while_the_service_is_down(tmp_path: Path) -> None:
    with running_site(tmp_path, BADGE_FRESH_FINISHED="1s") as site:
        url = f"{site.nginx.url}/badge/{WEB}"
        site.service.flask_badge("report", WEB, "failed")
        assert eventually(lambda: site.nginx.get(f"/badge/{WEB}.txt").text == "failed\n")
        site.service.flask_badge("report", WEB, "succeeded")
        assert eventually(lambda: site.nginx.get(f"/badge/{WEB}.txt").text == "succeeded\n")
        assert site.nginx.get(f"/badge/{WEB}").status_code == 200
        site.stop_service()
        answers = at_a_rate([url] * 40, 10)  # past the lifetime and stale-while-revalidate
        assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
        assert "service-unavailable" in site.nginx.get(f"/badge/{WEB}").headers["Cache-Status"]


def test_while_the_service_is_down_an_uncached_badge_is_unknown(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        site.stop_service()
        image = site.nginx.get("/badge/acme/other")
        assert (image.status_code, image.headers["Content-Type"]) == (200, SVG_TYPE)
        assert {name: image.headers[name] for name in COMMON_HEADERS} == COMMON_HEADERS
        assert image.headers["Cache-Control"] == "public, max-age=5"
        unknown = BackupStatus.UNKNOWN
        colour = COLOURS[Palette.ACCESSIBLE][TONES[unknown]]
        assert image.content == svg.draw(Badge(label="backup", message=WORDS[unknown], colour=colour))
        for path in ("/badge/acme/other.json?format=svg", "/summary", "/summary?v=1", "/summary/GitHub/acme"):
            assert site.nginx.get(path).content == image.content
        for path in ("/summary?format=json", "/summary/?strict=1", "/summary/GitHub/acme.txt"):
            assert site.nginx.get(path).status_code == 503
        assert site.nginx.get("/summaries").status_code == 502
        for form in FOR_PROGRAMS:
            answer = site.nginx.get(f"/badge/acme/other{form}")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert (answer.headers["Content-Type"], answer.content) == (
                PROBLEM_TYPE,
                problem_of(AnswerKind.UNAVAILABLE),
            )
        assert site.nginx.get("/dashboard").status_code == 502


@dataclass
class Origin:
    """A service whose badges allow two seconds of stale-if-error."""

    address: str
    asked: list[str] = field(default_factory=list)
    is_up: bool = True


@contextlib.contextmanager
def running_origin() -> Iterator[Origin]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            origin.asked.append(self.path)
            if not origin.is_up:
                return  # closes the connection
            body = b"<svg><title>backup: succeeded</title></svg>"
            self.send_response(200)
            self.send_header("Cache-Control", "max-age=1, stale-while-revalidate=1, stale-if-error=2")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    origin = Origin(f"127.0.0.1:{server.server_port}")
    with serving(server):
        yield origin


def test_a_badge_past_stale_if_error_is_not_shown(tmp_path: Path) -> None:
    with contextlib.ExitStack() as origins:
        origin = origins.enter_context(running_origin())
        nginx = origins.enter_context(running_nginx(tmp_path, origin.address))
        url = f"{nginx.url}/badge/acme/web"
        answers = all_at_once([url])
        origin.is_up = False
        answers += at_a_rate([url] * 10, 5)
        assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
        assert eventually(lambda: all_at_once([url])[0].status == "unknown", 3)


def test_no_path_is_logged_because_a_ping_url_is_a_secret(site: Site) -> None:
    for path in (
        f"/badge/{WEB}",
        "/ping/0b1c2d3e-0000-4000-8000-000000000000/0",
        f"/dashboard/{WEB}",
        "/doctor?subject=a/b",
    ):
        site.nginx.get(path)
    assert site.nginx.access_log.read_text() == ""


def test_a_herd_makes_one_request(tmp_path: Path) -> None:
    with running_origin() as origin, running_nginx(tmp_path, origin.address) as nginx:
        answers = all_at_once([f"{nginx.url}/badge/acme/web"] * 100)
        assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
        assert len(origin.asked) == 1
