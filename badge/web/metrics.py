"""Metrics for Prometheus: those of the service, and those of each subject."""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request

from badge.listing import KnownFacts, SummaryListing
from badge.ports import SourceUnavailable
from badge.resilience.single_flight import Flight
from badge.telemetry.metrics import CONTENT_TYPE, Metrics
from badge.telemetry.subject_metrics import exposition
from badge.web.errors import PROBLEM_TYPE, problem
from badge.web.loopback import looks_local

REFRESH_SECONDS = 5.0
"""How long to wait for the lists of remote sources; by default, Prometheus waits ten seconds for an answer."""

_GZIP_FORMAT = zlib.MAX_WBITS | 16
_FASTEST = 1
"""Even the fastest level makes the text about thirty times smaller."""


@dataclass(frozen=True, slots=True)
class SubjectMetrics:
    """Reads the metrics of each subject, private ones included."""

    listing: SummaryListing | None
    """None if no source can list its subjects."""
    refresh: Callable[[SummaryListing], Flight[bool] | None]
    source_names: Sequence[str]
    most: int
    """Maximum number of subjects."""
    refresh_seconds: float = REFRESH_SECONDS

    def exposition(self) -> list[bytes]:
        """Return the metrics in Prometheus' text format, in parts.

        Subjects that can't be listed now are left out, and `backup_source_listed` says so.
        """
        try:
            if (known := self._known()) is not None:
                return exposition(known.batches, self._listed(known), known.number)
        except SourceUnavailable:
            pass  # The source has logged it; any batches that were read before are discarded.
        return exposition((), dict.fromkeys(self.source_names, False), 0)

    def _known(self) -> KnownFacts | None:
        if self.listing is None:
            return None
        # Refreshed in the background, so that a hanging source does not delay the metrics of all others. If that takes
        # too long, the last snapshot is used.
        if self.listing.is_snapshot and (flight := self.refresh(self.listing)) is not None:
            flight.wait(self.refresh_seconds)
        return self.listing.facts(self.most)

    def _listed(self, known: KnownFacts) -> Mapping[str, bool]:
        """Return for each source whether all of its subjects are known."""
        if known.read is None:
            return dict.fromkeys(self.source_names, known.is_whole)
        return {name: known.read.get(name, False) for name in self.source_names}


def blueprint(
    metrics: Metrics, of_subjects: SubjectMetrics, token: str | None, *, is_open_to_loopback: bool
) -> Blueprint:
    """Routes for /metrics, which names no subject, and /metrics/subjects, which always requires the token."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def of_service() -> Response:
        if not _has(token) and not (is_open_to_loopback and looks_local(request.environ)):
            detail = "Send the service's BADGE_METRICS_TOKEN as a bearer token; if it has none, set one."
            return _refusal(401, "UNAUTHORIZED", detail)
        return Response(metrics.exposition(), headers={"Cache-Control": "no-store"}, content_type=CONTENT_TYPE)

    @routes.get("/metrics/subjects")
    def of_each_subject() -> Response:
        if token is None:
            return _refusal(403, "FORBIDDEN", "Set BADGE_METRICS_TOKEN for the service to enable these metrics.")
        if not _has(token):
            return _refusal(401, "UNAUTHORIZED", "Send BADGE_METRICS_TOKEN as a bearer token.")
        return _compressed(of_subjects.exposition())

    return routes


def _has(token: str | None) -> bool:
    given = request.headers.get("Authorization", "").encode("utf-8", "replace")
    return token is not None and hmac.compare_digest(given, f"Bearer {token}".encode())


def _refusal(status: int, code: str, message: str) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
    return Response(problem(status, code, message), status, headers, content_type=PROBLEM_TYPE)


def _compressed(parts: list[bytes]) -> Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if request.accept_encodings.quality("gzip") > 0:
        headers["Content-Encoding"] = "gzip"
        compressor = zlib.compressobj(_FASTEST, wbits=_GZIP_FORMAT)
        parts = [*map(compressor.compress, parts), compressor.flush()]
    return Response(parts, headers=headers, content_type=CONTENT_TYPE)
