"""Without a login, the default dashboard shows nothing private behind any proxy; a start prints how to log in."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.proxies.simplest import simple_caddy, simple_haproxy, simple_nginx
from tests.servers import BIN, PROJECT, Service, clean_environment, eventually, free_port, log_in, running_service

PRIVATE = "GitHub/acme/Repository/secret"
PROXIES = {"none": None, "nginx": simple_nginx, "haproxy": simple_haproxy, "caddy": simple_caddy}


@dataclass
class Site:
    """A service with the default settings except for a public URL, and the proxies in front of it."""

    service: Service
    urls: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with contextlib.ExitStack() as running:
        settings = {"BADGE_PUBLIC_URL": "http://badges.example.org"}
        service = running.enter_context(running_service(folder / "service", **settings))
        service.flask_badge("report", PRIVATE, "failed", "--visibility", "private")
        port = int(service.url.rpartition(":")[2])
        urls = {
            name: running.enter_context(proxy(folder, port)) if proxy else service.url
            for name, proxy in PROXIES.items()
        }
        yield Site(service, urls)


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("host", ["", "127.0.0.1:8000", "localhost", "attacker.example"])
def test_nothing_private_is_shown_without_a_login(site: Site, proxy: str, host: str) -> None:
    headers = {"Host": host} if host and proxy != "caddy" else {}  # Caddy answers only for its own address
    for path in ("/dashboard", "/dashboard?format=csv", f"/dashboard/{PRIVATE}", "/metrics"):
        answer = requests.get(site.urls[proxy] + path, headers=headers, timeout=10, allow_redirects=False)
        assert answer.status_code == (401 if path == "/metrics" else 303), path
        assert "failed" not in answer.text
        assert "token=" not in answer.text
        assert "secret" not in answer.text or PRIVATE in path  # the redirect there names the requested page
    missing = [
        requests.get(site.urls[proxy] + f"/status/{name}", headers=headers, timeout=10) for name in (PRIVATE, "a/b")
    ]
    assert [(answer.status_code, answer.content) for answer in missing] == [(404, missing[0].content)] * 2


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_login_link_works_through_the_proxy_until_logout(site: Site, proxy: str) -> None:
    url = site.urls[proxy]
    name, value = log_in(url, site.service.login_link())
    cookie = {"Cookie": f"{name}={value}"}
    page = requests.get(f"{url}/dashboard", headers=cookie, timeout=10)
    assert "acme/Repository/secret" in page.text
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert csrf is not None
    with_csrf = {"Cookie": f"{name}={page.cookies[name]}"}
    requests.post(f"{url}/logout", data={"csrf_token": csrf[1]}, headers=with_csrf, timeout=10)
    stolen = [requests.get(f"{url}/dashboard", headers=cookie, timeout=10, allow_redirects=False) for _ in range(6)]
    assert {answer.status_code for answer in stolen} == {303}  # from both workers


@contextlib.contextmanager
def service_on_a_terminal(folder: Path, **settings: str) -> Iterator[str]:
    """Run the service on a terminal, as `make run` does; yields what it printed at start."""
    terminal, inside = pty.openpty()
    environment = {**clean_environment(), "BADGE_DATA_DIR": str(folder), **settings}
    command = [str(BIN / "gunicorn"), "-c", "config/gunicorn.conf.py"]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=inside, stderr=inside)
    os.close(inside)
    printed = b""

    def is_ready() -> bool:
        nonlocal printed
        printed += os.read(terminal, 65_536)
        return b"Booting worker" in printed

    try:
        assert eventually(is_ready, 20)
        yield printed.decode()
    finally:
        process.terminate()
        with contextlib.suppress(OSError):  # the other side is closed
            while os.read(terminal, 65_536):
                pass
        process.wait(15)
        os.close(terminal)


def test_the_start_prints_a_working_link_on_a_terminal_and_the_command_in_a_log(site: Site, tmp_path: Path) -> None:
    bind = f"127.0.0.1:{free_port()}"
    with service_on_a_terminal(tmp_path, BADGE_BIND=bind) as printed:
        found = re.search(rf"Dashboard +http://{bind}(/login\?link=\S+)", printed)
        assert found is not None
        assert "the first person to open this link, within 1h" in printed
        assert eventually(lambda: _is_up(f"http://{bind}"), 10)
        assert log_in(f"http://{bind}", found[1])
    log = site.service.log.read_text()
    assert "link=" not in log
    assert re.search(r"Visible to +anyone who opens a link printed by: .*badge login-link\n", log)


def _is_up(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{url}/livez", timeout=5).ok
    return False
