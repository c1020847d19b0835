"""Pings, compatible with Healthchecks (docs/how-to/pings.md): a job reports that it started, succeeded or failed.

A ping URL is a secret. With one that holds a check's UUID, anyone can report the backups of that check's subject; with
one that holds an API key, those of every check that the key covers. Answers are the short fixed texts that clients of
this protocol expect.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.checks import Checks
from badge.catalogue.events import ReportedVerification, RunEvent, VerificationEvent
from badge.catalogue.faults import failure
from badge.catalogue.keys import ApiKeys, KeyRefused, Scope
from badge.catalogue.store import Catalogue
from badge.events import PingAnswered, StoredTimesAhead
from badge.model import BackupStatus, Subject, VerificationMethod, VerificationOutcome
from badge.ports import Clock, Events
from badge.web.intake.rates import KeyRate

PING_ROOT = "/ping/"
LARGEST_BODY = 128 * 1024
"""In bytes; a log in the body is read and discarded. borgmatic sends up to 100,000 bytes."""
ADVERTISED_BODY = 10_000
"""In bytes: Healthchecks' default. Clients that honour `Ping-Body-Limit` cut their logs to this size."""
LARGEST_EXIT_STATUS = 255

PING_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Signal(StrEnum):
    """The meaning of a ping. The value is the end of its path, except for a success, whose path has no such suffix."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"
    LOG = "log"
    VERIFIED = "verified"
    NOT_VERIFIED = "verified/fail"


_STATUS = {
    Signal.SUCCESS: BackupStatus.SUCCEEDED,
    Signal.START: BackupStatus.IN_PROGRESS,
    Signal.FAIL: BackupStatus.FAILED,
}

_OUTCOME = {
    Signal.VERIFIED: VerificationOutcome.PASSED,
    Signal.NOT_VERIFIED: VerificationOutcome.FAILED,
}


class PingRefused(Exception):
    """Raised to answer with an error."""

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after


@dataclass(frozen=True, slots=True)
class PingIntake:
    """The views of /ping."""

    catalogue: Catalogue
    checks: Checks
    keys: ApiKeys
    clock: Clock
    events: Events
    rate: KeyRate
    on_change: Callable[[Subject], None]
    """Called with each subject whose status changed."""

    def by_uuid(self, uuid: str) -> Response:
        """/ping/{uuid}: a success."""
        return self._answer(Signal.SUCCESS, uuid)

    def by_two_segments(self, first: str, second: str) -> Response:
        """/ping/{uuid}/{signal}, or /ping/{key}/{slug} for a success."""
        if _as_uuid(first) is None:
            return self._answer(Signal.SUCCESS, first, slug=second)
        return self._answer(_signal(second), first)

    def by_three_segments(self, first: str, second: str, third: str) -> Response:
        """/ping/{uuid}/verified/{signal}, or /ping/{key}/{slug}/{signal}."""
        if _as_uuid(first) is not None and second == Signal.VERIFIED:
            return self._answer(_signal(f"{second}/{third}"), first)
        return self._answer(_signal(third), first, slug=second)

    def verified_by_slug(self, key: str, slug: str, signal: str) -> Response:
        """/ping/{key}/{slug}/verified/{signal}."""
        return self._answer(_signal(f"{Signal.VERIFIED}/{signal}"), key, slug)

    def _answer(self, signal: Signal | None, secret: str, slug: str | None = None) -> Response:
        """Record a ping. `secret` is an API key if there is a slug, otherwise a check's UUID."""
        try:
            signal_sent, run_id = _require(signal), _run_id()
            subject = self._subject_by_uuid(secret) if slug is None else self._subject_by_slug(secret, slug)
            self._record(subject, signal_sent, run_id)
            headers = {**PING_HEADERS, "Ping-Body-Limit": str(ADVERTISED_BODY)}
            response = Response("OK", 200, headers, content_type="text/plain; charset=utf-8")
        except PingRefused as refused:
            response = _refusal(refused)
        except SQLAlchemyError as error:
            self.events.emit(failure("ping", error))
            response = _refusal(PingRefused(503, "unavailable", retry_after=5))
        _drain()
        self.events.emit(PingAnswered(signal.value if signal else "none", response.status_code))
        return response

    def _record(self, subject: Subject, signal: Signal, run_id: str | None) -> None:
        if not self.rate.admits(str(subject)):
            raise PingRefused(429, "rate limited", retry_after=60)
        event = _event_of(signal, subject, run_id)
        if event is None:
            return
        recorded = self.catalogue.record(event)
        if recorded.is_ahead:
            self.events.emit(StoredTimesAhead())
        if recorded.changed:
            self.on_change(subject)

    def _subject_by_uuid(self, given: str) -> Subject:
        uuid = _as_uuid(given)
        subject = self.checks.subject_pinged(uuid) if uuid else None
        if subject is None:
            raise PingRefused(404, "not found")
        return subject

    def _subject_by_slug(self, key: str, slug: str) -> Subject:
        try:
            grant = self.keys.check(key, Scope.PING, self.clock())
        except KeyRefused:
            # The same answer as for an unknown slug, so that guessing reveals nothing.
            raise PingRefused(404, "not found") from None
        found = self.checks.subjects_with_slug(slug, grant.subjects)
        if len(found) > 1:
            raise PingRefused(409, "ambiguous slug")
        if not found:
            raise PingRefused(404, "not found")
        return found[0]


def blueprint(intake: PingIntake) -> Blueprint:
    """The routes under /ping."""
    ping = Blueprint("ping", __name__)
    methods = ["GET", "POST"]  # and HEAD
    ping.add_url_rule(f"{PING_ROOT}<uuid>", "uuid", intake.by_uuid, methods=methods)
    ping.add_url_rule(f"{PING_ROOT}<first>/<second>", "two", intake.by_two_segments, methods=methods)
    ping.add_url_rule(f"{PING_ROOT}<first>/<second>/<third>", "three", intake.by_three_segments, methods=methods)
    verified = f"{PING_ROOT}<key>/<slug>/{Signal.VERIFIED}/<signal>"
    ping.add_url_rule(verified, "verified", intake.verified_by_slug, methods=methods)
    return ping


def _signal(word: str) -> Signal | None:
    """Return the signal for the end of a path, which is a signal's name or a program's exit status."""
    if word in tuple(Signal) and word != Signal.SUCCESS:
        return Signal(word)
    is_verification, number = word.startswith(f"{Signal.VERIFIED}/"), word.removeprefix(f"{Signal.VERIFIED}/")
    if not re.fullmatch(r"[0-9]{1,3}", number) or int(number) > LARGEST_EXIT_STATUS:
        return None
    if is_verification:
        return Signal.NOT_VERIFIED if int(number) else Signal.VERIFIED
    return Signal.FAIL if int(number) else Signal.SUCCESS


def _require(signal: Signal | None) -> Signal:
    if signal is None:
        raise PingRefused(400, "invalid url format")
    return signal


def _event_of(signal: Signal, subject: Subject, run_id: str | None) -> RunEvent | VerificationEvent | None:
    """Return what the ping reports; None for a log, which changes no status."""
    if (outcome := _OUTCOME.get(signal)) is not None:
        return VerificationEvent(subject, ReportedVerification(outcome, how=_method()))
    if (status := _STATUS.get(signal)) is not None:
        return RunEvent(subject=subject, status=status, run_id=run_id)
    return None


def _run_id() -> str | None:
    """Return the client's ID of this run, which distinguishes overlapping runs."""
    given = request.args.get("rid")
    if given is None:
        return None
    if (run_id := _as_uuid(given)) is None:
        raise PingRefused(400, "invalid uuid format")
    return run_id


def _method() -> VerificationMethod | None:
    """Return how the backup was verified, if the client says so."""
    given = request.args.get("how")
    if given is not None and given not in tuple(VerificationMethod):
        raise PingRefused(400, "how must be 'restored' or 'checked'")
    return VerificationMethod(given) if given else None


def _as_uuid(given: str) -> str | None:
    """Return the UUID in canonical form; Python's parser would accept braces and more."""
    return given.lower() if _UUID.fullmatch(given.lower()) else None


def _drain() -> None:
    """Read and discard the body, because clients treat a connection cut during the upload as a failed ping.

    The ping counts even if the body can't be read. A body beyond `LARGEST_BODY` may be cut off.
    """
    request.max_content_length = LARGEST_BODY
    with contextlib.suppress(Exception):  # each server has its own errors for broken bodies
        while request.stream.read(16 * 1024):
            pass


def _refusal(refused: PingRefused) -> Response:
    headers = dict(PING_HEADERS)
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    return Response(f"({refused.message})", refused.status, headers, content_type="text/plain; charset=utf-8")
