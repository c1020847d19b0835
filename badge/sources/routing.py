"""Which source answers for a subject."""

from __future__ import annotations

from dataclasses import dataclass

from badge.model import Subject
from badge.ports import StatusSource


@dataclass(frozen=True, slots=True)
class OneSource:
    """`SourceRouting` to one source for everything."""

    source: StatusSource

    def source_for(self, subject: Subject) -> StatusSource | None:
        """That one."""
        del subject
        return self.source
