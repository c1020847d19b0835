"""Latency of a warm badge while something else keeps the service busy; one worker."""

from __future__ import annotations

import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import requests

from bench.catalogue import fill
from bench.load import Load, at_rate
from bench.rounds import in_turn, say, table
from bench.servers import Running, report_backup, service
from tests.fault_server import running_fault_server
from tests.load import all_at_once, at_a_rate

MOST_ROUNDS = 3
"""A larger `--rounds` is reduced to this, because each round starts every service anew."""

PER_SECOND = 250
"""Warm badges."""
SECONDS = 3
WAIT_SECONDS = 1
"""Shorter than the time that a request waits for an upstream."""
LEAD_SECONDS = 0.3
"""Head start of the requests that create the pressure."""

COLD = 256
SEARCHES_PER_SECOND = 30
SUBJECTS = 50_000
TOKEN = "scrape-me"
SCRAPE_SECONDS = 1.0
"""Sixty times as often as documented."""
SILENT, DRIPPING = 800, 200
DRIP_SECONDS = 0.5


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Run `act` on a thread; the block begins a little later."""
    thread = threading.Thread(target=act)
    thread.start()
    time.sleep(LEAD_SECONDS)  # noqa: TID251 - waits for other processes, bounded
    yield
    thread.join()


def nothing_else(folder: Path) -> Load:
    """Measure without pressure."""
    with service(folder) as running:
        return at_rate(running.badge, PER_SECOND, SECONDS)


def cold_badges(_: Path) -> Load:
    """Measure while many requests for different badges wait for an upstream that hangs."""
    with running_fault_server() as upstream, _fresh_service(BADGE_UPSTREAM_URL=upstream.url) as running:
        upstream.mode = "hang-before-headers"
        cold = [f"{running.url}/badge/acme/cold-{number}" for number in range(COLD)]
        with meanwhile(lambda: all_at_once(cold)):
            return at_rate(running.badge, PER_SECOND, WAIT_SECONDS)


def searches(folder: Path) -> Load:
    """Measure while the dashboard is searched for names, each of which matches a few subjects."""
    with service(folder, BADGE_DASHBOARD="open") as running:
        seconds = SECONDS + 2 * LEAD_SECONDS
        words = range(0, SUBJECTS, SUBJECTS // int(SEARCHES_PER_SECOND * seconds))
        pages = [f"{running.url}/dashboard?q={number:06}" for number in words]
        with meanwhile(lambda: at_a_rate(pages, SEARCHES_PER_SECOND)):
            return at_rate(running.badge, PER_SECOND, SECONDS)


def scrapes(folder: Path) -> Load:
    """Measure while Prometheus reads the metrics of each subject, up to the default maximum of subjects."""
    with (
        service(folder, BADGE_METRICS_TOKEN=TOKEN) as running,
        meanwhile(partial(_scrape, running.url, SECONDS + LEAD_SECONDS)),
    ):
        return at_rate(running.badge, PER_SECOND, SECONDS)


def _scrape(url: str, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        requests.get(f"{url}/metrics/subjects", headers=headers, timeout=30).raise_for_status()
        time.sleep(SCRAPE_SECONDS)  # noqa: TID251 - as Prometheus does


def slow_clients(folder: Path) -> Load:
    """Measure while some clients send nothing, and others a byte of a header from time to time."""
    with service(folder) as running, ExitStack() as life:
        host, port = running.address.split(":")
        clients = [life.enter_context(socket.create_connection((host, int(port)))) for _ in range(SILENT + DRIPPING)]
        dripping = clients[:DRIPPING]
        for client in dripping:
            client.sendall(b"GET /badge/acme/web HTTP/1.1\r\nX-Slow: ")
        with meanwhile(partial(_drip, dripping, SECONDS + LEAD_SECONDS)):
            return at_rate(running.badge, PER_SECOND, SECONDS)


def _drip(clients: list[socket.socket], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for client in clients:
            client.sendall(b"x")
        time.sleep(DRIP_SECONDS)  # noqa: TID251 - slow clients


@contextmanager
def _fresh_service(**settings: str) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder, service(Path(folder), **settings) as running:
        yield running


PRESSURES: dict[str, Callable[[Path], Load]] = {
    "nothing else happens": nothing_else,
    f"{COLD} cold badges wait for an upstream that hangs (measured for {WAIT_SECONDS} s, not {SECONDS})": cold_badges,
    f"the dashboard is searched {SEARCHES_PER_SECOND} times a second; {SUBJECTS:,} subjects": searches,
    f"the metrics of each subject are scraped every {SCRAPE_SECONDS:.0f} s": scrapes,
    f"{SILENT} connections are silent, and {DRIPPING} send a byte every {DRIP_SECONDS} s": slow_clients,
}


def rows(rounds: int) -> list[str]:
    """Return the table for badges under pressure."""
    say("A warm badge while something else happens")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(f"sqlite:///{folder / 'catalogue.sqlite3'}", SUBJECTS)
        report_backup(folder)
        measures = {what: partial(measure, folder) for what, measure in PRESSURES.items()}
        found = in_turn(min(rounds, MOST_ROUNDS), measures)
    columns = [f"one warm badge, {PER_SECOND} a second, while", "p50", "p99", "requests answered, all rounds"]
    return table(columns, [_row(what, loads) for what, loads in found.items()])


def _row(what: str, loads: list[Load]) -> list[str]:
    p50, p99 = (
        statistics.median(times) / 1000 for times in zip(*((one.p50_us, one.p99_us) for one in loads), strict=True)
    )
    return [what, f"{p50:.1f} ms", f"{p99:.1f} ms", f"{sum(load.requests for load in loads):,}"]
