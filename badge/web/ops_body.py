"""The JSON body of a report → a catalogue event; every fault of a body at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from badge.catalogue.events import RunEvent
from badge.model import BackupStatus, InvalidSubject, Reason, Subject, Visibility


class BadBody(ValueError):
    """What was sent is no report; the message names every fault."""


class ReportBody(BaseModel):
    """`POST /ops/status/report`: the native contract's fields that a reporter may say."""

    # Strict, so that a time is RFC 3339 text and a size is no text.
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, hide_input_in_errors=True
    )

    platform: str
    account: str
    subject_type: str
    subject_name: str
    status: BackupStatus
    observed_at: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    next_run_at: AwareDatetime | None = None
    stale_after: AwareDatetime | None = None
    size_bytes: int | None = None
    url: str | None = None
    reason: Reason | None = None
    visibility: Visibility | None = None
    enabled: bool | None = None


def read_event(raw: bytes, *, now: datetime) -> RunEvent:
    """The event that a body speaks of, `now` where it gives no time; raises `BadBody` or `InvalidEvent`."""
    try:
        body = ReportBody.model_validate_json(raw)
        subject = Subject.parse(body.platform, body.account, body.subject_type, body.subject_name)
    except InvalidSubject as invalid:
        raise BadBody(f"{invalid}.") from None
    except ValidationError as error:
        raise BadBody("; ".join(_fault(detail) for detail in error.errors()) + ".") from None
    return RunEvent(
        subject=subject,
        status=body.status,
        at=body.observed_at or now,
        started_at=body.started_at,
        finished_at=body.finished_at,
        size_bytes=body.size_bytes,
        next_run_at=body.next_run_at,
        stale_after=body.stale_after,
        url=body.url,
        reason=body.reason,
        visibility=body.visibility,
        enabled=body.enabled,
    )


def _fault(detail: Any) -> str:
    field = ".".join(str(part) for part in detail["loc"]) or "body"
    return f"{field}: {detail['msg']}"
