"""`badge status`: what a badge shows, and where that comes from."""

from __future__ import annotations

import json
from typing import Any

import click

from badge.appearance import REASONS, message_for
from badge.cli.command import BadgeCommand, SubjectArgument, examples, local_parts
from badge.contract import format_time, https_url, verification_fields
from badge.model import BackupStatus, Reason, Resolution, Subject
from badge.resolving.resolver import anybody

_ORIGINS = {
    "cache": "from the cache",
    "upstream": "fetched just now",
    "stale": "from the cache, because the source does not respond",
    "fallback": "because no status is known, or only one that is too old",
}


@click.command(
    cls=BadgeCommand,
    epilog=examples("badge status acme/web", "badge status GitLab/group%2Fsub/Repository/web --json"),
)
@click.argument("subject", type=SubjectArgument())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(subject: Subject, *, as_json: bool) -> None:
    """Show the status of SUBJECT, what its badge says, and where the status comes from.

    Exit code 1 if the status could not be determined.
    """
    with local_parts() as parts:
        # Twice, because operators may see a private status, but badges show what the public sees.
        known = parts.resolver.resolve(subject, may_see_private=anybody)
        shown = parts.resolver.resolve(subject)
        has_source = parts.resolver.routing.source_for(subject) is not None
    document = _document(subject, known, shown)
    click.echo(json.dumps(document) if as_json else _sentences(document, has_source=has_source))
    if not known.is_known:
        raise SystemExit(1)


def _document(subject: Subject, known: Resolution, shown: Resolution) -> dict[str, Any]:
    return {
        "subject": subject.path,
        "exists": known.report.exists,
        "status": known.status.value,
        "badgeShows": message_for(shown),
        "visibility": known.report.visibility.value,
        "reason": known.report.reason.value if known.report.reason else None,
        "url": https_url(known.report.url),
        **verification_fields(known.report.verification),
        "origin": known.origin.value,
        "confirmedAt": format_time(known.confirmed_at) if known.confirmed_at else None,
        "freshForSeconds": round(known.fresh_for.total_seconds()),
    }


def _sentences(document: dict[str, Any], *, has_source: bool) -> str:
    if document["origin"] != "fallback" and not document["exists"]:
        # Without the origin, which is the same for all absent subjects, even if the source has just answered.
        why = "The source has no such subject." if has_source else "No source matches this subject."
        return f"{document['subject']}: {document['status']}\n{why}"
    lines = [f"{document['subject']}: {document['status']}, {_ORIGINS[document['origin']]}"]
    if document["status"] == BackupStatus.FAILED and document["reason"]:
        lines.append(f"Reason: {REASONS[Reason(document['reason'])]}.")
    if document["verification"]:
        lines.append(_verification(document))
    if document["url"]:
        lines.append(f"Page of the run: {document['url']}")
    if document["exists"] and document["visibility"] == "private":
        lines.append("The subject is private: without a token, its badge shows “unknown”.")
    else:
        lines.append(f"The badge shows “{document['badgeShows']}”, fresh for another {document['freshForSeconds']} s.")
    return "\n".join(lines)


def _verification(document: dict[str, Any]) -> str:
    how = f" ({document['verifiedHow']})" if document["verifiedHow"] else ""
    when = f", {document['verifiedAt']}" if document["verifiedAt"] else ""
    return f"Latest verification: {document['verification']}{how}{when}."
