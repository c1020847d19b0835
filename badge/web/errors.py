"""Errors for machines: problem details (RFC 9457), the same shape everywhere."""

from __future__ import annotations

import json
from http import HTTPStatus

PROBLEM_TYPE = "application/problem+json"


def problem(status: int, code: str, detail: str, **members: object) -> bytes:
    """A problem document's bytes."""
    return as_json(problem_document(status, code, detail, **members))


def problem_document(status: int, code: str, detail: str, **members: object) -> dict[str, object]:
    """A problem document. `code` is the stable word for programs, `detail` the sentence for people."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **members,
    }


def as_json(document: object) -> bytes:
    """Compact JSON in a fixed order of keys: the same document gives the same bytes."""
    return (json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
