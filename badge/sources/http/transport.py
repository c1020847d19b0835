"""One HTTP question to one origin, under one deadline.

requests' timeouts bound each wait for bytes, not the whole answer: a byte a second holds a caller
for ever (requests' documentation, "Timeouts"). Here the socket's timeout is set to what is left of
the deadline before each read, so header, body and drip all end in time. urllib3 also looks names up
for as long as resolv.conf lets it, and gives each address the whole timeout, and the TLS handshake
once more; here they share what is left.
"""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError

from badge import __version__
from badge.deadline import Deadline
from badge.ports import SourceUnavailable
from badge.resilience.host_names import HOST_NAMES, HostNames
from badge.resilience.per_process import PerProcess

MOST_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# The others turn a POST into a GET (RFC 9110, section 15.4).
REDIRECTS_OF_ANY_METHOD = frozenset({307, 308})
CHUNK_BYTES = 16 * 1024

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"backup-status-badge/{__version__}",
}


class Failure(StrEnum):
    """Why there is no answer: the words in logs and metrics."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    TLS = "tls"
    RESET = "reset"
    TRUNCATED = "truncated"
    ENCODING = "badEncoding"
    TOO_LARGE = "tooLarge"
    REDIRECT = "redirect"
    REQUEST = "badRequest"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, as it will be sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)

    def with_headers(self, headers: Mapping[str, str]) -> HttpRequest:
        """The same question with these headers too."""
        return replace(self, headers={**self.headers, **headers})


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back, whole; `headers` is looked up without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class HttpTransport:
    """Asks. Safe for threads and forks: each thread of each process has its own connections."""

    max_bytes: int = 262_144
    """The largest body, after decoding: a few kilobytes of gzip can hold a gigabyte."""
    names: HostNames = HOST_NAMES
    ca_file: Path | None = None
    """Trusted instead of the usual certificate authorities: a cluster's own."""
    _sessions: PerProcess[threading.local] = field(
        default_factory=lambda: PerProcess(threading.local), init=False, repr=False
    )

    def get(self, url: str, query: Mapping[str, str], headers: Mapping[str, str], deadline: Deadline) -> HttpAnswer:
        """The answer, redirects within the origin followed; raises `SourceUnavailable` and nothing else."""
        return self._answer(requests.Request("GET", url, params=dict(query), headers=dict(headers)), deadline)

    def ask(self, request: HttpRequest, deadline: Deadline) -> HttpAnswer:
        """The answer to a ready-made question, on the same terms."""
        headers = dict(request.headers)
        return self._answer(requests.Request(request.method, request.url, headers, data=request.body), deadline)

    def _answer(self, request: requests.Request, deadline: Deadline) -> HttpAnswer:
        followed = REDIRECTS if request.method == "GET" else REDIRECTS_OF_ANY_METHOD
        try:
            prepared = request.prepare()
            prepared.headers.update(HEADERS)
            for _ in range(MOST_REDIRECTS + 1):
                answer = self._ask(prepared, deadline)
                if answer.status not in followed:
                    return answer
                _redirect(prepared, answer.headers.get("Location"))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise SourceUnavailable(Failure.TIMEOUT if deadline.remaining == 0 else _failure(error)) from None
        raise SourceUnavailable(Failure.REDIRECT)

    def _ask(self, prepared: requests.PreparedRequest, deadline: Deadline) -> HttpAnswer:
        left = deadline.remaining
        if left == 0:
            raise SourceUnavailable(Failure.TIMEOUT)
        with (
            _calling(_Call(deadline, self.names)),
            self._session().send(prepared, stream=True, allow_redirects=False, timeout=(left, left)) as response,
        ):
            return HttpAnswer(response.status_code, response.headers, self._body(response))

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > self.max_bytes:
                raise SourceUnavailable(Failure.TOO_LARGE)
        return bytes(body)

    def _session(self) -> requests.Session:
        # A connection used on both sides of a fork mixes their answers up: one subject's status
        # would stand on another's badge.
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
        session.mount(scheme, _DeadlineAdapter(pool_connections=1, pool_maxsize=1))
    return session


def _redirect(prepared: requests.PreparedRequest, location: str | None) -> None:
    r"""Point the request at where a redirect leads; another origin would be sent the API key.

    Compared is what requests has made of the URL and will connect to: in `http://other\@own/`
    the standard library's parser sees the host `own`, urllib3's sees `other`.
    """
    before = str(prepared.url)
    prepared.prepare_url(urljoin(before, location or ""), None)
    if location is None or _origin(str(prepared.url)) != _origin(before):
        raise SourceUnavailable(Failure.REDIRECT)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


_FAILURES: tuple[tuple[type[Exception], Failure], ...] = (
    (requests.Timeout, Failure.TIMEOUT),
    (requests.exceptions.SSLError, Failure.TLS),
    (requests.exceptions.ContentDecodingError, Failure.ENCODING),
    (requests.exceptions.ChunkedEncodingError, Failure.TRUNCATED),
    (requests.ConnectionError, Failure.RESET),
    (requests.RequestException, Failure.REQUEST),
    (HTTPError, Failure.RESET),
    (OSError, Failure.RESET),
)


def _failure(error: Exception) -> Failure:
    if isinstance(error, requests.ConnectionError) and _was_never_connected(error):
        return Failure.CONNECT
    return next((failure for kind, failure in _FAILURES if isinstance(error, kind)), Failure.REQUEST)


def _was_never_connected(error: requests.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)


@dataclass(frozen=True, slots=True)
class _Call:
    """What a connection needs to know of the question it carries; urllib3 has no way to hand it down."""

    deadline: Deadline
    names: HostNames


_current = threading.local()


@contextmanager
def _calling(call: _Call) -> Iterator[None]:
    _current.call = call
    try:
        yield
    finally:
        _current.call = None


def _seconds_left(deadline: Deadline) -> float:
    left = deadline.remaining
    if left == 0:  # to a socket that would mean not to wait, and not to fail
        raise TimeoutError("deadline")
    return left


class _DeadlineReader(io.RawIOBase):
    """What http.client reads an answer through, each read given only the time that is left."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_seconds_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineSocket:
    """A connected socket whose answers are read under the calling thread's deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        # Unbuffered underneath, and the socket's own: it keeps the socket open as long as it is read.
        raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_DeadlineReader(raw, self._sock, _current.call.deadline))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _HttpConnection(HTTPConnection):
    """Connects, shakes hands and reads within the calling thread's deadline."""

    def connect(self) -> None:
        super().connect()
        self.sock = cast("socket.socket", _DeadlineSocket(self.sock))

    def _new_conn(self) -> socket.socket:
        call: _Call = _current.call
        try:
            sock = call.names.connect(self._dns_host, self.port, partial(_seconds_left, call.deadline))
        except socket.gaierror as error:
            raise NameResolutionError(self._dns_host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error
        self.timeout = sock.gettimeout()  # the handshake and the question have what is left
        return sock


class _HttpsConnection(_HttpConnection, HTTPSConnection):
    """The same over TLS."""


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _DeadlineAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
