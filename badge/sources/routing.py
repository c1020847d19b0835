"""Which source answers for a subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from badge.model import Subject
from badge.ports import StatusSource
from badge.sources.subject_matcher import SubjectMatcher


@dataclass(frozen=True, slots=True)
class OneSource:
    """`SourceRouting` to one source for everything."""

    source: StatusSource

    def source_for(self, subject: Subject) -> StatusSource | None:  # noqa: ARG002 - the protocol's signature
        """The one source, whatever the subject."""
        return self.source

    @property
    def sources(self) -> Sequence[StatusSource]:
        """The one source."""
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Routing:
    """`SourceRouting` as sources.toml says: the first source that claims the subject."""

    routes: Sequence[tuple[SubjectMatcher, StatusSource]]

    def source_for(self, subject: Subject) -> StatusSource | None:
        """The first that claims the subject."""
        return next((source for matcher, source in self.routes if matcher.covers(subject)), None)

    @property
    def sources(self) -> Sequence[StatusSource]:
        """All of them, in the order of the file."""
        return [source for _, source in self.routes]
