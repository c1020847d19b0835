"""Commands that pages show, written so that they use this service's data from any terminal on the machine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from badge.settings import ENVIRONMENT, Settings, variable_for

EXAMPLE = "GitHub/acme/Repository/web"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Writes commands that find this service's settings and data."""

    data_dir: Path | None = None
    """None if a command finds it anyway: by default, or through the settings file."""
    settings_file: Path | None = None
    """None if a command finds it anyway."""
    address: tuple[str, str] | None = None
    """The variable with the service's address, and its value; None if a command finds it anyway."""
    undisclosed: Sequence[str] = ()
    """Variables that a command needs as well, but whose values must not be displayed."""

    @classmethod
    def of(cls, settings: Settings) -> Terminal:
        """Return a writer of commands for a service with these settings."""
        # Another terminal has neither this environment nor this working directory.
        lacking = {name for name in Settings.model_fields if settings.origin_of(name) == ENVIRONMENT}
        return cls(
            data_dir=settings.data_dir.resolve() if "data_dir" in lacking else None,
            settings_file=settings.named_file,
            address=next(
                ((variable_for(name), getattr(settings, name)) for name in ("public_url", "bind") if name in lacking),
                None,
            ),
            undisclosed=[variable_for(name) for name in ("catalogue_url", "redis_url") if name in lacking],
        )

    def command(self, *words: str) -> str:
        """Return a `badge …` command line that runs this installation from any folder."""
        return self._command(words, {})

    @property
    def login_link(self) -> str:
        """The command that makes a login link with this service's address."""
        return self._command(["login-link"], dict([self.address] if self.address else []))

    def _command(self, words: Sequence[str], more: Mapping[str, str]) -> str:
        given = {"BADGE_SETTINGS_FILE": self.settings_file, "BADGE_DATA_DIR": self.data_dir, **more}
        # Only the value is quoted: a quoted assignment would be taken for a command.
        where = [f"{variable}={shlex.quote(str(path))} " for variable, path in given.items() if path]
        return "".join(where) + shlex.join([*program(Path(sys.executable)), *words])

    @property
    def note(self) -> str:
        """Which variables the command needs in the terminal; empty if none."""
        names = " and ".join(self.undisclosed)
        return f"First set {names} in the terminal, as configured for the service." if names else ""


def program(python: Path) -> list[str]:
    """Return the command that runs `badge` with this Python, even if its script is not installed."""
    script = python.with_name("badge")
    return [str(script)] if script.exists() else [str(python), "-m", "badge"]
