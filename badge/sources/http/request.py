"""Requests to upstreams: how they are built, and how the trace describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from badge.sources.http.messages import HttpAnswer, HttpRequest
from badge.sources.http.trace import excerpt

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def form_request(url: str, fields: Mapping[str, str]) -> HttpRequest:
    """Return a POST with these form fields."""
    return HttpRequest("POST", url, FORM, urlencode(fields).encode())


def json_request(url: str, document: object) -> HttpRequest:
    """Return a POST with this JSON document."""
    return HttpRequest("POST", url, JSON, json.dumps(document).encode())


def describe_request(unsigned: HttpRequest, signed: HttpRequest) -> list[str]:
    """Return the request as lines of text, hiding the headers added for authentication."""
    lines = [f"{unsigned.method} {unsigned.url}"]
    for name, value in signed.headers.items():
        lines.append(f"  {name}: {value if name in unsigned.headers else '<secret>'}")
    if unsigned.body:
        lines.append(f"  {unsigned.body.decode()}")
    return lines


def describe_answer(answer: HttpAnswer) -> list[str]:
    """Return the answer's status, size and beginning as lines of text."""
    return [f"answer: HTTP {answer.status}, {len(answer.body)} bytes", excerpt(answer.body)]
