"""Digests of a source's address, credentials and reading rules, for cache keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from badge.sources.secrets import Secret

# Slows down guessing a weak password from its digest; costs about 4 ms per secret at start-up.
_ROUNDS = 10_000


def place_of(name: str, **facts: object) -> str:
    """Return the source's name and a digest of these facts: strings, secrets, lists of strings, and mappings of these.

    The result is the same on every host with the same configuration. For a secret that is read from a file on each
    use, the digest covers the file's path, not its content, because some secrets are rotated hourly.
    """
    text = json.dumps({fact: _plain(value) for fact, value in facts.items()}, sort_keys=True, default=str)
    return f"{name}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def values_digest(values: Mapping[str, str]) -> str:
    """Return a digest of a subject's own values; empty if it has none."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16] if values else ""


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if not isinstance(value, Secret):
        return value
    if value.file is not None:
        return str(value.file)
    # The salt is constant, because all hosts must get the same digest.
    return hashlib.pbkdf2_hmac("sha256", value.value.encode(), b"badge cache key", _ROUNDS).hex()
