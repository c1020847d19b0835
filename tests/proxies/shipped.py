"""nginx, Caddy and Apache with the configurations that the project ships, on ports of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from tests.nginx import running_nginx
from tests.proxies.simplest import running_caddy, running_proxy
from tests.servers import PROJECT, free_port, needs

CONFIG = PROJECT / "config"
APACHE = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
MODULES = Path("/usr/lib/apache2/modules")

# What Debian's apache2.conf sets up, and the modules that the shipped file names.
_AROUND_APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
{user}
{modules}
<Directory />
    Require all denied
</Directory>
Include {folder}/badge.conf
"""
_APACHE_MODULES = ("mpm_event", "authz_core", "alias", "proxy", "proxy_http", "headers", "asis", "reqtimeout")

Proxy = Callable[[Path, str, str], AbstractContextManager[str]]
"""Runs a proxy: takes a folder, the service's host:port and the path prefix; yields the proxy's URL."""


@contextlib.contextmanager
def shipped_nginx(folder: Path, upstream: str, prefix: str) -> Iterator[str]:
    """Run nginx with config/nginx.conf."""
    with running_nginx(folder, upstream, workers=1, prefix=prefix) as nginx:
        yield nginx.url


@contextlib.contextmanager
def shipped_caddy(folder: Path, upstream: str, prefix: str) -> Iterator[str]:
    """Run Caddy with config/Caddyfile, except for its administration endpoint."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = {"BADGE_SITE": url, "BADGE_UPSTREAM": upstream, "BADGE_PREFIX": prefix}
    content = (CONFIG / "Caddyfile").read_text().replace("\n{\n", "\n{\n\tadmin off\n", 1)
    with running_caddy(folder, content, url, **environment):
        yield url


@contextlib.contextmanager
def shipped_apache(folder: Path, upstream: str, prefix: str) -> Iterator[str]:
    """Run Apache with config/apache.conf."""
    with tempfile.TemporaryDirectory() as readable:  # Apache's workers are another user, who can't read a test's folder
        Path(readable).chmod(0o755)
        down = shutil.copytree(CONFIG / "apache-down", Path(readable) / "badge-down")
        port = free_port()
        with running_apache(folder, _apache_site(upstream, prefix, down, port), port) as url:
            yield url


@contextlib.contextmanager
def running_apache(folder: Path, site: str, port: int) -> Iterator[str]:
    """Run Apache with this site."""
    needs("Apache", is_there=APACHE is not None)
    (folder / "badge.conf").write_text(site)
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in _APACHE_MODULES)
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    main = folder / "apache.conf"
    main.write_text(_AROUND_APACHE.format(folder=folder, port=port, user=user, modules=modules))
    with running_proxy(f"http://127.0.0.1:{port}", str(APACHE), "-DFOREGROUND", "-f", str(main)) as url:
        yield url


def _apache_site(upstream: str, prefix: str, down: Path, port: int) -> str:
    content = (CONFIG / "apache.conf").read_text()
    for shipped, ours in {
        "BADGE_SERVICE http://127.0.0.1:8000": f"BADGE_SERVICE http://{upstream}",
        "BADGE_DOWN /etc/apache2/badge-down": f"BADGE_DOWN {down}",
        "BADGE_ROOT /\n": f"BADGE_ROOT {prefix}/\n",
        "<VirtualHost *:80>": f"<VirtualHost *:{port}>",
    }.items():
        assert content.count(shipped) == 1, shipped
        content = content.replace(shipped, ours)
    return content


SHIPPED: dict[str, Proxy] = {"nginx": shipped_nginx, "caddy": shipped_caddy, "apache": shipped_apache}
