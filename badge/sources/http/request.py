"""Requests to upstreams: how they are built, and how they are described to whoever debugs a source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from badge.sources.http.trace import excerpt
from badge.sources.http.transport import HttpAnswer, HttpRequest

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def form_request(url: str, fields: Mapping[str, str]) -> HttpRequest:
    """A POST of these fields."""
    return HttpRequest("POST", url, FORM, urlencode(fields).encode())


def json_request(url: str, document: object) -> HttpRequest:
    """A POST of this document."""
    return HttpRequest("POST", url, JSON, json.dumps(document).encode())


def describe_request(unsigned: HttpRequest, signed: HttpRequest) -> list[str]:
    """The question in words, with what was added to sign it hidden."""
    lines = [f"{unsigned.method} {unsigned.url}"]
    for name, value in signed.headers.items():
        lines.append(f"  {name}: {value if name in unsigned.headers else '<secret>'}")
    if unsigned.body:
        lines.append(f"  {unsigned.body.decode()}")
    return lines


def describe_answer(answer: HttpAnswer) -> list[str]:
    """The answer in words, with its beginning."""
    return [f"answer: HTTP {answer.status}, {len(answer.body)} bytes", excerpt(answer.body)]
