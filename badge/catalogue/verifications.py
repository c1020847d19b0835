"""A subject's verifications, and the order that decides which of them is the latest.

The last verification with each outcome is stored. The order is that of runs (`badge.catalogue.history`):

- Each accepted event gets the subject's next sequence number. An event without a time counts as the latest when it
  arrives, whatever any clock says.
- An event with a time is placed below the stored verification of the other outcome if that one is later. Two reported
  times are compared exactly, and a failure wins a tie.
- A verification that was reported without a time has only a time of receipt, and the clock of the host that received it
  may be wrong. A failure is therefore never placed below such a pass. A pass with a time is placed above such a failure
  only if that time is later than the receipt.
- A stored time more than `CLOCK_TOLERANCE` ahead of now counts as unknown.
- Deleting a subject removes its verifications, because they say nothing about backups made afterwards. For the same
  reason, a pass that arrives while the subject is deleted is not stored.

Therefore only a later pass replaces a failure. If all times are reported, it makes no difference in which order, or how
often, the events arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from badge.catalogue.events import ReportedVerification
from badge.catalogue.schema import verifications
from badge.model import CLOCK_TOLERANCE, Verification, VerificationMethod, VerificationOutcome, is_ahead

NO_VERIFICATION: dict[str, object] = {"verification": None, "verified_at": None, "verified_how": None}
"""The columns of a subject without a verification."""


@dataclass(frozen=True, slots=True)
class StoredVerification:
    """A verification, and its place in the order of the subject's verifications."""

    outcome: VerificationOutcome
    sequence: int
    at: datetime
    """As reported, or when it was received."""
    is_time_reported: bool
    how: VerificationMethod | None

    def ended_after(self, event: ReportedVerification, now: datetime) -> bool:
        """Whether this verification ended after an event that has the opposite outcome and a reported time."""
        assert event.at is not None
        if is_ahead(self.at, now):
            return False
        if self.outcome is VerificationOutcome.FAILED:
            return event.at <= self.at
        return self.is_time_reported and event.at < self.at

    def includes(self, event: ReportedVerification, now: datetime, *, is_latest: bool) -> bool:
        """Whether an event with the same outcome and a reported time repeats this verification or is older."""
        assert event.at is not None
        if is_ahead(self.at, now):
            return False
        if self.is_time_reported or is_latest:
            return event.at <= self.at
        return self.outcome is VerificationOutcome.PASSED and self.at - event.at > CLOCK_TOLERANCE


_STORED = tuple(verifications.c[name] for name in StoredVerification.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Verifications:
    """A subject's last verification with each outcome."""

    by_outcome: Mapping[VerificationOutcome, StoredVerification]

    @property
    def latest(self) -> StoredVerification | None:
        """The one that counts."""
        return max(self.by_outcome.values(), key=lambda stored: stored.sequence, default=None)

    def with_event(self, event: ReportedVerification, now: datetime) -> Verifications:
        """Return the verifications with this event added; unchanged if the stored one of this outcome is not older."""
        known = self.by_outcome.get(event.outcome)
        is_latest = known is not None and known is self.latest
        if event.at is not None and known is not None and known.includes(event, now, is_latest=is_latest):
            return self
        others = {outcome: other for outcome, other in self.by_outcome.items() if outcome is not event.outcome}
        sequence = max((stored.sequence for stored in self.by_outcome.values()), default=0) + 1
        is_reported = event.at is not None
        made = StoredVerification(event.outcome, sequence, event.at or now, is_reported, event.how)
        for outcome, other in others.items():
            if is_reported and not is_latest and other.ended_after(event, now):
                others[outcome] = replace(other, sequence=sequence + 1)
        return Verifications({**others, event.outcome: made})

    def counts(self, event: ReportedVerification) -> bool:
        """Whether the latest verification is the one in this event, rather than a later one."""
        latest = self.latest
        if latest is None or latest.outcome is not event.outcome:
            return False
        return event.at in (None, latest.at)

    @property
    def columns(self) -> dict[str, object]:
        """The columns of the subject's row, which `verification_in` reads."""
        if (latest := self.latest) is None:
            return NO_VERIFICATION
        how = latest.how and latest.how.value
        return {"verification": latest.outcome.value, "verified_at": latest.at, "verified_how": how}


def verification_in(row: Row[Any]) -> Verification | None:
    """Return the latest verification in a subject's row. Its time may be ahead of now; readers check that."""
    if row.verification is None:
        return None
    how = VerificationMethod(row.verified_how) if row.verified_how else None
    return Verification(VerificationOutcome(row.verification), row.verified_at, how)


def read_verifications(connection: Connection, subject_id: int) -> Verifications:
    """Return the verifications of the subject with this ID; its row has to be locked."""
    rows = connection.execute(select(*_STORED).where(verifications.c.subject_id == subject_id)).all()
    stored = (
        StoredVerification(
            VerificationOutcome(row.outcome),
            row.sequence,
            row.at,
            row.is_time_reported,
            VerificationMethod(row.how) if row.how else None,
        )
        for row in rows
    )
    return Verifications({one.outcome: one for one in stored})


def write_verifications(connection: Connection, subject_id: int, after: Verifications) -> None:
    """Replace the verifications of the subject with this ID."""
    connection.execute(delete(verifications).where(verifications.c.subject_id == subject_id))
    if after.by_outcome:
        rows = [{"subject_id": subject_id, **asdict(one)} for one in after.by_outcome.values()]
        connection.execute(insert(verifications), rows)
