"""PNG badges, drawn once: shared between processes, or if the label is the client's own, once per process."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from hashlib import sha256

from badge.artwork import png, svg
from badge.model import Badge
from badge.ports import PictureStore

# Clients choose labels and looks, so the number is bounded; a flat badge at 2x takes 5 kB.
REMEMBERED_PICTURES = 512


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long to wait for a turn to draw. All compare equal, so that it is not part of the cache key."""

    seconds: float = field(compare=False)


class Pictures:
    """Gets PNG badges from this process's memory, from the shared store, or by drawing them."""

    def __init__(self, store: PictureStore | None = None) -> None:
        self._store = store
        self._remembered = functools.lru_cache(maxsize=REMEMBERED_PICTURES)(self._stored_or_drawn)

    def png(self, badge: Badge, scale: int, *, is_shared: bool, patience: float = png.PATIENCE_SECONDS) -> bytes:
        """Return the PNG; raises `PngUnavailable`, including when other drawings take longer than `patience` seconds.

        `is_shared`: the badge holds no text of the client's own, so there are few such badges and they may
        take room in the store that also holds the statuses.
        """
        return self._remembered(badge, scale, is_shared, _Patience(patience))

    def _stored_or_drawn(self, badge: Badge, scale: int, is_shared: bool, patience: _Patience) -> bytes:  # noqa: FBT001 - lru_cache's key
        store = self._store if is_shared else None
        if store is None:
            return png.draw(badge, scale, patience.seconds)
        name = picture_name(badge, scale)
        stored = store.get(name)
        if stored is not None:
            return stored
        drawn = png.draw(badge, scale, patience.seconds)
        store.put(name, drawn)
        return drawn


def picture_name(badge: Badge, scale: int) -> str:
    """Return the PNG's key in the store, made of its content, its scale and the renderer."""
    return f"{png.RENDERER}:{scale}:{sha256(svg.draw(png.for_png(badge))).hexdigest()[:32]}"
