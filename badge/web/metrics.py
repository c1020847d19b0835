"""/metrics for Prometheus: for local requests, or with a token."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, request

from badge.telemetry.metrics import CONTENT_TYPE, Metrics
from badge.web.errors import PROBLEM_TYPE, problem
from badge.web.local_only import is_local


def blueprint(metrics: Metrics, token: str | None) -> Blueprint:
    """The /metrics route; without a token it serves local requests only."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def exposition() -> Response:
        if not (is_local(request.environ) or _has(token)):
            body = problem(401, "UNAUTHORIZED", "Send BADGE_METRICS_TOKEN as a bearer token, or ask from this machine.")
            headers = {"Cache-Control": "no-store", "WWW-Authenticate": "Bearer"}
            return Response(body, 401, headers, content_type=PROBLEM_TYPE)
        return Response(metrics.exposition(), headers={"Cache-Control": "no-store"}, content_type=CONTENT_TYPE)

    return routes


def _has(token: str | None) -> bool:
    given = request.headers.get("Authorization", "").encode("utf-8", "replace")
    return token is not None and hmac.compare_digest(given, f"Bearer {token}".encode())
