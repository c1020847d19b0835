"""Can PNGs be drawn here? Asked in a process of its own, for cairo takes 20 MB that most workers never need."""

from __future__ import annotations

import os
import subprocess
import sys

from badge.artwork.png import fault_of_this_machine

FINE = "fine"


class PngCheck:
    """The answer, in a nameless file that the workers inherit from the master; until it is there, none is a fault.

    Neither a thread nor a pipe: the master forks while the check runs, and workers would hold the
    pipe open. Nor the exit code, for gunicorn reaps every child of its master.
    """

    def __init__(self) -> None:
        # In memory, where no full disk keeps the service from starting.
        self._answer = os.fdopen(os.memfd_create("png-check"), "wb", buffering=0)
        self._looking: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Look, beside the service's own start. A fault is told on standard error."""
        try:
            self._looking = subprocess.Popen(  # noqa: S603 - this very module
                [sys.executable, "-m", __name__], stdin=subprocess.DEVNULL, stdout=self._answer
            )
        except OSError as error:
            self._answer.write(f"the check can't be started ({type(error).__name__})".encode())

    def close(self) -> None:
        """Let go of the file."""
        self._answer.close()

    @property
    def is_fine(self) -> bool:
        """Whether no fault was found so far."""
        return os.pread(self._answer.fileno(), 80, 0) in (b"", FINE.encode())


def main() -> None:
    """Write the answer to standard output, and a fault to standard error too."""
    fault = fault_of_this_machine()
    sys.stdout.write(fault or FINE)
    if fault:
        sys.stderr.write(f"WARNING PNGs are the ready-made ones, without labels and styles: {fault}\n")


if __name__ == "__main__":
    main()
