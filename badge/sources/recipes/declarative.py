"""A status source for any HTTP API with JSON answers, described by a recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from badge.deadline import Deadline
from badge.events import FailureKind, UnknownStatusReceived
from badge.model import (
    BackupStatus,
    Report,
    Subject,
    Visibility,
)
from badge.ports import CacheKey, Clock, Events, SourceUnavailable
from badge.sources.http.answer import unavailable, validator_of
from badge.sources.http.authentication import Authentication, Signed, json_of
from badge.sources.http.messages import HttpAnswer, HttpRequest
from badge.sources.http.request import describe_answer, describe_request
from badge.sources.http.trace import Trace, no_trace
from badge.sources.http.transport import HttpTransport
from badge.sources.recipes.ageing import aged
from badge.sources.recipes.expression import ExpressionFailed
from badge.sources.recipes.reading import Reader, Reading
from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.request import follow_up_request, request_for
from badge.sources.recipes.template import NothingToAsk, names_of
from badge.sources.subject_matcher import SubjectMatcher

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarativeSource:
    """Queries one system as its recipe describes."""

    name: str
    place: str
    base_url: str
    recipe: Recipe
    matcher: SubjectMatcher
    authentication: Authentication
    transport: HttpTransport
    clock: Clock
    events: Events
    identity: str = field(repr=False)
    """Identifies the rules by which answers are read; it changes whenever they do."""
    folds: bool = False
    is_private: bool = False

    def cache_key(self, subject: Subject) -> CacheKey:
        """Return the subject's key; case matters unless the configuration says otherwise."""
        return self.matcher.place_within(self.place, subject), *subject.key(fold_case=self.folds)

    def is_local(self, subject: Subject) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: the system is reached over a network."""
        return False

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """Return the system's current report; raises `SourceUnavailable` and nothing else."""
        return self.explain(subject, known, deadline, no_trace)

    def explain(self, subject: Subject, known: Report | None, deadline: Deadline, trace: Trace) -> Report:
        """Fetch as `fetch` does, and trace each step."""
        names = names_of(subject, self.matcher.values_for(subject))
        try:
            reading = self._reading(names, known, deadline, trace)
        except NothingToAsk:
            trace("the value of a placeholder is empty or unusable: no such subject")
            return Report.absent(self.clock())
        except ExpressionFailed:
            raise SourceUnavailable(FailureKind.BAD_EXPRESSION, is_about_subject=True) from None
        for step in reading.steps:
            trace(step)
        if reading.has_unknown_status:
            self.events.emit(UnknownStatusReceived(self.name))
        report = reading.report_after(known)
        return replace(report, visibility=Visibility.PRIVATE) if self.is_private else report

    def _reading(self, names: Mapping[str, str], known: Report | None, deadline: Deadline, trace: Trace) -> Reading:
        request = request_for(self.base_url, self.recipe, names)
        fingerprint = self._fingerprint(request, names)
        etag = self._etag_of(known, fingerprint)
        confirmed = known if etag is not None else None
        if etag is not None:
            request = request.with_headers({"If-None-Match": etag})

        def interpret(answer: HttpAnswer) -> Reading:
            if answer.status == 304 and confirmed is not None:
                now = self.clock()
                # A 304 has no body with the time by the system's own clock, so ours is used instead.
                return Reading(
                    aged(replace(confirmed, observed_at=now), self.recipe, now, now), steps=["HTTP 304: unchanged"]
                )
            reading = self._interpreted(answer, names, deadline, trace)
            etag = validator_of(answer.headers) if answer.status == 200 else None
            return reading if etag is None else _validated(reading, f"{fingerprint} {etag}")

        return self._exchange(request, interpret, deadline, trace)

    def _exchange(
        self, request: HttpRequest, interpret: Callable[[HttpAnswer], _Read], deadline: Deadline, trace: Trace
    ) -> _Read:
        """Send the request and interpret the answer; if the credentials are refused, log in again and retry once."""
        signed = self.authentication.sign(request, deadline)
        for line in describe_request(request, signed.request):
            trace(line)
        try:
            return interpret(self._answer(signed, deadline, trace))
        except SourceUnavailable as refused:
            is_refused = refused.kind == FailureKind.UNAUTHORISED
            renewed = self.authentication.sign_anew(request, signed, deadline) if is_refused else None
            if renewed is None:
                raise
        trace("credentials refused: logged in again, repeating the request")
        return interpret(self._answer(renewed, deadline, trace))

    def _answer(self, signed: Signed, deadline: Deadline, trace: Trace) -> HttpAnswer:
        answer = self.transport.ask(signed.request, deadline)
        for line in describe_answer(answer):
            trace(line)
        return answer

    def _interpreted(self, answer: HttpAnswer, names: Mapping[str, str], deadline: Deadline, trace: Trace) -> Reading:
        now, meanings = self.clock(), self.recipe.http
        match answer.status:
            case 200:
                document = json_of(answer, is_about_subject=True)
                then = self._follow_up(document, names, deadline, trace)
                return Reader(self.recipe, self.folds).read(document, names, now, then)
            case status if status in meanings.absent:
                return Reading(Report.absent(now), steps=["http: no such subject"])
            case status if status in meanings.gone:
                report = Report(status=BackupStatus.DELETED, observed_at=now)
                return Reading(report, steps=["http: gone"], knows_visibility=self.recipe.fields.private is None)
            case _:
                raise self._refusal(answer, now)

    def _follow_up(self, document: object, names: Mapping[str, str], deadline: Deadline, trace: Trace) -> object:
        """Return the answer to the follow-up request, or None if there is none to send or it gets a 404."""
        request = follow_up_request(self.base_url, self.recipe, document, names)
        if request is None:
            return None

        def interpret(answer: HttpAnswer) -> object:
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise self._refusal(answer, self.clock())
            return json_of(answer, is_about_subject=True)

        return self._exchange(request, interpret, deadline, trace)

    def _refusal(self, answer: HttpAnswer, now: datetime) -> SourceUnavailable:
        is_login = answer.status in self.recipe.http.auth
        return (
            SourceUnavailable(FailureKind.UNAUTHORISED) if is_login else unavailable(answer.status, answer.headers, now)
        )

    def _fingerprint(self, request: HttpRequest, names: Mapping[str, str]) -> str:
        """Return a digest to store with an ETag, which is only valid for the same request, rules and names."""
        read_by = f"{self.identity} {request.url} {request.body!r} {sorted(names.items())}"
        return hashlib.sha256(read_by.encode()).hexdigest()[:12]

    def _etag_of(self, known: Report | None, fingerprint: str) -> str | None:
        stored, _, etag = (known.validator or "").partition(" ") if known is not None else ("", "", "")
        # A 304 to the first of two requests would say nothing about the answer to the second.
        is_usable = self.recipe.then is None and (self.recipe.request is None or self.recipe.request.method == "GET")
        return etag if etag and is_usable and stored == fingerprint else None


def _validated(reading: Reading, validator: str) -> Reading:
    return replace(reading, report=replace(reading.report, validator=validator))
