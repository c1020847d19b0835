"""How long an answer may be kept, and by which headers that is said (RFC 9111, 5861, 9211)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from badge.model import Origin, Resolution

DAY = timedelta(days=1)

# An answer without Cache-Control would be kept for a year by GitHub's proxy; a picture never
# runs scripts, loads nothing and may be embedded anywhere.
COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long proxies may keep an answer, in whole seconds."""

    max_age: int
    stale_while_revalidate: int
    stale_if_error: int

    @classmethod
    def of(cls, resolution: Resolution, changes_in: timedelta, at_least: timedelta = timedelta(0)) -> Keeping:
        """What is left of the lifetime, cut where the picture would change by itself.

        A reader may ask for a longer life of a good answer, never of any other.
        """
        is_good = resolution.is_known and resolution.report.exists and not resolution.is_stale
        wished = min(at_least, resolution.usable_for) if is_good else timedelta(0)
        lifetime = max(timedelta(seconds=1), min(max(resolution.fresh_for, wished), changes_in))
        usable_after = max(timedelta(0), resolution.usable_for - lifetime)
        revalidate = min(lifetime, usable_after) if resolution.is_known else lifetime
        return cls(_seconds(lifetime), _seconds(revalidate), _seconds(min(DAY, usable_after)))

    @property
    def cache_control(self) -> str:
        """The Cache-Control header."""
        return (
            f"public, max-age={self.max_age}, s-maxage={self.max_age}, "
            f"stale-while-revalidate={self.stale_while_revalidate}, stale-if-error={self.stale_if_error}"
        )


def etag(body: bytes) -> str:
    """The strong validator: the same bytes have the same one, wherever they were made."""
    return hashlib.sha256(body).hexdigest()[:32]


def cache_status(origin: Origin, keeping: Keeping) -> str:
    """The Cache-Status header (RFC 9211); it names no key, for names stay out of headers."""
    match origin:
        case Origin.CACHE:
            said = f"hit; ttl={keeping.max_age}"
        case Origin.UPSTREAM:
            said = "fwd=miss; stored"
        case Origin.STALE:
            said = "hit; fwd=stale; detail=source-unavailable"
        case Origin.FALLBACK:
            said = "fwd=miss; detail=source-unavailable"
    return f"backup-status-badge; {said}"


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
