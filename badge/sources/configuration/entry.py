"""One `[[source]]` of sources.toml without its recipe: subjects, address and authentication."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from badge.settings import HttpUrl
from badge.settings.kinds import existing_file
from badge.sources.configuration.auth_table import AuthTable
from badge.sources.recipes.recipe import RECIPE_KEYS, Text
from badge.sources.recipes.samples import Sample
from badge.sources.recipes.table import Table
from badge.sources.recipes.template import Template
from badge.sources.secrets import Secret, SecretReference

MOST_SUBJECTS = 10_000


def _as_list(patterns: object) -> object:
    return [patterns] if isinstance(patterns, str) else patterns


def _not_empty(patterns: list[str]) -> list[str]:
    if not patterns:
        raise ValueError("must have at least one pattern")
    return patterns


Patterns = Annotated[list[str], BeforeValidator(_as_list), AfterValidator(_not_empty)]


class Match(Table):
    """Shell patterns that select subjects."""

    platform: Patterns = Field(["*"])
    account: Patterns = Field(["*"])
    type: Patterns = Field(["*"])
    name: Patterns = Field(["*"])

    def any_of(self, part: str) -> list[str]:
        """Return the patterns for a part, one of which has to match."""
        patterns: list[str] = getattr(self, part)
        return patterns


def _no_folder(path: Path) -> Path:
    if os.path.isdir(path):  # noqa: PTH112 - unlike `is_dir`, it never raises `OSError`
        raise ValueError("is a folder; use the key `folder`")
    return path


def _file_name(template: Template) -> Template:
    if "/" in template.text:
        raise ValueError("must be a file name without /; its folder goes into `folder`")
    return template


class Entry(Table):
    """One `[[source]]`, without the keys of its recipe."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    kind: Literal["http", "file", "catalogue", "native"]
    match: Match | None = None
    subjects: Annotated[dict[str, dict[str, str]], Field(max_length=MOST_SUBJECTS)] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    url: HttpUrl | None = None
    ca_file: Annotated[Path, AfterValidator(existing_file)] | None = None
    max_bytes: Annotated[int, Field(ge=1024, le=16_777_216)] = 262_144
    auth: AuthTable | None = None
    api_key: SecretReference | None = None
    method: Literal["get", "post"] = "get"
    file: Annotated[Path, AfterValidator(_no_folder)] | None = None
    folder: Path | None = None
    file_name: Annotated[Text, AfterValidator(_file_name)] = Template("{account}+{subjectName}.json")
    folds_case: bool = False
    visibility: Literal["public", "private"] = "public"
    samples: list[Sample] = Field(default_factory=list)

    @property
    def has_secret_by_path(self) -> bool:
        """Whether `auth` reads a secret from a file on each use."""
        return any(isinstance(value, Secret) and value.file is not None for _, value in self.auth or ())


_COMMON_KEYS = frozenset({"name", "kind", "preset", "match", "subjects"})
_HTTP_KEYS = frozenset({"url", "ca_file", "max_bytes", "auth", "folds_case", "visibility", "samples", "values"})
_FILE_KEYS = frozenset({"file", "folder", "file_name", "max_bytes", "visibility", "samples", "values"})

KEYS_OF_KINDS: Mapping[str, frozenset[str]] = {
    "http": _COMMON_KEYS | _HTTP_KEYS | RECIPE_KEYS,
    "file": _COMMON_KEYS | _FILE_KEYS | RECIPE_KEYS - {"request", "then", "promql", "http"},
    "native": _COMMON_KEYS | {"url", "ca_file", "max_bytes", "api_key", "method"},
    "catalogue": _COMMON_KEYS,
}
"""The keys that a source of each kind may have."""
