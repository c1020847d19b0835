"""How a command of this service is written, so that it means this service's data in any terminal of the machine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from badge.settings import Settings

EXAMPLE = "GitHub/acme/Repository/web"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where commands find what they are about."""

    data_dir: Path | None = None
    """None where it is the usual one."""
    unsaid: Sequence[str] = ()
    """Variables that a command needs, too, and whose values are nobody's to read."""

    @classmethod
    def of(cls, settings: Settings) -> Terminal:
        """Of a service with these settings."""
        usual = Settings.model_fields["data_dir"].default
        secrets = {"BADGE_CATALOGUE_URL": settings.catalogue_url, "BADGE_REDIS_URL": settings.redis_url}
        return cls(
            # In another terminal a relative one would be another one.
            data_dir=None if settings.data_dir == usual else settings.data_dir.resolve(),
            unsaid=[variable for variable, value in secrets.items() if value is not None],
        )

    def command(self, *words: str) -> str:
        """`badge …` with these words, as this service's own installation runs it from any folder."""
        # A quoted assignment would be none.
        where = f"BADGE_DATA_DIR={shlex.quote(str(self.data_dir))} " if self.data_dir else ""
        return where + shlex.join([*program(Path(sys.executable)), *words])

    @property
    def note(self) -> str:
        """What has to be there for a command besides what it says; empty for nothing."""
        return f"The terminal needs the service's {' and '.join(self.unsaid)}, too." if self.unsaid else ""


def program(python: Path) -> list[str]:
    """How to run `badge` with this Python, also where its script is not installed (a checkout on PYTHONPATH)."""
    script = python.with_name("badge")
    return [str(script)] if script.exists() else [str(python), "-m", "badge"]
