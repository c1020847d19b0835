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


class NoSigningKey(Exception):
    """The stored key is damaged, or can be neither read nor created."""


def signing_key(settings: Settings) -> str:
    """Return the key that signs sessions and private tokens; raises `NoSigningKey`."""
    return settings.secret_key.get_secret_value() if settings.secret_key else stored_key(settings.data_dir)


def stored_key(folder: Path) -> str:
    """Return the key stored in this folder, which all processes share; generate it on first use.

    Raises `NoSigningKey`.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise NoSigningKey(f"{path} can't be read or created ({error.strerror})") from error


def fault_of_stored_key(settings: Settings) -> str | None:
    """Return why the stored key can't be used, if it is needed and exists."""
    path = settings.data_dir / KEY_FILE
    try:
        if settings.secret_key is None and path.exists():
            _read(path)
    except NoSigningKey as fault:
        return str(fault)
    except OSError as error:
        return f"{path} can't be read ({error.strerror})"
    return None


def _read(path: Path) -> str:
    key = path.read_bytes().strip()
    if len(key) < KEY_BYTES or not key.isascii():
        raise NoSigningKey(f"{path} is damaged: delete it to get a new one")
    return key.decode("ascii")


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}")  # with mode 600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())  # or a crash could leave an empty file
        # A link appears atomically; if several processes try, the first wins.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
