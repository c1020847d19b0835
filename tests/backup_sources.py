"""Sources as `sources.toml` configures them, and the crontab lines that the documentation gives for backup programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from badge.app import utc_now
from badge.deadline import Deadline
from badge.model import Report, Subject
from badge.ports import Clock, StatusSource
from badge.sources.configuration.factory import build_routing
from badge.sources.configuration.sources_file import load
from tests.doubles import RecordedEvents
from tests.servers import PROJECT

WEB = Subject.legacy("acme", "web")


def sources_in(folder: Path, text: str, clock: Clock = utc_now) -> Mapping[str, StatusSource]:
    file = folder / "sources.toml"
    file.write_text(text)
    routing = build_routing(load(file), None, clock, RecordedEvents())
    return {source.name: source for source in routing.sources}


def fetch(source: StatusSource, subject: Subject = WEB) -> Report:
    return source.fetch(subject, None, Deadline.after(5))


def verifying_lines(system: str) -> tuple[str, str]:
    """Return a system's documented script that verifies a backup, and the crontab line that adds its result."""
    page = (PROJECT / "docs" / "how-to" / "systems" / f"{system}.md").read_text()
    lines = page.partition("## Show verifications\n")[2].partition("\n## ")[0].splitlines()
    code = [line.strip() for line in lines if line.startswith("    ")]
    return "\n".join(code[:-1]), code[-1].split(maxsplit=5)[5]


def crontab_line(system: str) -> str:
    """Return a system's documented crontab line."""
    page = (PROJECT / "docs" / "how-to" / "systems" / f"{system}.md").read_text()
    return next(line.strip() for line in page.splitlines() if line.strip().startswith("*/"))
