"""PNGs, drawn once: those in everybody's words once for all processes, those in a stranger's once for this one."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from hashlib import sha256

from badge.artwork import png, svg
from badge.model import Badge
from badge.ports import PictureStore

# Labels and looks are strangers' to choose, so these are few; a flat badge at 2x takes 5 kB.
REMEMBERED_PICTURES = 512


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long to wait for one's turn to draw. All are alike to what remembers pictures by their arguments."""

    seconds: float = field(compare=False)


class Pictures:
    """Where the PNG of a badge is had from: this process, the shared store, or cairo."""

    def __init__(self, store: PictureStore | None = None) -> None:
        self._store = store
        self._remembered = functools.lru_cache(maxsize=REMEMBERED_PICTURES)(self._kept_or_drawn)

    def png(self, badge: Badge, scale: int, *, is_shared: bool, patience: float = png.PATIENCE_SECONDS) -> bytes:
        """The picture; raises `PngUnavailable`, also where others draw for so many seconds.

        `is_shared`: nothing in it is of a stranger's own wording, so that there are not many of it,
        and it may take room in the store that holds the statuses.
        """
        return self._remembered(badge, scale, is_shared, _Patience(patience))

    def _kept_or_drawn(self, badge: Badge, scale: int, is_shared: bool, patience: _Patience) -> bytes:  # noqa: FBT001 - lru_cache's key
        store = self._store if is_shared else None
        if store is None:
            return png.draw(badge, scale, patience.seconds)
        name = picture_name(badge, scale)
        kept = store.get(name)
        if kept is not None:
            return kept
        drawn = png.draw(badge, scale, patience.seconds)
        store.put(name, drawn)
        return drawn


def picture_name(badge: Badge, scale: int) -> str:
    """What tells one PNG from all others: all that is in it, its size, and the way it is drawn."""
    return f"{png.RENDERER}:{scale}:{sha256(svg.draw(png.for_png(badge))).hexdigest()[:32]}"
