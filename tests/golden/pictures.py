"""The table of reference pictures, drawn as SVG and as PNG: file name → badge."""

from dataclasses import replace
from typing import Any

from badge.appearance import (
    AS_OF,
    BARS,
    COLOURS,
    DEFAULT_LABEL,
    HOURS,
    RATE,
    RUNS,
    TONES,
    WORDS,
    Palette,
    Tone,
)
from badge.artwork.glyphs import LOGOS, STATUS_GLYPHS
from badge.language import Language
from badge.model import BackupStatus, Badge, Style, Theme

COLOUR = COLOURS[Palette.ACCESSIBLE]
GREEN = COLOUR[Tone.GREEN]

LOOKS: dict[str, dict[str, Any]] = {
    "": {},
    "-icon-logo": {"icon": "failed", "logo": "shield"},
    "-light": {"theme": Theme.LIGHT, "icon": "failed", "logo": "shield"},
    "-dark": {"theme": Theme.DARK, "icon": "failed", "logo": "shield"},
}


def in_language(language: Language, style: Style = Style.FLAT) -> Badge:
    """Return a badge with the longest message of a language."""
    message = language.say(AS_OF).format(
        message=language.say(WORDS[BackupStatus.IN_PROGRESS]), duration=language.say(HOURS).format(hours=3)
    )
    label = language.say(DEFAULT_LABEL)
    return Badge(label=label, message=message, colour=COLOUR[Tone.GREEN], language=language, style=style)


SUCCEEDED, FAILED = BARS[BackupStatus.SUCCEEDED], BARS[BackupStatus.FAILED]
HISTORY: dict[str, Any] = {
    "bars": (SUCCEEDED, SUCCEEDED, FAILED, *[SUCCEEDED] * 4, FAILED, FAILED, SUCCEEDED),
    "details": RUNS.format(succeeded=7, failed=3),
}


def with_history(style: Style, **more: Any) -> Badge:
    """Return a badge with bars, and with these options."""
    return Badge(**{"label": "backup", "message": "succeeded", "colour": GREEN, "style": style, **HISTORY, **more})


PICTURES = {
    **{
        words.replace(" ", "-"): Badge(label="backup", message=words, colour=COLOUR[TONES[status]])
        for status, words in WORDS.items()
    },
    **{
        f"{style}{suffix}": Badge(label="backup", message="failed", colour=COLOUR[Tone.RED], style=style, **looks)
        for style in Style
        for suffix, looks in LOOKS.items()
    },
    **{
        f"palette-{palette}": Badge(label="backup", message="succeeded", colour=COLOURS[palette][Tone.GREEN])
        for palette in Palette
    },
    **{f"icon-{icon}": Badge(label="backup", message=icon, colour=GREEN, icon=icon) for icon in STATUS_GLYPHS},
    **{f"logo-{logo}": Badge(label="backup", message="succeeded", colour=GREEN, logo=logo) for logo in LOGOS},
    **{f"language-{language}": in_language(language) for language in Language},
    **{f"arabic-{style}": in_language(Language.ARABIC, style) for style in Style},
    **{f"history-{style}{suffix}": with_history(style, **looks) for style in Style for suffix, looks in LOOKS.items()},
    **{f"history-no-label-{style}": with_history(style, label="") for style in Style},
    **{f"history-arabic-{style}": replace(in_language(Language.ARABIC, style), **HISTORY) for style in Style},
    "history-one-run": Badge(label="backup", message="failed", colour=COLOUR[Tone.RED], bars=(FAILED,)),
    "history-overdue": Badge(label="backup", message="overdue 2d", colour=COLOUR[Tone.ORANGE], **HISTORY),
    "rate": Badge(label="backup", message=RATE.format(message="succeeded", succeeded=29, finished=30), colour=GREEN),
    "as-of": Badge(label="backup", message="succeeded · as of 3h ago", colour=GREEN),
    "no-label": Badge(label="", message="succeeded", colour=GREEN),
    "long-label": Badge(label="W" * 64, message="succeeded", colour=GREEN),
    "cjk-label": Badge(label="备份状态", message="succeeded", colour=GREEN),
    "hebrew-label": Badge(label="גיבוי (3)", message="succeeded", colour=GREEN),
    "combining-label": Badge(label="e\u0301te\u0301 Tiếng Việt", message="succeeded", colour=GREEN),
    "emoji-label": Badge(label="📦 backup", message="succeeded", colour=GREEN),
    "hostile-label": Badge(label='"><script>alert(1)</script>&amp;\x00\u202eevil', message="succeeded", colour=GREEN),
}

# The predrawn pictures, for when a PNG can't be drawn: each status by its name in the contract, and overdue.
PREDRAWN = {
    **{
        status.value: Badge(label="backup", message=words, colour=COLOUR[TONES[status]])
        for status, words in WORDS.items()
    },
    "overdue": Badge(label="backup", message="overdue", colour=COLOUR[Tone.ORANGE]),
}
