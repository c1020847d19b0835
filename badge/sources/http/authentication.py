"""How a source authenticates: with fixed headers, or with a token from a login (for AWS, see `aws_signature`).

Each process keeps a token until it expires or is refused. A refused token is renewed once, and threads that were
refused at the same time share the new one.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from badge.contract import ContractBroken, parse_json
from badge.deadline import Deadline
from badge.events import FailureKind
from badge.ports import Clock, SourceUnavailable
from badge.sources.http.answer import is_json, unavailable
from badge.sources.http.messages import HttpAnswer, HttpRequest
from badge.sources.http.transport import HttpTransport
from badge.sources.secrets import Secret

# Tokens are renewed this long before they expire, so that none expires in transit.
EARLY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Token:
    """A token from a login."""

    text: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """An authenticated request, and the token it uses, if any."""

    request: HttpRequest = field(repr=False)
    token: Token | None = None


class Authentication(Protocol):
    """Adds credentials to requests."""

    def sign(self, request: HttpRequest, deadline: Deadline) -> Signed:
        """Return the authenticated request; raises `SourceUnavailable` if the login fails."""
        ...

    def sign_anew(self, request: HttpRequest, refused: Signed, deadline: Deadline) -> Signed | None:
        """Return the request with new credentials after a refusal, or None if there are no others."""
        ...


@dataclass(frozen=True, slots=True)
class FixedHeaders:
    """Authentication with the same headers each time, or none."""

    headers: Callable[[], Mapping[str, str]] = dict

    def sign(self, request: HttpRequest, deadline: Deadline) -> Signed:  # noqa: ARG002 - the protocol's signature
        """Return the request with these headers."""
        return Signed(request.with_headers(self.headers()))

    def sign_anew(self, request: HttpRequest, refused: Signed, deadline: Deadline) -> Signed | None:  # noqa: ARG002 - the protocol's signature
        """Return None: there are no other headers to try."""
        return None


def header(name: str, secret: Secret, prefix: str = "") -> FixedHeaders:
    """Authenticate with an API key or bearer token in a header."""
    return FixedHeaders(lambda: {name: prefix + secret.reveal()})


def basic(user: str, password: Secret) -> FixedHeaders:
    """Authenticate with user and password (HTTP Basic, RFC 7617, UTF-8)."""
    return FixedHeaders(lambda: {"Authorization": _basic(user, password.reveal())})


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


LogIn = Callable[[Deadline], Token]
"""Obtains a token; raises `SourceUnavailable`."""
Carry = Callable[[HttpRequest, str], HttpRequest]
"""Puts the token into the request."""


@dataclass
class TokenLogIn:
    """Authentication with a token; logs in when there is none, or when it has expired or was refused."""

    log_in: LogIn
    carry: Carry
    clock: Clock
    _token: Token | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def sign(self, request: HttpRequest, deadline: Deadline) -> Signed:
        """Return the request with the current token, or a new one."""
        return self._signed(request, None, deadline)

    def sign_anew(self, request: HttpRequest, refused: Signed, deadline: Deadline) -> Signed | None:
        """Return the request with a token other than the refused one."""
        return self._signed(request, refused.token, deadline)

    def _signed(self, request: HttpRequest, refused: Token | None, deadline: Deadline) -> Signed:
        token = self._usable(refused, deadline)
        return Signed(self.carry(request, token.text), token)

    def _usable(self, refused: Token | None, deadline: Deadline) -> Token:
        if not self._lock.acquire(timeout=deadline.remaining):
            raise SourceUnavailable(FailureKind.TIMEOUT)
        try:
            token = self._token
            if token is None or token is refused or _has_expired(token, self.clock()):
                # Dropped first, so that the old token isn't used again if the login fails.
                self._token = None
                token = self._token = self.log_in(deadline)
            return token
        finally:
            self._lock.release()


def _has_expired(token: Token, now: datetime) -> bool:
    return token.expires_at is not None and token.expires_at - EARLY <= now


def in_header(name: str = "Authorization", prefix: str = "Bearer ") -> Carry:
    """Send tokens in a header."""
    return lambda request, token: request.with_headers({name: prefix + token})


def log_in_document(transport: HttpTransport, request: HttpRequest, clock: Clock, deadline: Deadline) -> object:
    """Return the JSON answer to a login; raises `SourceUnavailable`.

    Servers answer wrong credentials with 400 (OAuth 2), 401 or 403. Unlike elsewhere, a 400 is not about one subject.
    """
    answer = transport.ask(request, deadline)
    if answer.status in (400, 401, 403):
        raise SourceUnavailable(FailureKind.UNAUTHORISED)
    if answer.status not in (200, 201):
        raise unavailable(answer.status, answer.headers, clock())
    return json_of(answer, is_about_subject=False)


def json_of(answer: HttpAnswer, *, is_about_subject: bool) -> object:
    """Return the JSON document in the body; raises `SourceUnavailable`.

    `is_about_subject`: whether broken JSON affects only this subject, and so does not count against the source.
    """
    if not is_json(answer.headers):
        raise SourceUnavailable(FailureKind.NOT_JSON)
    try:
        return parse_json(answer.body)
    except ContractBroken as broken:
        raise SourceUnavailable(broken.kind, is_about_subject=is_about_subject) from None
