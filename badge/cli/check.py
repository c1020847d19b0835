"""`badge check`: create and list checks, the expected backups with their schedules and ping URLs."""

from __future__ import annotations

import json
from datetime import timedelta

import click

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
from badge.settings import Settings, show_duration

check = BadgeGroup(
    "check",
    help="Create and list checks: expected backups, with the URLs that jobs ping.",
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
@click.option("--every", type=DurationOption(), required=True, help="How often a backup finishes, at least: 24h, 7d.")
@click.option("--grace", type=DurationOption(), default="1h", show_default=True, help="How late it may be.")
@click.option("--slug", help="Name for /ping/KEY/SLUG; by default derived from the subject's.")
@click.option("--visibility", type=click.Choice([word.value for word in Visibility]), help="Who may see the status.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(
    subject: Subject, every: timedelta, grace: timedelta, slug: str | None, visibility: str | None, *, as_json: bool
) -> None:
    """Expect SUBJECT's backups, and print the ping URL, which is shown only once, and the badge's URL.

    The badge is "scheduled" until the first ping, and "failed" if no backup finishes within EVERY plus GRACE.
    """
    slug = slug or slug_for(subject)
    chosen = Visibility(visibility) if visibility else None
    with own_catalogue() as (parts, own):
        base = _base_url(parts.settings)
        try:
            uuid = own.checks.create(subject, every, grace, slug=slug, visibility=chosen)
        except (CheckExists, ValueError) as error:
            raise Fault(f"{error}") from None
        invalidate_status(parts, subject)
        is_shared = slug is not None and len(own.checks.subjects_with_slug(slug)) > 1
    _print_urls(base, subject, uuid, as_json=as_json)
    if is_shared:
        click.echo(
            f"Another check has the slug {slug} too, so /ping/KEY/{slug} is refused: choose another with --slug.",
            err=True,
        )


@check.command(epilog=examples("badge check rotate GitHub/acme/Repository/web"))
@click.argument("subject", type=SubjectArgument())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rotate(subject: Subject, *, as_json: bool) -> None:
    """Print a new ping URL for SUBJECT, which is shown only once; the old one stops working at once."""
    with own_catalogue() as (parts, own):
        base = _base_url(parts.settings)
        try:
            uuid = own.checks.rotate(subject)
        except NoSuchCheck as error:
            raise Fault(f"{error}") from None
    _print_urls(base, subject, uuid, as_json=as_json)


@check.command("list", epilog=examples("badge check list", "badge check list --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per check.")
def list_checks(*, as_json: bool) -> None:
    """List the checks by subject. Only the beginnings of their ping URLs are stored."""
    with own_catalogue() as (_, own):
        for one in own.checks.list():
            click.echo(json.dumps(_document(one)) if as_json else _line(one))


@check.command(epilog=examples("badge check delete GitHub/acme/Repository/web"))
@click.argument("subject", type=SubjectArgument())
def delete(subject: Subject) -> None:
    """Stop expecting SUBJECT's backups. Its ping URL stops working; its status and history stay."""
    with own_catalogue() as (parts, own):
        try:
            own.checks.delete(subject)
        except NoSuchCheck as error:
            raise Fault(f"{error}") from None
        invalidate_status(parts, subject)
    click.echo(f"{subject.path}: backups are no longer expected")


def _base_url(settings: Settings) -> str:
    if settings.address is None:
        raise Fault("Set BADGE_PUBLIC_URL to the URL under which jobs reach this service; the ping URL begins with it.")
    return settings.address


def _print_urls(base: str, subject: Subject, uuid: str, *, as_json: bool) -> None:
    ping, badge = f"{base}/ping/{uuid}", f"{base}/badge/{subject.path}"
    click.echo(json.dumps({"pingUrl": ping, "badgeUrl": badge}) if as_json else f"{ping}\n{badge}")
    click.echo("Save the ping URL now: it is a secret, and is not shown again.", err=True)


def _line(one: Check) -> str:
    terms = f"every {show_duration(one.expectation.every)}, grace {show_duration(one.expectation.grace)}"
    return f"{one.subject.path}: {one.report.status}; {terms}; slug {one.slug or '-'}; ping URL {one.prefix}…"


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
