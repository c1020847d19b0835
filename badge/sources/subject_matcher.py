"""Which subjects a source answers for, and the values it needs for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from badge.model import Subject, SubjectScope
from badge.sources.place import values_digest
from badge.subject_pattern import Pattern


@dataclass(frozen=True, slots=True)
class SubjectMatcher:
    """Matches by pattern, by a table of subjects, or by both.

    Subjects in the table can have values of their own.
    """

    pattern: Pattern | None
    subjects: Mapping[tuple[str, str, str, str], Mapping[str, str]]
    values: Mapping[str, str]

    def covers(self, subject: Subject) -> bool:
        """Whether the source answers for this subject."""
        return subject.key(fold_case=True) in self.subjects or (
            self.pattern is not None and self.pattern.matches(subject)
        )

    def may_cover(self, scope: SubjectScope | None) -> bool:
        """Whether the source can answer for some subject in the scope; None means all subjects."""
        if self.pattern is not None and self.pattern.may_match_in(scope):
            return True
        return any(scope is None or scope.has_key(key) for key in self.subjects)

    def covers_all_of(self, scope: SubjectScope | None) -> bool:
        """Whether the source answers for every subject in the scope."""
        return self.pattern is not None and self.pattern.matches_all_of(scope)

    def values_for(self, subject: Subject) -> Mapping[str, str]:
        """Return the values of the source's placeholders for this subject."""
        return {**self.values, **self.subjects.get(subject.key(fold_case=True), {})}

    def place_within(self, place: str, subject: Subject) -> str:
        """Return the source's `place`, extended if this subject has values of its own."""
        own = values_digest(self.subjects.get(subject.key(fold_case=True), {}))
        return f"{place}:{own}" if own else place
