"""The folder in which the workers of one service keep their counts, one file each.

It has to be named in the environment before prometheus_client is imported, which looks there but once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def claim_folder(parent: Path) -> None:
    """Give this process and those it forks a new folder; what processes that are gone have left is removed.

    Counts of an earlier run would else be added to those of this one.
    """
    folder = parent / str(os.getpid())
    if os.environ.get(VARIABLE) == str(folder):
        return  # gunicorn reads its configuration again when it is told to reload
    for old in parent.glob("[0-9]*"):
        if not _is_running(int(old.name)):
            shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ[VARIABLE] = str(folder)


def shared_folder() -> Path | None:
    """Where all workers keep their counts, if they share any."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else None


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder: what an ended worker counted is moved while nobody reads."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
