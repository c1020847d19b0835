"""One HTTP request to one origin, with one deadline for everything (see `deadline_connection`)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import cast
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, NewConnectionError

from badge import __version__
from badge.deadline import Deadline
from badge.events import FailureKind
from badge.ports import SourceUnavailable
from badge.resilience.host_names import HOST_NAMES, HostNames
from badge.resilience.per_process import PerProcess
from badge.sources.http.deadline_connection import Call, DeadlineAdapter, calling
from badge.sources.http.messages import HttpAnswer, HttpRequest

MOST_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# The other redirects may turn a POST into a GET (RFC 9110, section 15.4).
REDIRECTS_OF_ANY_METHOD = frozenset({307, 308})
CHUNK_BYTES = 16 * 1024

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"backup-status-badge/{__version__}",
}


@dataclass
class HttpTransport:
    """Sends requests. Thread-safe and fork-safe: each thread of each process has its own connections."""

    max_bytes: int = 262_144
    """Maximum body size after decompression: a few kilobytes of gzip can expand to a gigabyte."""
    names: HostNames = HOST_NAMES
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the default ones, such as a cluster's own."""
    reads_body: bool = True
    """If false, the body of each answer is empty, and what the server sends after the headers is ignored."""
    _sessions: PerProcess[threading.local] = field(
        default_factory=lambda: PerProcess(threading.local), init=False, repr=False
    )

    def ask(self, request: HttpRequest, deadline: Deadline) -> HttpAnswer:
        """Send a request, following redirects within the origin; raises `SourceUnavailable` and nothing else."""
        unprepared = requests.Request(request.method, request.url, dict(request.headers), data=request.body)
        followed = REDIRECTS if request.method == "GET" else REDIRECTS_OF_ANY_METHOD
        try:
            prepared = unprepared.prepare()
            prepared.headers.update(HEADERS)
            for _ in range(MOST_REDIRECTS + 1):
                answer = self._send_once(prepared, deadline)
                if answer.status not in followed:
                    return answer
                _redirect(prepared, answer.headers.get("Location"))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # requests lets some errors of urllib3 and of the socket through, and raises ValueError for bad URLs.
            raise SourceUnavailable(FailureKind.TIMEOUT if deadline.remaining == 0 else _failure(error)) from None
        raise SourceUnavailable(FailureKind.REDIRECT)

    def _send_once(self, prepared: requests.PreparedRequest, deadline: Deadline) -> HttpAnswer:
        left = deadline.remaining
        if left == 0:
            raise SourceUnavailable(FailureKind.TIMEOUT)
        with (
            calling(Call(deadline, self.names)),
            self._session().send(prepared, stream=True, allow_redirects=False, timeout=(left, left)) as response,
        ):
            return HttpAnswer(response.status_code, response.headers, self._body(response) if self.reads_body else b"")

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > self.max_bytes:
                raise SourceUnavailable(FailureKind.TOO_LARGE)
        return bytes(body)

    def _session(self) -> requests.Session:
        # If a forked process shared its parent's connection, answers would be mixed up: a badge could show another
        # subject's status.
        of_this_thread = self._sessions.get()
        if not hasattr(of_this_thread, "session"):
            of_this_thread.session = _new_session(self.ca_file)
        return cast("requests.Session", of_this_thread.session)


def _new_session(ca_file: Path | None) -> requests.Session:
    session = requests.Session()
    session.verify = str(ca_file) if ca_file else True
    session.trust_env = False  # no proxies and no ~/.netrc from the environment
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, DeadlineAdapter(pool_connections=1, pool_maxsize=1))
    return session


def _redirect(prepared: requests.PreparedRequest, location: str | None) -> None:
    r"""Point the request at a redirect's target; refuse another origin, which would receive the API key.

    The check uses the URL as normalised by requests, which is the one it will connect to: for `http://other\@own/`,
    the standard library's parser sees the host `own`, but urllib3's sees `other`.
    """
    before = str(prepared.url)
    prepared.prepare_url(urljoin(before, location or ""), None)
    if location is None or _origin(str(prepared.url)) != _origin(before):
        raise SourceUnavailable(FailureKind.REDIRECT)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


# The first match counts, so subclasses come before their base classes.
_FAILURES: tuple[tuple[type[Exception], FailureKind], ...] = (
    (requests.Timeout, FailureKind.TIMEOUT),
    (requests.exceptions.SSLError, FailureKind.TLS),
    (requests.exceptions.ContentDecodingError, FailureKind.ENCODING),
    (requests.exceptions.ChunkedEncodingError, FailureKind.TRUNCATED),
    (requests.ConnectionError, FailureKind.RESET),
    (requests.RequestException, FailureKind.BAD_REQUEST),
    (HTTPError, FailureKind.RESET),
    (OSError, FailureKind.RESET),
)


def _failure(error: Exception) -> FailureKind:
    if isinstance(error, requests.ConnectionError) and _was_never_connected(error):
        return FailureKind.CONNECT
    return next((failure for kind, failure in _FAILURES if isinstance(error, kind)), FailureKind.BAD_REQUEST)


def _was_never_connected(error: requests.ConnectionError) -> bool:
    # requests wraps urllib3's MaxRetryError, whose `reason` is the actual error.
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)
