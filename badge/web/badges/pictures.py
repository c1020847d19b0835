"""PNG badges, drawn once for all processes; those with a client's own label, once per process."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from hashlib import sha256

from badge.artwork import png, svg
from badge.model import Badge
from badge.ports import PictureStore

# Clients can make up labels, so the number is bounded; a flat badge at scale 2 takes 5 kB.
REMEMBERED_PICTURES = 512


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long to wait for a turn to draw. All instances compare equal, so patience isn't part of the cache key."""

    seconds: float = field(compare=False)


class Pictures:
    """Gets PNG badges from this process's memory, from the shared store, or by drawing them."""

    def __init__(self, store: PictureStore | None = None) -> None:
        self._store = store
        self._remembered = functools.lru_cache(maxsize=REMEMBERED_PICTURES)(self._stored_or_drawn)

    def png(self, badge: Badge, scale: int, *, is_shared: bool, patience: float = png.PATIENCE_SECONDS) -> bytes:
        """Return the PNG; raises `PngUnavailable`, including when other drawings take longer than `patience` seconds.

        `is_shared`: use the store. Only for badges without a client's own text: there are few of them, so they don't
        displace the statuses that the store also holds.
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
