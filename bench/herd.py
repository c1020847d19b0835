"""A herd of requests for one cold badge, sent to two of our services and to the obvious implementation.

The latter is measured three times: on its own, behind nginx, and behind Varnish.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.rounds import in_turn, say, table
from bench.servers import NAIVE, on_gunicorn, service
from tests.fault_server import FaultServer, running_fault_server
from tests.load import all_at_once, percentile
from tests.nginx import running_nginx
from tests.proxies.running import running_varnish
from tests.servers import running_valkey

HERD = 256
SERVICES, WORKERS = 2, 2
UPSTREAM_SECONDS = 0.3
HERDS_IN_A_ROUND = 7


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many callers got the true status, how often the upstream was called, and how long callers waited."""

    true: int
    calls: int
    p99_ms: float


@dataclass
class Herd:
    """Sends herds of requests for one badge, spread over some servers."""

    urls: list[str]
    upstream: FaultServer
    name: str
    numbers: Iterator[int]

    def measure(self) -> list[Outcome]:
        """Send some herds, each for a badge of its own."""
        return [self._send() for _ in range(HERDS_IN_A_ROUND)]

    def _send(self) -> Outcome:
        self.upstream.asked.clear()
        path = f"/badge/GitHub/acme/Repository/{self.name}-{next(self.numbers)}"
        answers = all_at_once([self.urls[number % len(self.urls)] + path for number in range(HERD)])
        true = sum(answer.code == 200 and "succeeded" in answer.status for answer in answers)
        return Outcome(true, len(self.upstream.asked), 1000 * percentile(answers, 0.99))


@contextmanager
def contenders() -> Iterator[dict[str, Herd]]:
    """Start all contenders with the same upstream and the same Valkey."""
    with tempfile.TemporaryDirectory() as name, running_fault_server() as upstream, ExitStack() as life:
        folder = Path(name)
        for one in ("valkey", "nginx", "varnish"):
            (folder / one).mkdir()
        valkey = life.enter_context(running_valkey(folder / "valkey"))
        settings = {"BADGE_UPSTREAM_URL": upstream.url, "BADGE_REDIS_URL": valkey.url}
        numbers = [str(number) for number in range(SERVICES)]
        ours = [
            life.enter_context(service(folder / number, BADGE_WORKERS=str(WORKERS), **settings)) for number in numbers
        ]
        naive = life.enter_context(
            on_gunicorn("bench.naive:application", folder / "naive", WEB_CONCURRENCY=str(WORKERS), **settings)
        )
        nginx = life.enter_context(running_nginx(folder / "nginx", naive.address))
        varnish = life.enter_context(running_varnish(folder / "varnish", int(naive.address.partition(":")[2])))
        upstream.delay = UPSTREAM_SECONDS
        herd = partial(Herd, upstream=upstream, numbers=itertools.count())
        yield {
            f"ours, {SERVICES} services of {WORKERS} workers": herd([one.url for one in ours], name="ours"),
            f"{NAIVE}; behind nginx, `proxy_cache_lock`": herd([nginx.url], name="nginx"),
            f"{NAIVE}; behind Varnish": herd([varnish], name="varnish"),
            f"{NAIVE}; alone": herd([naive.url], name="alone"),
        }


def rows(rounds: int) -> list[str]:
    """Return the table for herds."""
    say(f"A herd of {HERD} requests for one cold badge")
    with contenders() as running:
        measures: dict[str, Callable[[], list[Outcome]]] = {name: herd.measure for name, herd in running.items()}
        found = in_turn(rounds, measures)
    columns = [
        f"{HERD} requests at once for one cold badge; the upstream takes {UPSTREAM_SECONDS} s",
        "with the true status: worst, median",
        "calls to the upstream: worst, median",
        "p99",
    ]
    return table(columns, [row(name, list(itertools.chain(*herds))) for name, herds in found.items()])


def row(name: str, herds: list[Outcome]) -> list[str]:
    """Return the table's row for some servers."""
    true, calls = [herd.true for herd in herds], [herd.calls for herd in herds]
    return [
        f"{name}; {len(herds)} bursts",
        f"{min(true)}, {statistics.median(true):.0f}",
        f"{max(calls)}, {statistics.median(calls):.0f}",
        f"{statistics.median(herd.p99_ms for herd in herds):.0f} ms",
    ]
