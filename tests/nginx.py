"""nginx with the shipped configuration, on its own ports and in its own folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.servers import PROJECT, eventually, free_port, needs

SHIPPED = PROJECT / "config" / "nginx.conf"
BINARY = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
"""Also looked for in /usr/sbin, which on Debian is not in an ordinary user's PATH."""

# The parts of a distribution's nginx.conf around the shipped file.
_AROUND = """
daemon off;
{user}
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush on;
    access_log {folder}/access.log;
    {temporary}
    {content}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass
class Nginx:
    url: str
    process: subprocess.Popen[bytes]
    error_log: Path
    access_log: Path

    def get(self, path: str, **options: object) -> requests.Response:
        return requests.get(self.url + path, timeout=10, **options)  # type: ignore[arg-type] # passed through


@contextlib.contextmanager
def running_nginx(folder: Path, upstream: str, workers: int = 2, prefix: str = "") -> Iterator[Nginx]:
    """Run nginx in front of `upstream` (host:port) as shipped, except for ports, folders and the path prefix."""
    port = free_port()
    content = SHIPPED.read_text().replace("(?:)", prefix or "(?:)")
    for shipped, ours in {
        "server 127.0.0.1:8000;": f"server {upstream};",
        "listen 80 default_server;": f"listen 127.0.0.1:{port} default_server;",
        "/var/cache/badge": str(folder / "cache"),
    }.items():
        assert content.count(shipped) == 1, shipped
        content = content.replace(shipped, ours)
    with running(folder, content, port, workers) as nginx:
        yield nginx


@contextlib.contextmanager
def running(folder: Path, content: str, port: int, workers: int = 1) -> Iterator[Nginx]:
    """Run nginx with this content in its http block; yields when it accepts connections."""
    needs("nginx", is_there=BINARY is not None)
    file = folder / "nginx.conf"
    file.write_text(
        _AROUND.format(
            # Otherwise its workers would run as a user who can't read a test's folder.
            user="user root;" if os.geteuid() == 0 else "",
            workers=workers,
            folder=folder,
            temporary="\n    ".join(f"{kind}_temp_path {folder}/{kind};" for kind in _TEMPORARY),
            content=content,
        )
    )
    log = folder / "error.log"
    command = [str(BINARY), "-e", str(log), "-p", str(folder), "-c", str(file)]
    nginx = Nginx(f"http://127.0.0.1:{port}", subprocess.Popen(command), log, folder / "access.log")
    try:
        assert eventually(lambda: _accepts(nginx)), log.read_text()
        yield nginx
    finally:
        nginx.process.terminate()
        nginx.process.wait(15)


def _accepts(nginx: Nginx) -> bool:
    try:
        nginx.get("/metrics")
    except requests.ConnectionError:
        return False
    return True
