"""Where the browser tests find the service: on a port of its own, or under a path prefix behind a shipped proxy.

`BEHIND=nginx pytest tests/browser` runs them behind nginx; `make test-slow` does so for nginx and for Caddy.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.proxies.shipped import SHIPPED
from tests.servers import Service, free_port

BEHIND = os.environ.get("BEHIND", "")
"""Name of the proxy; empty for none."""
PREFIX = "/backups" if BEHIND else ""
needs_no_public_url = pytest.mark.skipif(bool(BEHIND), reason="under a prefix, there is always a public URL")


def own_path(path: str) -> str:
    """Return a path relative to the service's URL, as `page.goto` needs it; other URLs are unchanged."""
    return f".{path}" if path.startswith("/") else path


@contextlib.contextmanager
def running_service(data_dir: Path, **settings: str) -> Iterator[Service]:
    """Run the service; its `url` is where browsers find it."""
    if BEHIND:
        with running_behind(BEHIND, PREFIX, data_dir, **settings) as service:
            yield service
    else:
        with servers.running_service(data_dir, **settings) as service:
            yield service


@contextlib.contextmanager
def running_behind(proxy: str, prefix: str, data_dir: Path, **settings: str) -> Iterator[Service]:
    """Run the service under a prefix behind this proxy."""
    bind = settings.get("BADGE_BIND", f"127.0.0.1:{free_port()}")
    folder = data_dir.with_name(f"{data_dir.name}-{proxy}")
    folder.mkdir()
    with SHIPPED[proxy](folder, bind, prefix) as url:
        wanted = settings.get("BADGE_PUBLIC_URL", f"http://{bind}")
        public = {"BADGE_PUBLIC_URL": (url if wanted == f"http://{bind}" else wanted) + prefix}
        with servers.running_service(data_dir, **{**settings, **public, "BADGE_BIND": bind}) as service:
            service.url = url + prefix
            yield service
