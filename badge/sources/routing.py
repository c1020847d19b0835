"""Routing: which source answers for a subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from badge.model import Subject, SubjectScope
from badge.ports import StatusSource
from badge.sources.subject_matcher import SubjectMatcher


@dataclass(frozen=True, slots=True)
class OneSource:
    """Routing with a single source for every subject."""

    source: StatusSource

    def source_for(self, subject: Subject) -> StatusSource | None:  # noqa: ARG002 - the protocol's signature
        """Return the only source."""
        return self.source

    @property
    def sources(self) -> Sequence[StatusSource]:
        """The only source."""
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Routing:
    """Routing by sources.toml: the first source that matches the subject answers."""

    routes: Sequence[tuple[SubjectMatcher, StatusSource]]

    def source_for(self, subject: Subject) -> StatusSource | None:
        """Return the first source that matches, or None."""
        return next((source for matcher, source in self.routes if matcher.covers(subject)), None)

    def names_within(self, scope: SubjectScope | None) -> frozenset[str]:
        """Return the names of the sources that can answer for some subject in the scope; None means all subjects."""
        names: set[str] = set()
        for matcher, source in self.routes:
            if matcher.may_cover(scope):
                names.add(source.name)
            if matcher.covers_all_of(scope):
                break  # for this scope, the sources below it are never queried
        return frozenset(names)

    @property
    def sources(self) -> Sequence[StatusSource]:
        """All sources, in file order."""
        return [source for _, source in self.routes]
