"""Private tokens: the secrets in the URLs of private badges.

An image proxy can't log in, so the URL has to hold the secret, as with CircleCI, Codecov and Healthchecks. There are
two kinds: tokens stored in the catalogue, which can be revoked one by one, and tokens derived from the signing key,
which work without a catalogue.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from badge.deadline import Deadline
from badge.model import Subject
from badge.ports import SourceUnavailable
from badge.web.signing_key import NoSigningKey

LENGTH = 22
"""Length of derived tokens in characters: 132 bits, too many to guess."""

_PURPOSE = "badge of a private subject, 1"
"""Distinguishes tokens from sessions, which the same key signs."""

MOST_LOOKUPS = 2
"""How many threads may look up tokens at a time, so that a hanging database can't block them all."""
LOOKUP_SECONDS = 1.0
"""The longest time that the database may take."""
QUEUE_SECONDS = 0.1


class TokenStore(Protocol):
    """Where stored tokens are looked up."""

    def opens(self, subject: Subject, plain: str) -> bool:
        """Whether this is a stored token for the subject; raises `SourceUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class PrivateTokens:
    """Derives and checks private tokens."""

    key: Callable[[], str]
    """Returns the signing key or raises `NoSigningKey`; called only to derive a token or check a derived one.

    A new key invalidates all derived tokens.
    """
    store: TokenStore | None = None
    """None without a catalogue."""
    _lookups: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MOST_LOOKUPS), init=False)

    def of(self, subject: Subject) -> str:
        """Return the subject's derived token, the same for all spellings where the platform ignores case.

        Raises `NoSigningKey`.
        """
        signed = json.dumps([_PURPOSE, *subject.key(fold_case=True)]).encode()
        digest = hmac.digest(self.key().encode(), signed, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode()[:LENGTH]

    def opens(self, subject: Subject, token: str, deadline: Deadline) -> bool | None:
        """Whether the token is valid for this subject; None if that can't be determined in time.

        The token's length tells which of the two kinds it is, so that each works even if the other is unavailable.
        """
        if len(token) == LENGTH:
            return self._is_derived(subject, token)
        return self._is_stored(self.store, subject, token, deadline) if token and self.store else False

    def _is_derived(self, subject: Subject, token: str) -> bool | None:
        try:
            return hmac.compare_digest(self.of(subject).encode(), token.encode("utf-8", "replace"))
        except NoSigningKey:
            return None

    def _is_stored(self, store: TokenStore, subject: Subject, token: str, deadline: Deadline) -> bool | None:
        if deadline.remaining < LOOKUP_SECONDS or not self._lookups.acquire(timeout=QUEUE_SECONDS):
            return None
        try:
            return store.opens(subject, token)
        except SourceUnavailable:
            return None
        finally:
            self._lookups.release()
