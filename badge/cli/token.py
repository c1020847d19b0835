"""`badge token`: create, list and revoke the tokens of private badges."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from badge.catalogue.keys import NameTaken, NoSuchName
from badge.catalogue.tokens import StoredToken
from badge.cli.command import (
    BadgeGroup,
    Fault,
    PatternOption,
    examples,
    own_catalogue,
    selection_of,
    shown_selection,
)
from badge.subject_pattern import PathPattern

token = BadgeGroup(
    "token",
    help="Create, list and revoke private tokens, which reveal private badges.",
    epilog=examples("badge token create readme --for acme/web", "badge token list", "badge token revoke readme"),
)


@token.command(
    epilog=examples(
        "badge token create readme --for acme/web",
        "badge token create wiki --for 'GitHub/acme/*' --for 'GitLab/acme/*'",
    )
)
@click.argument("name")
@click.option(
    "--for",
    "patterns",
    type=PatternOption(),
    multiple=True,
    required=True,
    help="Subjects whose private badges the token shows, such as acme/web or 'GitHub/acme/*'; repeatable.",
)
def create(name: str, patterns: Sequence[PathPattern]) -> None:
    """Create a private token called NAME and print it. It is shown only once, because only its hash is stored.

    Append it to the URL of a badge or summary: ?token=TOKEN.
    """
    with own_catalogue() as (_, own):
        try:
            plain = own.tokens.create(name, selection_of(patterns))
        except (NameTaken, ValueError) as error:
            raise Fault(f"{error}.") from None
    click.echo(plain)
    click.echo("Store it now: it is not shown again. Append ?token=TOKEN to the URL of a badge or summary.", err=True)


@token.command("list", epilog=examples("badge token list", "badge token list --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tokens(*, as_json: bool) -> None:
    """List all private tokens by name, with subjects and last use, but not the tokens themselves."""
    with own_catalogue() as (_, own):
        stored = own.tokens.list()
    if as_json:
        click.echo(json.dumps([_document(one) for one in stored]))
        return
    for one in stored:
        used = f"last used {one.last_used_on}" if one.last_used_on else "never used"
        click.echo(f"{one.name:<24} {one.prefix}…  for {shown_selection(one.subjects)}; {used}")


def _document(one: StoredToken) -> dict[str, object]:
    return {
        "name": one.name,
        "begins": one.prefix,
        "for": one.subjects.texts,
        "created": one.created_at.isoformat(),
        "lastUsed": one.last_used_on.isoformat() if one.last_used_on else None,
    }


@token.command(epilog=examples("badge token revoke readme"))
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke the private token called NAME; badges with it show `unknown` from now on."""
    with own_catalogue() as (_, own):
        try:
            own.tokens.revoke(name)
        except NoSuchName as error:
            raise Fault(f"{error}.") from None
    click.echo(f"{name}: revoked")
