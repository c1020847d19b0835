"""A real file system of 24 MB that tests can fill."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers import eventually, needs

SIZE = "24m"


@contextlib.contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    """Mount a file system of 24 MB until the block ends."""
    needs("the permission to mount file systems", is_there=os.geteuid() == 0)
    place = folder / "disk"
    place.mkdir()
    if kind == "tmpfs":
        what = ["-t", "tmpfs", "-o", f"size={SIZE}", "badge-test"]
    else:
        image = folder / "image"
        subprocess.run(["truncate", "-s", SIZE, image], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        what = ["-o", "loop", str(image)]
    subprocess.run(["mount", *what, place], check=True)
    try:
        yield place
    finally:
        assert eventually(lambda: subprocess.run(["umount", place], check=False).returncode == 0)


def fill(disk: Path) -> None:
    """Fill the disk to the last byte."""
    for size in (1 << 20, 4096, 1):
        with (disk / f"filler-{size}").open("ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 - it is always raised: the loop has no other exit


def make_room(disk: Path) -> None:
    for filler in disk.glob("filler-*"):
        filler.unlink()
