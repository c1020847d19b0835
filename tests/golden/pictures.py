"""The table of reference pictures: file name → badge."""

from badge.appearance import COLOURS, TONES, WORDS, Palette, Tone
from badge.artwork.glyphs import LOGOS, STATUS_GLYPHS
from badge.model import Badge, Style

COLOUR = COLOURS[Palette.ACCESSIBLE]
GREEN = COLOUR[Tone.GREEN]

LOOKS: dict[str, dict[str, str]] = {
    "": {},
    "-icon-logo": {"icon": "failed", "logo": "shield"},
}

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
    "as-of": Badge(label="backup", message="succeeded · as of 3h ago", colour=GREEN),
    "no-label": Badge(label="", message="succeeded", colour=GREEN),
    "long-label": Badge(label="W" * 64, message="succeeded", colour=GREEN),
    "cjk-label": Badge(label="备份状态", message="succeeded", colour=GREEN),
    "emoji-label": Badge(label="📦 backup", message="succeeded", colour=GREEN),
    "hostile-label": Badge(label='"><script>alert(1)</script>&amp;\x00\u202eevil', message="succeeded", colour=GREEN),
}

# What stands in for a PNG that can't be drawn: statuses by their name on the wire, and overdue.
PREDRAWN = {
    **{
        status.value: Badge(label="backup", message=words, colour=COLOUR[TONES[status]])
        for status, words in WORDS.items()
    },
    "overdue": Badge(label="backup", message="overdue", colour=COLOUR[Tone.ORANGE]),
}
