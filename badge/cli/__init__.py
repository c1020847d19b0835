"""`badge …` (and `flask badge …`): run the service, report backups, manage checks and API keys, inspect the service."""

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
from badge.cli.notify import notify
from badge.cli.report import report
from badge.cli.serve import serve
from badge.cli.sources import sources
from badge.cli.status import status
from badge.cli.token import token
from badge.cli.verified import verified
from badge.settings import unknown_variables


def _note_unknown_variables(ctx: click.Context) -> None:
    """Print a note about unknown BADGE_ variables on standard error, unless the command itself reports them."""
    unknown = unknown_variables()
    command = badge.old_names.get(ctx.invoked_subcommand or "", ctx.invoked_subcommand)
    if unknown and command not in ("check-config", "serve"):
        click.echo("Note: " + " ".join(f"{one}{'' if one.endswith('?') else '.'}" for one in unknown), err=True)


badge = BadgeGroup(
    "badge",
    callback=click.pass_context(_note_unknown_variables),
    help="Run the Backup Status Badge service, report backups, create checks and API keys, and inspect the service.",
    epilog=examples(
        "badge serve",
        "badge report GitHub/acme/Repository/web succeeded",
        "badge verified acme/web --how restored",
        "badge check create acme/web --every 24h --grace 2h",
        "badge login-link",
        "badge explain acme/web",
        "badge check-config",
    )
    + "\n\nExit codes: 0 success, 1 failure, 2 invalid usage or settings.",
    old_names={"doctor": "check-config", "forget": "delete"},
    commands=[
        serve,
        report,
        verified,
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
        notify,
        check_config,
        demo,
    ],
)
click.version_option(__version__, prog_name="badge")(badge)
