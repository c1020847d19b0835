"""What happens inside, as frozen facts; logs and metrics are made of them at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from badge.model import BackupStatus, Origin


@dataclass(frozen=True, slots=True)
class CacheLost:
    """The first failed command of an outage of the shared cache."""

    operation: str
    error: str


@dataclass(frozen=True, slots=True)
class CacheRegained:
    """The first command that worked after an outage."""

    failures: int


@dataclass(frozen=True, slots=True)
class CacheCommandFailed:
    """One command to the shared cache did not come through; a write may also find it full."""

    operation: str
    error: str


@dataclass(frozen=True, slots=True)
class CacheEntryRefused:
    """A value in the cache was not one of ours: poisoned, foreign or of another schema."""

    reason: str


@dataclass(frozen=True, slots=True)
class SourceAnswered:
    """A source was asked and gave an answer."""

    source: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """A source could not be asked, or did not answer in its contract."""

    source: str
    kind: str
    seconds: float = 0.0
    is_about_subject: bool = False
    """Only this question failed, and nothing follows for the source."""


@dataclass(frozen=True, slots=True)
class UnknownStatusReceived:
    """A source used a status word that is none of ours; it counts as unknown."""

    source: str


@dataclass(frozen=True, slots=True)
class SubjectUnmatched:
    """No source claims the subject that was asked for."""


class Refusal(StrEnum):
    """Why a source was not asked."""

    BREAKER = "breaker"
    """It failed several times in a row just now."""
    PAUSE = "pause"
    """It told us when to come back (Retry-After)."""
    RATE = "rate"
    NEW_SUBJECTS = "newSubjects"
    """The smaller rate, of subjects never seen, is used up."""
    QUEUE = "queue"
    """As many questions as may wait are waiting."""

    @property
    def is_outage(self) -> bool:
        """Whether the source itself is the reason."""
        return self in (Refusal.BREAKER, Refusal.PAUSE)


@dataclass(frozen=True, slots=True)
class SourceCallSuppressed:
    """A source was not asked, to keep within what it may be asked."""

    source: str
    why: Refusal


@dataclass(frozen=True, slots=True)
class CircuitBreakerMoved:
    """Something that kept failing is no longer asked, or is asked again."""

    name: str
    is_open: bool


class FlightEnd(StrEnum):
    """How one attempt to find out a status ended, for all who waited for it."""

    FETCHED = "fetched"
    """The source answered this process."""
    SHARED = "shared"
    """Another process had asked; its result served."""
    FAILED = "failed"
    SUPPRESSED = "spared"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class FlightEnded:
    """One attempt to find out a status is over."""

    end: FlightEnd


class Wait(StrEnum):
    """What became of a caller whose badge was not at hand."""

    SERVED = "served"
    GAVE_UP = "gaveUp"
    """The time was over before there was a result."""
    NOT_ADMITTED = "notAdmitted"
    """As many as may wait were waiting."""


@dataclass(frozen=True, slots=True)
class CallerWaited:
    """A caller had to be told without a badge at hand."""

    how: Wait


@dataclass(frozen=True, slots=True)
class RefreshBegun:
    """What was no longer fresh was shown, and a new report is being fetched behind it."""


@dataclass(frozen=True, slots=True)
class BadgeServed:
    """One answer under /badge/ has left."""

    format: str
    status: BackupStatus
    origin: Origin
    http_status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PingAnswered:
    """A ping was taken, or refused."""

    signal: str
    http_status: int


@dataclass(frozen=True, slots=True)
class AnswerCrashed:
    """A bug: an exception nobody expected was turned into the image "unknown"."""

    where: str
    error: BaseException


class LogInEnd(StrEnum):
    """How an attempt to log in to the dashboard ended."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    FORGED = "forged"
    """The form, or the provider's answer, was not for this browser, or did not hold."""
    NO_PROVIDER = "noProvider"


@dataclass(frozen=True, slots=True)
class LogInTried:
    """Somebody tried to log in to the dashboard."""

    end: LogInEnd


Event = (
    CacheLost
    | CacheRegained
    | CacheCommandFailed
    | CacheEntryRefused
    | SourceAnswered
    | SourceFailed
    | UnknownStatusReceived
    | SubjectUnmatched
    | SourceCallSuppressed
    | CircuitBreakerMoved
    | FlightEnded
    | CallerWaited
    | RefreshBegun
    | BadgeServed
    | PingAnswered
    | AnswerCrashed
    | LogInTried
)
