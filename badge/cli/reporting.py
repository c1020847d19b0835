"""Shared by the commands that report something: to the local catalogue, or to a remote service."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import requests

from badge.catalogue.events import InvalidEvent, RunEvent, VerificationEvent
from badge.cli.command import Fault, invalidate_status, own_catalogue
from badge.contract import status_document
from badge.model import Visibility
from badge.settings import http_address
from badge.web.intake.ops_body import event_document

REMOTE_TIMEOUT_SECONDS = 10

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Event = TypeVar("_Event", RunEvent, VerificationEvent)


class TimeOption(click.ParamType[datetime]):
    """RFC 3339 with a zone, or seconds since 1970 as `date +%s` prints them."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time; an invalid one is a usage error."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromtimestamp(int(value), UTC) if value.isdigit() else datetime.fromisoformat(value)
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is not a time; write 2026-11-23T03:00:00Z or seconds since 1970.", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no time zone; add Z for UTC, or an offset such as +01:00.", param, ctx)
        return moment


class AddressOption(click.ParamType[str]):
    """The base URL of a service: `https://badges.example.org`, with a path prefix if it has one."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the URL without a trailing slash; an invalid one is a usage error."""
        try:
            return http_address(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


TIME = TimeOption()

_OPTIONS = (
    click.option(
        "--visibility", type=click.Choice([word.value for word in Visibility]), help="Who may see the status."
    ),
    click.option(
        "--to", type=AddressOption(), help="Report to the service at this URL instead of the local catalogue."
    ),
    click.option("--key", envvar="BADGE_API_KEY", help="API key for --to, with the scope 'report' [BADGE_API_KEY]."),
    click.option("--key-file", type=click.File(), help="File that contains the API key."),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the result as JSON. With --to, it includes the status only if the API key has the scope 'read'.",
    ),
)


def reporting_options(command: _Command) -> _Command:
    """Add the options that `report_and_print` and `visibility_in` read."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def visibility_in(given: Mapping[str, Any]) -> Visibility | None:
    """Return the value of --visibility."""
    return Visibility(given["visibility"]) if given["visibility"] else None


def report_and_print(
    event: _Event, given: Mapping[str, Any], outcome: Callable[[_Event, Mapping[str, Any]], str]
) -> None:
    """Report an event and print the answer, as JSON or as a line of text worded by `outcome`."""
    answer, place = (_send(event, given), f"service {given['to']}") if given["to"] else _record(event)
    click.echo(json.dumps(answer) if given["as_json"] else f"{event.subject.path}: {outcome(event, answer)} ({place})")


def _record(event: RunEvent | VerificationEvent) -> tuple[dict[str, Any], str]:
    """Record the event in the local catalogue; return the answer and the catalogue's name."""
    with own_catalogue() as (parts, own):
        try:
            recorded = own.store.record(event)
        except InvalidEvent as invalid:
            raise Fault(f"{invalid}") from None
        invalidate_status(parts, event.subject)
    answer = {"applied": recorded.applied, **status_document(event.subject, recorded.report)}
    return answer, f"catalogue {parts.settings.catalogue_name}"


def _send(event: RunEvent | VerificationEvent, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        response = requests.post(
            given["to"] + "/ops/status/report",
            json=event_document(event),
            headers={"X-API-Key": _key(given)},
            timeout=REMOTE_TIMEOUT_SECONDS,
            # requests would follow a redirect with a GET, and send the API key to whatever host it leads to.
            allow_redirects=False,
        )
    except requests.exceptions.InvalidURL:
        raise Fault(f"{given['to']} is not a valid URL; write one such as https://badges.example.org.") from None
    except requests.RequestException as error:
        raise Fault(f"{given['to']} could not be reached ({type(error).__name__}).", exit_code=1) from None
    return _answer_in(response)


def _key(given: Mapping[str, Any]) -> str:
    try:
        key: str | None = given["key_file"].read().strip() if given["key_file"] else given["key"]
    except UnicodeDecodeError:
        # Rejected below, with the same message as any other invalid key.
        key = "\ufffd"
    if not key:
        raise Fault("--to needs an API key: use --key-file or --key, or set BADGE_API_KEY.")
    if not re.fullmatch(r"[!-~]+", key):
        raise Fault("An API key is one line of ASCII without spaces, as `badge key create` prints it.")
    return key


def _answer_in(response: requests.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        document = {}  # such as a login page, or a proxy's error page
    if response.status_code != 200 or not isinstance(document, dict) or "applied" not in document:
        detail = document.get("detail") if isinstance(document, dict) else None
        raise Fault(
            f"The service answered {response.status_code}: {detail or 'no report API at this URL'}", exit_code=1
        )
    return document
