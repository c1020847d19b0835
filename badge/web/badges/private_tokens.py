"""What lets a badge of a private subject be seen: a token of its own, in the badge's address.

An image proxy has no log-in, so the address has to be the secret, as at CircleCI, Codecov and Healthchecks.
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
"""Characters: 132 bits, more than anybody can try."""

_PURPOSE = "badge of a private subject, 1"
"""The key signs log-ins too, and neither may pass for the other."""


@dataclass(frozen=True, slots=True)
class PrivateTokens:
    """Makes and checks them. None is kept: with a new key, none of them is good any more."""

    key: Callable[[], str]
    """Asked for only where there is a token to make or to check."""

    def of(self, subject: Subject) -> str:
        """The subject's token, the same for all spellings of its name that are one name on its platform."""
        signed = json.dumps([_PURPOSE, *subject.key(fold_case=True)]).encode()
        digest = hmac.digest(self.key().encode(), signed, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode()[:LENGTH]

    def is_good(self, subject: Subject, token: str) -> bool:
        """Whether it is this subject's. How long that takes says nothing of where a wrong one differs."""
        return hmac.compare_digest(self.of(subject).encode(), token.encode("utf-8", "replace"))
