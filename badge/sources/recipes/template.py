"""Templates: strings with placeholders for a subject's names and a source's values, such as `{subjectName|slug}`.

Whatever a URL puts into a placeholder stays a value: each kind of text (query, path segment, JSON, PromQL, file name)
has its own encoding, and none can lead to another origin or folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from badge.contract import coordinates_of
from badge.model import Subject

LONGEST = 4000

_PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)((?:\|[A-Za-z0-9]+)*)\}")


class BadTemplate(ValueError):
    """The text is not a valid template; the message says why."""


class NothingToAsk(Exception):
    """No request is possible for this subject, because a required value would be empty or unusable."""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")


TRANSFORMS: Mapping[str, Callable[[str], str]] = {"slug": _slug, "lower": str.lower}


def names_of(subject: Subject, values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a template's placeholders."""
    return {**values, **coordinates_of(subject)}


@dataclass(frozen=True, slots=True)
class Template:
    """A string with placeholders."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse and check a template; raises `BadTemplate`."""
        if len(text) > LONGEST:
            raise BadTemplate(f"must have at most {LONGEST} characters")
        for match in _PLACEHOLDER.finditer(text):
            for transform in _transforms(match):
                if transform not in TRANSFORMS:
                    raise BadTemplate(f"has the unknown transform |{transform}; use {' or '.join(TRANSFORMS)}")
        return cls(text)

    @property
    def placeholders(self) -> Iterator[str]:
        """The names of the placeholders."""
        return (match[1] for match in _PLACEHOLDER.finditer(self.text))

    def expand(self, names: Mapping[str, str], encode: Callable[[str], str] = str) -> str:
        """Fill in the placeholders; raises `NothingToAsk` if a name is empty after its transforms."""
        return _PLACEHOLDER.sub(lambda match: encode(_filled(match, names)), self.text)


def _transforms(match: re.Match[str]) -> list[str]:
    return match[2].split("|")[1:]


def _filled(match: re.Match[str], names: Mapping[str, str]) -> str:
    value = names[match[1]]
    for transform in _transforms(match):
        value = TRANSFORMS[transform](value)
    if not value:
        raise NothingToAsk
    return value


def check_path(text: str) -> None:
    """Raise `BadTemplate` unless the text is a path below the source's `url`."""
    if text and not text.startswith("/"):
        raise BadTemplate("start the path with /; the address goes into `url`")
    # A path that starts with "//" would name another host, and some clients read "\" as "/".
    if any(character in text for character in "?#\\") or text.startswith("//"):
        raise BadTemplate("must be only a path; parameters go into `query`")


def expand_path(template: Template, names: Mapping[str, str]) -> str:
    """Fill in a path's placeholders, keeping each name within its segment; raises `NothingToAsk`."""
    path = template.expand(names, encode=lambda value: quote(value, safe=""))
    # Clients and servers resolve "." and "..", even percent-encoded, so such a name could lead to another path.
    if any(unquote(segment) in (".", "..") for segment in path.split("/")):
        raise NothingToAsk
    return path


def expand_deep(value: object, names: Mapping[str, str]) -> object:
    """Fill in the placeholders of all strings in a structure of tables, lists and scalars."""
    match value:
        case str():
            return Template(value).expand(names)
        case list():
            return [expand_deep(item, names) for item in value]
        case dict():
            return {key: expand_deep(item, names) for key, item in value.items()}
        case _:
            return value


def texts_in(value: object) -> Iterator[str]:
    """Yield all strings in a structure of tables, lists and scalars."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from texts_in(item)
        case dict():
            for item in value.values():
                yield from texts_in(item)
        case _:
            pass
