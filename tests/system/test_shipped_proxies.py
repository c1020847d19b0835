"""The shipped configurations of nginx, Caddy and Apache, at the root of a host and under a path prefix."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from badge.appearance import COLOURS, TONES, WORDS, Palette
from badge.artwork import svg
from badge.model import BackupStatus, Badge
from badge.web.badges.answer import PROBLEMS, AnswerKind
from badge.web.badges.http_cache import COMMON_HEADERS
from badge.web.errors import PROBLEM_TYPE, problem
from tests import nginx
from tests.nginx import Nginx
from tests.proxies.shipped import CONFIG, SHIPPED, running_apache
from tests.proxies.simplest import running_caddy
from tests.servers import PROJECT, free_port
from tests.serving import serving

PLACES = [(proxy, prefix) for proxy in SHIPPED for prefix in ("", "/backups")]


class Origin:
    """Stands in for the service; it records the requests that it gets."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self._running = contextlib.ExitStack()
        self.address = f"127.0.0.1:{self._serve(0)}"

    def _serve(self, port: int) -> int:
        seen, stopped = self.seen, threading.Event()

        class Recording(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                if "/hang" in self.path:
                    stopped.wait(30)
                    return  # closes the connection
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Recording)
        self._running.enter_context(serving(server))
        self._running.callback(stopped.set)
        return server.server_port

    def close(self) -> None:
        self._running.close()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Refuse connections for a while; the port stays bound, so that no other program gets it."""
        self.close()
        host, port = self.address.split(":")
        with socket.socket() as reserved:
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind((host, int(port)))
            yield
        self._serve(int(port))


@dataclass
class Answer:
    """A response, with header names in lower case."""

    code: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Place:
    """A proxy in front of an origin, and the path prefix."""

    url: str
    prefix: str
    origin: Origin

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send a request below the prefix, with its path unchanged."""
        return self.get_raw(self.prefix + path, method, **headers)

    def get_raw(self, target: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, target)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())

    def passed_on(self, path: str, **headers: str) -> tuple[str, dict[str, str]]:
        """Return path and headers that reach the service, which must answer."""
        self.origin.seen.clear()
        assert self.get(path, **headers).code == 200
        [request] = self.origin.seen
        return request


@pytest.fixture(scope="module", params=PLACES, ids="".join)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    proxy, prefix = request.param
    with (
        contextlib.closing(Origin()) as origin,
        SHIPPED[proxy](tmp_path_factory.mktemp(proxy), origin.address, prefix) as url,
    ):
        yield Place(url, prefix, origin)


@pytest.mark.parametrize(
    "path",
    [
        "/badge/GitLab/group%2Fsub/Repository/x%20y.json?v=%2F",
        "/badge/GitLab/group%252Fsub/Repository/x",
        "/badge/acme/%E6%97%A5%e6",
        "/badge/acme//web",
        "/badge/acme/metrics",
        "/summary/GitLab/a%2fb",
        "/status/GitLab/group%2Fsub/Repository/x",
        "/ping/uuid/0?x=1",
        "/",
    ],
)
def test_raw_paths_are_passed_on_unchanged(place: Place, path: str) -> None:
    assert place.passed_on(path)[0] == place.prefix + path


def test_the_prefix_without_a_slash_is_passed_on(place: Place) -> None:
    target = place.prefix or "/"
    assert (place.get_raw(target).code, place.origin.seen[-1][0]) == (200, target)


def test_the_service_learns_the_client_s_address_but_not_what_clients_claim(place: Place) -> None:
    claims = {"X_Forwarded_For": "192.0.2.9", "Forwarded": "for=192.0.2.9"}
    _, headers = place.passed_on("/login", **claims)
    assert headers["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics/subjects", "/%6detrics", "/badge/../metrics"])
def test_metrics_are_not_exposed(place: Place, path: str) -> None:
    place.origin.seen.clear()
    targets = {path, place.prefix + path}
    assert {place.get_raw(target).code for target in targets} == {404}
    assert place.origin.seen == []


def test_probes_without_the_prefix_reach_the_service(place: Place) -> None:
    place.origin.seen.clear()
    assert place.get_raw("/livez").code == 200
    assert place.origin.seen[0][0] == "/livez"


UNKNOWN = svg.draw(
    Badge(
        label="backup",
        message=WORDS[BackupStatus.UNKNOWN],
        colour=COLOURS[Palette.ACCESSIBLE][TONES[BackupStatus.UNKNOWN]],
    )
)
IMAGES = (
    "/badge/acme/web",
    "/badge/GitLab/group%2Fsub/Repository/x.png",
    "/badge/acme/web.json?format=svg",
    "/badge/acme/web?style=plastic&label=strict=1x",
    "/summary",
    "/summary/GitHub/acme?v=1",
)
FOR_PROGRAMS = (
    "/badge/acme/web.json",
    "/badge/acme/web.json/",
    "/badge/acme/web.txt?v=1",
    "/badge/acme/web.json?expect=succeeded&max_age=1h",
    "/badge/acme/web?strict=True",
    "/badge/acme/web?label=x&format=JSON",
    "/badge/acme/web?format=shields",
    "/summary?format=json",
    "/summary/GitHub/acme.txt",
)
UNAVAILABLE = PROBLEMS[AnswerKind.UNAVAILABLE]


def test_while_the_service_is_down_badges_show_unknown_and_programs_get_503(place: Place) -> None:
    with place.origin.stopped():
        for path in IMAGES:
            image = place.get(path)
            assert (image.code, image.body) == (200, UNKNOWN), path
            assert image.headers["content-type"] == "image/svg+xml; charset=utf-8"
            assert image.headers["cache-control"] == "public, max-age=5"
            assert {name: image.headers[name.lower()] for name in COMMON_HEADERS} == COMMON_HEADERS
            head = place.get(path, "HEAD")
            assert (head.code, head.headers["content-type"]) == (200, "image/svg+xml; charset=utf-8")
        for path in FOR_PROGRAMS:
            answer = place.get(path)
            assert (answer.code, answer.headers["content-type"]) == (503, PROBLEM_TYPE), path
            assert (answer.headers["cache-control"], answer.headers["retry-after"]) == ("no-store", "5")
            expected = problem(UNAVAILABLE.http_status, UNAVAILABLE.code, UNAVAILABLE.detail)
            assert answer.body.strip() == expected.strip()
        for path in ("/dashboard", "/summaries", "/status/acme/web"):
            assert place.get(path).code in (502, 503), path
    assert place.get("/badge/acme/web?v=back").body == b"ok"


@pytest.mark.slow
def test_a_badge_is_unknown_in_time_if_the_service_hangs(place: Place) -> None:
    began = time.monotonic()
    image = place.get("/badge/acme/hang")
    assert (image.code, image.body) == (200, UNKNOWN)
    assert time.monotonic() - began < 4 * 2  # GitHub's proxy waits for 4 s; twice that on a busy machine
    assert place.get("/badge/acme/hang.json").code == 503


def test_clients_can_t_ask_for_the_error_images(place: Place) -> None:
    for path in ("/-/image.asis", "/-/down-image"):
        for target in {path, place.prefix + path}:
            assert UNKNOWN not in place.get_raw(target).body, target


def test_traefik_s_routers_and_services_refer_to_what_is_defined() -> None:
    """Traefik itself can't be run here; this checks what can be checked without it."""
    static = yaml.safe_load((CONFIG / "traefik" / "traefik.yaml").read_text())
    dynamic = yaml.safe_load((CONFIG / "traefik" / "badge.yaml").read_text())["http"]
    [router] = dynamic["routers"].values()
    assert set(router["entryPoints"]) <= set(static["entryPoints"])
    assert set(router["middlewares"]) <= set(dynamic["middlewares"])
    assert router["rule"] == "Host(`badges.example.org`) && !PathPrefix(`/metrics`)"
    services = dynamic["services"]
    assert router["service"] in services
    assert set(services["badge"]["failover"].values()) <= set(services)
    balancers = [service["loadBalancer"] for service in services.values() if "loadBalancer" in service]
    assert {one["serversTransport"] for one in balancers if "serversTransport" in one} <= set(
        dynamic["serversTransports"]
    )
    assert "healthCheck" in services["badge-up"]["loadBalancer"]  # failover needs one
    assert not {"stripPrefix", "stripPrefixRegex", "replacePath"} & {
        kind for middleware in dynamic["middlewares"].values() for kind in middleware
    }


def example(first_line: str) -> str:
    """Return the code block of the how-to that begins with this line."""
    page = (PROJECT / "docs" / "how-to" / "deploy.md").read_text()
    start = page.index(f"\n    {first_line}\n") + 1
    lines = itertools.takewhile(lambda line: not line or line.startswith("    "), page[start:].split("\n"))
    return dedent("\n".join(lines))


def without_tls(block: str) -> str:
    return "\n".join(line for line in block.split("\n") if not re.search("ssl_|SSL", line))


def nginx_example(folder: Path, block: str, port: int) -> AbstractContextManager[Nginx]:
    server = without_tls(block).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    if not server.startswith("server"):
        server = f"server {{ listen 127.0.0.1:{port}; {block} }}"
    return nginx.running(folder, server, port)


def caddy_example(folder: Path, block: str, port: int) -> AbstractContextManager[str]:
    site = f"http://127.0.0.1:{port}"
    block = block.replace("badges.example.org", site)
    return running_caddy(folder, block if site in block else f"{site} {{\n{block}}}", site)


def apache_example(folder: Path, block: str, port: int) -> AbstractContextManager[str]:
    site = without_tls(block).replace("*:443", f"*:{port}")
    return running_apache(
        folder, site if "VirtualHost" in site else f"<VirtualHost *:{port}>\n{site}</VirtualHost>", port
    )


EXAMPLES = [
    (nginx_example, "server {", ""),
    (caddy_example, "badges.example.org {", ""),
    (apache_example, "<VirtualHost *:443>", ""),
    (nginx_example, "location /backups/ {", "/backups"),
    (caddy_example, "respond /backups/metrics* 404", "/backups"),
    (apache_example, "AllowEncodedSlashes NoDecode", "/backups"),
]


@pytest.mark.parametrize(("proxy", "first_line", "prefix"), EXAMPLES)
def test_the_how_to_s_minimal_configurations_work(
    tmp_path: Path, proxy: Callable[..., AbstractContextManager[object]], first_line: str, prefix: str
) -> None:
    block, port = example(first_line), free_port()
    assert "127.0.0.1:8000" in block
    with (
        contextlib.closing(Origin()) as origin,
        proxy(tmp_path, block.replace("127.0.0.1:8000", origin.address), port),
    ):
        place = Place(f"http://127.0.0.1:{port}", prefix, origin)
        path = "/badge/GitLab/group%2Fsub/Repository/x%252F"
        target, headers = place.passed_on(path, X_Forwarded_For="192.0.2.9")
        assert (target, headers["x-forwarded-for"]) == (prefix + path, "127.0.0.1")
        assert {place.get(path).code for path in ("/metrics", "/metrics/subjects")} == {404}


def test_the_how_to_s_commands_set_the_prefix(tmp_path: Path) -> None:
    installed = {"nginx.conf": "nginx/conf.d/badge.conf", "apache.conf": "apache2/sites-available/badge.conf"}
    for shipped, path in installed.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        shutil.copy(CONFIG / shipped, file)
    page = (PROJECT / "docs" / "how-to" / "deploy.md").read_text()
    for command in re.findall(r"^    (sed -i .*?) +# ", page, re.MULTILINE):
        subprocess.run(["sh", "-c", command.replace("/etc/", f"{tmp_path}/")], check=True)
    in_nginx, in_apache = ((tmp_path / path).read_text() for path in installed.values())
    assert "location ~ ^/backups/(badge/|summary(/|$)) {" in in_nginx
    assert "(?:)" not in in_nginx
    assert "\nDefine BADGE_ROOT /backups/\n" in in_apache
