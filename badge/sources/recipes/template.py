"""Texts with places for a subject's names: `{account}`, `{subjectName|slug}`, and a source's own values.

What a stranger's URL puts into such a place stays a value: each kind of text (query, path segment,
JSON, PromQL, file name) has its own encoding, and none of them can name another origin or folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from badge.contract import coordinates_of
from badge.model import Subject

LONGEST = 4000

_PLACE = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)((?:\|[A-Za-z0-9]+)*)\}")


class BadTemplate(ValueError):
    """The text can't be a template; the message says why."""


class NothingToAsk(Exception):
    """For this subject the text would be empty where something has to stand, so no such subject can be asked for."""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")


TRANSFORMS: Mapping[str, Callable[[str], str]] = {"slug": _slug, "lower": str.lower}


def names_of(subject: Subject, values: Mapping[str, str]) -> dict[str, str]:
    """What the places of a template stand for."""
    return {**values, **coordinates_of(subject)}


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Template:
        """The template; raises `BadTemplate`."""
        if len(text) > LONGEST:
            raise BadTemplate(f"is longer than {LONGEST} characters")
        for match in _PLACE.finditer(text):
            for transform in _transforms(match):
                if transform not in TRANSFORMS:
                    raise BadTemplate(f"has {{…|{transform}}}; there are {', '.join(TRANSFORMS)}")
        return cls(text)

    @property
    def places(self) -> Iterator[str]:
        """The names that are asked for."""
        return (match[1] for match in _PLACE.finditer(self.text))

    def expand(self, names: Mapping[str, str], encode: Callable[[str], str] = str) -> str:
        """The text with its places filled in; raises `NothingToAsk` where nothing is left of a name."""
        return _PLACE.sub(lambda match: encode(_filled(match, names)), self.text)


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
    """Raise `BadTemplate` for what is no path below the source's own address."""
    if text and not text.startswith("/"):
        raise BadTemplate("has to begin with /: the address itself is `url`")
    if any(sign in text for sign in "?#\\") or text.startswith("//"):
        raise BadTemplate("is a path alone; parameters go into `query`")


def expand_path(template: Template, names: Mapping[str, str]) -> str:
    """The path with each name inside its own segment, also one with a slash; raises `NothingToAsk`."""
    path = template.expand(names, encode=lambda value: quote(value, safe=""))
    if any(unquote(segment) in (".", "..") for segment in path.split("/")):
        raise NothingToAsk
    return path


def expand_deep(value: object, names: Mapping[str, str]) -> object:
    """A structure of tables, lists and scalars with all its texts' places filled in."""
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
    """All texts of such a structure."""
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
