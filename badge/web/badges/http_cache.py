"""How long an answer may be cached, and the headers that say so (RFC 9111, 5861, 9211)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

from badge.model import Origin, Resolution

DAY = timedelta(days=1)
SHORTEST = timedelta(seconds=1)

# A picture runs no scripts, loads nothing and may be embedded anywhere. Cache-Control is added to each answer:
# without it GitHub's proxy would cache for a year.
COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
}


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How long an answer may be cached, and by which caches."""

    lifetime: timedelta
    revalidate: timedelta
    """How much longer it may be shown while a new one is fetched."""
    if_error: timedelta
    """And how much longer where none can be had."""
    is_shared: bool = True
    """Whether shared caches may store it."""

    @classmethod
    def of(cls, resolution: Resolution, changes_in: timedelta, at_least: timedelta = timedelta(0)) -> CachePolicy:
        """What is left of the lifetime, cut where the picture would change by itself.

        A reader may ask for a longer life of a good answer, never of any other.
        """
        is_good = resolution.is_known and resolution.report.exists
        is_good = is_good and not (resolution.is_stale or resolution.is_provisional)
        wished = min(at_least, resolution.usable_for) if is_good else timedelta(0)
        lifetime = max(SHORTEST, min(max(resolution.fresh_for, wished), changes_in))
        usable_after = max(timedelta(0), resolution.usable_for - lifetime)
        return cls(lifetime, min(lifetime, usable_after) if resolution.is_known else lifetime, min(DAY, usable_after))

    def aged(self, by: timedelta) -> CachePolicy:
        """Return the policy that remains after this much time."""
        return replace(self, lifetime=max(SHORTEST, self.lifetime - by))

    @property
    def max_age(self) -> int:
        """The remaining lifetime in whole seconds."""
        return int(self.lifetime.total_seconds())

    @property
    def cache_control(self) -> str:
        """The Cache-Control header."""
        if not self.is_shared:
            return f"private, max-age={self.max_age}"
        return (
            f"public, max-age={self.max_age}, s-maxage={self.max_age}, "
            f"stale-while-revalidate={int(self.revalidate.total_seconds())}, "
            f"stale-if-error={int(self.if_error.total_seconds())}"
        )


def etag(body: bytes) -> str:
    """Return a strong ETag, without quotes; equal bytes have equal ETags in every process."""
    return hashlib.sha256(body).hexdigest()[:32]


def cache_status(origin: Origin, cache_policy: CachePolicy) -> str:
    """Return the Cache-Status header (RFC 9211), without a cache key: names of subjects stay out of headers."""
    match origin:
        case Origin.CACHE:
            said = f"hit; ttl={cache_policy.max_age}"
        case Origin.UPSTREAM:
            said = "fwd=miss; stored"
        case Origin.STALE:
            # "fwd=stale" would mean that the source answered; "hit" and "fwd" exclude each other (section 2).
            said = "hit; ttl=0; detail=source-unavailable"
        case Origin.FALLBACK:
            said = "fwd=miss; detail=source-unavailable"
    return f"backup-status-badge; {said}"
