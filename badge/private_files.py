"""Files in the data folder that only the service's user may read, write or lock, whatever the folder's mode."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_READABLE = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH


def open_private(path: Path, *, is_lock: bool = False) -> int:
    """Open a file for reading and writing, creating it with mode 600; returns the descriptor.

    If run by root, creates the file for the folder's owner. Raises `OSError`, including for a symbolic link and for
    another user's file; but root may open anyone's lock, because nothing is written to it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _make_private(descriptor, path, is_lock=is_lock)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _make_private(descriptor: int, path: Path, *, is_lock: bool) -> None:
    status, folder, is_root = os.fstat(descriptor), path.parent.stat(), os.geteuid() == 0
    if is_root and status.st_uid == 0:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    elif status.st_uid not in (os.geteuid(), folder.st_uid) and not (is_root and is_lock):
        # The message doesn't say "remove it": processes that hold the old file's lock and those that lock a new file
        # would no longer exclude each other.
        raise PermissionError(errno.EPERM, "it belongs to another user; change its owner", str(path))
    if status.st_mode & _OTHERS:
        os.fchmod(descriptor, 0o600)


def is_open_to_others(folder: Path) -> bool:
    """Whether users other than the owner can access the folder."""
    try:
        return bool(folder.stat().st_mode & _READABLE)
    except OSError:
        return False
