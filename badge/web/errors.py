"""Error responses for programs: problem details (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus

PROBLEM_TYPE = "application/problem+json"


def problem(status: int, code: str, detail: str, **members: object) -> bytes:
    """Return a problem document as JSON bytes."""
    return as_json(problem_document(status, code, detail, **members))


def problem_document(status: int, code: str, detail: str, **members: object) -> dict[str, object]:
    """Return a problem document: `code` is a stable identifier for programs, `detail` a sentence for people."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **members,
    }


def as_json(document: object) -> bytes:
    """Return compact JSON. Keys keep their order in the document, so the same document always gives the same bytes."""
    return (json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
