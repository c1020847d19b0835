"""`badge key`: who may report to this service and read its native contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from badge.catalogue.keys import KeyNameTaken, NoSuchKey, Scope, StoredKey
from badge.cli.command import BadgeGroup, DurationOption, Fault, examples, own_catalogue

key = BadgeGroup(
    "key",
    help="Create, list and revoke API keys and ping keys.",
    epilog=examples("badge key create ci-acme", "badge key list", "badge key revoke ci-acme"),
)


@key.command(
    epilog=examples(
        "badge key create ci-acme",
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
    help="What the key may do; give it several times for several.",
)
@click.option(
    "--expires-in", type=DurationOption(), help="After which it no longer works, 36500d at most; never by default."
)
def create(name: str, scopes: Sequence[str], expires_in: timedelta | None) -> None:
    """Make a key called NAME and print it, once: only its hash is kept."""
    expires_at = datetime.now(UTC) + expires_in if expires_in else None
    with own_catalogue() as (_, own):
        try:
            plain = own.keys.create(name, frozenset(Scope(scope) for scope in scopes), expires_at=expires_at)
        except (KeyNameTaken, ValueError) as error:
            raise Fault(f"{error}") from None
    click.echo(plain)
    use = "Ping /ping/KEY/SLUG with it" if Scope.PING in scopes else "Send it as X-API-Key"
    click.echo(f"Keep it now: it is not shown again. {use}.", err=True)


@key.command("list", epilog=examples("badge key list", "badge key list --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_keys(*, as_json: bool) -> None:
    """List the keys by name; the keys themselves are not kept."""
    with own_catalogue() as (_, own):
        stored = own.keys.list()
    if as_json:
        click.echo(json.dumps([_document(one) for one in stored]))
        return
    for one in stored:
        scopes = "+".join(sorted(one.scopes))
        expires, used = one.expires_at or "never", one.last_used_on or "never"
        click.echo(f"{one.name:<24} {one.prefix}…  {scopes:<12} expires {expires}, last used {used}")


def _document(one: StoredKey) -> dict[str, object]:
    return {
        "name": one.name,
        "begins": one.prefix,
        "scopes": sorted(one.scopes),
        "created": one.created_at.isoformat(),
        "expires": one.expires_at.isoformat() if one.expires_at else None,
        "lastUsed": one.last_used_on.isoformat() if one.last_used_on else None,
    }


@key.command(epilog=examples("badge key revoke ci-acme"))
@click.argument("name")
def revoke(name: str) -> None:
    """Take the key called NAME back, at once."""
    with own_catalogue() as (_, own):
        try:
            own.keys.revoke(name)
        except NoSuchKey as error:
            raise Fault(f"{error}") from None
    click.echo(f"{name}: revoked")
