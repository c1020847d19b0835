"""`badge report`: report a backup's status to the local catalogue or to a remote service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from badge.appearance import WORDS
from badge.catalogue.events import InvalidEvent, RunEvent
from badge.cli.command import BadgeCommand, Fault, StatusArgument, SubjectArgument, examples
from badge.cli.reporting import TIME, report_and_print, reporting_options, visibility_in
from badge.model import BackupStatus, Reason, status_named

# `unknown` means that no status is known, so it can't be reported.
REPORTABLE = [status for status in BackupStatus if status is not BackupStatus.UNKNOWN]


@click.command(
    cls=BadgeCommand,
    epilog=examples(
        "badge report GitHub/acme/Repository/web succeeded",
        'badge report acme/web failed --started-at "$START" --reason storage',
        "badge report AzureDevOps/org/Repository/project/repo in-progress",
        "badge report acme/web succeeded --to https://badges.example.org --key-file /etc/badge.key",
    ),
)
@click.argument("subject", type=SubjectArgument())
@click.argument("status", metavar="STATUS", type=StatusArgument(REPORTABLE))
@click.option("--at", type=TIME, help="When the reported event happened; by default, when the report arrives.")
@click.option("--started-at", type=TIME, help="When the run began; distinguishes overlapping runs.")
@click.option("--finished-at", type=TIME, help="When the run ended.")
@click.option("--next-run-at", type=TIME, help="When the next run is due.")
@click.option("--stale-after", type=TIME, help="After this time the status counts as outdated.")
@click.option("--size", type=click.IntRange(0), help="Size of the backup, in bytes.")
@click.option("--reason", type=click.Choice([reason.value for reason in Reason]), help="Why the backup failed.")
@click.option("--url", help="Web page of the run (https only).")
@reporting_options
def report(**given: Any) -> None:
    """Report how a backup of SUBJECT went.

    SUBJECT is platform/account/type/name, owner/repository for a GitHub repository, or a repository's
    URL. STATUS is its new status: succeeded, failed, in-progress, scheduled or deleted.
    """
    report_and_print(_event(given), given, _outcome)


def _outcome(event: RunEvent, answer: Mapping[str, Any]) -> str:
    if answer["applied"]:
        return WORDS[event.status]
    # A service reveals the status only to API keys with the scope `read`.
    status = status_named(str(answer.get("status", "")))
    return f"{f'still {WORDS[status]}' if status else 'unchanged'}, because a newer report is known"


def _event(given: Mapping[str, Any]) -> RunEvent:
    try:
        return RunEvent(
            subject=given["subject"],
            status=given["status"],
            at=given["at"],
            started_at=given["started_at"],
            finished_at=given["finished_at"],
            next_run_at=given["next_run_at"],
            stale_after=given["stale_after"],
            size_bytes=given["size"],
            url=given["url"],
            reason=Reason(given["reason"]) if given["reason"] else None,
            visibility=visibility_in(given),
        )
    except InvalidEvent as invalid:
        raise Fault(f"{invalid}") from None
