"""The obvious implementation: Flask, one GET from the cache, an SVG template. Same server and same Valkey as ours.

Served with our own gunicorn settings, whose hooks need `extensions`.
"""

from __future__ import annotations

import json
from typing import cast

from flask import Flask, Response
from redis import Redis

from badge.appearance import COLOURS, TONES, WORDS, Palette
from badge.cache.embedded.server import socket_path
from badge.model import BackupStatus
from badge.settings import load
from badge.web.health import Readiness

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
application.extensions |= {"readiness": Readiness({}), "warm_up": lambda: None}
_template = application.jinja_env.from_string(_SVG)
_redis = Redis.from_url(f"unix://{socket_path(load().data_dir)}")


@application.get("/badge/<platform>/<account>/<kind>/<path:name>")
def badge(platform: str, account: str, kind: str, name: str) -> Response:
    """Answer with the cached status; a repository that is not in the cache counts as succeeded."""
    key = f"naive:{platform}:{account}:{kind}:{name}"
    cached = cast("bytes | None", _redis.get(key))
    if cached is None:
        cached = json.dumps({"status": BackupStatus.SUCCEEDED}).encode()
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
