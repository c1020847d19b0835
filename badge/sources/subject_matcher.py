"""Which subjects a source answers for, and what it calls them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from badge.model import CASELESS_PLATFORMS, Subject


@dataclass(frozen=True, slots=True)
class Pattern:
    """Shell patterns (`*`, `?`, `[…]`) for each part of a subject, one of which has to match."""

    alternatives: Mapping[str, Sequence[str]]

    def matches(self, subject: Subject) -> bool:
        """Whether each part matches: platform and type without case, the others as their platform compares them."""
        is_caseless = subject.platform.lower() in CASELESS_PLATFORMS
        parts = {"platform": subject.platform, "account": subject.account, "type": subject.type, "name": subject.name}
        for part, any_of in self.alternatives.items():
            without_case = is_caseless or part in ("platform", "type")
            if not any(_fits(pattern, parts[part], without_case=without_case) for pattern in any_of):
                return False
        return True


def has_wildcard(pattern: str) -> bool:
    """Whether more than one text can match."""
    return any(sign in pattern for sign in "*?[")


def _fits(pattern: str, text: str, *, without_case: bool) -> bool:
    return _compiled(pattern, re.IGNORECASE if without_case else re.NOFLAG).match(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    # `fnmatch` itself would compare without case on some systems.
    return re.compile(translate(pattern), flags)


@dataclass(frozen=True, slots=True)
class SubjectMatcher:
    """A pattern, a table of subjects, or both: then the table's subjects come with values of their own."""

    pattern: Pattern | None
    subjects: Mapping[tuple[str, str, str, str], Mapping[str, str]]
    values: Mapping[str, str]

    def covers(self, subject: Subject) -> bool:
        """Whether the source answers for it."""
        return subject.key(fold_case=True) in self.subjects or (
            self.pattern is not None and self.pattern.matches(subject)
        )

    def values_for(self, subject: Subject) -> Mapping[str, str]:
        """What the source's own places stand for."""
        return {**self.values, **self.subjects.get(subject.key(fold_case=True), {})}
