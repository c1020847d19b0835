"""How a source shows who is asking: fixed headers, or a token to be had by logging in first.

A token is kept by each process until it runs out or is refused; a refused one is renewed once, and
threads that were refused together share the new one.
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
from badge.ports import Clock, SourceUnavailable
from badge.sources.http.answer import is_json, unavailable
from badge.sources.http.transport import HttpAnswer, HttpRequest, HttpTransport
from badge.sources.secrets import Secret

UNAUTHORISED = "unauthorised"

# A token is renewed this long before it runs out, or it would run out on its way.
EARLY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Token:
    """What a log-in gave."""

    text: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A question that says who asks, and with which token, if with one."""

    request: HttpRequest = field(repr=False)
    token: Token | None = None


class Authentication(Protocol):
    """One way of saying who asks."""

    def sign(self, request: HttpRequest, deadline: Deadline) -> Signed:
        """The question as it may be asked; raises `SourceUnavailable` where no leave can be had."""
        ...

    def sign_anew(self, request: HttpRequest, refused: Signed, deadline: Deadline) -> Signed | None:
        """The question signed otherwise than the one refused, or None where that is not possible."""
        ...


@dataclass(frozen=True, slots=True)
class FixedHeaders:
    """The same headers each time, or none."""

    headers: Callable[[], Mapping[str, str]] = dict

    def sign(self, request: HttpRequest, deadline: Deadline) -> Signed:  # noqa: ARG002 - the protocol's signature
        """The question with these headers."""
        return Signed(request.with_headers(self.headers()))

    def sign_anew(self, request: HttpRequest, refused: Signed, deadline: Deadline) -> Signed | None:  # noqa: ARG002 - the protocol's signature
        """They can't be changed."""
        return None


def header(name: str, secret: Secret, prefix: str = "") -> FixedHeaders:
    """A key or bearer token in a header."""
    return FixedHeaders(lambda: {name: prefix + secret.reveal()})


def basic(user: str, password: Secret) -> FixedHeaders:
    """User and password (RFC 7617, as UTF-8)."""
    return FixedHeaders(lambda: {"Authorization": _basic(user, password.reveal())})


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


LogIn = Callable[[Deadline], Token]
"""Gets a token; raises `SourceUnavailable`."""
Carry = Callable[[HttpRequest, str], HttpRequest]
"""The question with the token in it."""


@dataclass
class TokenLogIn:
    """Logs in when there is no token, or it has run out or was refused."""

    log_in: LogIn
    carry: Carry
    clock: Clock
    _token: Token | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def sign(self, request: HttpRequest, deadline: Deadline) -> Signed:
        """The question with the token at hand, or a new one."""
        return self._signed(request, None, deadline)

    def sign_anew(self, request: HttpRequest, refused: Signed, deadline: Deadline) -> Signed | None:
        """The question with another token than the one refused."""
        return self._signed(request, refused.token, deadline)

    def _signed(self, request: HttpRequest, refused: Token | None, deadline: Deadline) -> Signed:
        token = self._usable(refused, deadline)
        return Signed(self.carry(request, token.text), token)

    def _usable(self, refused: Token | None, deadline: Deadline) -> Token:
        if not self._lock.acquire(timeout=deadline.remaining):
            raise SourceUnavailable("timeout")
        try:
            kept = self._token
            if kept is None or kept is refused or _has_run_out(kept, self.clock()):
                self._token = None
                kept = self._token = self.log_in(deadline)
            return kept
        finally:
            self._lock.release()


def _has_run_out(token: Token, now: datetime) -> bool:
    return token.expires_at is not None and token.expires_at - EARLY <= now


def in_header(name: str = "Authorization", prefix: str = "Bearer ") -> Carry:
    """Tokens that travel in a header."""
    return lambda request, token: request.with_headers({name: prefix + token})


def log_in_document(transport: HttpTransport, request: HttpRequest, clock: Clock, deadline: Deadline) -> object:
    """The JSON that a log-in is answered with; raises `SourceUnavailable`.

    Refused credentials come as 400 (OAuth 2), 401 or 403; none of these speaks of a subject.
    """
    answer = transport.ask(request, deadline)
    if answer.status in (400, 401, 403):
        raise SourceUnavailable(UNAUTHORISED)
    if answer.status not in (200, 201):
        raise unavailable(answer.status, answer.headers, clock())
    return json_of(answer)


def json_of(answer: HttpAnswer) -> object:
    """The JSON document in an answer's body; raises `SourceUnavailable`."""
    if not is_json(answer.headers):
        raise SourceUnavailable("notJson")
    try:
        return parse_json(answer.body)
    except ContractBroken as broken:
        raise SourceUnavailable(str(broken), is_about_subject=True) from None
