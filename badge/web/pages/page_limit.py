"""Limits how many pages one process builds at a time, so that slow ones leave threads for badges."""

from __future__ import annotations

import threading
from dataclasses import InitVar, dataclass, field
from typing import Any

from flask import Blueprint, Response, g, request

from badge.events import PageRefused
from badge.ports import Events
from badge.web.page import message

RETRY_AFTER_SECONDS = 2

_ADMITTED = "page_admitted"


@dataclass
class PageLimit:
    """Answers with a 503 while the maximum number of pages is being built."""

    events: Events
    most: InitVar[int]
    unlimited: frozenset[str]
    """Endpoints that only send a file."""
    _free: threading.Semaphore = field(init=False)

    def __post_init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)

    def apply_to(self, pages: Blueprint) -> None:
        """Apply the limit to all views of the blueprint."""
        pages.before_request(self._admit)
        pages.teardown_request(self._release)

    def _admit(self) -> Response | None:
        if request.endpoint in self.unlimited:
            return None
        if self._free.acquire(blocking=False):
            setattr(g, _ADMITTED, True)
            return None
        self.events.emit(PageRefused())
        answer = message(503, "Too many requests at once", "Wait a few seconds, then reload the page.")
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return answer

    def _release(self, _: Any) -> None:
        if g.pop(_ADMITTED, None):
            self._free.release()
