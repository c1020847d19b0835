"""A status source that reads JSON files written by cron: the output of restic, borg, pgBackRest and Barman.

These command-line tools need the repository's password, take locks and run for seconds. So they keep running where they
always have, and this service reads their output. The file's modification time says how current that is.
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
from badge.events import FailureKind, UnknownStatusReceived
from badge.model import Report, Subject, Visibility
from badge.ports import CacheKey, Clock, Events, SourceUnavailable
from badge.sources.http.trace import Trace, excerpt, no_trace
from badge.sources.recipes.reading import Reader, Reading
from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.template import NothingToAsk, Template, names_of
from badge.sources.subject_matcher import SubjectMatcher


def _opened_at_once(path: str, flags: int) -> int:
    # Opening a named pipe would block otherwise.
    return os.open(path, flags | os.O_NONBLOCK)


@dataclass(frozen=True, slots=True)
class OneFile:
    """One file for all subjects, in which the recipe finds the subject."""

    path: Path

    def find(self, names: Mapping[str, str]) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """Return the file if it exists."""
        return self.path if self.path.exists() else None


@dataclass(frozen=True, slots=True)
class OnePerSubject:
    """A folder with one file for each subject.

    No path is built from a URL: the expected name is only compared with the names in the folder. The parts are
    percent-encoded, including `+` and `/`, so that they can't run into each other: `a+b` and `c` never yield the same
    name as `a` and `b+c`.
    """

    folder: Path
    name: Template

    def find(self, names: Mapping[str, str]) -> Path | None:
        """Return the file with the expected name, if there is one."""
        wanted = self.name.expand(names, encode=lambda value: quote(value, safe=""))
        return next((self.folder / name for name in os.listdir(self.folder) if name == wanted), None)  # noqa: PTH208 - names, not paths


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFileSource:
    """Reads JSON files as a recipe describes."""

    name: str
    place: str
    location: OneFile | OnePerSubject
    recipe: Recipe
    matcher: SubjectMatcher
    clock: Clock
    events: Events
    max_bytes: int
    is_private: bool = False

    def cache_key(self, subject: Subject) -> CacheKey:
        """Return the subject's key; case matters, as in file names."""
        return self.matcher.place_within(self.place, subject), *subject.key(fold_case=False)

    def is_local(self, subject: Subject) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return True: reading a file is as fast as reading the cache."""
        return True

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """Return the report in the file; raises `SourceUnavailable` and nothing else."""
        return self.explain(subject, known, deadline, no_trace)

    def explain(self, subject: Subject, known: Report | None, deadline: Deadline, trace: Trace) -> Report:  # noqa: ARG002 - the protocol's signature
        """Fetch as `fetch` does, and trace each step."""
        names = names_of(subject, self.matcher.values_for(subject))
        try:
            path = self.location.find(names)
            if path is None:
                trace("file not found: no such subject")
                return Report.absent(self.clock())
            content, written_at = self._content(path)
            trace(f"{path}: {len(content)} bytes, written {written_at.isoformat(timespec='seconds')}")
            trace(excerpt(content))
            reading = self._read(content, names, trace)
            # The report is as old as the file, so a cron job that no longer runs makes it look old.
            report = replace(reading.report_after(known), observed_at=min(written_at, self.clock()))
            return replace(report, visibility=Visibility.PRIVATE) if self.is_private else report
        except NothingToAsk:
            trace("the value of a placeholder is empty: no such subject")
            return Report.absent(self.clock())
        except OSError:
            raise SourceUnavailable(FailureKind.FILE_UNREADABLE) from None

    def _content(self, path: Path) -> tuple[bytes, datetime]:
        with open(path, "rb", opener=_opened_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceUnavailable(FailureKind.FILE_UNREADABLE, is_about_subject=True)
            content = stream.read(self.max_bytes + 1)
        if len(content) > self.max_bytes:
            raise SourceUnavailable(FailureKind.TOO_LARGE, is_about_subject=True)
        return content, datetime.fromtimestamp(status.st_mtime, UTC)

    def _read(self, content: bytes, names: Mapping[str, str], trace: Trace) -> Reading:
        try:
            document = parse_json(content)
        except ContractBroken as broken:
            # The file is half-written, or the tool that wrote it failed: the known status remains.
            raise SourceUnavailable(broken.kind, is_about_subject=True) from None
        reading = Reader(self.recipe).read(document, names, self.clock())
        for step in reading.steps:
            trace(step)
        if reading.has_unknown_status:
            self.events.emit(UnknownStatusReceived(self.name))
        return reading
