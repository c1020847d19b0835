"""One badge behind config/nginx.conf, compared with the same nginx serving a file of the same size."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from bench.load import CONCURRENCIES, rate
from bench.rounds import in_turn, ratio, say, table
from bench.servers import BADGE, report_backup, service
from tests.nginx import Nginx, running, running_nginx
from tests.servers import free_port

_STATIC = """
server {{
    listen 127.0.0.1:{port};
    root {root};
    default_type image/svg+xml;
    open_file_cache max=200;
}}
"""


@contextmanager
def both(folder: Path) -> Iterator[tuple[Nginx, Nginx]]:
    """Start our service behind nginx, and nginx with a static file; one worker each."""
    for name in ("ours", "proxy", "static"):
        (folder / name).mkdir()
    report_backup(folder / "ours")
    with (
        service(folder / "ours") as ours,
        running_nginx(folder / "proxy", ours.address, workers=1) as proxy,
    ):
        file = folder / "root" / BADGE.removeprefix("/")
        file.parent.mkdir(parents=True)
        file.write_bytes(requests.get(ours.badge, timeout=5).content)
        port = free_port()
        content = _STATIC.format(port=port, root=folder / "root")
        with running(folder / "static", content, port) as static:
            yield proxy, static


def rows(rounds: int) -> list[str]:
    """Return the table for nginx."""
    say("Behind nginx, compared with nginx serving a file")
    lines = []
    with tempfile.TemporaryDirectory() as folder, both(Path(folder)) as (proxy, static):
        for concurrency in CONCURRENCIES:
            say(f" {concurrency} at a time")
            measures = {
                "ours": rate(proxy.url + BADGE, concurrency),
                "file": rate(static.url + BADGE, concurrency),
            }
            found = in_turn(rounds, measures)
            rates = (f"{statistics.median(found[name]):,.0f}" for name in ("ours", "file"))
            lines.append([f"{concurrency} at a time", f"{ratio(found['ours'], found['file']):.2f}", *rates])
    columns = [
        "one warm badge behind config/nginx.conf",
        "relative to nginx serving a static file",
        "per second",
        "static file, per second",
    ]
    return table(columns, lines)
