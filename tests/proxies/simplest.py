"""nginx, HAProxy and Caddy with the simplest configuration that people write, which adds as few headers as possible."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import requests

from tests import nginx
from tests.servers import START_SECONDS, eventually, free_port, needs

HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
CADDY = shutil.which("caddy")

_HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen badge
    bind 127.0.0.1:{port}
    server service 127.0.0.1:{upstream}
"""


@contextlib.contextmanager
def simple_nginx(folder: Path, upstream: int) -> Iterator[str]:
    """Run nginx, which by default sends the upstream's address as Host, and no header about the client."""
    port = free_port()
    server = f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}"
    (folder / "nginx").mkdir()
    with nginx.running(folder / "nginx", server, port) as running:
        yield running.url


@contextlib.contextmanager
def simple_haproxy(folder: Path, upstream: int) -> Iterator[str]:
    """Run HAProxy, which by default adds no header."""
    needs("HAProxy", is_there=HAPROXY is not None)
    port = free_port()
    file = folder / "haproxy.cfg"
    file.write_text(_HAPROXY.format(port=port, upstream=upstream))
    with running_proxy(f"http://127.0.0.1:{port}", str(HAPROXY), "-db", "-f", str(file)) as url:
        yield url


@contextlib.contextmanager
def simple_caddy(folder: Path, upstream: int) -> Iterator[str]:
    """Run Caddy as a reverse proxy."""
    url = f"http://127.0.0.1:{free_port()}"
    with running_caddy(folder, f"{url} {{\n reverse_proxy 127.0.0.1:{upstream}\n}}", url):
        yield url


@contextlib.contextmanager
def running_caddy(folder: Path, content: str, url: str, **environment: str) -> Iterator[str]:
    """Run Caddy with this content of its Caddyfile; yields its URL."""
    needs("Caddy", is_there=CADDY is not None)
    file = folder / "Caddyfile"
    file.write_text(content if "admin off" in content else f"{{\n admin off\n}}\n{content}\n")
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(file)]
    with running_proxy(url, *command, HOME=str(folder), XDG_DATA_HOME=str(folder), **environment):
        yield url


@contextlib.contextmanager
def running_proxy(url: str, *command: str, **environment: str) -> Iterator[str]:
    """Run a proxy with a command; yields its URL when it accepts connections."""
    quiet, environment = subprocess.DEVNULL, {**os.environ, **environment}
    process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
    try:
        assert eventually(lambda: _answers(url), START_SECONDS), command[0]
        yield url
    finally:
        process.terminate()
        process.wait(15)


def _answers(url: str) -> bool:
    try:
        requests.get(f"{url}/livez", timeout=5)
    except requests.ConnectionError:
        return False
    return True
