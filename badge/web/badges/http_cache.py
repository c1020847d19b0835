"""How long an answer may be cached, and the headers that say so (RFC 9111, 5861, 9211)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

from badge.model import STALE_AGE, Origin, Resolution

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
    """How long it is fresh."""
    true_after: timedelta
    """How much longer it stays true after that: until the picture would change by itself."""
    is_for_program: bool = False
    """Whether it must never be served stale: a monitor has to notice that the service is gone."""
    is_shared: bool = True
    """Whether shared caches may store it."""

    @classmethod
    def of(
        cls,
        resolution: Resolution,
        changes_in: timedelta,
        at_least: timedelta = timedelta(0),
        *,
        is_for_program: bool = False,
    ) -> CachePolicy:
        """Return the policy for a resolution; its lifetime ends at the latest when the picture would change by itself.

        Clients may ask for a longer lifetime, but get it only for a good answer.
        """
        is_confirmed = not (resolution.is_stale or resolution.is_provisional)
        is_good = resolution.is_known and resolution.report.exists and is_confirmed
        wanted = max(resolution.fresh_for, at_least) if is_good else resolution.fresh_for
        true_for = _true_for(resolution, changes_in)
        lifetime = max(SHORTEST, min(wanted, true_for))
        return cls(lifetime, max(timedelta(0), true_for - lifetime), is_for_program)

    def aged(self, by: timedelta) -> CachePolicy:
        """Return the policy that remains after this much time."""
        return replace(self, lifetime=max(SHORTEST, self.lifetime - by))

    @property
    def max_age(self) -> int:
        """The remaining lifetime in whole seconds."""
        return int(self.lifetime.total_seconds())

    @property
    def cache_control(self) -> str:
        """The Cache-Control header.

        There is no `s-maxage`: it implies `proxy-revalidate` (RFC 9111, section 5.2.2.10), which forbids stale images.
        """
        fresh = f"{'public' if self.is_shared else 'private'}, max-age={self.max_age}"
        if self.is_for_program:
            return f"{fresh}, must-revalidate"
        if not self.is_shared:
            return fresh
        if_error = int(self.true_after.total_seconds())
        return f"{fresh}, stale-while-revalidate={min(self.max_age, if_error)}, stale-if-error={if_error}"


def _true_for(resolution: Resolution, changes_in: timedelta) -> timedelta:
    """Return how long the picture stays true; an hour at most, because then it would have to show its age."""
    moments = [changes_in, STALE_AGE]
    if resolution.is_known:
        moments.append(resolution.usable_for)
    next_run_at = resolution.report.next_run_at
    if next_run_at is not None and next_run_at > resolution.now:
        moments.append(next_run_at - resolution.now)
    return min(moments)


def etag(body: bytes) -> str:
    """Return a strong ETag, without quotes; equal bytes have equal ETags in every process."""
    return hashlib.sha256(body).hexdigest()[:32]


def cache_status(origin: Origin, cache_policy: CachePolicy) -> str:
    """Return the Cache-Status header (RFC 9211), without a cache key: names of subjects stay out of headers."""
    match origin:
        case Origin.CACHE:
            parameters = f"hit; ttl={cache_policy.max_age}"
        case Origin.UPSTREAM:
            parameters = "fwd=miss; stored"
        case Origin.STALE:
            # "fwd=stale" would mean that the source answered; "hit" and "fwd" exclude each other (section 2).
            parameters = "hit; ttl=0; detail=source-unavailable"
        case Origin.FALLBACK:
            parameters = "fwd=miss; detail=source-unavailable"
    return f"backup-status-badge; {parameters}"
