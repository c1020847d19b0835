"""The core values: subjects, statuses, reports, resolutions, badges.

Standard library only, and all frozen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, unquote_to_bytes

# Canonical spellings. Input is matched case-insensitively; anything else is passed through unchanged.
KNOWN_PLATFORMS = ("GitHub", "GitLab", "AzureDevOps", "Bitbucket", "Linear")
KNOWN_TYPES = ("Repository", "Project", "Workspace")

# Platforms on which accounts and names are case-insensitive.
CASELESS_PLATFORMS = frozenset({"github", "gitlab", "azuredevops"})

MAX_PLATFORM, MAX_ACCOUNT, MAX_TYPE, MAX_NAME = 64, 255, 64, 1024
MAX_NAME_BYTES = 2 * 1024

# Limit of the percent-encoded path. It leaves room for `/badge/`, a suffix and the query in a request target, which may
# have 8,000 bytes after the path prefix.
MAX_PATH = 7_500

# Unicode's bidirectional formatting characters (UAX #9 table 4): they reorder the text around them.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


# How far apart clocks may be. A stored time further ahead of now than this counts as unknown.
CLOCK_TOLERANCE = timedelta(minutes=5)


class InvalidSubject(ValueError):
    """The coordinates don't form a valid subject; the message says which part and why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is backed up. Build it with `parse`, `legacy` or `from_path`, which validate."""

    platform: str
    account: str
    type: str
    name: str

    @classmethod
    def parse(cls, platform: str, account: str, type: str, name: str) -> Subject:
        """Return the subject with these coordinates, NFC-normalised; raises `InvalidSubject`."""
        subject = cls(
            platform=_canonical_spelling(_part("platform", platform, MAX_PLATFORM), KNOWN_PLATFORMS),
            account=_part("account", account, MAX_ACCOUNT),
            type=_canonical_spelling(_part("type", type, MAX_TYPE), KNOWN_TYPES),
            name=_part("name", name, MAX_NAME),
        )
        if len(subject.path) > MAX_PATH:
            raise InvalidSubject(
                f"platform, account, type and name together are longer than {MAX_PATH:,} bytes in a URL"
            )
        return subject

    @classmethod
    def legacy(cls, owner: str, repository: str) -> Subject:
        """Return the GitHub repository that a two-segment path stands for; raises `InvalidSubject`."""
        return cls.parse("GitHub", owner, "Repository", repository)

    @classmethod
    def from_path(cls, raw_path: str) -> Subject:
        """Return the subject for a raw, percent-encoded path; raises `InvalidSubject`.

        Two segments are the legacy form; four or more are the long form, in which everything after the type
        is the name. Segments are split before they are decoded, so `%2F` stays inside its segment.
        """
        segments = [decode_segment(segment) for segment in raw_path.removesuffix("/").split("/")]
        return cls.from_segments(segments)

    @classmethod
    def from_segments(cls, segments: Sequence[str]) -> Subject:
        """Return the subject for decoded path segments; raises `InvalidSubject`."""
        if len(segments) == 2:
            return cls.legacy(*segments)
        if len(segments) < 4:
            raise InvalidSubject("use owner/repository or platform/account/type/name")
        platform, account, type, *name = segments
        return cls.parse(platform, account, type, "/".join(name))

    @property
    def path(self) -> str:
        """The percent-encoded long path; `from_path` parses it."""
        head = (quote(part, safe="") for part in (self.platform, self.account, self.type))
        return "/".join((*head, quote(self.name, safe="/")))

    @property
    def legacy_path(self) -> str | None:
        """The percent-encoded legacy path, or None if there is none for this subject."""
        if (self.platform, self.type) != ("GitHub", "Repository") or "/" in self.name:
            return None
        return f"{quote(self.account, safe='')}/{quote(self.name, safe='')}"

    def key(self, *, fold_case: bool) -> tuple[str, str, str, str]:
        """Return the key by which subjects are compared; equal for two spellings of one subject.

        Platform and type are always case-insensitive; account and name only if both the platform and
        the source (`fold_case`) treat them so.
        """
        platform, type = self.platform.lower(), self.type.lower()
        if fold_case and platform in CASELESS_PLATFORMS:
            return platform, self.account.lower(), type, self.name.lower()
        return platform, self.account, type, self.name

    def __str__(self) -> str:
        return f"{self.platform}/{self.account}/{self.type}/{self.name}"


@dataclass(frozen=True, slots=True)
class SubjectScope:
    """The subjects of one account, or those of one type among them. Build it with `parse`, which validates."""

    platform: str
    account: str
    type: str | None = None
    """None for all types."""

    @classmethod
    def parse(cls, platform: str, account: str, type: str | None = None) -> SubjectScope:
        """Return the scope with these coordinates, NFC-normalised; raises `InvalidSubject`."""
        any_type, any_name = "any", "any"
        subject = Subject.parse(platform, account, any_type if type is None else type, any_name)
        return cls(subject.platform, subject.account, None if type is None else subject.type)

    @classmethod
    def from_segments(cls, segments: Sequence[str]) -> SubjectScope:
        """Return the scope for decoded path segments; raises `InvalidSubject`."""
        if len(segments) not in (2, 3):
            raise InvalidSubject("use platform/account or platform/account/type; write a slash in an account as %2F")
        return cls.parse(*segments)

    @property
    def path(self) -> str:
        """The percent-encoded path."""
        parts = (self.platform, self.account) if self.type is None else (self.platform, self.account, self.type)
        return "/".join(quote(part, safe="") for part in parts)

    @property
    def key(self) -> tuple[str, str, str | None]:
        """The key by which scopes are compared; equal for two spellings of one scope.

        It has the first three parts of its subjects' case-folded keys; the third, the type, is None for all types.
        """
        platform, account, type, _ = Subject(self.platform, self.account, self.type or "", "").key(fold_case=True)
        return platform, account, type or None

    def covers(self, subject: Subject) -> bool:
        """Whether the subject is in the scope."""
        return self.has_key(subject.key(fold_case=True))

    def has_key(self, key: tuple[str, str, str, str]) -> bool:
        """Whether the scope includes the subject with this case-folded key."""
        platform, account, type = self.key
        return key[:2] == (platform, account) and type in (None, key[2])


def decode_segment(raw: str) -> str:
    """Decode one percent-encoded path segment; raises `InvalidSubject` if it is not UTF-8."""
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError:
        raise InvalidSubject("the path is not UTF-8") from None


def _part(label: str, value: str, longest: int) -> str:
    text = unicodedata.normalize("NFC", value)
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise InvalidSubject(f"{label} has a part that is empty, '.' or '..'")
    if len(text) > longest:
        raise InvalidSubject(f"{label} is longer than {longest:,} characters")
    if any(character in BIDI_CONTROLS or _is_control(character) for character in text):
        raise InvalidSubject(f"{label} has a control character")
    # Lone surrogates (category Cs) were rejected above, so this can't raise.
    if len(text.encode()) > MAX_NAME_BYTES:
        raise InvalidSubject(f"{label} is longer than {MAX_NAME_BYTES:,} bytes of UTF-8")
    return text


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def _canonical_spelling(value: str, known: Sequence[str]) -> str:
    return next((word for word in known if word.lower() == value.lower()), value)


def is_ahead(moment: datetime | None, now: datetime) -> bool:
    """Whether the time of a past event is in the future, by more than clocks may differ."""
    return moment is not None and moment - now > CLOCK_TOLERANCE


def unless_ahead(moment: datetime | None, now: datetime) -> datetime | None:
    """Return the time of a past event; None if it is too far in the future."""
    return None if is_ahead(moment, now) else moment


class BackupStatus(StrEnum):
    """The six statuses, with their spelling on the wire."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IN_PROGRESS = "inProgress"
    SCHEDULED = "scheduled"
    DELETED = "deleted"
    UNKNOWN = "unknown"


FINISHED = (BackupStatus.SUCCEEDED, BackupStatus.FAILED)
"""The statuses of a finished run."""


_SPELLINGS = {status.lower(): status for status in BackupStatus} | dict.fromkeys(
    ("in-progress", "in_progress", "in progress", "running"), BackupStatus.IN_PROGRESS
)


def status_named(text: str) -> BackupStatus | None:
    """Return the status that a person or a script wrote, ignoring case; None for other words.

    Not for upstreams: there, only the contract's own spelling is valid.
    """
    return _SPELLINGS.get(text.strip().lower())


class Visibility(StrEnum):
    """Who may see the subject's status."""

    PUBLIC = "public"
    PRIVATE = "private"


class Reason(StrEnum):
    """Why a backup failed (native contract): a closed set, never free text."""

    STORAGE = "storage"
    ACCOUNT = "account"
    PLATFORM = "platform"
    INTERNAL = "internal"
    CANCELLED = "cancelled"
    PARTIAL = "partial"


MOST_OUTCOMES = 30
_OUTCOME_LETTERS = {BackupStatus.SUCCEEDED: "s", BackupStatus.FAILED: "f"}
_OUTCOMES = {letter: status for status, letter in _OUTCOME_LETTERS.items()}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How a subject's last finished runs ended, oldest first; at most `MOST_OUTCOMES`."""

    letters: str = ""
    """For each run `s` if it succeeded, `f` if it failed: short, because every cached report contains them."""

    @classmethod
    def of(cls, runs: Iterable[BackupStatus]) -> Outcomes:
        """Return the outcomes of finished runs, given oldest first; raises `KeyError` for any other status."""
        return cls("".join(_OUTCOME_LETTERS[status] for status in runs)[-MOST_OUTCOMES:])

    @classmethod
    def parse(cls, letters: str) -> Outcomes:
        """Return the outcomes that these letters stand for; raises `ValueError`."""
        if len(letters) > MOST_OUTCOMES or letters.strip("sf"):
            raise ValueError("not a list of outcomes")
        return cls(letters)

    def last(self, number: int) -> Outcomes:
        """Return the newest outcomes, at most that many."""
        return Outcomes(self.letters[-number:])

    @property
    def statuses(self) -> Sequence[BackupStatus]:
        """The outcomes as statuses, oldest first."""
        return [_OUTCOMES[letter] for letter in self.letters]

    @property
    def succeeded(self) -> int:
        """The number of runs that succeeded."""
        return self.letters.count("s")

    @property
    def failed(self) -> int:
        """The number of runs that failed."""
        return self.letters.count("f")

    @property
    def total(self) -> int:
        """The number of runs."""
        return len(self.letters)

    def __bool__(self) -> bool:
        """Whether there is any run."""
        return bool(self.letters)


class VerificationOutcome(StrEnum):
    """How a verification ended."""

    PASSED = "passed"
    FAILED = "failed"


class VerificationMethod(StrEnum):
    """How a backup was verified."""

    RESTORED = "restored"
    """Something was restored from it."""
    CHECKED = "checked"
    """Its data was read and checked, without restoring it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The latest verification of a subject's backups: a restore test or a check."""

    outcome: VerificationOutcome
    at: datetime | None = None
    """When it ended, if that is known."""
    how: VerificationMethod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a source says about a subject. "No such subject" is a report too (`absent`)."""

    status: BackupStatus
    observed_at: datetime
    """When this was true, by the source's clock. All times are timezone-aware, in UTC."""
    exists: bool = True
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_success_at: datetime | None = None
    last_finished: BackupStatus | None = None
    """Outcome of the last finished backup, even while another one is running."""
    outcomes: Outcomes | None = None
    """How the last finished runs ended; None if the source doesn't list its runs."""
    next_run_at: datetime | None = None
    stale_after: datetime | None = None
    """After this time the status counts as outdated."""
    deleted_at: datetime | None = None
    size_bytes: int | None = None
    url: str | None = None
    visibility: Visibility = Visibility.PUBLIC
    enabled: bool | None = None
    reason: Reason | None = None
    verification: Verification | None = None
    """None if no verification was ever reported. A successful backup is not one."""
    revision: int = 0
    validator: str | None = None
    """The ETag of the source's answer, for the next conditional request."""

    @classmethod
    def absent(cls, observed_at: datetime) -> Report:
        """Return the report for a subject that does not exist, or that the source won't show us."""
        return cls(status=BackupStatus.UNKNOWN, observed_at=observed_at, exists=False)

    def status_at(self, now: datetime) -> BackupStatus:
        """Return the status, or unknown if the report is outdated by then."""
        is_outdated = self.stale_after is not None and self.stale_after <= now
        return BackupStatus.UNKNOWN if is_outdated else self.status

    def succeeded_at(self, now: datetime) -> datetime | None:
        """Return when the last successful backup ended, or None if that is unknown or too far in the future."""
        ended_at = self.finished_at if self.status is BackupStatus.SUCCEEDED else None
        return unless_ahead(self.last_success_at or ended_at, now)

    def verified_at(self, now: datetime) -> datetime | None:
        """Return when the latest verification passed.

        None if there is none, if it failed, or if its time is unknown or too far in the future.
        """
        found = self.verification
        return None if found is None or self.has_failed_verification else unless_ahead(found.at, now)

    @property
    def has_failed_verification(self) -> bool:
        """Whether the latest verification failed. Only a later verification that passes clears that."""
        return self.verification is not None and self.verification.outcome is VerificationOutcome.FAILED

    @property
    def is_public(self) -> bool:
        """Whether the subject exists and is public."""
        return self.exists and self.visibility is Visibility.PUBLIC


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run in a subject's history."""

    status: BackupStatus
    started_at: datetime
    finished_at: datetime | None = None
    size_bytes: int | None = None
    url: str | None = None
    reason: Reason | None = None


class Origin(StrEnum):
    """Where a resolution came from."""

    CACHE = "cache"
    UPSTREAM = "upstream"
    STALE = "stale"
    """From the cache, because the source is failing."""
    FALLBACK = "fallback"
    """Nothing is known, or only a report that is too old to show."""


# Reports last confirmed this long ago are shown with their age. A promise to readers, so not a setting.
STALE_AGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The resolver's answer: a report, where it came from, and how fresh it is."""

    report: Report
    origin: Origin
    age: timedelta
    """Time since the source last confirmed the report."""
    fresh_for: timedelta
    """Remaining lifetime."""
    now: datetime
    """When the subject was resolved."""
    confirmed_at: datetime | None = None
    """When the source last confirmed the report, if it ever did."""
    usable_for: timedelta = timedelta(0)
    """How long it may still be shown if nothing newer arrives (`stale-if-error`)."""
    is_provisional: bool = False
    """Whether it was answered without waiting for the source; a newer answer may follow shortly."""

    @property
    def status(self) -> BackupStatus:
        """The status to show."""
        return self.report.status

    @property
    def is_known(self) -> bool:
        """Whether this came from a source, even if only as "no such subject"."""
        return self.origin is not Origin.FALLBACK

    @property
    def is_old(self) -> bool:
        """Whether the badge must show the report's age."""
        return self.is_known and self.report.exists and self.age >= STALE_AGE

    @property
    def is_stale(self) -> bool:
        """Whether JSON marks the status as `stale`."""
        return self.origin is Origin.STALE or self.is_old


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """A report as stored in the cache, with the outcome of the latest fetch."""

    report: Report | None
    """None if no answer from the source is cached."""
    fetched_at: datetime
    """When its fetch began; prevents an older fetch from replacing a newer one."""
    confirmed_at: datetime
    """When the source last confirmed the report."""
    fresh_until: datetime
    """No new fetch before this time, whether the last one succeeded or failed."""
    failures: int = 0
    """Consecutive failed fetches since the last report."""


class Style(StrEnum):
    """The badge styles, named as in shields."""

    FLAT = "flat"
    FLAT_SQUARE = "flat-square"
    PLASTIC = "plastic"
    FOR_THE_BADGE = "for-the-badge"
    SOCIAL = "social"


class Theme(StrEnum):
    """The page background a badge is drawn for."""

    AUTO = "auto"
    """Follows the reader's setting (prefers-color-scheme)."""
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a badge's chart."""

    is_full: bool
    """Whether it has the full height; otherwise it is a stub."""
    on_light: str
    """Its colour on a light background, as `#rrggbb`."""
    on_dark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """The text, colours and style of one image; `artwork` draws it."""

    label: str
    message: str
    colour: str
    """Background of the message, as `#rrggbb`."""
    style: Style = Style.FLAT
    theme: Theme = Theme.AUTO
    icon: str | None = None
    """Name of the status glyph before the message, if any."""
    logo: str | None = None
    """Name of the logo before the label, if any."""
    language: str = "en"
    """Tag of the text's language (RFC 5646)."""
    bars: tuple[Bar, ...] = ()
    """The chart after the message, from left to right."""
    details: str = ""
    """What the text alternative says besides label and message."""


class Phase(StrEnum):
    """The phases of a run, in order."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
