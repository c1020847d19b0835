"""The table of reference pictures: file name → badge."""

from badge.appearance import WORDS, colour_of
from badge.model import BackupStatus, Badge

GREEN = colour_of(BackupStatus.SUCCEEDED)

PICTURES = {
    **{
        words.replace(" ", "-"): Badge(label="backup", message=words, colour=colour_of(status))
        for status, words in WORDS.items()
    },
    "as-of": Badge(label="backup", message="succeeded · as of 3h ago", colour=GREEN),
    "no-label": Badge(label="", message="succeeded", colour=GREEN),
    "long-label": Badge(label="W" * 64, message="succeeded", colour=GREEN),
    "cjk-label": Badge(label="备份状态", message="succeeded", colour=GREEN),
    "emoji-label": Badge(label="📦 backup", message="succeeded", colour=GREEN),
    "hostile-label": Badge(label='"><script>alert(1)</script>&amp;\x00\u202eevil', message="succeeded", colour=GREEN),
}
