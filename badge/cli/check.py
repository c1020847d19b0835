"""`badge check`: which subjects' backups are expected, how often, and their ping URLs."""

from __future__ import annotations

import json
from datetime import timedelta

import click

from badge.app import Parts
from badge.catalogue.checks import Check, CheckExists, NoSuchCheck, slug_for
from badge.cli.command import (
    BadgeGroup,
    DurationOption,
    Fault,
    SubjectArgument,
    examples,
    invalidate_status,
    own_catalogue,
)
from badge.contract import format_time
from badge.model import Subject, Visibility
from badge.settings import show_duration
from badge.web.paths import Paths

check = BadgeGroup(
    "check",
    help="Manage checks: expected backups, each with a schedule and a ping URL.",
    epilog=examples("badge check create acme/web --every 24h --grace 2h", "badge check list"),
)


@check.command(
    epilog=examples(
        "badge check create GitHub/acme/Repository/web --every 24h --grace 2h",
        "badge check create acme/secrets --every 7d --grace 12h --visibility private",
        "badge check create acme/web --every 24h --slug nightly-web",
    )
)
@click.argument("subject", type=SubjectArgument())
@click.option("--every", type=DurationOption(), required=True, help="Longest time between backups, such as 24h or 7d.")
@click.option("--grace", type=DurationOption(), default="1h", show_default=True, help="How late a backup may be.")
@click.option("--slug", help="Name in /ping/KEY/SLUG; by default derived from the subject's name.")
@click.option("--visibility", type=click.Choice([word.value for word in Visibility]), help="Who may see the status.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(
    subject: Subject, every: timedelta, grace: timedelta, slug: str | None, visibility: str | None, *, as_json: bool
) -> None:
    """Expect backups of SUBJECT on a schedule; print the ping URL and the badge's URL.

    The ping URL is shown only once. If SUBJECT has never been reported, its badge says "scheduled" until the first
    ping. If no backup finishes within EVERY plus GRACE, it says "failed".
    """
    slug = slug or slug_for(subject)
    shown = Visibility(visibility) if visibility else None
    with own_catalogue() as (parts, own):
        # Before the check is created, because afterwards its ping URL can't be shown again.
        base = _address(parts)
        try:
            uuid = own.checks.create(subject, every, grace, slug=slug, visibility=shown)
        except (CheckExists, ValueError) as error:
            raise Fault(f"{error}") from None
        invalidate_status(parts, subject)
        is_shared = slug is not None and len(own.checks.subjects_with_slug(slug)) > 1
    _show_address(base, parts.paths, subject, uuid, as_json=as_json)
    if is_shared:
        note = (
            f"Another check also has the slug {slug}, so /ping/KEY/{slug} works only with an API key that is limited "
            "to one of them. To choose another slug, delete this check and create it again with --slug."
        )
        click.echo(note, err=True)


@check.command(epilog=examples("badge check rotate GitHub/acme/Repository/web"))
@click.argument("subject", type=SubjectArgument())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rotate(subject: Subject, *, as_json: bool) -> None:
    """Print a new ping URL for SUBJECT, which is shown only once. The old one stops working at once."""
    with own_catalogue() as (parts, own):
        # Before the old URL stops working, because this can fail.
        base = _address(parts)
        try:
            uuid = own.checks.rotate(subject)
        except NoSuchCheck as error:
            raise Fault(f"{error}") from None
    _show_address(base, parts.paths, subject, uuid, as_json=as_json)


@check.command("list", epilog=examples("badge check list", "badge check list --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per check.")
def list_checks(*, as_json: bool) -> None:
    """List all checks by subject, with the first characters of the UUIDs in their ping URLs."""
    with own_catalogue() as (_, own):
        for one in own.checks.list():
            click.echo(json.dumps(_document(one)) if as_json else _line(one))


@check.command(epilog=examples("badge check delete GitHub/acme/Repository/web"))
@click.argument("subject", type=SubjectArgument())
def delete(subject: Subject) -> None:
    """Stop expecting backups of SUBJECT. Its ping URL stops working; its history stays."""
    with own_catalogue() as (parts, own):
        try:
            own.checks.delete(subject)
        except NoSuchCheck as error:
            raise Fault(f"{error}") from None
        invalidate_status(parts, subject)
    click.echo(f"{subject.path}: backups are no longer expected")


def _address(parts: Parts) -> str:
    if parts.settings.address is None:
        raise Fault("Set BADGE_PUBLIC_URL to the address at which jobs can reach the service. Ping URLs start with it.")
    return parts.settings.address


def _show_address(base: str, paths: Paths, subject: Subject, uuid: str, *, as_json: bool) -> None:
    ping, shown = base + paths.ping(uuid), base + paths.badge(subject.path)
    click.echo(json.dumps({"pingUrl": ping, "badgeUrl": shown}) if as_json else f"{ping}\n{shown}")
    # On standard error, so that scripts can capture the URLs alone.
    click.echo("Save the first URL now: it is a secret, and is not shown again.", err=True)


def _line(one: Check) -> str:
    terms = f"every {show_duration(one.expectation.every)}, grace {show_duration(one.expectation.grace)}"
    return f"{one.subject.path}: {one.report.status}; {terms}; slug {one.slug or '-'}; ping URL …/{one.prefix}…"


def _document(one: Check) -> dict[str, object]:
    return {
        "subject": one.subject.path,
        "status": one.report.status,
        "every": show_duration(one.expectation.every),
        "grace": show_duration(one.expectation.grace),
        "overdueAt": format_time(one.overdue_at) if one.overdue_at else None,
        "slug": one.slug,
        "begins": one.prefix,
    }
