"""`badge delete`: remove a subject that should never have been reported, such as a misspelt name."""

from __future__ import annotations

import click

from badge.catalogue.store import IsExpected, NothingKnown, SubjectRecords
from badge.cli.command import BadgeCommand, Fault, SubjectArgument, examples, invalidate_status, own_catalogue
from badge.model import Subject


@click.command(
    cls=BadgeCommand,
    epilog=examples("badge delete acme/wbe", "badge delete GitHub/acme/Repository/wbe --yes"),
)
@click.argument("subject", type=SubjectArgument())
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
def delete(subject: Subject, *, yes: bool) -> None:
    """Remove SUBJECT and its history from the catalogue.

    Shows how many runs will be removed, and asks for confirmation. This can't be undone. If the
    repository itself was deleted, report it as deleted instead. A subject with a check can't be
    removed before its check.

    Exit code 1 if you answer no.
    """
    with own_catalogue() as (parts, own):
        try:
            found = own.store.deletable(subject)
            if not yes and not _is_confirmed(found):
                click.echo(f"{found.subject.path}: not deleted")
                raise SystemExit(1)
            deleted = own.store.delete(subject)
        except NothingKnown as error:
            raise Fault(f"{error}.") from None
        except IsExpected as error:
            raise Fault(f"{error}; run `badge check delete {subject.path}` first.") from None
        invalidate_status(parts, subject)
    click.echo(f"{deleted.subject.path}: deleted, {_with_runs(deleted)}")


def _is_confirmed(found: SubjectRecords) -> bool:
    try:
        return click.confirm(f"Delete {found.subject.path}, {_with_runs(found)}?", err=True)
    except click.Abort:  # Ctrl-C, or the end of the input in a script
        click.echo(err=True)
        raise Fault("No answer, so nothing was deleted; use --yes in scripts.") from None


def _with_runs(records: SubjectRecords) -> str:
    return "with 1 run" if records.runs == 1 else f"with {records.runs} runs"
