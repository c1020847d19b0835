"""`badge sources`: check sources.toml, query its systems, and show how a response is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import click

from badge.cli.command import (
    BadgeGroup,
    Fault,
    SubjectArgument,
    examples,
    faults_by_line,
    local_parts,
    settings_or_fault,
)
from badge.contract import status_document
from badge.deadline import Deadline
from badge.model import Report, Subject
from badge.ports import SourceUnavailable, StatusSource
from badge.sources.configuration.entry import Entry, Match
from badge.sources.configuration.sources_file import ConfiguredSource, load
from badge.sources.http.trace import ExplainableSource, Trace, printable
from badge.sources.recipes import presets
from badge.sources.recipes.expression import ExpressionFailed
from badge.subject_pattern import has_wildcard

PROBE_NAME = "doctor-probe"

sources = BadgeGroup(
    "sources",
    help="Check the sources in BADGE_SOURCES, and try them out.",
    epilog=examples("badge sources presets", "badge sources check --live", "badge sources try hc acme/web"),
)


@sources.command(epilog=examples("badge sources check", "badge sources check --live --json"))
@click.option("--live", is_flag=True, help='Also query each system; "no such subject" counts as a response.')
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per source.")
def check(*, live: bool, as_json: bool) -> None:
    """Validate sources.toml as the service does at start-up, and list every mistake.

    Exit code 0 if there are none, 1 if a system does not respond, 2 if the file has mistakes.
    """
    configured = configured_or_fault()
    faulty = False
    # Only --live calls the sources; otherwise, reading the file is enough.
    with local_parts() if live else nullcontext() as parts:
        queried = parts.resolver.routing.sources if parts else [None] * len(configured)
        for source, wired in zip(configured, queried, strict=True):
            failure = None if wired is None else failure_of(wired, probe_for(source.entry))
            faulty = faulty or failure is not None
            result = f"does not answer: {failure}" if failure else "answers" if live else "is valid"
            document = {"name": source.entry.name, "kind": source.entry.kind, "fine": failure is None, "said": result}
            click.echo(json.dumps(document) if as_json else _line(document))
    if faulty:
        raise SystemExit(1)


def _line(document: dict[str, object]) -> str:
    return f"{'ok  ' if document['fine'] else 'FAIL'} {document['name']:<20} {document['kind']:<9} {document['said']}"


@sources.command(
    "try",
    epilog=examples("badge sources try hc acme/web", "badge sources try lab GitLab/group%2Fsub/Repository/web"),
)
@click.argument("name")
@click.argument("subject", type=SubjectArgument())
def try_out(name: str, subject: Subject) -> None:
    """Query the source NAME for SUBJECT and show each step: request, response, rules, status.

    Secrets are not shown. Exit code 1 if the source did not respond.
    """
    # Reports a missing or invalid file, before the parts are built from it.
    configured_or_fault()
    with local_parts() as parts:
        source = _source_called(name, parts.resolver.routing.sources)
        responsible = parts.resolver.routing.source_for(subject)
        # Not an error: a source can be tried before any subject is routed to it.
        if responsible is not source:
            click.echo(f"Note: the badge of {subject.path} uses {responsible.name if responsible else 'no source'}.")
        try:
            report = _explained(source, subject, parts.settings.upstream_timeout.total_seconds(), click.echo)
        except SourceUnavailable as unavailable:
            cause = unavailable.__cause__
            because = f" ({printable(str(cause))})" if isinstance(cause, ExpressionFailed) else ""
            raise Fault(f"The source did not answer: {unavailable.kind}{because}.", exit_code=1) from None
    click.echo(json.dumps({"exists": report.exists, **status_document(subject, report)}, indent=2))


def _source_called(name: str, sources: Sequence[StatusSource]) -> StatusSource:
    found = next((source for source in sources if source.name == name), None)
    if found is None:
        names = ", ".join(source.name for source in sources)
        raise Fault(f"There is no source {name}; the sources are {names}.")
    return found


@sources.command("presets", epilog=examples("badge sources presets"))
def list_presets() -> None:
    """List the presets, for `preset = "…"` in sources.toml."""
    for name in presets.names():
        click.echo(f"{name:<28} {presets.preset(name).description}")


def configured_or_fault() -> Sequence[ConfiguredSource]:
    """Return the sources in BADGE_SOURCES; exits with a line for each mistake."""
    path: Path | None = settings_or_fault().sources
    if path is None:
        raise Fault("BADGE_SOURCES is not set: set it to the path of a sources.toml (docs/how-to/sources.md).")
    with faults_by_line():
        return load(path)


def failure_of(source: StatusSource, subject: Subject, seconds: float = 5.0) -> str | None:
    """Return why the source does not respond, or None if it does."""
    try:
        source.fetch(subject, None, Deadline.after(seconds))
    except SourceUnavailable as unavailable:
        return unavailable.kind
    return None


def probe_for(entry: Entry) -> Subject:
    """Return a subject of this source: one that its table lists, or one that is unlikely to exist."""
    if entry.subjects:
        return Subject.from_path(next(iter(entry.subjects)))
    match = entry.match or Match()
    parts = [match.any_of(part)[0] for part in Match.model_fields]
    return Subject.parse(*(PROBE_NAME if has_wildcard(part) else part for part in parts))


def _explained(source: StatusSource, subject: Subject, seconds: float, trace: Trace) -> Report:
    deadline = Deadline.after(seconds)
    if isinstance(source, ExplainableSource):
        return source.explain(subject, None, deadline, trace)
    trace(f"looked up in the catalogue: {subject.path}")
    return source.fetch(subject, None, deadline)
