"""The obvious implementation: Flask, one GET from Redis, an SVG template; what Redis lacks comes from the upstream.

Uses the Valkey and the upstream of the service's settings.
"""

from __future__ import annotations

import json
import threading
from typing import cast

import requests
from flask import Flask, Response
from redis import Redis

from badge.appearance import COLOURS, TONES, WORDS, Palette
from badge.model import BackupStatus
from badge.settings import load

_SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{{ left + right }}" height="20" role="img"
 aria-label="{{ label }}: {{ message }}"><title>{{ label }}: {{ message }}</title>
<linearGradient id="s" x2="0" y2="100%"><stop offset="0" stop-color="#bbb" stop-opacity=".1"/>
<stop offset="1" stop-opacity=".1"/></linearGradient><clipPath id="r"><rect width="{{ left + right }}" height="20"
 rx="3" fill="#fff"/></clipPath><g clip-path="url(#r)"><rect width="{{ left }}" height="20" fill="#555"/>
<rect x="{{ left }}" width="{{ right }}" height="20" fill="{{ colour }}"/>
<rect width="{{ left + right }}" height="20" fill="url(#s)"/></g><g fill="#fff" text-anchor="middle"
 font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"><text x="{{ left / 2 }}" y="14">{{ label }}</text>
<text x="{{ left + right / 2 }}" y="14">{{ message }}</text></g></svg>"""

CHARACTER = 7
"""Approximate width of a character, in pixels."""

application = Flask(__name__)
_template = application.jinja_env.from_string(_SVG)
_settings = load()
assert _settings.redis_url is not None
_redis = Redis.from_url(_settings.redis_url.get_secret_value())
_threads = threading.local()


@application.get("/badge/<platform>/<account>/<kind>/<path:name>")
def badge(platform: str, account: str, kind: str, name: str) -> Response:
    """Answer with the cached status, or fetch and cache it."""
    key = f"naive:{platform}:{account}:{kind}:{name}"
    cached = cast("bytes | None", _redis.get(key))
    if cached is None:
        cached = _fetch(platform, account, kind, name)
        _redis.set(key, cached, ex=3600)
    status = BackupStatus(json.loads(cached)["status"])
    message, label = WORDS[status], "backup"
    picture = _template.render(
        label=label,
        message=message,
        left=CHARACTER * len(label) + 10,
        right=CHARACTER * len(message) + 10,
        colour=COLOURS[Palette.ACCESSIBLE][TONES[status]],
    )
    answer = Response(picture, content_type="image/svg+xml; charset=utf-8")
    answer.headers["Cache-Control"] = "public, max-age=120"
    answer.add_etag()
    return answer


@application.get("/livez")
def live() -> str:
    """Tell tests that the server has started."""
    return "ok"


def _fetch(platform: str, account: str, kind: str, name: str) -> bytes:
    """Return the upstream's answer or, without an upstream, a success for every backup."""
    if _settings.upstream_url is None:
        return json.dumps({"status": BackupStatus.SUCCEEDED}).encode()
    if not hasattr(_threads, "session"):
        _threads.session = requests.Session()
    subject = {"platform": platform, "account": account, "subjectType": kind, "subjectName": name}
    answer: requests.Response = _threads.session.get(f"{_settings.upstream_url}/ops/status", params=subject, timeout=5)
    answer.raise_for_status()
    return answer.content
