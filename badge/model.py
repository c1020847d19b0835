"""The values everything else speaks of: subjects, reports, resolutions, badges, events.

Standard library only, all frozen: a value made once is true everywhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, unquote_to_bytes

# The spelling that is shown; input is matched without case, anything else is let through as it is.
KNOWN_PLATFORMS = ("GitHub", "GitLab", "AzureDevOps", "Bitbucket", "Linear")
KNOWN_TYPES = ("Repository", "Project", "Workspace")

# Platforms that compare accounts and names without case themselves.
CASELESS_PLATFORMS = frozenset({"github", "gitlab", "azuredevops"})

MAX_PLATFORM, MAX_ACCOUNT, MAX_TYPE, MAX_NAME = 64, 255, 64, 1024
MAX_NAME_BYTES = 3 * 1024

# Unicode's bidirectional formatting characters (UAX #9 table 4): they reorder the text around them.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class InvalidSubject(ValueError):
    """The coordinates can't name a subject; the message says which part and why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is backed up. Build it with `parse`, `legacy` or `from_path`, which validate."""

    platform: str
    account: str
    type: str
    name: str

    @classmethod
    def parse(cls, platform: str, account: str, type: str, name: str) -> Subject:
        """The subject with these coordinates, NFC-normalised; raises `InvalidSubject`."""
        return cls(
            platform=_canonical_spelling(_part("platform", platform, MAX_PLATFORM), KNOWN_PLATFORMS),
            account=_part("account", account, MAX_ACCOUNT),
            type=_canonical_spelling(_part("type", type, MAX_TYPE), KNOWN_TYPES),
            name=_part("name", name, MAX_NAME),
        )

    @classmethod
    def legacy(cls, owner: str, repository: str) -> Subject:
        """The GitHub repository that the two-part URL means; raises `InvalidSubject`."""
        return cls.parse("GitHub", owner, "Repository", repository)

    @classmethod
    def from_path(cls, raw_path: str) -> Subject:
        """The subject that a raw, still percent-encoded path names; raises `InvalidSubject`.

        Two segments are the legacy form, four or more the long one, whose name is all that follows
        the type. Segments are split before they are decoded, so `%2F` stays inside its segment.
        """
        segments = [decode_segment(segment) for segment in raw_path.removesuffix("/").split("/")]
        return cls.from_segments(segments)

    @classmethod
    def from_segments(cls, segments: Sequence[str]) -> Subject:
        """The subject that decoded path segments name; raises `InvalidSubject`."""
        if len(segments) == 2:
            return cls.legacy(*segments)
        if len(segments) < 4:
            raise InvalidSubject("give owner/repository or platform/account/type/name")
        platform, account, type, *name = segments
        return cls.parse(platform, account, type, "/".join(name))

    @property
    def path(self) -> str:
        """The percent-encoded path in the long form; `from_path` reads it back."""
        head = (quote(part, safe="") for part in (self.platform, self.account, self.type))
        return "/".join((*head, quote(self.name, safe="/")))

    @property
    def legacy_path(self) -> str | None:
        """The percent-encoded short path, where there is one."""
        if (self.platform, self.type) != ("GitHub", "Repository") or "/" in self.name:
            return None
        return f"{quote(self.account, safe='')}/{quote(self.name, safe='')}"

    def key(self, *, fold_case: bool) -> tuple[str, str, str, str]:
        """What two spellings of one subject have in common.

        Platform and type are always compared without case; account and name only where the
        platform does and `fold_case` says that the source does so too.
        """
        platform, type = self.platform.lower(), self.type.lower()
        if fold_case and platform in CASELESS_PLATFORMS:
            return platform, self.account.lower(), type, self.name.lower()
        return platform, self.account, type, self.name

    def __str__(self) -> str:
        return f"{self.platform}/{self.account}/{self.type}/{self.name}"


def decode_segment(raw: str) -> str:
    """One percent-encoded path segment as text; raises `InvalidSubject` for what is not UTF-8."""
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError:
        raise InvalidSubject("the path is not UTF-8") from None


def _part(label: str, value: str, longest: int) -> str:
    text = unicodedata.normalize("NFC", value)
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise InvalidSubject(f"{label} has an empty part, '.' or '..'")
    if len(text) > longest:
        raise InvalidSubject(f"{label} is longer than {longest} characters")
    if any(character in BIDI_CONTROLS or _is_control(character) for character in text):
        raise InvalidSubject(f"{label} has a control character")
    # A lone surrogate (category Cs) has been refused above, so this can't raise.
    if len(text.encode()) > MAX_NAME_BYTES:
        raise InvalidSubject(f"{label} is longer than {MAX_NAME_BYTES} bytes")
    return text


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def _canonical_spelling(value: str, known: Sequence[str]) -> str:
    return next((word for word in known if word.lower() == value.lower()), value)


class BackupStatus(StrEnum):
    """The six statuses, by their spelling on the wire."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IN_PROGRESS = "inProgress"
    SCHEDULED = "scheduled"
    DELETED = "deleted"
    UNKNOWN = "unknown"


_SPELLINGS = {status.lower(): status for status in BackupStatus} | dict.fromkeys(
    ("in-progress", "in_progress", "in progress", "running"), BackupStatus.IN_PROGRESS
)


def status_named(text: str) -> BackupStatus | None:
    """Return the status that a person or a script means, in any case; None for other words.

    What an upstream says is read strictly: there a word of other spelling is not the contract's.
    """
    return _SPELLINGS.get(text.strip().lower())


class Visibility(StrEnum):
    """Whether a badge shows the subject's status to anybody."""

    PUBLIC = "public"
    PRIVATE = "private"


class Reason(StrEnum):
    """Why a backup failed: a closed set, never free text (native contract)."""

    STORAGE = "storage"
    ACCOUNT = "account"
    PLATFORM = "platform"
    INTERNAL = "internal"
    CANCELLED = "cancelled"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a source says of a subject. "There is no such subject" is one too (`absent`)."""

    status: BackupStatus
    observed_at: datetime
    """When this was true, by the source's clock. All times are aware, in UTC."""
    exists: bool = True
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_success_at: datetime | None = None
    last_finished: BackupStatus | None = None
    """How the last finished backup ended, also while another one runs."""
    next_run_at: datetime | None = None
    stale_after: datetime | None = None
    """From then on the source itself no longer vouches for the status."""
    deleted_at: datetime | None = None
    size_bytes: int | None = None
    url: str | None = None
    visibility: Visibility = Visibility.PUBLIC
    enabled: bool | None = None
    reason: Reason | None = None
    revision: int = 0
    validator: str | None = None
    """The ETag under which the source gave this, for the next conditional request."""

    @classmethod
    def absent(cls, observed_at: datetime) -> Report:
        """The source knows no such subject, or not for us; the two can't be told apart."""
        return cls(status=BackupStatus.UNKNOWN, observed_at=observed_at, exists=False)

    def status_at(self, now: datetime) -> BackupStatus:
        """The status, unless its source no longer vouches for it."""
        is_stale = self.stale_after is not None and self.stale_after <= now
        return BackupStatus.UNKNOWN if is_stale else self.status

    @property
    def is_public(self) -> bool:
        """Whether anybody may be told that the subject exists."""
        return self.exists and self.visibility is Visibility.PUBLIC


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of a subject's backup, as its history shows it."""

    status: BackupStatus
    started_at: datetime
    finished_at: datetime | None = None
    size_bytes: int | None = None


class Origin(StrEnum):
    """Where a resolution came from."""

    CACHE = "cache"
    UPSTREAM = "upstream"
    STALE = "stale"
    """Kept from earlier, because the source could not be asked now."""
    FALLBACK = "fallback"
    """Nothing is known, or only what is too old to show."""


# From this age on a badge says how old its knowledge is (a promise, so not a setting).
STALE_AGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The answer to "how did the last backup go?", and how far it can be trusted."""

    report: Report
    origin: Origin
    age: timedelta
    """Since its source last confirmed the report."""
    fresh_for: timedelta
    """What is left of its lifetime."""
    now: datetime
    """When it was made."""
    confirmed_at: datetime | None = None
    """When its source last confirmed the report, if one ever did."""
    usable_for: timedelta = timedelta(0)
    """How much longer it may be shown should nothing newer be had (`stale-if-error`)."""
    is_provisional: bool = False
    """Whether it was given without waiting for its source: a newer one may be there in a moment."""

    @property
    def status(self) -> BackupStatus:
        """The status to show."""
        return self.report.status

    @property
    def is_known(self) -> bool:
        """Whether a source stands behind this, be it to say that there is nothing."""
        return self.origin is not Origin.FALLBACK

    @property
    def is_old(self) -> bool:
        """Whether the picture has to say how old its knowledge is."""
        return self.is_known and self.report.exists and self.age >= STALE_AGE

    @property
    def is_stale(self) -> bool:
        """Whether readers of the JSON are told that this may no longer hold."""
        return self.origin is Origin.STALE or self.is_old


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """What the cache holds of a subject: the last report, and how the source was last asked for one."""

    report: Report | None
    """None where the source was asked and never answered."""
    fetched_at: datetime
    """When its fetch began: the fence that keeps an older fetch from replacing a newer one."""
    confirmed_at: datetime
    """When its source last stood behind it."""
    fresh_until: datetime
    """Until then nobody asks again, be it that the source answered or that it did not."""
    failures: int = 0
    """How often in a row the source did not answer since."""


class Style(StrEnum):
    """The shapes a badge comes in, by shields' names for them."""

    FLAT = "flat"
    FLAT_SQUARE = "flat-square"
    PLASTIC = "plastic"
    FOR_THE_BADGE = "for-the-badge"
    SOCIAL = "social"


class Theme(StrEnum):
    """Which page a badge is drawn for."""

    AUTO = "auto"
    """By the reader's own setting (prefers-color-scheme)."""
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """The words, colours and looks of one picture; `artwork` turns it into bytes."""

    label: str
    message: str
    colour: str
    """`#rrggbb` behind the message."""
    style: Style = Style.FLAT
    theme: Theme = Theme.AUTO
    icon: str | None = None
    """The name of the glyph before the message, if any."""
    logo: str | None = None
    """The name of the drawing before the label, if any."""
    language: str = "en"
    """Of the words, by its tag (RFC 5646)."""


class Phase(StrEnum):
    """The part of a run that an event speaks of, in the order in which they happen."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
