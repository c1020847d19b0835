"""How a command of this service is written, so that it runs in any terminal of the machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

EXAMPLE = "GitHub/acme/Repository/web"


def command(*words: str) -> str:
    """`flask badge …` with these words, by the `flask` that this service runs with."""
    return shlex.join([str(Path(sys.executable).with_name("flask")), "badge", *words])
