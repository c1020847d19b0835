"""Answers to requests that the edge has no thread for. They are made without I/O, and without waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl
from wsgiref.util import setup_testing_defaults

from flask import Flask
from werkzeug.datastructures import MultiDict

from badge.artwork.png import PngUnavailable
from badge.finished import FinishedAnswer, WholeResponse
from badge.model import Badge
from badge.raw_path import Audience
from badge.web.badges.answer import AnswerKind, fault_answer
from badge.web.badges.pictures import Pictures
from badge.web.badges.request import read_badge_request
from badge.web.badges.routes import BadgeParts, finished
from badge.web.errors import PROBLEM_TYPE, problem
from badge.web.page import message

RETRY_AFTER_SECONDS = 2


class _Predrawn(Pictures):
    """Draws no PNG, so that the predrawn one of the status is used."""

    def png(self, badge: Badge, scale: int, *, is_shared: bool, patience: float = 0.0) -> bytes:
        del badge, scale, is_shared, patience
        raise PngUnavailable


@dataclass
class Refusals:
    """Answers requests for badges with `unknown`, and all others with a 503."""

    parts: BadgeParts
    site: Flask
    _others: dict[Audience, WholeResponse] = field(init=False)

    def __post_init__(self) -> None:
        headers = [("Retry-After", str(RETRY_AFTER_SECONDS)), ("Cache-Control", "no-store")]
        body = problem(503, "OVERLOADED", "Too many requests at once; try again shortly.")
        for_programs = WholeResponse(503, [*headers, ("Content-Type", PROBLEM_TYPE)], body)
        self._others = dict.fromkeys(Audience, for_programs) | {Audience.PEOPLE: self._page()}

    def badge(self, target: str) -> FinishedAnswer:
        """Return `unknown` with a short lifetime, in the format that the target asks for."""
        environ = {"RAW_URI": target}
        query = MultiDict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
        wanted = read_badge_request(environ, query, self.parts.default_label)
        kind = AnswerKind.INVALID if wanted.fault else AnswerKind.UNAVAILABLE
        made = fault_answer(wanted, kind, self.parts.clock(), _Predrawn())
        return finished(self.parts.metrics, wanted, made)

    def other(self, audience: Audience) -> WholeResponse:
        """Return a 503 with Retry-After: a page for people, else a problem document."""
        return self._others[audience]

    def _page(self) -> WholeResponse:
        environ: dict[str, object] = {}
        setup_testing_defaults(environ)  # unlike `test_request_context`, loads no debugger (0.4 MB)
        with self.site.request_context(environ):
            page = message(503, "Too many requests at once", "Wait a few seconds, then reload the page.")
            page.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return WholeResponse(503, list(page.headers.items()), page.get_data())
