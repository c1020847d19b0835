"""Secrets by reference: `env:NAME` or `file:/path`, never in the configuration itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from badge.ports import SourceUnavailable

LONGEST = 16_384


class BadSecret(ValueError):
    """The reference leads nowhere; the message holds nothing of the secret."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference that was seen to lead to something."""

    file: Path | None = None
    value: str = field(default="", repr=False)

    @classmethod
    def parse(cls, reference: object, environment: Mapping[str, str]) -> Secret:
        """The secret behind a reference; raises `BadSecret`."""
        kind, _, where = reference.partition(":") if isinstance(reference, str) else ("", "", "")
        if kind == "env" and where:
            if not environment.get(where):
                raise BadSecret(f"the environment has no {where}")
            return cls(value=_checked(environment[where]))
        if kind == "file" and where:
            secret = cls(file=Path(where))
            secret.read_file()
            return secret
        raise BadSecret("give env:NAME or file:/path; secrets don't stand in the file itself")

    def reveal(self) -> str:
        """The secret, to be sent and never shown. A file is read anew, for some change by the hour."""
        try:
            return self.value if self.file is None else self.read_file()
        except BadSecret:
            raise SourceUnavailable("noSecret") from None

    def read_file(self) -> str:
        """What stands in the file now; raises `BadSecret`."""
        assert self.file is not None
        try:
            with self.file.open(encoding="utf-8") as stream:
                return _checked(stream.read(LONGEST + 1))
        except (OSError, UnicodeError) as error:
            raise BadSecret(f"can't be read: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}") from None


def _checked(text: str) -> str:
    secret = text.strip()
    if not secret or len(secret) > LONGEST or not secret.isprintable():
        raise BadSecret(f"is empty, longer than {LONGEST} characters or not of one line")
    return secret
