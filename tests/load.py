"""Load for tests: many requests at once or at a fixed rate; answers with their status and time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LONGEST_SECONDS = 15.0

_TITLE = re.compile(rb"<title>(?:backup: )?([^<]*)</title>")
_MAX_AGE = re.compile(r"max-age=(\d+)")


@dataclass(frozen=True)
class Answer:
    """One answer; code 0 if there was none."""

    path: str
    code: int
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def status(self) -> str:
        """The status in the picture."""
        found = _TITLE.search(self.body)
        return found[1].decode() if found else "no picture"

    @property
    def max_age(self) -> int:
        found = _MAX_AGE.search(self.headers.get("cache-control", ""))
        return int(found[1]) if found else -1


def all_at_once(urls: Sequence[str], headers: dict[str, str] | None = None) -> list[Answer]:
    """Request all URLs at the same time, each on its own connection."""

    async def ask() -> list[Answer]:
        return await asyncio.gather(*(one(url, headers) for url in urls))

    return asyncio.run(ask())


def at_a_rate(urls: Iterable[str], per_second: float, *while_it_runs: Callable[[float], None]) -> list[Answer]:
    """Request one URL after the other at a fixed rate, whether or not earlier ones have been answered.

    Before each request, each of `while_it_runs` is called with the seconds since the start.
    """

    async def ask() -> list[Answer]:
        began, tasks = time.monotonic(), []
        for number, url in enumerate(urls):
            await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
            for tell in while_it_runs:
                tell(time.monotonic() - began)
            tasks.append(asyncio.create_task(one(url)))
        return await asyncio.gather(*tasks)

    return asyncio.run(ask())


async def one(url: str, headers: dict[str, str] | None = None) -> Answer:
    """Make one GET request on a connection of its own."""
    parts, began = urlsplit(url), time.monotonic()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
            path = url.partition(parts.netloc)[2]
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{extra}Connection: close\r\n\r\n".encode())
            raw = await reader.read()
            writer.close()
    except OSError:  # refused, reset, or no answer in time
        return Answer(url, 0, time.monotonic() - began)
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    code = int(lines[0].split()[1]) if lines[0] else 0
    return Answer(url, code, time.monotonic() - began, fields, body)


def percentile(answers: Iterable[Answer], part: float) -> float:
    """Return the time within which this share of the answers came."""
    times = sorted(answer.seconds for answer in answers)
    return times[min(len(times) - 1, int(part * len(times)))]
