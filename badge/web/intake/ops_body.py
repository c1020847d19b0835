"""Parses requests to /ops, from JSON or the query, and reports all faults at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from badge.catalogue.events import ReportedVerification, RunEvent, VerificationEvent
from badge.contract import coordinates_of, format_time, parse_time, unless_never, verification_fields
from badge.listing import ListingFilter
from badge.model import (
    BackupStatus,
    InvalidSubject,
    Reason,
    Subject,
    VerificationMethod,
    VerificationOutcome,
    Visibility,
    status_named,
)
from badge.validation import problem_of

LARGEST_BATCH = 100
LARGEST_PAGE = 100

Body = TypeVar("Body", bound=BaseModel)


Moment = Annotated[AwareDatetime | None, AfterValidator(unless_never)]
"""A time; as everywhere in the contract, a zero time means "never" and counts as missing."""


def _as_spelt(status: object) -> object:
    return (status_named(status) if isinstance(status, str) else None) or status


class BadBody(ValueError):
    """The request does not follow the contract; the message names every fault."""


class _Contract(BaseModel):
    # Strict, so that a time must be RFC 3339 text and a size can't be text; aliases are the contract's names.
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, hide_input_in_errors=True
    )


class SubjectBody(_Contract):
    """A subject's coordinates: the body of `POST /ops/status/get`, as in Cloudback's /ops/definition/get."""

    platform: str
    account: str
    subject_type: str
    subject_name: str

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> SubjectBody:
        """Read the coordinates from a query; missing ones are empty, which `subject` refuses."""
        return cls.model_construct(
            platform=query.get("platform", ""),
            account=query.get("account", ""),
            subject_type=query.get("subjectType", ""),
            subject_name=query.get("subjectName", ""),
        )

    @property
    def subject(self) -> Subject:
        """The subject with these coordinates; raises `InvalidSubject`."""
        missing = [name for name, value in self.model_dump(by_alias=True).items() if value == ""]
        if missing:
            raise InvalidSubject(f"missing: {', '.join(missing)}")
        return Subject.parse(self.platform, self.account, self.subject_type, self.subject_name)


class Batch(_Contract):
    """The body of `POST /ops/status/batch`."""

    subjects: Annotated[list[SubjectBody], Field(max_length=LARGEST_BATCH)]


class ReportBody(SubjectBody):
    """The body of `POST /ops/status/report`: the fields of a status that a reporter may set."""

    status: Annotated[BackupStatus | None, BeforeValidator(_as_spelt)] = None
    observed_at: Moment = None
    started_at: Moment = None
    finished_at: Moment = None
    next_run_at: Moment = None
    stale_after: Moment = None
    size_bytes: int | None = None
    url: str | None = None
    reason: Reason | None = None
    visibility: Visibility | None = None
    enabled: bool | None = None
    verification: VerificationOutcome | None = None
    verified_at: Moment = None
    verified_how: VerificationMethod | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.verification is None and (self.verified_at or self.verified_how):
            raise ValueError('verifiedAt and verifiedHow require the field verification ("passed" or "failed")')
        about_run = [to_camel(name) for name in _RUN_FIELDS if getattr(self, name) is not None]
        if self.status is None and (about_run or self.verification is None):
            if not about_run:
                raise ValueError("give status, verification or both")
            raise ValueError(f"status is missing; {', '.join(about_run)} can't be reported without it")
        return self

    @property
    def reported_verification(self) -> ReportedVerification | None:
        """The verification, if there is one; raises `InvalidEvent`."""
        if self.verification is None:
            return None
        return ReportedVerification(self.verification, self.verified_at, self.verified_how)


# The fields that reports and run events share, under the same names.
_SHARED_FIELDS = [
    name for name in ReportBody.model_fields if name in RunEvent.__dataclass_fields__ and name != "verification"
]
_RUN_FIELDS = ["observed_at", *(name for name in _SHARED_FIELDS if name not in ("status", "visibility"))]


class ListQuery(BaseModel):
    """The query of `GET /ops/status/list`."""

    model_config = ConfigDict(frozen=True)

    filter: ListingFilter
    cursor: str | None
    limit: int

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> ListQuery:
        """Read the query, ignoring unknown parameters; raises `ValueError` with every fault."""
        faults = []
        status, since, limit = query.get("status"), query.get("updatedSince"), query.get("limit", str(LARGEST_PAGE))
        if status and status not in tuple(BackupStatus):
            faults.append(f"status must be one of {', '.join(BackupStatus)}")
        if since and parse_time(since) is None:
            faults.append("updatedSince must be an RFC 3339 time with a zone")
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= LARGEST_PAGE):
            faults.append(f"limit must be a number from 1 to {LARGEST_PAGE}")
        if faults:
            raise ValueError("; ".join(faults) + ".")
        narrowed = ListingFilter(
            platform=query.get("platform") or None,
            account=query.get("account") or None,
            status=BackupStatus(status) if status else None,
            updated_since=parse_time(since),
        )
        return cls(filter=narrowed, cursor=query.get("cursor") or None, limit=int(limit))


def read_body(kind: type[Body], raw: bytes) -> Body:
    """Parse a body from JSON; raises `BadBody`."""
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise BadBody("; ".join(_fault(detail) for detail in error.errors()) + ".") from None


def read_event(raw: bytes) -> RunEvent | VerificationEvent:
    """Parse an event; raises `BadBody` or `InvalidEvent`."""
    body = read_body(ReportBody, raw)
    try:
        subject = body.subject
    except InvalidSubject as invalid:
        raise BadBody(f"{invalid}.") from None
    verification = body.reported_verification
    if body.status is None:
        assert verification is not None  # the body was validated
        return VerificationEvent(subject, verification, body.visibility)
    shared = {name: getattr(body, name) for name in _SHARED_FIELDS}
    return RunEvent(subject=subject, at=body.observed_at, verification=verification, **shared)


def event_document(event: RunEvent | VerificationEvent) -> dict[str, object]:
    """Return the body that `read_event` parses into this event."""
    body: dict[str, object] = {**coordinates_of(event.subject), "visibility": event.visibility}
    if isinstance(event, RunEvent):
        body |= {"observedAt": event.at, **{to_camel(name): getattr(event, name) for name in _SHARED_FIELDS}}
    body |= verification_fields(event.verification)
    return {
        name: format_time(value) if isinstance(value, datetime) else value
        for name, value in body.items()
        if value is not None
    }


def _fault(detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"]) or "body"
    return f"{where}: {problem_of(detail)}"
