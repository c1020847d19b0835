"""/metrics for Prometheus: with a token, or for requests from this machine."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, request

from badge.telemetry.metrics import CONTENT_TYPE, Metrics
from badge.web.errors import PROBLEM_TYPE, problem
from badge.web.loopback import looks_local


def blueprint(metrics: Metrics, token: str | None, *, is_open_to_loopback: bool) -> Blueprint:
    """The /metrics route, which names no subject."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def exposition() -> Response:
        if not _has(token) and not (is_open_to_loopback and looks_local(request.environ)):
            body = problem(401, "UNAUTHORIZED", "Set BADGE_METRICS_TOKEN for the service; send it as a bearer token.")
            headers = {"Cache-Control": "no-store", "WWW-Authenticate": "Bearer"}
            return Response(body, 401, headers, content_type=PROBLEM_TYPE)
        return Response(metrics.exposition(), headers={"Cache-Control": "no-store"}, content_type=CONTENT_TYPE)

    return routes


def _has(token: str | None) -> bool:
    given = request.headers.get("Authorization", "").encode("utf-8", "replace")
    return token is not None and hmac.compare_digest(given, f"Bearer {token}".encode())
