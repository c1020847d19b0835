"""The key that signs log-ins and the tokens of private subjects: the operator's, or one kept in the data folder."""

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
    """What log-ins are signed with, and the tokens of private subjects."""
    return settings.secret_key.get_secret_value() if settings.secret_key else kept_key(settings.data_dir)


def kept_key(folder: Path) -> str:
    """The key in this folder, made at first use; all processes on it get the same one."""
    path = folder / KEY_FILE
    if not path.exists():
        _make(path)
    return path.read_text(encoding="ascii").strip()


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}")  # of mode 600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
        # Whole or not at all, and the first of several processes wins.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
