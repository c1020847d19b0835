"""Patterns that select subjects, part by part: in sources.toml and notify.toml, API keys, private tokens and URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from badge.model import CASELESS_PLATFORMS, KNOWN_PLATFORMS, InvalidSubject, Subject, SubjectScope, decode_segment

MOST_PATTERNS = 100

_PLATFORMS = frozenset(name.lower() for name in KNOWN_PLATFORMS)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Shell patterns (`*`, `?`, `[…]`) for the parts of a subject; each part has to match one of its patterns."""

    alternatives: Mapping[str, Sequence[str]]

    def matches(self, subject: Subject) -> bool:
        """Whether every part matches.

        Case is ignored in platform and type, and in account and name on platforms that ignore it there.
        """
        is_caseless = subject.platform.lower() in CASELESS_PLATFORMS
        parts = {"platform": subject.platform, "account": subject.account, "type": subject.type, "name": subject.name}
        for part, any_of in self.alternatives.items():
            without_case = is_caseless or part in ("platform", "type")
            if not any(_fits(pattern, parts[part], without_case=without_case) for pattern in any_of):
                return False
        return True

    def may_match_in(self, scope: SubjectScope | None) -> bool:
        """Whether any subject in the scope can match; always True for None, which means all subjects."""
        return scope is None or Pattern(self._of(scope)).matches(Subject(*self._literals(scope)))

    def matches_all_of(self, scope: SubjectScope | None, name: str | None = None) -> bool:
        """Whether every subject in the scope matches. If `name` is given, only subjects with such names count.

        `name` is a pattern, too. Patterns are compared as text, so `w*` is not recognised as covering `web-*`.
        """
        covers_names = any(pattern in ("*", name) for pattern in self.alternatives.get("name", ["*"]))
        known = self._of(scope) if scope else {}
        others = [any_of for part, any_of in self.alternatives.items() if part not in known and part != "name"]
        return covers_names and self.may_match_in(scope) and all("*" in any_of for any_of in others)

    def _of(self, scope: SubjectScope) -> Mapping[str, Sequence[str]]:
        """Return the patterns of the parts that the scope determines."""
        determined = ("platform", "account") if scope.type is None else ("platform", "account", "type")
        return {part: any_of for part, any_of in self.alternatives.items() if part in determined}

    @staticmethod
    def _literals(scope: SubjectScope) -> tuple[str, str, str, str]:
        return scope.platform, scope.account, scope.type or "", ""


_BEFORE_WILDCARD = re.compile(r"[^*?\[]*")


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A shell pattern for names, which ignores case on platforms that do."""

    text: str

    def matches(self, subject: Subject) -> bool:
        """Whether the subject's name matches."""
        return Pattern({"name": [self.text]}).matches(subject)

    @property
    def beginning(self) -> str:
        """The pattern up to its first wildcard, which becomes `*`; matches all names that the whole pattern matches."""
        literal = _BEFORE_WILDCARD.match(self.text)
        assert literal is not None  # it matches the empty string
        return self.text if literal[0] == self.text else f"{literal[0]}*"


def has_wildcard(pattern: str) -> bool:
    """Whether the pattern can match more than one string."""
    return any(character in pattern for character in "*?[")


def _fits(pattern: str, text: str, *, without_case: bool) -> bool:
    if without_case:  # as in `Subject.key`; `re.IGNORECASE` also equates "s" with the long s (U+017F)
        pattern, text = pattern.lower(), text.lower()
    return _compiled(pattern).match(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    # `fnmatch.fnmatch` ignores case on some operating systems.
    return re.compile(translate(pattern))


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A subject's path with shell patterns in it, such as `GitHub/acme/*`; build it with `parse`.

    Each part is matched separately. Wildcards also match the slashes within an account (`%2F`) or a name.
    """

    text: str
    parts: Subject
    """The patterns of platform, account, type and name."""

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Read `platform/account/type/name`, percent-encoded as in a badge's URL; raises `InvalidSubject`.

        Without a name, all names match; two segments are `owner/repository`, as in a badge's URL.
        """
        segments = [decode_segment(segment) for segment in text.removesuffix("/").split("/")]
        if len(segments) == 3:
            segments.append("*")
        if len(segments) < 2:
            raise InvalidSubject("use owner/repository, platform/account/type or platform/account/type/name")
        if len(segments) == 2 and segments[0].lower() in _PLATFORMS:
            raise InvalidSubject(f"two parts mean owner/repository; for a whole platform, write {segments[0]}/*/*")
        return cls(text, Subject.from_segments(segments))

    @classmethod
    def only(cls, subject: Subject) -> PathPattern:
        """Return the pattern that selects only this subject; raises `InvalidSubject` if it would be too long."""
        parts = (subject.platform, subject.account, subject.type, subject.name)
        return cls.parse(Subject(*(re.sub(r"([*?[])", r"[\1]", part) for part in parts)).path)

    def matches(self, subject: Subject) -> bool:
        """Whether the pattern selects the subject."""
        return self.by_part.matches(subject)

    @property
    def by_part(self) -> Pattern:
        """The same pattern, part by part."""
        parts = self.parts
        return Pattern(
            {"platform": [parts.platform], "account": [parts.account], "type": [parts.type], "name": [parts.name]}
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """The subjects that an API key or a private token is valid for."""

    patterns: Sequence[PathPattern] | None = None
    """None for all subjects."""

    @classmethod
    def of(cls, patterns: Sequence[PathPattern]) -> Selection:
        """Return the subjects that any of the patterns selects, or all subjects if there are no patterns.

        Raises `InvalidSubject` for too many patterns.
        """
        if len(patterns) > MOST_PATTERNS:
            raise InvalidSubject(f"use at most {MOST_PATTERNS} patterns")
        return cls(patterns or None)

    def covers(self, subject: Subject) -> bool:
        """Whether the selection includes the subject."""
        return self.patterns is None or any(pattern.matches(subject) for pattern in self.patterns)

    def covers_all_of(self, scope: SubjectScope | None, name: str | None = None) -> bool:
        """Whether one of the patterns selects every subject in the scope; for `name`, see `Pattern.matches_all_of`."""
        return self.patterns is None or any(each.by_part.matches_all_of(scope, name) for each in self.patterns)

    @property
    def texts(self) -> list[str] | None:
        """The patterns as they were written; None for all subjects."""
        return None if self.patterns is None else [pattern.text for pattern in self.patterns]


EVERY_SUBJECT = Selection()
