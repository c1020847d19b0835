"""`flask badge forget`: take back what should never have been told, such as a misspelt name."""

from __future__ import annotations

import click

from badge.catalogue.store import IsExpected, NothingKnown, Remembered
from badge.cli.command import BadgeCommand, Fault, SubjectArgument, examples, forget_status, own_catalogue
from badge.model import Subject


@click.command(
    cls=BadgeCommand,
    epilog=examples("flask badge forget acme/wbe", "flask badge forget GitHub/acme/Repository/wbe --yes"),
)
@click.argument("subject", type=SubjectArgument())
@click.option("--yes", is_flag=True, help="Don't ask; for scripts.")
def forget(subject: Subject, *, yes: bool) -> None:
    """Remove SUBJECT and its history from this service's catalogue, as if it had never been told of.

    Says how many runs go, and asks. There is no way back: a repository that is gone is better
    reported as deleted. One with a check is refused until that is deleted.

    Exit code 1 if the answer is no.
    """
    with own_catalogue() as (parts, own):
        try:
            found = own.catalogue.remembered(subject)
            if not yes and not _is_agreed(found):
                click.echo(f"{found.subject.path}: kept")
                raise SystemExit(1)
            taken = own.catalogue.forget(subject)
        except NothingKnown as error:
            raise Fault(f"{error}.") from None
        except IsExpected as error:
            raise Fault(f"{error}; first run flask badge check delete {subject.path}") from None
        forget_status(parts, subject)
    click.echo(f"{taken.subject.path}: forgotten, {_with_runs(taken)}")


def _is_agreed(found: Remembered) -> bool:
    try:
        return click.confirm(f"Forget {found.subject.path}, {_with_runs(found)}?", err=True)
    except click.Abort:
        click.echo(err=True)
        raise Fault("Nobody answered, so nothing was forgotten; scripts give --yes.") from None


def _with_runs(what: Remembered) -> str:
    return "with 1 run" if what.runs == 1 else f"with {what.runs} runs"
