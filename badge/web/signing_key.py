"""The key that signs sessions and private tokens: from the settings, or generated in the data folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from badge.settings import Settings

KEY_FILE = "session.key"
KEY_BYTES = 32


def signing_key(settings: Settings) -> str:
    """Return the key that signs sessions and private tokens."""
    return settings.secret_key.get_secret_value() if settings.secret_key else stored_key(settings.data_dir)


def stored_key(folder: Path) -> str:
    """Return the key stored in this folder, which all processes share; generate it on first use."""
    path = folder / KEY_FILE
    if not path.exists():
        _make(path)
    return path.read_text(encoding="ascii").strip()


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}")  # with mode 600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
        # A link appears atomically; if several processes try, the first wins.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
