"""Which subjects a source answers for, and the values it needs for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from badge.model import CASELESS_PLATFORMS, Subject
from badge.sources.place import values_digest


@dataclass(frozen=True, slots=True)
class Pattern:
    """Shell patterns (`*`, `?`, `[…]`) for each part of a subject; one per part has to match."""

    alternatives: Mapping[str, Sequence[str]]

    def matches(self, subject: Subject) -> bool:
        """Whether every part matches.

        Platform and type ignore case; account and name do so only on platforms that do.
        """
        is_caseless = subject.platform.lower() in CASELESS_PLATFORMS
        parts = {"platform": subject.platform, "account": subject.account, "type": subject.type, "name": subject.name}
        for part, any_of in self.alternatives.items():
            without_case = is_caseless or part in ("platform", "type")
            if not any(_fits(pattern, parts[part], without_case=without_case) for pattern in any_of):
                return False
        return True


def has_wildcard(pattern: str) -> bool:
    """Whether the pattern can match more than one text."""
    return any(character in pattern for character in "*?[")


def _fits(pattern: str, text: str, *, without_case: bool) -> bool:
    return _compiled(pattern, re.IGNORECASE if without_case else re.NOFLAG).match(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    # `fnmatch.fnmatch` ignores case on some operating systems.
    return re.compile(translate(pattern), flags)


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

    def values_for(self, subject: Subject) -> Mapping[str, str]:
        """Return the values of the source's placeholders for this subject."""
        return {**self.values, **self.subjects.get(subject.key(fold_case=True), {})}

    def place_within(self, place: str, subject: Subject) -> str:
        """Return the source's `place`, extended if this subject has values of its own."""
        own = values_digest(self.subjects.get(subject.key(fold_case=True), {}))
        return f"{place}:{own}" if own else place
