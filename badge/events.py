"""Events inside the service, as frozen values; `telemetry` turns them into log lines and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from badge.model import BackupStatus, Origin


@dataclass(frozen=True, slots=True)
class CacheLost:
    """A command to the shared cache failed; it is the first failure of an outage."""

    operation: str
    error: str


@dataclass(frozen=True, slots=True)
class CacheRegained:
    """The first command after a shared-cache outage worked."""

    failures: int


@dataclass(frozen=True, slots=True)
class CacheCommandFailed:
    """One command to the shared cache failed; for a write, perhaps because the cache is full."""

    operation: str
    error: str


@dataclass(frozen=True, slots=True)
class CacheEntryRefused:
    """A cached value was rejected: foreign, tampered with, of another schema, or too far ahead of the clock."""

    reason: str


class FailureKind(StrEnum):
    """Why a source gave no answer: a closed set, so that no text from a source gets into logs or metrics."""

    # The connection.
    TIMEOUT = "timeout"
    CONNECT = "connect"
    TLS = "tls"
    RESET = "reset"
    TRUNCATED = "truncated"
    ENCODING = "badEncoding"
    TOO_LARGE = "tooLarge"
    REDIRECT = "redirect"
    # The HTTP status.
    BAD_REQUEST = "badRequest"
    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rateLimited"
    OVERLOADED = "overloaded"
    HTTP_1XX = "http1xx"
    HTTP_2XX = "http2xx"
    HTTP_3XX = "http3xx"
    HTTP_4XX = "http4xx"
    HTTP_5XX = "http5xx"
    HTTP_OTHER = "httpOther"
    # The document.
    NOT_JSON = "notJson"
    """The answer is not declared as JSON; usually it is a login page."""
    BAD_JSON = "badJson"
    DUPLICATE_NAME = "duplicateName"
    NOT_AN_OBJECT = "notAnObject"
    BAD_FIELD = "badField"
    OTHER_SUBJECT = "otherSubject"
    NOT_OK = "notOk"
    """The document itself reports an error."""
    NOT_UNIQUE = "notUnique"
    BAD_EXPRESSION = "badExpression"
    # The service itself.
    NO_SECRET = "noSecret"  # noqa: S105 - a kind of failure
    FILE_UNREADABLE = "fileUnreadable"
    DATABASE = "database"
    NO_LIST = "list"
    """No source could list its subjects."""

    @classmethod
    def of_http_status(cls, status: int) -> FailureKind:
        """Return the kind that names the status's class, such as `http4xx`."""
        return _HTTP_CLASSES.get(status // 100, cls.HTTP_OTHER)


_HTTP_CLASSES = {
    1: FailureKind.HTTP_1XX,
    2: FailureKind.HTTP_2XX,
    3: FailureKind.HTTP_3XX,
    4: FailureKind.HTTP_4XX,
    5: FailureKind.HTTP_5XX,
}


@dataclass(frozen=True, slots=True)
class SourceAnswered:
    """A source answered a call."""

    source: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """A call to a source failed, or its answer broke the contract."""

    source: str
    kind: FailureKind
    seconds: float = 0.0
    is_about_subject: bool = False
    """Only this subject is affected, so the failure says nothing about the source's health."""


@dataclass(frozen=True, slots=True)
class UnknownStatusReceived:
    """A source sent a status that is not one of the six or, with a recipe, not in its map."""

    source: str


@dataclass(frozen=True, slots=True)
class SubjectUnmatched:
    """No source matches the requested subject."""


class Refusal(StrEnum):
    """Why a source was not called."""

    BREAKER = "breaker"
    """Its circuit breaker is open: it failed several times in a row."""
    PAUSE = "pause"
    """It asked for a pause (Retry-After)."""
    RATE = "rate"
    NEW_SUBJECTS = "newSubjects"
    """The separate, lower rate for subjects never seen before is used up."""
    QUEUE = "queue"
    """The queue of waiting calls is full."""

    @property
    def is_outage(self) -> bool:
        """Whether the source itself is the cause, not our limits."""
        return self in (Refusal.BREAKER, Refusal.PAUSE)


@dataclass(frozen=True, slots=True)
class SourceCallSuppressed:
    """A source was not called because its limiter refused."""

    source: str
    why: Refusal


@dataclass(frozen=True, slots=True)
class CircuitBreakerMoved:
    """A circuit breaker opened or closed."""

    name: str
    is_open: bool


class FlightEnd(StrEnum):
    """How a flight ended, for every caller that waited for it."""

    FETCHED = "fetched"
    """This process called the source and got an answer."""
    SHARED = "shared"
    """Another process had fetched it already; its result was used."""
    FAILED = "failed"
    SUPPRESSED = "spared"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class FlightEnded:
    """A flight is over."""

    end: FlightEnd


class Wait(StrEnum):
    """Outcome for a caller that asked for a status that had to be fetched."""

    SERVED = "served"
    GAVE_UP = "gaveUp"
    """The deadline passed before there was a result."""
    NOT_ADMITTED = "notAdmitted"
    """The maximum number of callers was already waiting."""


@dataclass(frozen=True, slots=True)
class CallerWaited:
    """A caller asked for a status that had to be fetched."""

    how: Wait


@dataclass(frozen=True, slots=True)
class RefreshBegun:
    """An expired status was served, and a new report is being fetched in the background."""


@dataclass(frozen=True, slots=True)
class BadgeServed:
    """A badge request was answered."""

    format: str
    status: BackupStatus
    origin: Origin
    http_status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was refused.

    All threads for its kind were busy and their queue was full, or request bodies took too much memory.
    """

    kind: str


@dataclass(frozen=True, slots=True)
class PingAnswered:
    """A ping was accepted or refused."""

    signal: str
    http_status: int


@dataclass(frozen=True, slots=True)
class CatalogueFailed:
    """The catalogue's database failed, so a client was asked to retry later, or a status or list was unavailable."""

    operation: str
    error: str
    """Name of the error's class in the driver, or SQLite's result code; never its text, which may hold secrets."""
    reason: str
    """What that means, from a closed list of sentences."""


@dataclass(frozen=True, slots=True)
class AnswerCrashed:
    """A bug: an unexpected exception. `where` says in which part; badge requests still get an image."""

    where: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class StoredTimesAhead:
    """A subject has stored times ahead of now: this host's clock is wrong, or another's was."""


class LogInEnd(StrEnum):
    """How an attempt to log in to the dashboard ended."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    FORGED = "forged"
    """The form or the provider's answer was invalid, or was meant for another browser."""
    THROTTLED = "throttled"
    """There were too many failed attempts."""
    NO_PROVIDER = "noProvider"


@dataclass(frozen=True, slots=True)
class LogInTried:
    """A login to the dashboard was attempted."""

    end: LogInEnd


@dataclass(frozen=True, slots=True)
class WatchBegun:
    """This process has the lease and has scanned all subjects; it watches for changes from now on."""


@dataclass(frozen=True, slots=True)
class WatchFailed:
    """The watcher can't work at the moment; it will retry."""

    reason: str
    """One sentence for operators, without addresses or secrets."""


@dataclass(frozen=True, slots=True)
class SubjectsUnwatched:
    """There are more subjects than may be watched, or the list can't be read to its end."""

    watched: int


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """A channel accepted a message."""

    channel: str


@dataclass(frozen=True, slots=True)
class MessageNotDelivered:
    """A channel did not accept a message; it is sent again later."""

    channel: str
    failure: str


@dataclass(frozen=True, slots=True)
class MessagesGivenUp:
    """Messages were not accepted in time, or too many were waiting; these are not sent again."""

    number: int


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
    | RequestRefused
    | PingAnswered
    | CatalogueFailed
    | AnswerCrashed
    | LogInTried
    | StoredTimesAhead
    | WatchBegun
    | WatchFailed
    | SubjectsUnwatched
    | MessageDelivered
    | MessageNotDelivered
    | MessagesGivenUp
)
