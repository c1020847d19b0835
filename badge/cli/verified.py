"""`badge verified`: report that a backup was verified, to the local catalogue or to a remote service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from badge.catalogue.events import InvalidEvent, ReportedVerification, VerificationEvent
from badge.cli.command import BadgeCommand, Fault, SubjectArgument, examples
from badge.cli.reporting import TIME, report_and_print, reporting_options, visibility_in
from badge.model import BackupStatus, VerificationMethod, VerificationOutcome

_WORDS = {VerificationOutcome.PASSED: "verified", VerificationOutcome.FAILED: "verification failed"}


@click.command(
    cls=BadgeCommand,
    epilog=examples(
        "badge verified acme/web --how restored",
        "badge verified acme/web --how checked --failed",
        'badge verified GitHub/acme/Repository/web --at "$END"',
        "badge verified acme/web --to https://badges.example.org --key-file /etc/badge.key",
    ),
)
@click.argument("subject", type=SubjectArgument())
@click.option("--at", type=TIME, help="When the verification ended; by default, when the report arrives.")
@click.option(
    "--how",
    type=click.Choice([method.value for method in VerificationMethod]),
    help="restored: something was restored from the backup. checked: the backup's data was read and checked.",
)
@click.option("--failed", is_flag=True, help="The verification failed. Only a later one that passes changes that.")
@reporting_options
def verified(**given: Any) -> None:
    """Report that a backup of SUBJECT was verified: by restoring something from it, or by checking its data.

    SUBJECT is platform/account/type/name, owner/repository for a GitHub repository, or a repository's
    URL. A successful backup alone does not count as verified.
    """
    report_and_print(_event(given), given, _outcome)


def _event(given: Mapping[str, Any]) -> VerificationEvent:
    outcome = VerificationOutcome.FAILED if given["failed"] else VerificationOutcome.PASSED
    try:
        reported = ReportedVerification(
            outcome, given["at"], VerificationMethod(given["how"]) if given["how"] else None
        )
    except InvalidEvent as invalid:
        raise Fault(f"{invalid}") from None
    return VerificationEvent(given["subject"], reported, visibility_in(given))


def _outcome(event: VerificationEvent, answer: Mapping[str, Any]) -> str:
    if answer["applied"]:
        return _WORDS[event.verification.outcome]
    # A service reveals the status and the verification only to API keys with the scope `read`.
    if "status" not in answer:
        return "unchanged, because a newer verification is known, or the subject was deleted"
    if answer["status"] == BackupStatus.DELETED:
        return "unchanged, because the subject is deleted"
    known = answer.get("verification")
    if known is None:  # the subject was deleted after the verification, and reported again since
        return "unchanged, because the subject was deleted after this verification"
    still = f"still {known}" if known in tuple(VerificationOutcome) else "unchanged"
    return f"{still}, because a newer verification is known"
