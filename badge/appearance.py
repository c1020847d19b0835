"""Statuses in words and colours: the only such table. What a URL may choose is a `Look`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from badge.model import STALE_AGE, BackupStatus, Badge, Resolution, Style, Subject

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)

WORDS = {
    BackupStatus.SUCCEEDED: "succeeded",
    BackupStatus.FAILED: "failed",
    BackupStatus.IN_PROGRESS: "in progress",
    BackupStatus.SCHEDULED: "scheduled",
    BackupStatus.DELETED: "deleted",
    BackupStatus.UNKNOWN: "unknown",
}


class Palette(StrEnum):
    """A set of colours by name."""

    ACCESSIBLE = "accessible"
    SHIELDS = "shields"
    CLASSIC = "classic"


class Tone(StrEnum):
    """What a colour says, whatever its hue in a palette."""

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
    # White text on each is 4.5:1 or more (WCAG 2.2, 1.4.3), also under the flat style's gradient;
    # red is the darkest, so that green and red differ for those who see no hues.
    Palette.ACCESSIBLE: {Tone.GREEN: "#2b7a2b", Tone.RED: "#b3201f", Tone.GREY: "#666666", Tone.ORANGE: "#9a5200"},
    # badge-maker 6 and 5: for READMEs whose other badges are shields'.
    Palette.SHIELDS: {Tone.GREEN: "#44bb00", Tone.RED: "#dd4343", Tone.GREY: "#939393", Tone.ORANGE: "#ea7233"},
    Palette.CLASSIC: {Tone.GREEN: "#44cc11", Tone.RED: "#e05d44", Tone.GREY: "#9f9f9f", Tone.ORANGE: "#fe7d37"},
}


class Show(StrEnum):
    """What a message can tell besides the status."""

    AGE = "age"
    DATE = "date"
    NEXT = "next"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a URL chooses of a badge's looks; nothing in it can make a status look better than it is."""

    label: str = "backup"
    style: Style = Style.FLAT
    palette: Palette = Palette.ACCESSIBLE
    has_icon: bool = False
    logo: str | None = None
    show: Show | None = None
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Face:
    """What a badge says, and for how long that holds by itself."""

    message: str
    tone: Tone
    icon: str
    holds_for: timedelta


def badge_for(resolution: Resolution, look: Look) -> Badge:
    """The badge that shows a resolution."""
    face = face_of(resolution, look)
    return Badge(
        label=look.label,
        message=face.message,
        colour=COLOURS[look.palette][face.tone],
        style=look.style,
        icon=face.icon if look.has_icon else None,
        logo=look.logo,
    )


def face_of(resolution: Resolution, look: Look) -> Face:
    """Words and tone of a resolution."""
    if not resolution.is_known or not resolution.report.exists:
        return Face(WORDS[resolution.status], TONES[resolution.status], resolution.status, timedelta.max)
    said = _overdue(resolution, look) or _status(resolution, look)
    message = f"{said.message} · as of {age_words(resolution.age)}" if resolution.is_old else said.message
    return Face(message, said.tone, said.icon, min(said.holds_for, next_age_step(resolution.age)))


def icon_for(resolution: Resolution, look: Look) -> str:
    """The name of the glyph that says what the badge says."""
    return face_of(resolution, look).icon


def message_for(resolution: Resolution) -> str:
    """The status in words, with the age of the knowledge where that is an hour or more."""
    return face_of(resolution, Look()).message


def _status(resolution: Resolution, look: Look) -> Face:
    status = resolution.status
    more, holds_for = _more(resolution, look.show)
    until_overdue = _until_overdue(resolution, look) if _can_be_overdue(status) else timedelta.max
    return Face(WORDS[status] + more, TONES[status], status, min(holds_for, until_overdue))


def _overdue(resolution: Resolution, look: Look) -> Face | None:
    """An older last success than asked for. Failures stay failures: orange would look better than red."""
    if not _can_be_overdue(resolution.status) or (left := _until_overdue(resolution, look)) > timedelta(0):
        return None
    if last_success(resolution) is None:
        return Face("overdue", Tone.ORANGE, "overdue", timedelta.max)
    return Face(f"overdue {_duration(-left)}", Tone.ORANGE, "overdue", _step(-left))


def _can_be_overdue(status: BackupStatus) -> bool:
    return TONES[status] is Tone.GREEN


def _until_overdue(resolution: Resolution, look: Look) -> timedelta:
    """How long the last success stays young enough; nothing if nobody said when it was."""
    if look.max_age is None:
        return timedelta.max
    succeeded_at = last_success(resolution)
    return timedelta(0) if succeeded_at is None else succeeded_at + look.max_age - resolution.now


def last_success(resolution: Resolution) -> datetime | None:
    """When the last successful backup ended, as far as the source says."""
    report = resolution.report
    if report.last_success_at is not None:
        return report.last_success_at
    return report.finished_at if report.status is BackupStatus.SUCCEEDED else None


def _more(resolution: Resolution, show: Show | None) -> tuple[str, timedelta]:
    """What stands behind the status' words, and for how long."""
    report, now = resolution.report, resolution.now
    happened_at = report.deleted_at or report.finished_at or report.started_at
    match show:
        case Show.AGE if happened_at is not None:
            age = max(timedelta(0), now - happened_at)
            return f" {_duration(age)} ago", _step(age)
        case Show.DATE if happened_at is not None:
            return f" {happened_at:%Y-%m-%d}", timedelta.max
        case Show.NEXT if report.next_run_at is not None and report.next_run_at > now:
            left = report.next_run_at - now
            # Counted down, the words of a full hour still hold at its last moment.
            return f" · next in {_duration(left)}", left if left < HOUR else left % _unit(left) + MOMENT
        case Show.LAST if report.last_finished is not None and report.last_finished is not report.status:
            return f" · last {WORDS[report.last_finished]}", timedelta.max
        case _:
            return "", timedelta.max


def age_words(age: timedelta) -> str:
    """An age in coarse steps: whole hours below two days, then whole days."""
    return f"{_duration(age)} ago"


def next_age_step(age: timedelta) -> timedelta:
    """How long until the words about the age of the knowledge appear or change."""
    return STALE_AGE - age if age < STALE_AGE else _step(age)


def _duration(length: timedelta) -> str:
    if length < HOUR:
        return "<1h"
    return f"{length // HOUR}h" if length < 2 * DAY else f"{length // DAY}d"


def _unit(length: timedelta) -> timedelta:
    return HOUR if length < 2 * DAY else DAY


def _step(length: timedelta) -> timedelta:
    """How long until a growing duration's words change."""
    return _unit(length) - length % _unit(length)


def alt_text(subject: Subject) -> str:
    """What the image shows, for those who can't see it; true whatever the status is."""
    return f"Backup status of {subject.account}/{subject.name}"
