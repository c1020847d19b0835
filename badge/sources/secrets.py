"""Secrets by reference: `env:NAME` or `file:/path`, never written in the configuration itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo

from badge.events import FailureKind
from badge.ports import SourceUnavailable

LONGEST = 16_384


class BadSecret(ValueError):
    """The reference can't be resolved. The message never contains the secret."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A resolved reference: a value from the environment, or a file to read on each use."""

    file: Path | None = None
    value: str = field(default="", repr=False)

    @classmethod
    def parse(cls, reference: object, environment: Mapping[str, str]) -> Secret:
        """Resolve a reference; raises `BadSecret`."""
        kind, _, where = reference.partition(":") if isinstance(reference, str) else ("", "", "")
        if kind == "env" and where:
            if not environment.get(where):
                raise BadSecret(f"set the environment variable {where}; it is missing or empty")
            return cls(value=_checked(environment[where]))
        if kind == "file" and where:
            secret = cls(file=Path(where))
            secret.read_file()
            return secret
        raise BadSecret("must be env:NAME or file:/path; don't write the secret itself here")

    def reveal(self) -> str:
        """Return the secret. It may be sent to the upstream, but never displayed or logged.

        A file is read on every call, since some tokens are rotated hourly. Raises `SourceUnavailable`.
        """
        try:
            return self.value if self.file is None else self.read_file()
        except BadSecret:
            raise SourceUnavailable(FailureKind.NO_SECRET) from None

    def read_file(self) -> str:
        """Return the file's current content; raises `BadSecret`."""
        assert self.file is not None
        try:
            with self.file.open(encoding="utf-8") as stream:
                return _checked(stream.read(LONGEST + 1))
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise BadSecret(f"the file can't be read: {reason}") from None


def _checked(text: str) -> str:
    secret = text.strip()
    if not secret or len(secret) > LONGEST or not secret.isprintable():
        raise BadSecret(f"the secret has to be one line of 1 to {LONGEST} printable characters")
    return secret


def _secret(reference: object, info: ValidationInfo) -> Secret:
    return Secret.parse(reference, (info.context or {}).get("environment", {}))


SecretReference = Annotated[Secret, PlainValidator(_secret)]
"""A reference in a configuration file, resolved with the `environment` in pydantic's validation context."""
