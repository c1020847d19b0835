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
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from badge.deadline import Deadline
from badge.model import Subject, SubjectScope
from badge.web.badges.bounded_reads import BoundedReads
from badge.web.signing_key import NoSigningKey

LENGTH = 22
"""Length of derived tokens in characters: 132 bits, too many to guess."""

_PURPOSE = "badge of a private subject, 1"
"""Distinguishes tokens from sessions, which the same key signs."""


class TokenStore(Protocol):
    """Where stored tokens are looked up."""

    def opens(self, subject: Subject, plain: str) -> bool:
        """Whether this is a stored token for the subject; raises `SourceUnavailable`."""
        ...

    def opens_summary(self, scope: SubjectScope | None, name: str | None, plain: str) -> bool:
        """Whether this is a stored token for all of a summary's subjects; raises `SourceUnavailable`."""
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
    _lookups: BoundedReads = field(default_factory=BoundedReads, init=False)

    def of(self, subject: Subject) -> str:
        """Return the subject's derived token; raises `NoSigningKey`.

        If the platform ignores case, all spellings of the subject have the same token.
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
        if not token or self.store is None:
            return False
        return self._lookups.result_of(partial(self.store.opens, subject, token), deadline)

    def opens_summary(
        self, scope: SubjectScope | None, name: str | None, token: str, deadline: Deadline
    ) -> bool | None:
        """Whether the token is valid for all of a summary's subjects; None if that can't be determined in time.

        Only a stored token can be valid for them all: a derived one is for one subject.
        """
        if not token or self.store is None:
            return False
        return self._lookups.result_of(partial(self.store.opens_summary, scope, name, token), deadline)

    def _is_derived(self, subject: Subject, token: str) -> bool | None:
        try:
            return hmac.compare_digest(self.of(subject).encode(), token.encode("utf-8", "replace"))
        except NoSigningKey:
            return None
