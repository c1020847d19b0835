"""`badge settings` and `badge check-config`: what is set, and does it work."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
from sqlalchemy.exc import SQLAlchemyError

from badge import app
from badge.artwork import png
from badge.cache.embedded.server import binary_path
from badge.catalogue.database import Database
from badge.catalogue.faults import DAMAGED, why_unusable
from badge.catalogue.integrity import THOROUGH_SECONDS, Integrity, integrity_of
from badge.catalogue.migration import SchemaFault, migrate
from badge.cli.command import BadgeCommand, examples, parts_of, settings_or_fault
from badge.cli.sources import failure_of, probe_for
from badge.deadline import Deadline
from badge.model import Subject
from badge.ports import SourceUnavailable, StatusSource
from badge.private_files import is_open_to_others
from badge.settings import DEFAULT, BadSettings, Settings, load, shown, unknown_variables, variable_for
from badge.settings.reference import example_file
from badge.sources.configuration.sources_file import ConfiguredSource
from badge.sources.configuration.sources_file import load as load_sources

SETTINGS = "settings"

# A subject that nobody has: any answer to it shows that the upstream speaks the contract.
PROBE = Subject("GitHub", "backup-status-badge", "Repository", "doctor-probe")


@click.command(cls=BadgeCommand, epilog=examples("badge settings", "badge settings --example > badge.env"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--example", "as_example", is_flag=True, help="Print a file of all defaults, to be changed and loaded.")
def settings(*, as_json: bool, as_example: bool) -> None:
    """Show every setting, its value (secrets hidden), where that came from and what it is for."""
    if as_example:
        click.echo(example_file(), nl=False)
        return
    known = settings_or_fault()
    values = shown(known)
    if as_json:
        click.echo(json.dumps(values, indent=2))
        return
    for name, setting in Settings.model_fields.items():
        variable, origin = variable_for(name), known.origin_of(name)
        mark = " " if origin == DEFAULT else "*"
        click.echo(f"{mark} {variable}={values[variable]}  ({origin})\n      {setting.description}")
    click.echo("\n* set in the environment or the settings file; the others have their default.")


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one test of the installation."""

    is_fine: bool
    what: str
    said: str


@click.command(cls=BadgeCommand, epilog=examples("badge check-config", "badge check-config --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line for each finding.")
def check_config(*, as_json: bool) -> None:
    """Look at settings, data folder, cache and source, and say what to do about each fault.

    Exit code 0 if all is well, 1 if something does not work, 2 if the settings are wrong.
    """
    faulty = set()
    for finding in _all_findings():
        _say(finding, as_json=as_json)
        if not finding.is_fine:
            faulty.add(finding.what)
    sys.exit(2 if SETTINGS in faulty else 1 if faulty else 0)


def _say(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"fine": finding.is_fine, "what": finding.what, "said": finding.said}))
    else:
        click.echo(f"{'ok  ' if finding.is_fine else 'FAIL'} {finding.what:<9} {finding.said}")


def _all_findings() -> Iterator[Finding]:
    for sentence in unknown_variables():
        yield Finding(is_fine=True, what=SETTINGS, said=f"note: {sentence}")
    try:
        known = load()
        configured = load_sources(known.sources) if known.sources else []
    except BadSettings as bad:
        for fault in bad.faults:
            yield Finding(is_fine=False, what=SETTINGS, said=str(fault))
    else:
        yield from _findings(known, configured)


def _findings(known: Settings, configured: Sequence[ConfiguredSource]) -> Iterator[Finding]:
    yield Finding(is_fine=True, what=SETTINGS, said="all are understood; `badge settings` shows them")
    yield _data_dir(known)
    with contextlib.closing(parts_of(known)) as parts:
        yield _cache(known, parts)
        if parts.database is not None:
            yield _catalogue(known, parts.database)
        if known.upstream_url:
            yield _upstream(parts)
        for source, there in zip(configured, parts.resolver.routing.sources if configured else [], strict=True):
            yield _source(source, there, known)
    fault = png.fault_of_this_machine()
    said = f"{fault}: PNGs are the ready-made ones, without labels and styles" if fault else "PNGs can be drawn"
    yield Finding(is_fine=fault is None, what="pictures", said=said)
    if known.public_url is None:
        said = "BADGE_PUBLIC_URL is not set: pages make links from the browser's own address"
        yield Finding(is_fine=True, what="links", said=said)


def _data_dir(known: Settings) -> Finding:
    folder = known.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        said = f"{folder} can't be made ({error.strerror}); set BADGE_DATA_DIR to a folder that can be written"
        return Finding(is_fine=False, what="data", said=said)
    if not os.access(folder, os.W_OK | os.X_OK):
        said = f"{folder} can't be written by this user; change its owner or set BADGE_DATA_DIR"
        return Finding(is_fine=False, what="data", said=said)
    note = (
        f"; note: other users can look into it, `chmod go= {folder}` prevents that" if is_open_to_others(folder) else ""
    )
    return Finding(is_fine=True, what="data", said=f"{folder} can be written{note}")


def _cache(known: Settings, parts: app.Parts) -> Finding:
    if known.redis_url is None and binary_path() is None:
        said = "the embedded Valkey does not run on this machine; each worker keeps its own. Set BADGE_REDIS_URL"
        return Finding(is_fine=False, what="cache", said=said)
    name = shown(known)["BADGE_REDIS_URL"] or "the embedded Valkey"
    if parts.cache.is_up():
        return Finding(is_fine=True, what="cache", said=f"{name} answers")
    if known.redis_url is None:
        return Finding(
            is_fine=True, what="cache", said=f"{name} is not running: it starts with the service (`make run`)"
        )
    said = f"{name} does not answer within BADGE_REDIS_TIMEOUT: is it running, and is the address right?"
    return Finding(is_fine=False, what="cache", said=said)


def _catalogue(known: Settings, database: Database) -> Finding:
    where = known.catalogue_name
    try:
        migrate(known.catalogue_location)
        if integrity_of(database, THOROUGH_SECONDS) is Integrity.DAMAGED:
            return Finding(is_fine=False, what="catalogue", said=f"{where} can't be used: {DAMAGED}")
    except (SQLAlchemyError, OSError, SchemaFault) as error:
        said = f"{where} can't be used: {why_unusable(error)}"
        return Finding(is_fine=False, what="catalogue", said=said)
    return Finding(is_fine=True, what="catalogue", said=f"{where} can be read")


def _upstream(parts: app.Parts) -> Finding:
    address = parts.settings.upstream_url
    try:
        parts.resolver.routing.sources[0].fetch(
            PROBE, None, Deadline.after(parts.settings.upstream_timeout.total_seconds())
        )
    except SourceUnavailable as unavailable:
        advice = _ADVICE.get(unavailable.kind, "is BADGE_UPSTREAM_URL right, and does it speak the native contract?")
        return Finding(is_fine=False, what="upstream", said=f"{address}: {unavailable.kind}; {advice}")
    return Finding(is_fine=True, what="upstream", said=f"{address} answers in the native contract")


def _source(source: ConfiguredSource, there: StatusSource, known: Settings) -> Finding:
    failure = failure_of(there, probe_for(source.entry), known.upstream_timeout.total_seconds())
    said = "answers" if failure is None else f"{failure}; see `badge sources try {source.entry.name} SUBJECT`"
    return Finding(is_fine=failure is None, what="source", said=f"{source.entry.name}: {said}")


_ADVICE = {
    "unauthorised": "check BADGE_UPSTREAM_API_KEY",
    "forbidden": "the key in BADGE_UPSTREAM_API_KEY may not read statuses",
    "timeout": "it takes longer than BADGE_UPSTREAM_TIMEOUT",
    "connect": "nothing listens there, or a firewall is between",
}
