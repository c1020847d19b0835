"""Private tokens: signed tokens in the URLs of private badges.

An image proxy can't log in, so the URL has to hold the secret, as with CircleCI, Codecov and Healthchecks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

from badge.model import Subject

LENGTH = 22
"""In characters: 132 bits, too many to guess."""

_PURPOSE = "badge of a private subject, 1"
"""Keeps tokens apart from sessions, which the same key signs."""


@dataclass(frozen=True, slots=True)
class PrivateTokens:
    """Makes and checks private tokens. They are not stored; a new key invalidates them all."""

    key: Callable[[], str]
    """Returns the signing key; called only to make or check a token."""

    def of(self, subject: Subject) -> str:
        """Return the subject's token, the same for all spellings where the platform ignores case."""
        signed = json.dumps([_PURPOSE, *subject.key(fold_case=True)]).encode()
        digest = hmac.digest(self.key().encode(), signed, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode()[:LENGTH]

    def is_good(self, subject: Subject, token: str) -> bool:
        """Whether the token is valid for this subject; compared in constant time."""
        return hmac.compare_digest(self.of(subject).encode(), token.encode("utf-8", "replace"))
