"""What fails in a soak, in turn, and the service that it fails around."""

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
    # Full long before the end, so that what grows after that is a leak.
    "BADGE_LOCAL_ENTRIES": "200",
    "BADGE_LOG_LEVEL": "error",
}


class Redis(Enum):
    """What becomes of Redis for a while."""

    RUNS = "runs"
    STOPPED = "stopped"
    KILLED = "killed"


_FINE = ("ok", Redis.RUNS)

# One after the other, and over again; all of them within the first third of three minutes. A Redis that was killed has
# lost what it kept, so the upstream may tell all of it again before that fails in turn: a breaker takes up to 6 s to
# close, and each worker remembers only what it was asked for itself.
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
    """By the name, so that one repository's status on another's badge is seen."""
    return "failed" if int(path.rpartition("-")[2]) % 2 else "succeeded"


@dataclass
class Rig:
    """The service, and what fails around it."""

    service: Service
    upstream: FaultServer
    folder: Path
    valkey: ValkeyServer
    life: ExitStack
    """Ends the Valkey."""

    @contextmanager
    def failing(self, upstream: str, redis: Redis) -> Iterator[None]:
        """For the block's time."""
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
        """The processes that answer."""
        return self.service.workers()


@contextmanager
def running_rig() -> Iterator[Rig]:
    """Everything running, and every warm badge known to all."""
    with tempfile.TemporaryDirectory() as name, running_fault_server() as upstream, ExitStack() as life:
        folder = Path(name)
        valkey = life.enter_context(running_valkey(folder))
        settings = {**SETTINGS, "BADGE_UPSTREAM_URL": upstream.url, "BADGE_REDIS_URL": valkey.url}
        with running_service(folder / "service", **settings) as service:
            upstream.status_of = lambda subject: true_status(subject["subjectName"])
            for path in WARM:
                if not eventually(lambda path=path: service.get(f"{path}.txt").text == f"{true_status(path)}\n"):  # type: ignore[misc] # bound at once
                    raise RuntimeError(service.log.read_text())
            yield Rig(service, upstream, folder, valkey, life)
