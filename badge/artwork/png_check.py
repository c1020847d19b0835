"""Checks at start-up whether PNGs can be drawn, in a separate process: cairo takes 20 MB that few workers need."""

from __future__ import annotations

import os
import subprocess
import sys

from badge.artwork.png import fault_of_this_machine

FINE = "fine"


class PngCheck:
    """The check's result, in an anonymous file that workers inherit from the master.

    Until the check ends, PNGs count as fine.

    The result is not passed through a pipe, which workers forked during the check would hold open, nor as an exit code:
    gunicorn's master reaps every child itself.
    """

    def __init__(self) -> None:
        # In memory, so that a full disk can't keep the service from starting.
        self._result = os.fdopen(os.memfd_create("png-check"), "wb", buffering=0)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the check in the background. A fault that it finds is reported on standard error."""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very module
                [sys.executable, "-m", __name__], stdin=subprocess.DEVNULL, stdout=self._result
            )
        except OSError as error:
            self._result.write(f"the check can't be started ({type(error).__name__})".encode())

    def close(self) -> None:
        """Close the file."""
        self._result.close()

    @property
    def is_fine(self) -> bool:
        """Whether no fault has been found so far."""
        return os.pread(self._result.fileno(), 80, 0) in (b"", FINE.encode())


def consequence_of(fault: str) -> str:
    """Return what a fault means for badges, as a sentence without a full stop."""
    return f"PNG badges are ready-made images that ignore label and style, because PNGs can't be drawn here: {fault}"


def main() -> None:
    """Write the result to standard output, and a fault to standard error too."""
    fault = fault_of_this_machine()
    sys.stdout.write(fault or FINE)
    if fault:
        sys.stderr.write(f"WARNING {consequence_of(fault)}\n")


if __name__ == "__main__":
    main()
