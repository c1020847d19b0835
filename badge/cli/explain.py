"""`badge explain`: why a badge shows what it shows, without querying its source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from badge import app
from badge.cli.command import BadgeCommand, SubjectArgument, examples, local_parts
from badge.contract import format_time
from badge.model import STALE_AGE, BackupStatus, CacheEntry, Report, Subject, Visibility
from badge.settings import show_duration

ASK = "`badge check-config` queries the source now, and shows what is wrong with it."

LOST = (
    "Not known, because the cache does not respond: either no service is running here, or its workers use their own "
    "memory instead. `badge check-config` shows more."
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a badge shows what it shows; the fields are those of the JSON."""

    subject: str
    source: str | None
    paused_until: str | None
    kept: str | None
    """The status in the cache."""
    confirmed_at: str | None
    age_seconds: int | None
    failures: int
    next_refresh: str | None
    """After this time, the next request triggers a refresh."""
    rule: str
    """Why the badge shows what it shows, as a sentence."""


@click.command(
    cls=BadgeCommand,
    epilog=examples("badge explain acme/web", "badge explain GitLab/group%2Fsub/Repository/web --json"),
)
@click.argument("subject", type=SubjectArgument())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(subject: Subject, *, as_json: bool) -> None:
    """Explain the badge of SUBJECT: its source, its cached status and age, and the next refresh.

    Reads only the cache and never queries a source. The exit code is 0, whatever the status.
    """
    with local_parts() as parts:
        explanation = explained(parts, subject)
    if as_json:
        click.echo(json.dumps({name: getattr(explanation, name) for name in Explanation.__slots__}))
        return
    for line in _lines(explanation):
        click.echo(line)


def explained(parts: app.Parts, subject: Subject) -> Explanation:
    """Return the explanation for the subject as of now."""
    now, source = parts.clock(), parts.resolver.routing.source_for(subject)
    if source is None:
        return Explanation(subject.path, None, None, None, None, None, 0, None, "No source matches this subject.")
    # Not `resolve`, which might query the source.
    entry, paused = parts.cache.get(parts.resolver.key(subject)), parts.pauses.paused_until(source.place)
    return Explanation(
        subject=subject.path,
        source=source.name,
        paused_until=_time(paused),
        kept=entry.report.status.value if entry and entry.report else None,
        confirmed_at=_time(entry.confirmed_at) if entry and entry.report else None,
        age_seconds=round((now - entry.confirmed_at).total_seconds()) if entry and entry.report else None,
        failures=entry.failures if entry else 0,
        # The next request refreshes an expired entry, so its next refresh is now.
        next_refresh=_time(max(entry.fresh_until, paused or now, now)) if entry else None,
        rule=_rule(entry, now, parts.settings.max_status_age) if entry or parts.cache.is_up() else LOST,
    )


def _rule(entry: CacheEntry | None, now: datetime, too_old: timedelta) -> str:
    if entry is None:
        return "Nothing is cached: no recent request, or the status just changed. The next request triggers a fetch."
    if entry.report is None:
        return f"Unknown: no status is cached, as the source does not answer; failed queries: {entry.failures}. {ASK}"
    return _rule_for(entry, entry.report, now, too_old)


def _rule_for(entry: CacheEntry, report: Report, now: datetime, too_old: timedelta) -> str:
    age = now - entry.confirmed_at
    if not report.exists:
        return "Unknown: the source has no such subject. Check its spelling, case and type."
    if report.visibility is Visibility.PRIVATE:
        return "Unknown without a token: the source says that the subject is private."
    if report.stale_after is not None and report.stale_after <= now:
        return f"Unknown: its source said that “{report.status}” would be outdated after {_time(report.stale_after)}."
    if age >= too_old:
        return f"Unknown: its source has not confirmed “{report.status}” for longer than BADGE_MAX_STATUS_AGE. {ASK}"
    if report.status is BackupStatus.UNKNOWN:
        return "Unknown: the source says so itself, or sent an undocumented status."
    shown = f"Shown as “{report.status}”"
    if entry.failures:
        shown += f", from the cache; failed queries since it was confirmed: {entry.failures}. {ASK}"
    elif now < entry.fresh_until:
        shown += ", as its source reported."
    else:
        shown += "; the cached status has expired, so the next request triggers a refresh."
    return shown + (" The status is over an hour old, so the badge shows its age." if age >= STALE_AGE else "")


def _lines(explanation: Explanation) -> list[str]:
    lines = [f"{explanation.subject}: {explanation.rule}"]
    if explanation.source is not None:
        paused = f", which requested a pause until {explanation.paused_until}" if explanation.paused_until else ""
        lines.append(f"  source        {explanation.source}{paused}")
    if explanation.age_seconds is not None:
        age = show_duration(timedelta(seconds=explanation.age_seconds))
        lines.append(f"  cached        {explanation.kept}, confirmed at {explanation.confirmed_at}, {age} ago")
    if explanation.next_refresh is not None:
        lines.append(f"  next refresh  on the first request after {explanation.next_refresh}")
    return lines


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment.replace(microsecond=0))
