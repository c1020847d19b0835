"""`badge key`: create, list and revoke API keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from badge.catalogue.keys import NameTaken, NoSuchName, Scope, StoredKey
from badge.cli.command import (
    BadgeGroup,
    DurationOption,
    Fault,
    PatternOption,
    examples,
    own_catalogue,
    selection_of,
    shown_selection,
)
from badge.subject_pattern import PathPattern

key = BadgeGroup(
    "key",
    help="Create, list and revoke API keys.",
    epilog=examples("badge key create ci-acme --for 'GitHub/acme/*'", "badge key list", "badge key revoke ci-acme"),
)


@key.command(
    epilog=examples(
        "badge key create ci-acme --for 'GitHub/acme/*'",
        "badge key create deploy --scope report --scope visibility --for acme/web --for acme/api",
        "badge key create replica --scope read --expires-in 90d",
        "badge key create servers --scope ping",
    )
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    default=(Scope.REPORT.value,),
    show_default=True,
    help="What the key may do; repeatable. `visibility` lets a key with `report` make private subjects public.",
)
@click.option(
    "--for",
    "patterns",
    type=PatternOption(),
    multiple=True,
    help="Subjects that the key is valid for, such as 'GitHub/acme/*'; repeatable. All by default.",
)
@click.option(
    "--expires-in", type=DurationOption(), help="Lifetime of the key, at most 36500d; by default, it never expires."
)
def create(name: str, scopes: Sequence[str], patterns: Sequence[PathPattern], expires_in: timedelta | None) -> None:
    """Create an API key called NAME and print it. It is shown only once, because only its hash is stored."""
    expires_at = datetime.now(UTC) + expires_in if expires_in else None
    with own_catalogue() as (_, own):
        try:
            plain = own.keys.create(
                name,
                frozenset(Scope(scope) for scope in scopes),
                subjects=selection_of(patterns),
                expires_at=expires_at,
            )
        except (NameTaken, ValueError) as error:
            raise Fault(f"{error}.") from None
    click.echo(plain)
    use = "Use it as KEY in /ping/KEY/SLUG" if Scope.PING in scopes else "Send it as X-API-Key"
    # On standard error, so that scripts can capture the key alone.
    click.echo(f"Store it now: it is not shown again. {use}.", err=True)


@key.command("list", epilog=examples("badge key list", "badge key list --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_keys(*, as_json: bool) -> None:
    """List all API keys by name, with scopes, subjects, expiry and last use, but not the keys themselves."""
    with own_catalogue() as (_, own):
        stored = own.keys.list()
    if as_json:
        click.echo(json.dumps([_document(one) for one in stored]))
        return
    for one in stored:
        scopes = "+".join(sorted(one.grant.scopes))
        subjects = shown_selection(one.grant.subjects)
        expires = f"expires {one.expires_at}" if one.expires_at else "never expires"
        used = f"last used {one.last_used_on}" if one.last_used_on else "never used"
        click.echo(f"{one.name:<24} {one.prefix}…  {scopes:<12} for {subjects}; {expires}, {used}")


def _document(one: StoredKey) -> dict[str, object]:
    return {
        "name": one.name,
        "begins": one.prefix,
        "scopes": sorted(one.grant.scopes),
        "for": one.grant.subjects.texts,
        "created": one.created_at.isoformat(),
        "expires": one.expires_at.isoformat() if one.expires_at else None,
        "lastUsed": one.last_used_on.isoformat() if one.last_used_on else None,
    }


@key.command(epilog=examples("badge key revoke ci-acme"))
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke the API key called NAME; it is refused from now on."""
    with own_catalogue() as (_, own):
        try:
            own.keys.revoke(name)
        except NoSuchName as error:
            raise Fault(f"{error}.") from None
    click.echo(f"{name}: revoked")
