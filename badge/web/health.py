"""Health endpoints: liveness, readiness, version and the OpenAPI description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flask import Blueprint, Response

from badge import __version__
from badge.web.errors import as_json
from badge.web.paths import AT_ROOT, Paths

Check = Callable[[], bool]

OPENAPI_FILE = Path(__file__).with_name("openapi.yaml")


@dataclass(slots=True)
class Readiness:
    """Whether this process should get traffic. Without its cache or a source it is degraded, but still answers."""

    checks: dict[str, Check]
    is_draining: bool = field(default=False)

    def watch(self, name: str, check: Check) -> None:
        """Include one more dependency in the verdict: `check` returns whether it is up."""
        self.checks[name] = check

    def drain(self) -> None:
        """Tell load balancers to stop sending traffic, because the process is about to exit."""
        self.is_draining = True

    def verdict(self) -> tuple[int, dict[str, object]]:
        """Return the HTTP status and the JSON document for /readyz."""
        if self.is_draining:
            return 503, {"status": "draining"}
        states = {name: "up" if check() else "down" for name, check in self.checks.items()}
        status = "ready" if all(state == "up" for state in states.values()) else "degraded"
        return 200, {"status": status, "checks": states}


def blueprint(readiness: Readiness, paths: Paths = AT_ROOT) -> Blueprint:
    """Routes for /livez, /healthz, /readyz, /version and /openapi.yaml."""
    health = Blueprint("health", __name__)

    @health.get("/livez")
    @health.get("/healthz")
    def livez() -> Response:
        return _uncached(200, {"status": "ok"})

    @health.get("/readyz")
    def readyz() -> Response:
        return _uncached(*readiness.verdict())

    @health.get("/version")
    def version() -> Response:
        return _uncached(200, {"name": "backup-status-badge", "version": __version__})

    @health.get("/openapi.yaml")
    def description() -> Response:
        headers = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
        return Response(_description(paths), 200, headers, content_type="application/yaml")

    return health


def _description(paths: Paths) -> str:
    """Return the OpenAPI file, with this service's path prefix as the server URL, to which clients append paths."""
    text = OPENAPI_FILE.read_text(encoding="utf-8")
    return text.replace("\n  - url: /\n", f"\n  - url: {paths.prefix or '/'}\n", 1)


def _uncached(status: int, document: Mapping[str, object]) -> Response:
    return Response(as_json(document), status, {"Cache-Control": "no-store"}, content_type="application/json")
