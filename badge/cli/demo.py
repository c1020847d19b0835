"""`badge demo`: sample data to explore."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click

from badge.app import Parts
from badge.catalogue.events import RunEvent
from badge.catalogue.store import Catalogue, IsExpected, NothingKnown
from badge.cli.command import BadgeCommand, examples, own_catalogue
from badge.model import FINISHED, BackupStatus, Reason, Subject, Visibility
from badge.web.paths import DASHBOARD
from badge.web.terminal import Terminal

HOUR = timedelta(hours=1)
MEGABYTE = 1_000_000

RUN_ID = "demo"
"""Marks the runs of the sample data. Subjects with other runs are neither filled nor removed."""

# Subject, statuses of its last runs (newest last), hours since the newest started, size in MB.
_HISTORIES: tuple[tuple[str, str, float, int], ...] = (
    ("GitHub/acme/Repository/web", "SSSSSFSSSS", 3, 412),
    ("GitHub/acme/Repository/api", "SSSSSSSSSR", 0.2, 96),
    ("GitHub/acme/Repository/billing", "SSSSSSSSFF", 5, 133),
    ("GitHub/acme/Repository/site.github.io", "SSSQ", 0.1, 38),
    ("GitHub/acme/Repository/old-blog", "SSD", 400, 21),
    ("GitLab/my-group/backend/Repository/worker", "SSSSSS", 11, 275),
    ("AzureDevOps/contoso/Repository/Web Shop/storefront", "SSSFSS", 7, 1_840),
    ("AzureDevOps/contoso/Project/Web Shop", "SSSSS", 9, 2_950),
)
_GITLAB_GROUP = "my-group/backend"
_STATUS = {
    "S": BackupStatus.SUCCEEDED,
    "F": BackupStatus.FAILED,
    "R": BackupStatus.IN_PROGRESS,
    "Q": BackupStatus.SCHEDULED,
    "D": BackupStatus.DELETED,
}


@click.command(cls=BadgeCommand, epilog=examples("badge demo", "badge demo --remove"))
@click.option("--remove", is_flag=True, help="Remove the sample data.")
def demo(*, remove: bool) -> None:
    """Fill the local catalogue with sample data."""
    with own_catalogue() as (parts, own):
        if remove:
            _remove(parts, own.store)
        else:
            _fill(parts, own.store)


def _fill(parts: Parts, catalogue: Catalogue) -> None:
    added = 0
    for path, runs, hours, megabytes in _HISTORIES:
        subject = _subject(path)
        if _is_incomplete(catalogue, subject, runs):
            for event in _history(subject, runs, datetime.now(UTC) - hours * HOUR, megabytes * MEGABYTE):
                catalogue.record(event)
            parts.resolver.invalidate(subject)
            added += 1
        report = catalogue.report_for(subject)
        assert report is not None
        click.echo(f"{subject.path}: {report.status.value}")
    click.echo(("" if added else "Nothing was added: all of these already exist. ") + _where_to_look(parts))


def _where_to_look(parts: Parts) -> str:
    if parts.settings.dashboard == "link":
        return f"To see the dashboard, open the link printed by: {Terminal.of(parts.settings).login_link}"
    return f"Look at {parts.paths.to(DASHBOARD)}."


def _is_incomplete(catalogue: Catalogue, subject: Subject, runs: str) -> bool:
    """Whether the subject is not in the catalogue, or has only some of the sample data."""
    if catalogue.report_for(subject) is None:
        return True
    wanted = len(runs.replace("D", ""))
    are_samples = _are_samples(catalogue, subject)
    return all(are_samples) and 0 < len(are_samples) < wanted


def _are_samples(catalogue: Catalogue, subject: Subject) -> list[bool]:
    """Return, for each of the subject's newest runs, whether it is sample data; a subject has at most ten such runs."""
    return [run.run_id == RUN_ID for run in catalogue.runs(subject, 11)]


def _remove(parts: Parts, catalogue: Catalogue) -> None:
    lines = [line for path, *_ in _HISTORIES if (line := _removal(parts, catalogue, _subject(path)))]
    for line in lines or ["There is no sample data to remove."]:
        click.echo(line)


def _removal(parts: Parts, catalogue: Catalogue, subject: Subject) -> str | None:
    """Remove a subject of the sample data; return what to print, or None if there is nothing to remove."""
    are_samples = _are_samples(catalogue, subject)
    if not any(are_samples):
        return None
    if not all(are_samples):
        return f"{subject.path}: not removed, because it has other runs too"
    try:
        catalogue.delete(subject)
    except NothingKnown:
        return None
    except IsExpected:
        return f"{subject.path}: not removed, because it has a check"
    parts.resolver.invalidate(subject)
    return f"{subject.path}: removed"


def _subject(path: str) -> Subject:
    # GitLab's groups nest, so the account contains a slash.
    if path.startswith("GitLab/"):
        return Subject.parse("GitLab", _GITLAB_GROUP, "Repository", path.rpartition("/")[2])
    return Subject.from_segments(path.split("/"))


def _history(subject: Subject, runs: str, newest: datetime, size: int) -> Iterator[RunEvent]:
    """Yield one run a day; the newest started at `newest`."""
    for days_ago, letter in zip(range(len(runs) - 1, -1, -1), runs, strict=True):
        started, status = newest - timedelta(days=days_ago), _STATUS[letter]
        is_finished = status in FINISHED
        finished = started + timedelta(minutes=4) if is_finished else None
        yield RunEvent(
            subject=subject,
            status=status,
            at=finished or started,
            started_at=None if status is BackupStatus.DELETED else started,
            finished_at=finished,
            size_bytes=size if status is BackupStatus.SUCCEEDED else None,
            # The same for all runs: their starts distinguish them.
            run_id=RUN_ID,
            reason=Reason.STORAGE if status is BackupStatus.FAILED else None,
            next_run_at=None if status is BackupStatus.DELETED else started + timedelta(days=1),
            visibility=Visibility.PUBLIC,
        )
