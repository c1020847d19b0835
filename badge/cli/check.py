"""`badge check`: which subjects' backups are expected, how often, and where they are told of."""

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
@click.option("--every", type=DurationOption(), required=True, help="How often a backup ends, at least: 24h, 7d.")
@click.option("--grace", type=DurationOption(), default="1h", show_default=True, help="How late it may be.")
@click.option("--slug", help="Its name for /ping/KEY/SLUG; by default made of the subject's.")
@click.option("--visibility", type=click.Choice([word.value for word in Visibility]), help="Who may see the status.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(
    subject: Subject, every: timedelta, grace: timedelta, slug: str | None, visibility: str | None, *, as_json: bool
) -> None:
    """Expect SUBJECT's backups, and print the address to ping, once, and that of the badge.

    The badge is "scheduled" until the first ping, and "failed" if for EVERY and GRACE nothing ended.
    """
    slug = slug or slug_for(subject)
    shown = Visibility(visibility) if visibility else None
    with own_catalogue() as (parts, own):
        base = _address(parts.settings)
        try:
            uuid = own.checks.create(subject, every, grace, slug=slug, visibility=shown)
        except (CheckExists, ValueError) as error:
            raise Fault(f"{error}") from None
        invalidate_status(parts, subject)
        is_shared = slug is not None and len(own.checks.subjects_with_slug(slug)) > 1
    _show_address(base, subject, uuid, as_json=as_json)
    if is_shared:
        click.echo(f"Another check has the slug {slug} too: /ping/KEY/{slug} is refused. Give --slug.", err=True)


@check.command(epilog=examples("badge check rotate GitHub/acme/Repository/web"))
@click.argument("subject", type=SubjectArgument())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rotate(subject: Subject, *, as_json: bool) -> None:
    """Print another address to ping for SUBJECT, once; the old one stops working at once."""
    with own_catalogue() as (parts, own):
        base = _address(parts.settings)
        try:
            uuid = own.checks.rotate(subject)
        except NoSuchCheck as error:
            raise Fault(f"{error}") from None
    _show_address(base, subject, uuid, as_json=as_json)


@check.command("list", epilog=examples("badge check list", "badge check list --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line for each check.")
def list_checks(*, as_json: bool) -> None:
    """List the checks by subject; of their addresses only the beginnings are kept."""
    with own_catalogue() as (_, own):
        for one in own.checks.list():
            click.echo(json.dumps(_document(one)) if as_json else _line(one))


@check.command(epilog=examples("badge check delete GitHub/acme/Repository/web"))
@click.argument("subject", type=SubjectArgument())
def delete(subject: Subject) -> None:
    """Expect nothing of SUBJECT any more. Its address stops working; what was reported stays."""
    with own_catalogue() as (parts, own):
        try:
            own.checks.delete(subject)
        except NoSuchCheck as error:
            raise Fault(f"{error}") from None
        invalidate_status(parts, subject)
    click.echo(f"{subject.path}: no backups are expected any more")


def _address(settings: Settings) -> str:
    if settings.address is None:
        raise Fault("Set BADGE_PUBLIC_URL to the address that jobs can reach; what is printed begins with it.")
    return settings.address


def _show_address(base: str, subject: Subject, uuid: str, *, as_json: bool) -> None:
    ping, shown = f"{base}/ping/{uuid}", f"{base}/badge/{subject.path}"
    click.echo(json.dumps({"pingUrl": ping, "badgeUrl": shown}) if as_json else f"{ping}\n{shown}")
    click.echo("Keep the first address now: it is a secret, and is not shown again.", err=True)


def _line(one: Check) -> str:
    terms = f"every {show_duration(one.expectation.every)}, grace {show_duration(one.expectation.grace)}"
    return f"{one.subject.path}: {one.report.status}; {terms}; slug {one.slug or '-'}; address {one.prefix}…"


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
