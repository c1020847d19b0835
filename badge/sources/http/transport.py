"""One HTTP request to one origin, with one deadline for everything.

requests' timeouts limit each wait for bytes, not the whole response: a server that sends one byte a second holds the
caller forever (requests' documentation, "Timeouts"). Here the socket timeout is set to the remaining time before each
read, so that headers, body and slow drips all end in time. urllib3 would also let name resolution take as long as
resolv.conf allows, and grant the full timeout to each address and again to the TLS handshake; here they share the
remaining time.
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
# The other redirects may turn a POST into a GET (RFC 9110, section 15.4).
REDIRECTS_OF_ANY_METHOD = frozenset({307, 308})
CHUNK_BYTES = 16 * 1024

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"backup-status-badge/{__version__}",
}


class Failure(StrEnum):
    """Why there is no answer, as shown in logs and metrics."""

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
    """An HTTP request as it will be sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)

    def with_headers(self, headers: Mapping[str, str]) -> HttpRequest:
        """Return a copy with these headers added."""
        return replace(self, headers={**self.headers, **headers})


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete HTTP response; the lookup in `headers` ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class HttpTransport:
    """Sends requests. Safe with threads and forks: each thread of each process has its own connections."""

    max_bytes: int = 262_144
    """Maximum body size after decompression: a few kilobytes of gzip can expand to a gigabyte."""
    names: HostNames = HOST_NAMES
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the usual ones, such as a cluster's own."""
    _sessions: PerProcess[threading.local] = field(
        default_factory=lambda: PerProcess(threading.local), init=False, repr=False
    )

    def get(self, url: str, query: Mapping[str, str], headers: Mapping[str, str], deadline: Deadline) -> HttpAnswer:
        """Send a GET, following redirects within the origin; raises `SourceUnavailable` and nothing else."""
        return self._answer(requests.Request("GET", url, params=dict(query), headers=dict(headers)), deadline)

    def ask(self, request: HttpRequest, deadline: Deadline) -> HttpAnswer:
        """Send a prepared request, on the same terms as `get`."""
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
        # Parent and child sharing a connection would mix up answers: a badge could show another subject's status.
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
    r"""Point the request at a redirect's target; refuse another origin, which would receive the API key.

    The check uses the URL as requests has normalised it and will connect to: for `http://other\@own/` the standard
    library's parser sees the host `own`, urllib3's sees `other`.
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
    """What a connection needs to know about the current request; urllib3 offers no way to pass it down."""

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
    if left == 0:  # a socket timeout of 0 would mean non-blocking mode
        raise TimeoutError("deadline")
    return left


class _DeadlineReader(io.RawIOBase):
    """The stream from which http.client reads; each read gets only the remaining time."""

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
    """A connected socket that is read within the calling thread's deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        # The socket's own file object keeps the socket open until it has been read; unbuffered, as we buffer here.
        raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_DeadlineReader(raw, self._sock, _current.call.deadline))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _HttpConnection(HTTPConnection):
    """A connection that connects, does its handshake and reads within the calling thread's deadline."""

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
        self.timeout = sock.gettimeout()  # the remaining time, for the handshake and the request
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
