"""`badge notify`: check notify.toml, list what could not be delivered, and send a test."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from badge import app
from badge.app import utc_now
from badge.cli.command import (
    BadgeGroup,
    Fault,
    examples,
    faults_by_line,
    settings_or_fault,
    watch_database,
)
from badge.contract import format_time
from badge.deadline import Deadline
from badge.model import Subject
from badge.notices import Condition, Message, Notice, NoticeKind
from badge.watching.channels import Channel, NotDelivered
from badge.watching.channels.apprise import fault_of
from badge.watching.notify_file import AppriseTable, ChannelTable, NotifyFile, load
from badge.watching.store import Waiting, new_message_id

EXAMPLE = Subject("GitHub", "acme", "Repository", "web")
CHECK_SECONDS = 30.0

notify = BadgeGroup(
    "notify",
    help="Check the channels and rules in BADGE_NOTIFY, try them out, and list undelivered messages.",
    epilog=examples("badge notify check", "badge notify test ops", "badge notify list"),
)


@notify.command(epilog=examples("badge notify check", "badge notify check --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per channel.")
def check(*, as_json: bool) -> None:
    """Validate notify.toml, and let Apprise check its channels' URLs; list every mistake. Sends nothing.

    Exit code 0 if there are none, 2 if the file has mistakes or Apprise can't be run.
    """
    file = _file_or_fault()
    faults = [(channel, _fault_of(channel)) for channel in file.channels]
    for channel, fault in faults:
        result = fault or "is valid"
        document = {"name": channel.name, "kind": channel.kind, "fine": fault is None, "said": result}
        click.echo(json.dumps(document) if as_json else _line(channel, result, is_fine=fault is None))
    if any(fault for _, fault in faults):
        raise SystemExit(2)


def _fault_of(channel: ChannelTable) -> str | None:
    if isinstance(channel, AppriseTable) and (fault := fault_of(channel.url, Deadline.after(CHECK_SECONDS))):
        return f"url: {fault}"
    return None


def _line(channel: ChannelTable, result: str, *, is_fine: bool) -> str:
    return f"{'ok  ' if is_fine else 'FAIL'} {channel.name:<20} {channel.kind:<9} {result}"


@notify.command(epilog=examples("badge notify test", "badge notify test ops"))
@click.argument("channels", nargs=-1)
def test(channels: Sequence[str]) -> None:
    """Send a test message to CHANNELS (by default, all), immediately and without retries.

    Exit code 1 if a channel does not accept it.
    """
    file = _file_or_fault()
    _refuse_unknown(channels, file)
    tables = [table for table in file.channels if not channels or table.name in channels]
    failed = False
    for table, channel in zip(tables, app.channels_of(tables, utc_now), strict=True):
        failure = _try(channel, file)
        failed = failed or failure is not None
        result = f"not delivered: {failure}" if failure else "delivered"
        click.echo(_line(table, result, is_fine=failure is None))
    if failed:
        raise SystemExit(1)


def _try(channel: Channel, file: NotifyFile) -> str | None:
    notice = Notice(kind=NoticeKind.TEST, subject=EXAMPLE, before=Condition.PROTECTED, after=Condition.PROTECTED)
    message = Message(new_message_id(), utc_now(), NoticeKind.TEST, [notice])
    try:
        channel.send(message, Deadline.after(file.delivery.timeout.total_seconds()))
    except NotDelivered as failed:
        return failed.failure
    return None


def _refuse_unknown(channels: Sequence[str], file: NotifyFile) -> None:
    names = [table.name for table in file.channels]
    for name in channels:
        if name not in names:
            raise Fault(f"There is no channel {name}; the channels are {', '.join(names)}.")


@notify.command("list", epilog=examples("badge notify list", "badge notify list --json"))
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Number of messages.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per message.")
def list_messages(*, limit: int, as_json: bool) -> None:
    """List the messages that wait to be delivered, and those that the service gave up on, oldest first."""
    with watch_database() as store:
        waiting = store.everything(limit)
    for each in waiting:
        click.echo(json.dumps(_document(each)) if as_json else _row(each))
    if not (waiting or as_json):
        click.echo("No undelivered messages.")


def _document(waiting: Waiting) -> dict[str, object]:
    return {
        "id": waiting.message_id,
        "channel": waiting.channel,
        "state": _state(waiting),
        "attempts": waiting.attempts,
        "failure": waiting.failure,
        "createdAt": format_time(waiting.created_at),
        "nextAttemptAt": None if waiting.given_up_at else format_time(waiting.next_at),
        "message": waiting.message and waiting.message.document(),
    }


def _row(waiting: Waiting) -> str:
    reason = f", {waiting.failure}" if waiting.failure else ""
    attempts = f"{waiting.attempts} attempt{'' if waiting.attempts == 1 else 's'}{reason}"
    created_at = f"{waiting.created_at:%Y-%m-%d %H:%M}"
    title = waiting.message.title if waiting.message else "Stored by a newer version of the service"
    return f"{created_at}  {waiting.channel:<20} {_state(waiting):<9} {title} ({attempts})"


def _state(waiting: Waiting) -> str:
    return "abandoned" if waiting.given_up_at else "waiting"


def _file_or_fault() -> NotifyFile:
    path = settings_or_fault().notify
    if path is None:
        raise Fault("BADGE_NOTIFY is not set: set it to the path of a notify.toml (docs/how-to/be-told.md).")
    with faults_by_line():
        return load(path)
