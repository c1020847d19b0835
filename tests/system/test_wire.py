"""The service on the wire, compared with the same application on gunicorn's threaded worker without the edge."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.raw_requests import corpus
from tests.servers import BIN, PROJECT, Service, clean_environment, eventually, free_port, running_service
from tests.wire import NEXT, Response, exchange_all

THREADED = ("-k", "gthread", "--threads", "16")
OURS = ("-k", "badge.serving.worker.BadgeWorker")
AS_CONFIGURED = ("--keep-alive", "5", "--limit-request-fields", "50", "--limit-request-line", "8190")

VOLATILE = frozenset({"date", "server", "x-request-id", "set-cookie", "cache-status", "expires"})
"""Headers that may differ although the answers are equivalent."""
REFUSALS = frozenset({400, 414, 417, 431, 501})
"""Status codes of gunicorn's own answers to requests that it can't read."""


@dataclass(frozen=True)
class Difference:
    """An expected difference, and its reason."""

    names: str
    """Matches the names of the requests."""
    ours: str
    """The answers, as `summary` shows them."""
    theirs: str
    reason: str


IMAGE = r"(200|400) image/svg\+xml close"
TABLE = (
    Difference(
        ".*",
        IMAGE,
        "(400|414|417|431|501) refused",
        "A badge request is answered with an image even if it is malformed.",
    ),
    Difference(
        "(chunk|extension|forbidden).* in GET",
        IMAGE,
        r"200 image/svg\+xml, 400 refused",
        "The connection is closed with the image, instead of after a second response to the same request.",
    ),
    Difference(
        "(chunk|extension|forbidden).* in POST",
        "(400 refused|)",
        r"404 application/problem\+json(, 400 refused)?",
        "The body is read before the application runs, so a request with a malformed one has no effect.",
    ),
    Difference(
        "chunk size huge in GET",
        IMAGE,
        r"200 image/svg\+xml",
        "The close is announced, because the rest of the body is not read.",
    ),
    Difference(
        "(chunked )?body of .* to .*",
        r"(\d+ \S+), 200 application/json close",
        r"\d+ \S+",
        "The body is read even if the application does not need it, so the connection can be used again.",
    ),
    Difference(
        "expect 100.*",
        r"\d+ [^,]+, 200 application/json close",
        r"100 -, \d+ [^,]+, 200 application/json close",
        "The client has sent the body without waiting, so it needs no 100 (RFC 9110, section 10.1.1).",
    ),
    Difference(
        "expect something.*",
        r"(200|400) .*",
        "417 refused",
        "A server may ignore an expectation that it does not know (RFC 9110, section 10.1.1).",
    ),
    Difference(
        "close in a (list|second header).*",
        r"\d+ \S+ close",
        r"\d+ \S+, 200 application/json close",
        "`close` counts wherever it stands in Connection (RFC 9110, section 7.6.1).",
    ),
    Difference(
        "version 'HTTP/1.2'.*",
        f"(400 refused|{IMAGE})",
        r"200 \S+, 200 application/json close",
        "The service speaks HTTP/1.0 and HTTP/1.1; after a request with any other version, it closes the connection.",
    ),
    Difference(
        r"target 'http://\[bad.*",
        r"404 application/problem\+json, 200 application/json close",
        "400 refused",
        "Only the path decides the answer; a host in the target is ignored, even a malformed one.",
    ),
    Difference(
        "malformed second request",
        r"200 application/json, 200 image/svg\+xml close",
        "200 application/json, 400 refused",
        "A badge request is answered with an image even if it is malformed.",
    ),
    Difference(
        "websocket at /badge/.*",
        r"200 image/svg\+xml, 200 application/json close",
        r"200 image/svg\+xml, 200 application/json close",
        "No request header changes a badge; Flask has no badge route for requests to upgrade to WebSocket.",
    ),
    Difference(
        "page /readyz",
        "200 application/json, 200 application/json close",
        "200 application/json, 200 application/json close",
        "Only the service's own gunicorn configuration adds the checks `configuration` and `png`.",
    ),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"BADGE_WORKERS": "1", "BADGE_OPS_PER_MINUTE": "10000", "BADGE_PINGS_PER_MINUTE": "10000"}
    with running_service(tmp_path_factory.mktemp("service"), **settings) as service:
        service.flask_badge("report", "acme/web", "succeeded")
        yield service


@pytest.fixture(scope="module")
def requests_sent(service: Service) -> dict[str, bytes]:
    key = service.flask_badge("key", "create", "reader", "--scope", "read").strip()
    url = service.flask_badge("check", "create", "acme/pinged", "--every", "1d")
    ping = re.search(r"/ping/[0-9a-f-]{36}", url)
    assert ping, url
    return {name: sent + NEXT for name, sent in corpus(key, ping.group()).items()}


@pytest.fixture(scope="module")
def ours(service: Service, requests_sent: dict[str, bytes]) -> dict[str, list[Response]]:
    here = urlsplit(service.url)
    return answers_of((str(here.hostname), int(here.port or 0)), requests_sent)


@contextlib.contextmanager
def gunicorn(log: Path, application: str, *options: str, **settings: str) -> Iterator[tuple[str, int]]:
    """Run plain gunicorn, without the service's configuration."""
    address = ("127.0.0.1", free_port())
    command = [str(BIN / "gunicorn"), "-b", "{}:{}".format(*address), *AS_CONFIGURED, *options, application]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=PROJECT, env={**clean_environment(), **settings}, stdout=sink, stderr=sink
        )
    try:
        assert eventually(lambda: _answers(address), 20), log.read_text()
        yield address
    finally:
        process.terminate()
        process.wait(15)


def _answers(address: tuple[str, int]) -> bool:
    try:
        return requests.get("http://{}:{}/livez".format(*address), timeout=2).ok
    except requests.RequestException:  # not yet
        return False


def answers_of(address: tuple[str, int], sent: dict[str, bytes]) -> dict[str, list[Response]]:
    """Send each request on a connection of its own; returns the responses by the request's name."""
    answered = exchange_all(address, [(each, methods_in(each)) for each in sent.values()])
    return dict(zip(sent, answered, strict=True))


def methods_in(sent: bytes) -> list[str]:
    """Return the methods of the requests, as far as they matter: responses to HEAD have no body."""
    found = re.findall(rb"(?:^|\n)([A-Za-z]+) [^\n]* ?(?:HTTP/1\.[01])?\r?\n", sent)
    return ["HEAD" if method == b"HEAD" else "GET" for method in found]


def comparable(response: Response) -> tuple[object, ...]:
    """Return what must not differ: the status, headers and body."""
    if is_refusal(response):
        return (response.status,)
    headers = sorted((name.lower(), value) for name, value in response.headers)
    body = re.sub(rb'(name="csrf_token" value=|"(?:observedAt|confirmedAt)":)"[^"]*', rb"\1", response.body)
    has_time = b'"confirmedAt"' in body  # the ETag depends on it
    compared = [
        (name, _COMPARED_AS.get(name, str)(value))
        for name, value in headers
        if name not in VOLATILE and (name, value) != ("connection", "keep-alive") and not (has_time and name == "etag")
    ]
    is_metrics = body.startswith(b"# HELP")
    return (
        response.status,
        [header for header in compared if header[0] != "content-length" or not is_metrics],
        (b"" if is_metrics else body),
    )


_COMPARED_AS: dict[str, Callable[[str], str]] = {
    "cache-control": lambda value: re.sub(r"\d+", "N", value),
    "allow": lambda value: ", ".join(sorted(value.split(", "))),
}


def is_refusal(response: Response) -> bool:
    """Whether this is gunicorn's own answer to a request that it can't read."""
    return response.status in REFUSALS and response.header("Content-Type") in ("text/plain", "text/html")


def summary(responses: list[Response]) -> str:
    """Return the responses in brief: status, type and whether the connection is closed."""
    return ", ".join(map(_short, responses))


def _short(response: Response) -> str:
    if is_refusal(response):
        return f"{response.status} refused"
    kind = (response.header("Content-Type") or "-").partition(";")[0]
    return f"{response.status} {kind}{' close' if response.header('Connection') == 'close' else ''}"


def reason_for(name: str, ours: list[Response], theirs: list[Response]) -> Difference | None:
    """Return the table's row that gives the reason for a difference."""
    for row in TABLE:
        if (
            re.fullmatch(row.names, name)
            and re.fullmatch(row.ours, summary(ours))
            and re.fullmatch(row.theirs, summary(theirs))
        ):
            return row
    return None


@pytest.mark.slow
def test_every_difference_from_the_threaded_worker_has_a_reason(
    service: Service, requests_sent: dict[str, bytes], ours: dict[str, list[Response]], tmp_path: Path
) -> None:
    settings = {
        "BADGE_DATA_DIR": str(service.data_dir),
        "BADGE_OPS_PER_MINUTE": "10000",
        "BADGE_PINGS_PER_MINUTE": "10000",
    }
    with gunicorn(tmp_path / "log", "wsgi:application", *THREADED, **settings) as threaded:
        theirs = answers_of(threaded, requests_sent)
    used, unexplained = set(), {}
    for name in requests_sent:
        if list(map(comparable, ours[name])) != list(map(comparable, theirs[name])):
            row = reason_for(name, ours[name], theirs[name])
            used.add(row)
            if row is None:
                unexplained[name] = f"{summary(ours[name])} <> {summary(theirs[name])}"
    assert not unexplained
    assert [row.reason for row in TABLE if row not in used] == []


def test_no_refused_request_is_echoed_or_logged(service: Service, ours: dict[str, list[Response]]) -> None:
    refusals = {response.body for each in ours.values() for response in each if is_refusal(response)}
    assert refusals == {
        b"Bad Request", b"Request-URI Too Long", b"Request Header Fields Too Large", b"Not Implemented"
    }  # fmt: skip
    log = service.log.read_text().partition("/badge/")[2].partition("\n{")[2]  # after the start message
    assert "badge served" in log
    assert not re.search(r"(?i)hidden|evil|acme|xchunked|two words|Traceback", log)


def test_the_application_gets_the_same_variables_as_from_the_threaded_worker(
    requests_sent: dict[str, bytes], tmp_path: Path
) -> None:
    # The edge would answer badges itself.
    sent = {
        name: each.replace(b"badge", b"gauge").replace(b"/summary", b"/gauges") for name, each in requests_sent.items()
    }
    with gunicorn(tmp_path / "ours", "tests.echo:edge", *OURS) as address:
        ours = answers_of(address, sent)
    with gunicorn(tmp_path / "theirs", "tests.echo:application", *THREADED) as address:
        theirs = answers_of(address, sent)
    for name in sent:
        for one, other in zip(given(ours[name]), given(theirs[name]), strict=False):
            different = {key for key in one | other if one.get(key) != other.get(key)}
            assert different <= GIVEN_DIFFERENTLY.get(name, set()), (name, one, other)


GIVEN_DIFFERENTLY = {
    "target '/badge/acme/web?'": {"RAW_URI"},  # ASGI does not show an empty query
}


def given(responses: list[Response]) -> list[dict[str, str]]:
    """Return what the application was given, except for what does not depend on the request."""
    shown = [json.loads(each.body) for each in responses if each.body.startswith(b"{")]
    return [
        {key: value for key, value in each.items() if key not in ("REMOTE_PORT", "SERVER_PORT", "SERVER_SOFTWARE")}
        for each in shown
    ]
