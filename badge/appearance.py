"""The only table of status words and colours, and the options that a URL may set (`Look`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from badge.language import Language, marked
from badge.model import (
    CLOCK_TOLERANCE,
    MOST_OUTCOMES,
    STALE_AGE,
    BackupStatus,
    Badge,
    Bar,
    Reason,
    Report,
    Resolution,
    Style,
    Subject,
    SubjectScope,
    Theme,
    VerificationMethod,
    VerificationOutcome,
    is_ahead,
    unless_ahead,
)
from badge.summary import Summary

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)

WORDS = {
    BackupStatus.SUCCEEDED: marked("succeeded"),
    BackupStatus.FAILED: marked("failed"),
    BackupStatus.IN_PROGRESS: marked("in progress"),
    BackupStatus.SCHEDULED: marked("scheduled"),
    BackupStatus.DELETED: marked("deleted"),
    BackupStatus.UNKNOWN: marked("unknown"),
}

REASONS = {
    Reason.STORAGE: "a problem with the backup storage",
    Reason.ACCOUNT: "a problem with the account",
    Reason.PLATFORM: "a problem on the platform's side",
    Reason.INTERNAL: "an internal error of the backup system",
    Reason.CANCELLED: "the run was cancelled",
    Reason.PARTIAL: "only part of the data was backed up",
}
"""Why a backup failed. Shown only on pages and by commands, hence in English only."""

VERIFICATIONS = {
    (VerificationOutcome.PASSED, VerificationMethod.RESTORED): "Restore tested",
    (VerificationOutcome.PASSED, VerificationMethod.CHECKED): "Data checked",
    (VerificationOutcome.PASSED, None): "Verified",
    (VerificationOutcome.FAILED, VerificationMethod.RESTORED): "Restore test failed",
    (VerificationOutcome.FAILED, VerificationMethod.CHECKED): "Data check failed",
    (VerificationOutcome.FAILED, None): "Verification failed",
}
"""The latest verification in words. Shown only on pages, hence in English only."""

UNKNOWN_TIME = "at an unknown time"

DEFAULT_LABEL = marked("backup")

# Whole patterns, because word order differs between languages.
AGE = marked("{status} {duration} ago")
DATE = marked("{status} {date}")
NEXT = marked("{status} · next in {duration}")
LAST = marked("{status} · last {last}")
AS_OF = marked("{message} · as of {duration} ago")
OVERDUE = marked("overdue")
OVERDUE_BY = marked("overdue {duration}")
RATE = marked("{message} · {succeeded}/{finished}")
RUNS = marked("last runs: {succeeded} succeeded, {failed} failed")
VERIFIED = marked("verified {duration} ago")
VERIFICATION_FAILED = marked("verification failed")
UNVERIFIED = marked("unverified")
AND_VERIFICATION = marked("{status} · {verification}")
PROTECTED = marked("{protected}/{total} protected")
# gettext's plural rules are not used. A single source has a pattern of its own; translations into languages with more
# plural forms, such as Arabic, put the number after the words.
ONE_SILENT = marked("{protected}/{total} · 1 source silent")
SILENT = marked("{protected}/{total} · {number} sources silent")
NONE = marked("none")
UNDER_AN_HOUR = marked("<1h")
HOURS = marked("{hours}h")
DAYS = marked("{days}d")


class Palette(StrEnum):
    """A named set of colours."""

    ACCESSIBLE = "accessible"
    SHIELDS = "shields"
    CLASSIC = "classic"


class Tone(StrEnum):
    """A colour, regardless of the palette; each palette has its own shade of it."""

    GREEN = "green"
    RED = "red"
    GREY = "grey"
    ORANGE = "orange"


TONES = {
    BackupStatus.SUCCEEDED: Tone.GREEN,
    BackupStatus.FAILED: Tone.RED,
    BackupStatus.IN_PROGRESS: Tone.GREEN,
    BackupStatus.SCHEDULED: Tone.GREEN,
    BackupStatus.DELETED: Tone.GREY,
    BackupStatus.UNKNOWN: Tone.GREY,
}

COLOURS = {
    # White text on each has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3), even under the flat style's gradient. Red
    # is the darkest, so that it differs from green for readers who can't tell hues apart.
    Palette.ACCESSIBLE: {Tone.GREEN: "#2b7a2b", Tone.RED: "#b3201f", Tone.GREY: "#666666", Tone.ORANGE: "#9a5200"},
    # The colours of badge-maker 6 and 5, to match other badges from shields.io in a README.
    Palette.SHIELDS: {Tone.GREEN: "#44bb00", Tone.RED: "#dd4343", Tone.GREY: "#939393", Tone.ORANGE: "#ea7233"},
    Palette.CLASSIC: {Tone.GREEN: "#44cc11", Tone.RED: "#e05d44", Tone.GREY: "#9f9f9f", Tone.ORANGE: "#fe7d37"},
}


BARS = {
    BackupStatus.SUCCEEDED: Bar(is_full=True, on_light=COLOURS[Palette.ACCESSIBLE][Tone.GREEN], on_dark="#9be09b"),
    BackupStatus.FAILED: Bar(is_full=False, on_light=COLOURS[Palette.ACCESSIBLE][Tone.RED], on_dark="#ffb3ad"),
}
"""The bars of finished runs. They differ in height too, and have a contrast of at least 3:1 (WCAG 2.2, 1.4.11)."""
MOST_BARS = 10


class Show(StrEnum):
    """What a badge can show besides the status."""

    AGE = "age"
    DATE = "date"
    NEXT = "next"
    LAST = "last"
    HISTORY = "history"
    RATE = "rate"
    VERIFIED = "verified"


_MOST_SHOWN = {Show.HISTORY: MOST_BARS, Show.RATE: MOST_OUTCOMES}
"""How many runs these options show at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The options that a URL can set; none can make a status look better than it is."""

    label: str = DEFAULT_LABEL
    language: Language = Language.ENGLISH
    style: Style = Style.FLAT
    palette: Palette = Palette.ACCESSIBLE
    theme: Theme = Theme.AUTO
    has_icon: bool = False
    logo: str | None = None
    show: Show | None = None
    max_age: timedelta | None = None
    verified_within: timedelta | None = None
    """Maximum age of the latest verification, which must also have passed."""


@dataclass(frozen=True, slots=True)
class Face:
    """What a badge says, and how long until that changes by itself."""

    message: str
    tone: Tone
    icon: str
    """Name of the status glyph that goes with the message."""
    holds_for: timedelta
    bars: tuple[Bar, ...] = ()
    details: str = ""


def badge_for(resolution: Resolution, look: Look) -> Badge:
    """Return the badge for a resolution."""
    return badge_with(face_of(resolution, look), look)


def badge_with(face: Face, look: Look) -> Badge:
    """Return the badge with this face."""
    return Badge(
        label=look.label,
        message=face.message,
        colour=COLOURS[look.palette][face.tone],
        style=look.style,
        theme=look.theme,
        icon=face.icon if look.has_icon else None,
        logo=look.logo,
        language=look.language,
        bars=face.bars,
        details=face.details,
    )


def face_of(resolution: Resolution, look: Look) -> Face:
    """Return the message, tone and glyph for a resolution."""
    if not resolution.is_known or not resolution.report.exists:
        words = look.language.say(WORDS[resolution.status])
        return Face(words, TONES[resolution.status], resolution.status, timedelta.max)
    face = (
        _failed_verification(resolution, look)
        or _overdue(resolution, look)
        or _unverified(resolution, look)
        or _status(resolution, look)
    )
    if look.show in _MOST_SHOWN:
        face = _with_outcomes(face, resolution.report, look)
    message = face.message
    if resolution.is_old:
        message = _filled(look, AS_OF, message=message, duration=_duration(resolution.age, look.language))
    holds_for = min(face.holds_for, next_age_step(resolution.age), _until_times_count(resolution))
    return Face(message, face.tone, face.icon, holds_for, face.bars, face.details)


def _with_outcomes(face: Face, report: Report, look: Look) -> Face:
    """Return the face with the last runs as bars or as a rate, and in words for the text alternative.

    Without finished runs, and for a deleted subject, it is unchanged.
    """
    if look.show is None or not report.outcomes or report.status is BackupStatus.DELETED:
        return face
    outcomes = report.outcomes.last(_MOST_SHOWN[look.show])
    details = _filled(look, RUNS, succeeded=str(outcomes.succeeded), failed=str(outcomes.failed))
    if look.show is Show.HISTORY:
        return replace(face, bars=tuple(BARS[status] for status in outcomes.statuses), details=details)
    rate = {"succeeded": str(outcomes.succeeded), "finished": str(outcomes.total)}
    return replace(face, message=_filled(look, RATE, message=face.message, **rate), details=details)


def face_of_summary(summary: Summary | None, resolution: Resolution, look: Look) -> Face:
    """Return the message, tone and glyph for a summary; `summary` is None if it could not be determined.

    `resolution` gives the age of the numbers. The face is green only if all subjects are protected, and orange only if
    none failed and none is unknown.
    """
    if summary is None or not resolution.is_known:
        return Face(look.language.say(WORDS[BackupStatus.UNKNOWN]), Tone.GREY, "unknown", timedelta.max)
    if summary.is_empty:
        return Face(look.language.say(NONE), Tone.GREY, "unknown", timedelta.max)
    message = _summary_words(summary, look)
    if resolution.is_old:
        message = _filled(look, AS_OF, message=message, duration=_duration(resolution.age, look.language))
    changes_in = summary.changes_at - resolution.now if summary.changes_at else timedelta.max
    tone, icon = _summary_tone(summary)
    return Face(message, tone, icon, min(changes_in, next_age_step(resolution.age)))


def _summary_words(summary: Summary, look: Look) -> str:
    pattern = (PROTECTED, ONE_SILENT)[summary.silent] if summary.silent < 2 else SILENT
    total = f"{summary.total}" if summary.is_complete else f"{summary.total}+"
    return _filled(look, pattern, protected=str(summary.protected), total=total, number=str(summary.silent))


def _summary_tone(summary: Summary) -> tuple[Tone, str]:
    if summary.is_all_protected:
        return Tone.GREEN, BackupStatus.SUCCEEDED
    if summary.failed or summary.unknown:
        return Tone.RED, BackupStatus.FAILED
    return Tone.ORANGE, "overdue"


def message_for(resolution: Resolution) -> str:
    """Return the message in the default look: the status, with its age if last confirmed an hour or more ago."""
    return face_of(resolution, Look()).message


def _status(resolution: Resolution, look: Look) -> Face:
    status = resolution.status
    words, holds_for = _words(resolution, look)
    if _can_be_overdue(status):
        holds_for = min(holds_for, _until_overdue(resolution, look), _until_unverified(resolution, look))
    return Face(words, TONES[status], status, holds_for)


def _overdue(resolution: Resolution, look: Look) -> Face | None:
    """The overdue face, if the last success is older than `max_age`. It replaces only green statuses.

    A failed status stays red, because orange would look less serious.
    """
    if not _can_be_overdue(resolution.status) or (left := _until_overdue(resolution, look)) > timedelta(0):
        return None
    if last_success(resolution) is None:
        return Face(look.language.say(OVERDUE), Tone.ORANGE, "overdue", timedelta.max)
    words = _filled(look, OVERDUE_BY, duration=_duration(-left, look.language))
    return Face(words, Tone.ORANGE, "overdue", _step(-left))


def _failed_verification(resolution: Resolution, look: Look) -> Face | None:
    """The red face after a failed verification, if the look shows or requires verifications.

    It replaces every status but failed and deleted.
    """
    is_asked_for = look.verified_within is not None or look.show is Show.VERIFIED
    has_own_face = resolution.status in (BackupStatus.FAILED, BackupStatus.DELETED)
    if not is_asked_for or has_own_face or not resolution.report.has_failed_verification:
        return None
    return Face(look.language.say(VERIFICATION_FAILED), Tone.RED, BackupStatus.FAILED, timedelta.max)


def _unverified(resolution: Resolution, look: Look) -> Face | None:
    """The orange face, if no verification passed within `verified_within`. It replaces only green statuses."""
    if not _can_be_overdue(resolution.status) or _until_unverified(resolution, look) > timedelta(0):
        return None
    return Face(look.language.say(UNVERIFIED), Tone.ORANGE, "overdue", _until_overdue(resolution, look))


def _until_unverified(resolution: Resolution, look: Look) -> timedelta:
    """Time left until the latest verification is older than `verified_within`; zero if none passed."""
    if look.verified_within is None:
        return timedelta.max
    passed_at = resolution.report.verified_at(resolution.now)
    return timedelta(0) if passed_at is None else look.verified_within - (resolution.now - passed_at)


def _can_be_overdue(status: BackupStatus) -> bool:
    return TONES[status] is Tone.GREEN


def _until_overdue(resolution: Resolution, look: Look) -> timedelta:
    """Time left until the last success is older than `max_age`; zero if its time is unknown."""
    if look.max_age is None:
        return timedelta.max
    succeeded_at = last_success(resolution)
    return timedelta(0) if succeeded_at is None else look.max_age - (resolution.now - succeeded_at)


def last_success(resolution: Resolution) -> datetime | None:
    """When the last successful backup ended, as in `Report.succeeded_at`."""
    return resolution.report.succeeded_at(resolution.now)


def _until_times_count(resolution: Resolution) -> timedelta:
    """Reported times more than `CLOCK_TOLERANCE` ahead of now are ignored. Return how long until one of them counts.

    Returns `timedelta.max` if none is ignored.
    """
    report, now = resolution.report, resolution.now
    verified_at = report.verification and report.verification.at
    moments = (report.last_success_at, report.finished_at, report.started_at, report.deleted_at, verified_at)
    return min((at - now - CLOCK_TOLERANCE for at in moments if at and is_ahead(at, now)), default=timedelta.max)


def _words(resolution: Resolution, look: Look) -> tuple[str, timedelta]:
    """The message for a status and a look's `show`, and how long until it changes by itself."""
    report, now = resolution.report, resolution.now
    status = look.language.say(WORDS[report.status])
    happened_at = unless_ahead(report.deleted_at or report.finished_at or report.started_at, now)
    match look.show:
        case Show.AGE if happened_at is not None:
            age = max(timedelta(0), now - happened_at)
            return _filled(look, AGE, status=status, duration=_duration(age, look.language)), _step(age)
        case Show.DATE if happened_at is not None:
            return _filled(look, DATE, status=status, date=f"{happened_at:%Y-%m-%d}"), timedelta.max
        case Show.NEXT if report.next_run_at is not None and report.next_run_at > now:
            left = report.next_run_at - now
            words = _filled(look, NEXT, status=status, duration=_duration(left, look.language))
            # A countdown still shows "2h" at exactly two hours, hence the extra moment.
            return words, left if left < HOUR else left % _unit(left) + MOMENT
        case Show.LAST if report.last_finished is not None and report.last_finished is not report.status:
            last = look.language.say(WORDS[report.last_finished])
            return _filled(look, LAST, status=status, last=last), timedelta.max
        case Show.VERIFIED if report.verification is not None and report.status is not BackupStatus.DELETED:
            return _verification_words(resolution, look)
        case _:
            return status, timedelta.max


def _verification_words(resolution: Resolution, look: Look) -> tuple[str, timedelta]:
    """The message about the latest verification. It includes the status, unless that is a success."""
    report, now = resolution.report, resolution.now
    status, holds_for = look.language.say(WORDS[report.status]), timedelta.max
    if (passed_at := report.verified_at(now)) is not None:
        age = max(timedelta(0), now - passed_at)
        verification = _filled(look, VERIFIED, duration=_duration(age, look.language))
        holds_for = _step(age)
    elif report.has_failed_verification:
        verification = look.language.say(VERIFICATION_FAILED)
    else:  # It passed at an unknown time.
        return status, holds_for
    if report.status is BackupStatus.SUCCEEDED:
        return verification, holds_for
    return _filled(look, AND_VERIFICATION, status=status, verification=verification), holds_for


def _filled(look: Look, pattern: str, **places: str) -> str:
    return look.language.say(pattern).format(**places)


def next_age_step(age: timedelta) -> timedelta:
    """Time until the "as of" part of a message appears or changes."""
    return STALE_AGE - age if age < STALE_AGE else _step(age)


def _duration(length: timedelta, language: Language) -> str:
    """A duration in words: whole hours below two days, then whole days."""
    if length < HOUR:
        return language.say(UNDER_AN_HOUR)
    if length < 2 * DAY:
        return language.say(HOURS).format(hours=length // HOUR)
    return language.say(DAYS).format(days=length // DAY)


def _unit(length: timedelta) -> timedelta:
    return HOUR if length < 2 * DAY else DAY


def _step(length: timedelta) -> timedelta:
    """Time until the words for a growing duration change."""
    return _unit(length) - length % _unit(length)


def reason_of(report: Report) -> Reason | None:
    """Why the backup failed; None if it did not fail, or if no reason was reported."""
    return report.reason if report.status is BackupStatus.FAILED else None


def reason_words(report: Report) -> str | None:
    """The reason in words, or None."""
    reason = reason_of(report)
    return REASONS[reason] if reason else None


def summary_alt_text(scope: SubjectScope) -> str:
    """Alternative text for a summary's image."""
    return f"Backup status of {scope.account}"


def alt_text(subject: Subject) -> str:
    """Alternative text for the image, correct for any status."""
    return f"Backup status of {subject.account}/{subject.name}"
