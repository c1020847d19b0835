"""JSON files that cron writes as a status source: what restic, borg, pgBackRest and Barman print about their backups.

A command-line tool needs the repository's password, takes locks and lasts seconds; so it runs where
it always did, and this service reads what it printed. The file's own time says when that was true.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from badge.contract import ContractBroken, parse_json
from badge.deadline import Deadline
from badge.events import UnknownStatusReceived
from badge.model import Report, Subject, Visibility
from badge.ports import Clock, Events, SourceUnavailable
from badge.sources.http.trace import Trace, excerpt, no_trace
from badge.sources.recipes.reading import Reader, Reading
from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.template import NothingToAsk, Template, names_of
from badge.sources.subject_matcher import SubjectMatcher


def _opened_at_once(path: str, flags: int) -> int:
    # Not to hang on a pipe that somebody put there.
    return os.open(path, flags | os.O_NONBLOCK)


@dataclass(frozen=True, slots=True)
class OneFile:
    """The same file for every subject; the recipe finds the subject in it."""

    path: Path

    def find(self, names: Mapping[str, str]) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """The one file, whatever the subject."""
        return self.path if self.path.exists() else None


@dataclass(frozen=True, slots=True)
class OnePerSubject:
    """A folder with a file for each subject.

    What a URL names is only compared with the names that are there, and no two subjects have one
    file: the parts are percent-encoded, `+` and `/` in them too.
    """

    folder: Path
    name: Template

    def find(self, names: Mapping[str, str]) -> Path | None:
        """The file, if there is one of that name."""
        wanted = self.name.expand(names, encode=lambda value: quote(value, safe=""))
        return next((self.folder / name for name in os.listdir(self.folder) if name == wanted), None)  # noqa: PTH208 - names, not paths


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFileSource:
    """Reads files by a recipe."""

    name: str
    place: OneFile | OnePerSubject
    recipe: Recipe
    matcher: SubjectMatcher
    clock: Clock
    events: Events
    max_bytes: int
    is_private: bool = False

    def folds_case(self, subject: Subject) -> bool:  # noqa: ARG002 - the protocol's signature
        """File names have a case."""
        return False

    def is_local(self, subject: Subject) -> bool:  # noqa: ARG002 - the protocol's signature
        """A file is as near as the cache."""
        return True

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """What the file says; raises `SourceUnavailable` and nothing else."""
        return self.explain(subject, known, deadline, no_trace)

    def explain(self, subject: Subject, known: Report | None, deadline: Deadline, trace: Trace) -> Report:  # noqa: ARG002 - the protocol's signature
        """The same, step by step."""
        names = names_of(subject, self.matcher.values_for(subject))
        try:
            path = self.place.find(names)
            if path is None:
                trace("there is no such file")
                return Report.absent(self.clock())
            content, written_at = self._content(path)
            trace(f"{path}: {len(content)} bytes, written {written_at.isoformat(timespec='seconds')}")
            trace(excerpt(content))
            reading = self._read(content, names, trace)
            report = replace(reading.report_after(known), observed_at=min(written_at, self.clock()))
            return replace(report, visibility=Visibility.PRIVATE) if self.is_private else report
        except NothingToAsk:
            trace("nothing is left of a name: no such subject can be asked for")
            return Report.absent(self.clock())
        except OSError:
            raise SourceUnavailable("fileUnreadable") from None

    def _content(self, path: Path) -> tuple[bytes, datetime]:
        with open(path, "rb", opener=_opened_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceUnavailable("fileUnreadable", is_about_subject=True)
            content = stream.read(self.max_bytes + 1)
        if len(content) > self.max_bytes:
            raise SourceUnavailable("tooLarge", is_about_subject=True)
        return content, datetime.fromtimestamp(status.st_mtime, UTC)

    def _read(self, content: bytes, names: Mapping[str, str], trace: Trace) -> Reading:
        try:
            document = parse_json(content)
        except ContractBroken as broken:
            # Half written, or of a tool that failed: what was known before stands.
            raise SourceUnavailable(str(broken), is_about_subject=True) from None
        reading = Reader(self.recipe).read(document, names, self.clock())
        for step in reading.steps:
            trace(step)
        if reading.unknown_word:
            self.events.emit(UnknownStatusReceived(self.name))
        return reading
