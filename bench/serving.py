"""Serving one warm badge: ours against an application that only returns the same bytes, on the same gunicorn."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from tests.servers import PROJECT, clean_environment, free_port

BIN = Path(sys.executable).parent
BADGE = "/badge/GitHub/acme/Repository/web"
ROUND_SECONDS = 2
CONCURRENCIES = (1, 32, 256)
START_SECONDS = 20.0


@dataclass(frozen=True)
class Running:
    """A server under measurement."""

    url: str
    master: psutil.Process
    first_badge_seconds: float

    def worker_pss_mb(self) -> float:
        """Proportional memory of a worker, in MB; shared pages are divided among those who share them."""
        workers = [child for child in self.master.children() if "gunicorn" in " ".join(child.cmdline())]
        return sum(worker.memory_full_info().pss for worker in workers) / len(workers) / 1e6


@contextmanager
def served(application: str, folder: Path, **settings: str) -> Iterator[Running]:
    """An application on gunicorn with the shipped settings, one worker, until the block ends."""
    port = free_port()
    environment = {
        **clean_environment(),
        "BADGE_BIND": f"127.0.0.1:{port}",
        "BADGE_DATA_DIR": str(folder),
        "BADGE_WORKERS": "1",
        "BADGE_LOG_LEVEL": "warning",
        **settings,
    }
    began = time.perf_counter()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / "gunicorn"), "-c", "config/gunicorn.conf.py", application],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_badge(url)
        yield Running(url, psutil.Process(process.pid), time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(15)


def wait_for_badge(url: str) -> None:
    """Until the first badge is there."""
    ends = time.perf_counter() + START_SECONDS
    while time.perf_counter() < ends:
        try:
            if requests.get(url + BADGE, timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.005)  # noqa: TID251 - another process is starting
    raise TimeoutError(f"no badge within {START_SECONDS} s; see server.log")


def record_answer(running: Running, file: Path) -> None:
    """Keep what our badge looks like, for the constant application to repeat."""
    answer = requests.get(running.url + BADGE, timeout=5)
    added_by_gunicorn = {"server", "date", "connection", "transfer-encoding"}
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in added_by_gunicorn}
    file.write_text(json.dumps({"headers": headers, "body": answer.text}))


def rate(running: Running, concurrency: int) -> float:
    """Requests a second by wrk; raises if any answer was not 200."""
    command = ["wrk", "-t1", f"-c{concurrency}", f"-d{ROUND_SECONDS}s", running.url + BADGE]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(said)
    return float(found[1])


def report_backup(folder: Path) -> None:
    """Give the catalogue the backup whose badge is asked for."""
    environment = {**clean_environment(), "BADGE_DATA_DIR": str(folder)}
    command = [str(BIN / "flask"), "badge", "report", "GitHub/acme/Repository/web", "succeeded"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


def cpu_name() -> str:
    """The processor, for the record."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} x {found[1] if found else 'unknown'}"
