"""The sequence of faults in a soak test, and the service it is run against."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psutil

from tests.fault_server import FaultServer, running_fault_server
from tests.servers import Service, ValkeyServer, eventually, running_service, running_valkey

WARM = [f"/badge/acme/warm-{number}" for number in range(20)]

SETTINGS = {
    "BADGE_FRESH_FINISHED": "3s",
    "BADGE_UPSTREAM_TIMEOUT": "2s",
    # Small enough to be full long before the end, so that any later growth is a leak.
    "BADGE_LOCAL_ENTRIES": "200",
    "BADGE_LOG_LEVEL": "error",
}


class Redis(Enum):
    """The state of Redis during one fault."""

    RUNS = "runs"
    STOPPED = "stopped"
    KILLED = "killed"


_FINE = ("ok", Redis.RUNS)

# Repeated in this order; in a test of three minutes, all occur within the first third.
#
# A killed Redis loses its data, and each worker's memory holds only the subjects that were requested from it. So after
# that fault, the upstream works for a while: the circuit breaker takes up to 6 s to close, and the cache has to fill.
FAULTS = (
    _FINE,
    ("huge", Redis.RUNS),
    ("ok", Redis.STOPPED),
    ("hang-before-headers", Redis.RUNS),
    _FINE,
    _FINE,
    ("ok", Redis.KILLED),
    *[_FINE] * 5,
    ("reset", Redis.RUNS),
    ("drip", Redis.RUNS),
    ("ok", Redis.STOPPED),
    ("html200", Redis.RUNS),
    ("500", Redis.RUNS),
    _FINE,
    ("bad-json", Redis.RUNS),
    ("503", Redis.RUNS),
)


def true_status(path: str) -> str:
    """Return the true status, which depends on the name, so that mixed-up badges are detected."""
    return "failed" if int(path.rpartition("-")[2]) % 2 else "succeeded"


@dataclass
class Rig:
    """The service, and the upstream and Redis that can be made to fail."""

    service: Service
    upstream: FaultServer
    folder: Path
    valkey: ValkeyServer
    life: ExitStack
    """Stops Valkey when closed."""

    @contextmanager
    def failing(self, upstream: str, redis: Redis) -> Iterator[None]:
        """Make the upstream and Redis fail as given while the block runs."""
        self.upstream.mode = upstream
        self.upstream.asked.clear()
        match redis:
            case Redis.RUNS:
                yield
            case Redis.STOPPED:
                self.valkey.freeze()
                yield
                self.valkey.thaw()
            case Redis.KILLED:
                self.life.close()
                yield
                self.valkey = self.life.enter_context(running_valkey(self.folder))

    def workers(self) -> list[psutil.Process]:
        """Return the service's worker processes."""
        return self.service.workers()


@contextmanager
def running_rig() -> Iterator[Rig]:
    """Start everything, and request every warm badge until it shows its status."""
    with tempfile.TemporaryDirectory() as name, running_fault_server() as upstream, ExitStack() as life:
        folder = Path(name)
        valkey = life.enter_context(running_valkey(folder))
        settings = {**SETTINGS, "BADGE_UPSTREAM_URL": upstream.url, "BADGE_REDIS_URL": valkey.url}
        with running_service(folder / "service", **settings) as service:
            upstream.status_of = lambda subject: true_status(subject["subjectName"])
            for path in WARM:
                if not eventually(lambda path=path: service.get(f"{path}.txt").text == f"{true_status(path)}\n"):  # type: ignore[misc] # the default binds the loop variable
                    raise RuntimeError(service.log.read_text())
            yield Rig(service, upstream, folder, valkey, life)
