"""Statuses in words and colours: the only such table."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from badge.model import STALE_AGE, BackupStatus, Badge, Resolution, Subject

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

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


class _Tone(StrEnum):
    GREEN = "green"
    RED = "red"
    GREY = "grey"


_TONES = {
    BackupStatus.SUCCEEDED: _Tone.GREEN,
    BackupStatus.FAILED: _Tone.RED,
    BackupStatus.IN_PROGRESS: _Tone.GREEN,
    BackupStatus.SCHEDULED: _Tone.GREEN,
    BackupStatus.DELETED: _Tone.GREY,
    BackupStatus.UNKNOWN: _Tone.GREY,
}

_COLOURS = {
    # White text on each is 4.5:1 or more (WCAG 2.2, 1.4.3), also under the gradient's lightest line;
    # red is the darkest, so that green and red differ for those who see no hues.
    Palette.ACCESSIBLE: {_Tone.GREEN: "#2b7a2b", _Tone.RED: "#b3201f", _Tone.GREY: "#666666"},
}


def colour_of(status: BackupStatus, palette: Palette = Palette.ACCESSIBLE) -> str:
    """The colour behind a status' words, as `#rrggbb`."""
    return _COLOURS[palette][_TONES[status]]


def badge_for(resolution: Resolution, label: str, palette: Palette = Palette.ACCESSIBLE) -> Badge:
    """The badge that shows a resolution."""
    return Badge(label=label, message=message_for(resolution), colour=colour_of(resolution.status, palette))


def message_for(resolution: Resolution) -> str:
    """The status in words, with the age of the knowledge where that is an hour or more."""
    words = WORDS[resolution.status]
    return f"{words} · as of {age_words(resolution.age)}" if resolution.is_old else words


def age_words(age: timedelta) -> str:
    """An age in coarse steps: whole hours below two days, then whole days."""
    return f"{age // HOUR}h ago" if age < 2 * DAY else f"{age // DAY}d ago"


def next_age_step(age: timedelta) -> timedelta:
    """How long until the words about this age change."""
    if age < STALE_AGE:
        return STALE_AGE - age
    step = HOUR if age < 2 * DAY else DAY
    return step - age % step


def alt_text(subject: Subject) -> str:
    """What the image shows, for those who can't see it; true whatever the status is."""
    return f"Backup status of {subject.account}/{subject.name}"
