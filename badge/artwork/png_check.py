"""Can PNGs be drawn here? Asked in a process of its own, for cairo takes 20 MB that most workers never need."""

from __future__ import annotations

import mmap
import subprocess
import sys
import threading
from collections.abc import Callable

from badge.artwork.png import fault_of_this_machine

TIMEOUT_SECONDS = 30.0
FAULTY = 1
FINE = "fine"


class PngCheck:
    """The answer, in a byte that the master shares with the workers it forks. Until it is known, none is a fault."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    @property
    def is_fine(self) -> bool:
        """Whether no fault was found so far."""
        return self._shared[0] != FAULTY

    def start(self, tell: Callable[[str], object]) -> threading.Thread:
        """Look, beside the service's own start; `tell` hears of a fault in words."""
        looking = threading.Thread(target=self._look, args=(tell,), name="png-check", daemon=True)
        looking.start()
        return looking

    def _look(self, tell: Callable[[str], object]) -> None:
        try:
            found = subprocess.run(  # noqa: S603 - this very module
                [sys.executable, "-m", __name__], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self._say(tell, f"the check did not end ({type(error).__name__})")
            return
        # Not by its exit code: gunicorn's master reaps every child, and subprocess then takes it for 0.
        if found.stdout != FINE:
            self._say(tell, found.stdout or "the check itself failed")

    def _say(self, tell: Callable[[str], object], fault: str) -> None:
        self._shared[0] = FAULTY
        tell(f"PNGs are the ready-made ones, without labels and styles: {fault}")


if __name__ == "__main__":
    sys.stdout.write(fault_of_this_machine() or FINE)
