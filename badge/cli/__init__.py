"""`badge …` (and `flask badge …`): report backups, manage checks and API keys, inspect the service."""

from __future__ import annotations

import click

from badge import __version__
from badge.cli.backup import backup, restore
from badge.cli.check import check
from badge.cli.check_config import check_config, settings
from badge.cli.command import BadgeGroup, examples
from badge.cli.delete import delete
from badge.cli.demo import demo
from badge.cli.draw import draw, url
from badge.cli.explain import explain
from badge.cli.key import key
from badge.cli.login_link import login_link
from badge.cli.report import report
from badge.cli.sources import sources
from badge.cli.status import status
from badge.cli.token import token
from badge.settings import unknown_variables


def _note_unknown_variables(ctx: click.Context) -> None:
    """Print a note about unknown BADGE_ variables on standard error; check-config has its own line for each."""
    unknown = unknown_variables()
    if unknown and badge.old_names.get(ctx.invoked_subcommand or "", ctx.invoked_subcommand) != "check-config":
        click.echo("Note: " + " ".join(f"{one}{'' if one.endswith('?') else '.'}" for one in unknown), err=True)


badge = BadgeGroup(
    "badge",
    callback=click.pass_context(_note_unknown_variables),
    help="Report backups, create checks and API keys, and inspect the Backup Status Badge service.",
    epilog=examples(
        "badge report GitHub/acme/Repository/web succeeded",
        "badge check create acme/web --every 24h --grace 2h",
        "badge login-link",
        "badge explain acme/web",
        "badge check-config",
    )
    + "\n\nExit codes: 0 success, 1 failure, 2 wrong usage or settings.",
    old_names={"doctor": "check-config", "forget": "delete"},
    commands=[
        report,
        delete,
        check,
        status,
        explain,
        url,
        draw,
        key,
        token,
        login_link,
        backup,
        restore,
        settings,
        sources,
        check_config,
        demo,
    ],
)
click.version_option(__version__, prog_name="badge")(badge)
