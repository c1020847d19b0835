"""The whole service on gunicorn: start, stop, health, and one service as the upstream of another."""

from __future__ import annotations

import contextlib
import http.client
import math
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from badge.artwork import png
from badge.cache.embedded.server import answers, socket_path
from tests.relay import running_relay
from tests.servers import (
    BIN,
    PROJECT,
    Service,
    badge_process,
    clean_environment,
    eventually,
    flask_badge,
    free_port,
    running_service,
    running_valkey,
)
from tests.timing import TRIES

WEB = "GitHub/acme/Repository/web"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


def test_a_report_is_on_the_badge_within_a_second(service: Service) -> None:
    for status in ("succeeded", "failed", "succeeded"):
        service.flask_badge("report", WEB, status)
        # Eight requests, so that both workers get some; each may repeat its last answer for half a second.
        assert eventually(partial(_all_badges_say, service, status), 1.0)


def _all_badges_say(service: Service, status: str) -> bool:
    return {service.get(f"/badge/{WEB}.txt").text for _ in range(8)} == {f"{status}\n"}


def test_new_connections_wait_for_busy_workers(service: Service) -> None:
    netloc = urlsplit(service.url)
    workers = service.workers()
    for worker in workers:
        worker.suspend()
    try:
        with contextlib.ExitStack() as clients:
            for _ in range(512):
                # Beyond the listening socket's backlog, the kernel would drop the attempt and repeat it after a second.
                clients.enter_context(socket.create_connection((netloc.hostname, netloc.port), timeout=0.9))
    finally:
        for worker in workers:
            worker.resume()


@pytest.mark.alone
@pytest.mark.parametrize("path", ["{}.json?v={}", "{}.png?token=bst_AAAAAAAAAAAAAAAAAAAAAA&v={}"])
def test_the_response_time_does_not_distinguish_private_from_absent(service: Service, path: str) -> None:
    service.flask_badge("report", "acme/hidden", "failed", "--visibility", "private", "--size", "412000000")
    with contextlib.closing(http.client.HTTPConnection(urlsplit(service.url).netloc)) as connection:
        seen: list[float] = []
        # By chance alone, a score of 4 comes once in 15,000 tries.
        while len(seen) < TRIES:
            seen.append(abs(_rank_score(*_answer_times(connection, path, ("hidden", "absent"), 300))))
            if seen[-1] < 4:
                return
    raise AssertionError(f"the times differ: {seen}")


def _answer_times(
    connection: http.client.HTTPConnection, path: str, names: tuple[str, str], number: int
) -> Iterator[list[float]]:
    """Return how long each name's answers took, except the first; the names are requested alternately."""
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(number + 1):
        for name in names[:: 1 if turn % 2 else -1]:
            began = time.perf_counter()
            connection.request("GET", f"/badge/acme/{path.format(name, turn)}")
            connection.getresponse().read()
            times[name].append(time.perf_counter() - began)
    return (each[1:] for each in times.values())


def _rank_score(one: list[float], other: list[float]) -> float:
    """Return how far `one`'s rank sum is from that of equal times, in standard deviations (the Mann-Whitney U test)."""
    ranked = sorted([(each, True) for each in one] + [(each, False) for each in other])
    ranks = sum(rank for rank, (_, is_one) in enumerate(ranked, start=1) if is_one)
    many, few = len(other), len(one)
    excess = ranks - few * (few + 1) / 2 - few * many / 2
    return float(excess / math.sqrt(few * many * (few + many + 1) / 12))


def test_raw_paths_pass_through_the_server_unchanged(service: Service) -> None:
    service.flask_badge("report", "GitLab/group%2Fsub/Repository/x", "succeeded")
    assert service.get("/badge/GitLab/group%2Fsub/Repository/x.json").json()["account"] == "group/sub"
    assert service.get("/badge/GitLab/group%252Fsub/Repository/x.json").status_code == 404
    assert service.get("/badge/GitLab/group/sub/Repository/x.json").status_code == 404


def raw_get(service: Service, target: str, method: str = "GET") -> tuple[int, str]:
    host, port = service.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.putrequest(method, target, skip_host=True)
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"]


@pytest.mark.parametrize(
    "target",
    [
        "//badge/acme/web",
        "/badge//acme//web",
        "/badge/../badge/acme/web",
        "http://evil.example/badge/acme/web",
        "/badge/",
    ],
)
def test_odd_targets_are_answered_with_an_image_and_no_redirect(service: Service, target: str) -> None:
    assert raw_get(service, target) == (200, "image/svg+xml; charset=utf-8")


NAMES = {
    "a legal name": "%E5%90%8D" * 682,
    "a name that is too long": "%E5%90%8D" * 930,
    "more than gunicorn reads": "n" * 12_000,
    "more than one packet": "n" * 60_000,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_name_of_any_length_is_answered_with_an_image(service: Service, name: str, method: str) -> None:
    for target, kind in (("", "image/svg+xml; charset=utf-8"), (".png", "image/png")):
        path = f"/badge/GitHub/acme/Repository/{name}{target}"
        status, type = raw_get(service, path, method)
        is_whole = len(path) < 16_000  # of a longer one, only the start is kept, without the suffix
        assert (status, type) == (200, kind if is_whole else "image/svg+xml; charset=utf-8")


def raw_answer(service: Service, head: str) -> str:
    """Send exactly this text, which no HTTP client would; returns the answer's head and body."""
    with socket.create_connection(("127.0.0.1", urlsplit(service.url).port), timeout=5) as client:
        client.sendall(head.encode())
        return b"".join(iter(partial(client.recv, 65536), b"")).decode("utf-8", "replace")


MALFORMED = {
    "raw UTF-8": ("{target}-日本{query} HTTP/1.1\r\nHost: x", 400),
    "a space": ("{target} two{query} HTTP/1.1\r\nHost: x", 400),
    "a bare line feed": ("{target}{query} HTTP/1.1\nHost: x", 400),
    "no version": ("{target}{query}\r\nHost: x", 400),
    "an invalid header name": ("{target}{query} HTTP/1.1\r\nHost: x\r\nHidden Name: y", 400),
    "a header without a colon": ("{target}{query} HTTP/1.1\r\nHost: x\r\nhidden", 400),
    "an unknown transfer coding": ("{target}{query} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: hidden", 501),
}


@pytest.mark.parametrize(("request_text", "refusal"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_gets_an_image_and_nothing_of_it_is_logged(
    service: Service, request_text: str, refusal: int
) -> None:
    names = {"query": "?token=bst_hidden"}
    badge = raw_answer(service, f"GET {request_text.format(target='/badge/acme/hidden', **names)}\r\n\r\n")
    assert badge.startswith("HTTP/1.1 200 ")
    assert "Content-Type: image/svg+xml" in badge
    other = raw_answer(service, f"GET {request_text.format(target='/ping/hidden', **names)}\r\n\r\n")
    assert other.startswith(f"HTTP/1.1 {refusal} ")
    assert "hidden" not in other.lower()
    assert eventually(lambda: '"message": "badge served"' in service.log.read_text())
    assert "hidden" not in service.log.read_text().lower()


def test_a_raw_space_or_letter_is_part_of_the_name(service: Service) -> None:
    service.flask_badge("report", "Veeam/acme/Job/nightly", "succeeded")
    service.flask_badge("report", "Veeam/acme/Job/nightly 日本", "failed")
    answer = raw_answer(service, "GET /badge/Veeam/acme/Job/nightly 日本.txt HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.endswith("\r\n\r\nfailed\n")


def test_headers_that_are_too_long_do_not_prevent_a_badge(service: Service) -> None:
    headers = {"Cookie": "n" * 9_000}
    assert service.get(f"/badge/{WEB}", headers=headers).headers["Content-Type"].startswith("image/svg+xml")
    assert service.get("/dashboard", headers=headers).status_code == 431


def test_a_long_url_of_anything_else_is_refused(service: Service) -> None:
    assert raw_get(service, f"/dashboard?q={'n' * 12_000}")[0] == 414
    strict = raw_get(service, f"/badge/acme/{'n' * 9_000}?strict=1")
    assert strict == (400, "image/svg+xml; charset=utf-8")


def test_answers_of_the_native_contract_carry_the_server_s_clock(service: Service) -> None:
    answer = service.get("/ops/status")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "private, no-cache")
    assert answer.headers["Date"].endswith("GMT")


def test_the_start_message_says_where_to_go_and_what_to_do(service: Service) -> None:
    log = service.log.read_text()
    assert f"{service.url}/dashboard" in log
    assert f"{service.url}/badge/{WEB}" in log
    assert f"badge report {WEB} succeeded" in log


def test_the_log_has_a_line_per_badge_and_no_names(service: Service) -> None:
    service.get("/badge/GitHub/very-secret/Repository/name")
    assert eventually(lambda: '"message": "badge served"' in service.log.read_text())
    assert "very-secret" not in service.log.read_text()


def test_the_debug_log_has_no_paths_and_no_unfinished_requests(tmp_path: Path) -> None:
    with running_service(tmp_path, BADGE_LOG_LEVEL="debug", BADGE_WORKERS="1") as service:
        with socket.create_connection(("127.0.0.1", urlsplit(service.url).port), timeout=5) as client:
            client.sendall(b"GET /badge/acme/hidden?token=hidden HT")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        service.get("/ping/hidden")
        service.get("/badge/acme/hidden")
        assert eventually(lambda: '"message": "badge served"' in service.log.read_text())
        assert "hidden" not in service.log.read_text()


def test_the_health_check_needs_no_curl(service: Service) -> None:
    environment = {**clean_environment(), "BADGE_BIND": service.url.removeprefix("http://")}
    command = [sys.executable, "-m", "badge.healthcheck"]
    assert subprocess.run(command, env=environment, timeout=10, check=False).returncode == 0
    environment["BADGE_BIND"] = "127.0.0.1:9"
    assert subprocess.run(command, env=environment, timeout=10, check=False, capture_output=True).returncode == 1


def test_bad_settings_stop_the_start_and_are_all_reported(tmp_path: Path) -> None:
    environment = {**clean_environment(), "BADGE_WORKERS": "many", "BADGE_BIND": "x"}
    command = [str(BIN / "gunicorn"), "-c", "config/gunicorn.conf.py"]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert re.findall(r"^BADGE_\w+", done.stderr, re.MULTILINE) == ["BADGE_BIND", "BADGE_WORKERS"]


def start_that_fails(**settings: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "gunicorn"), "-c", "config/gunicorn.conf.py"]
    environment = {**clean_environment(), **settings}
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_a_port_in_use_stops_the_start_with_one_line_that_names_the_setting(service: Service, tmp_path: Path) -> None:
    bind = service.url.removeprefix("http://")
    done = start_that_fails(BADGE_BIND=bind, BADGE_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert re.findall(r"^BADGE_BIND: another program is listening on .+$", done.stderr, re.MULTILINE)
    assert "Connection in use" not in done.stderr
    assert service.get("/livez").status_code == 200


def test_a_reload_does_not_mistake_the_service_s_own_port_for_one_in_use(tmp_path: Path) -> None:
    with running_service(tmp_path, BADGE_WORKERS="1") as service:
        before = service.workers()
        service.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: bool(service.workers()) and service.workers() != before, 20)
        assert eventually(lambda: service.get("/livez").status_code == 200)
        assert "another program is listening" not in service.log.read_text()


def test_a_catalogue_of_a_newer_version_and_a_former_name_are_each_reported_in_one_sentence(tmp_path: Path) -> None:
    here = {"BADGE_DATA_DIR": str(tmp_path), "BADGE_BIND": f"127.0.0.1:{free_port()}"}
    flask_badge("report", WEB, "succeeded", **here)
    with sqlite3.connect(tmp_path / "catalogue.sqlite3") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    command, check = flask_badge("report", WEB, "failed", **here), flask_badge("check-config", **here)
    started = start_that_fails(**here, BADGE_HOT_PATH="200ms")
    assert (command.returncode, check.returncode, started.returncode) == (1, 1, 1)
    sentence = f"{tmp_path}/catalogue.sqlite3 can't be used: it was changed by a newer version of the service"
    for output in (command.stderr, check.stdout, started.stderr):
        assert sentence in output
        assert "Traceback" not in output
    assert "BADGE_HOT_PATH has been renamed to BADGE_EDGE_CACHE; " in started.stderr


def test_the_embedded_cache_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        assert answers(socket_path(tmp_path))
        service.process.kill()
        service.process.wait(15)
        assert eventually(lambda: not answers(socket_path(tmp_path)), 2.0)


def test_without_redis_the_badge_is_still_correct(tmp_path: Path) -> None:
    with running_service(tmp_path, BADGE_REDIS_URL="redis://127.0.0.1:9/0") as service:
        for status in ("succeeded", "failed"):
            service.flask_badge("report", WEB, status)
            assert eventually(partial(_all_badges_say, service, status), 1.0)
        assert service.get("/readyz").json()["checks"]["cache"] == "down"


def test_without_fonts_a_png_still_shows_the_status(tmp_path: Path) -> None:
    fonts = tmp_path / "no-fonts.conf"
    fonts.write_text("<fontconfig></fontconfig>")
    with running_service(tmp_path, FONTCONFIG_FILE=str(fonts)) as service:
        service.flask_badge("report", WEB, "failed")
        answer = service.get(f"/badge/{WEB}.png?style=plastic")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
        assert answer.content == png.predrawn("failed")
        assert eventually(lambda: service.get("/readyz").json()["checks"].get("png") == "down", 30)
        assert "fonts-dejavu-core" in service.log.read_text()
    check = badge_process("check-config", BADGE_DATA_DIR=str(tmp_path), FONTCONFIG_FILE=str(fonts))
    assert (check.returncode, "FAIL pictures" in check.stdout) == (1, True)


def test_one_service_shows_what_another_one_knows(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    with running_service(tmp_path / "first") as first, running_valkey(tmp_path / "valkey") as valkey:
        key = first.flask_badge("key", "create", "second", "--scope", "read").strip()
        settings = {
            "BADGE_UPSTREAM_URL": first.url,
            "BADGE_UPSTREAM_API_KEY": key,
            "BADGE_REDIS_URL": valkey.url,
            "BADGE_FRESH_FINISHED": "1s",
            "BADGE_FRESH_ABSENT": "1s",
            "BADGE_WORKERS": "1",  # each worker judges a source only by its own calls
        }
        with running_service(tmp_path / "second", **settings) as second:
            assert second.get(f"/badge/{WEB}.txt").status_code == 404
            first.flask_badge("report", WEB, "succeeded")
            assert first.get(f"/badge/{WEB}.txt").text == "succeeded\n"
            assert eventually(lambda: second.get(f"/badge/{WEB}.txt").text == "succeeded\n", 3)
            first.flask_badge("report", WEB, "failed")
            assert eventually(lambda: second.get(f"/badge/{WEB}.txt").text == "failed\n", 3)
            assert second.get("/readyz").json()["status"] == "ready"
            first.process.terminate()
            first.process.wait(15)
            assert eventually(lambda: bool(second.get(f"/badge/{WEB}.json").json()["stale"]), 5)
            assert second.get(f"/badge/{WEB}.txt").text == "failed\n"
            assert second.get("/readyz").json()["status"] == "degraded"


def test_an_unchanged_status_costs_the_upstream_only_a_304(tmp_path: Path) -> None:
    with running_service(tmp_path / "first") as first, running_relay(first.url) as relay:
        key = first.flask_badge("key", "create", "second", "--scope", "read").strip()
        first.flask_badge("report", WEB, "succeeded")
        settings = {"BADGE_UPSTREAM_URL": relay.url, "BADGE_UPSTREAM_API_KEY": key, "BADGE_FRESH_FINISHED": "1s"}
        with running_service(tmp_path / "second", **settings) as second:
            for codes in ([200], [200, 304], [200, 304, 304]):
                assert second.get(f"/badge/{WEB}.txt").text == "succeeded\n"
                assert eventually(lambda codes=codes: relay.codes == codes)  # type: ignore[misc] # the default binds the loop variable
                time.sleep(1.1)  # noqa: TID251 - past the lifetime, so that the upstream is called again
            first.flask_badge("report", WEB, "failed")
            assert eventually(lambda: second.get(f"/badge/{WEB}.txt").text == "failed\n")
        assert relay.codes[:4] == [200, 304, 304, 200]
