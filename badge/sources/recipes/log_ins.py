"""Logins that yield tokens: OAuth 2, a single JSON or form request, and UrBackup's salted password."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from badge.deadline import Deadline
from badge.events import FailureKind
from badge.ports import Clock, SourceUnavailable
from badge.sources.http.authentication import Token, log_in_document
from badge.sources.http.messages import HttpRequest
from badge.sources.http.request import FORM, form_request, json_request
from badge.sources.http.transport import HttpTransport
from badge.sources.recipes.expression import Expression, ExpressionFailed
from badge.sources.recipes.template import expand_deep
from badge.sources.secrets import Secret

LONGEST_TOKEN = 16_384
MOST_ROUNDS = 10_000_000


@dataclass(frozen=True, slots=True)
class RequestLogIn:
    """Login with one POST whose answer contains the token, as with Duplicati, Bareos and OAuth 2."""

    url: str
    body: Mapping[str, object]
    is_form: bool
    secrets: Mapping[str, Secret]
    """Values of the placeholders in the body."""
    token: Expression
    lifetime: Expression
    transport: HttpTransport
    clock: Clock

    def __call__(self, deadline: Deadline) -> Token:
        """Log in; raises `SourceUnavailable`."""
        names = {name: secret.reveal() for name, secret in self.secrets.items()}
        body = {key: expand_deep(value, names) for key, value in self.body.items()}
        if self.is_form:
            request = form_request(self.url, {key: str(value) for key, value in body.items()})
        else:
            request = json_request(self.url, body)
        document = log_in_document(self.transport, request, self.clock, deadline)
        try:
            return Token(_token_text(self.token.on(document)), _expiry(self.lifetime.on(document), self.clock()))
        except ExpressionFailed:
            raise SourceUnavailable(FailureKind.BAD_FIELD) from None


def _token_text(found: object) -> str:
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_TOKEN or not found.isprintable():
        raise SourceUnavailable(FailureKind.BAD_FIELD)
    return found


def _expiry(seconds: object, now: datetime) -> datetime | None:
    # Some servers send the number as text.
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():
        seconds = int(seconds[:9])
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 10**9:
        return None
    return now + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class UrBackupLogIn:
    """UrBackup's login, as in its `login.cpp`: a hash of the password, a salt and a challenge yields a session."""

    url: str
    user: str
    password: Secret
    transport: HttpTransport
    clock: Clock

    def __call__(self, deadline: Deadline) -> Token:
        """Log in; raises `SourceUnavailable`."""
        challenge = self._ask("salt", {"username": self.user}, deadline)
        session, salt, rnd = (challenge.get(name) for name in ("ses", "salt", "rnd"))
        if not isinstance(session, str) or not isinstance(salt, str) or not isinstance(rnd, str):
            raise SourceUnavailable(FailureKind.UNAUTHORISED)
        rounds = challenge.get("pbkdf2_rounds", 0)
        proof = _proof(self.password.reveal(), salt, rnd, rounds if isinstance(rounds, int) else 0)
        fields = {"username": self.user, "password": proof, "ses": session}
        if self._ask("login", fields, deadline).get("success") is not True:
            raise SourceUnavailable(FailureKind.UNAUTHORISED)
        # UrBackup does not say how long a session lasts, so it is used until it is refused.
        return Token(_token_text(session))

    def _ask(self, action: str, fields: Mapping[str, str], deadline: Deadline) -> dict[str, object]:
        request = form_request(f"{self.url}?a={action}", fields)
        document = log_in_document(self.transport, request, self.clock, deadline)
        if not isinstance(document, dict):
            raise SourceUnavailable(FailureKind.BAD_FIELD)
        return document


def _proof(password: str, salt: str, rnd: str, rounds: int) -> str:
    """Return the hash that the server expects; MD5 is UrBackup's choice, not ours."""
    digest = hashlib.md5((salt + password).encode(), usedforsecurity=False).digest()
    text = digest.hex()
    if 0 < rounds <= MOST_ROUNDS:
        text = hashlib.pbkdf2_hmac("sha256", digest, salt.encode(), rounds).hex()
    return hashlib.md5((rnd + text).encode(), usedforsecurity=False).hexdigest()


def in_form(name: str, request: HttpRequest, token: str) -> HttpRequest:
    """Send the token as an additional form field."""
    field = urlencode({name: token}).encode()
    body = b"&".join(part for part in (request.body or b"", field) if part)
    return replace(request.with_headers(FORM), body=body)
