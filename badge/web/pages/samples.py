"""Example badges for the form, inline.

With URLs of their own, they would be badges that say "succeeded" although no source reported it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from badge.appearance import COLOURS, DEFAULT_LABEL, TONES, WORDS, Look, Palette, badge_for
from badge.artwork import svg
from badge.model import FINISHED, BackupStatus, Badge, Origin, Outcomes, Report, Resolution, Style
from badge.web.page import inline_picture


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with its size in pixels, so that the page does not shift when it loads."""

    source: str
    width: int
    height: int

    @classmethod
    def of(cls, badge: Badge) -> Sample:
        """Return the picture of a badge."""
        width, height = svg.size(badge)
        return cls(inline_picture(badge), math.ceil(width), height)


def example(look: Look, now: datetime) -> Sample:
    """Return the badge of a backup that succeeded three hours ago, with the details that the look shows."""
    report = Report(
        status=BackupStatus.SUCCEEDED,
        observed_at=now,
        finished_at=now - timedelta(hours=3),
        outcomes=Outcomes.parse("s" * 25 + "fssss"),
        next_run_at=now + timedelta(hours=21),
    )
    resolution = Resolution(
        report=report, origin=Origin.UPSTREAM, age=timedelta(0), fresh_for=timedelta(0), now=now, confirmed_at=now
    )
    return Sample.of(badge_for(resolution, look))


def badge_of(
    status: BackupStatus,
    palette: Palette = Palette.ACCESSIBLE,
    *,
    label: str = DEFAULT_LABEL,
    style: Style = Style.FLAT,
    has_icon: bool = False,
) -> Badge:
    """Return the badge of a status."""
    colour, icon = COLOURS[palette][TONES[status]], status.value if has_icon else None
    return Badge(label=label, message=WORDS[status], colour=colour, style=style, icon=icon)


def _palette(palette: Palette) -> Sequence[Sample]:
    return [Sample.of(badge_of(status, palette, label="", style=Style.FLAT_SQUARE)) for status in FINISHED]


_SUCCEEDED = BackupStatus.SUCCEEDED
SAMPLES: Mapping[str, Mapping[str, Sequence[Sample]]] = {
    "style": {style: [Sample.of(badge_of(_SUCCEEDED, style=style))] for style in Style},
    "palette": {palette: _palette(palette) for palette in Palette},
    "icon": {"off": [Sample.of(badge_of(_SUCCEEDED))], "on": [Sample.of(badge_of(_SUCCEEDED, has_icon=True))]},
}
"""The pictures of each choice's options, in the default look except for that option.

Those of a palette have square corners and no label, because they are there for the colours.
"""
