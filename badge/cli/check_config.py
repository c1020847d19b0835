"""`badge settings` and `badge check-config`: show the settings, and test the installation."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

from badge import app
from badge.artwork import png, png_check
from badge.cache.embedded.server import answers, binary_path, socket_path
from badge.catalogue.faults import DAMAGED, UNUSABLE, clock_warning, why_unusable
from badge.catalogue.integrity import THOROUGH_SECONDS, Integrity, integrity_of
from badge.catalogue.migration import migrate
from badge.cli.command import BadgeCommand, examples, parts_of, settings_or_fault
from badge.cli.sources import failure_of, probe_for
from badge.model import Subject
from badge.ports import StatusSource
from badge.private_files import is_open_to_others
from badge.settings import DEFAULT, BadSettings, Settings, shown, unknown_variables, variable_for
from badge.settings.reference import example_file
from badge.sources.configuration.sources_file import ConfiguredSource
from badge.web.signing_key import fault_of_stored_key

SETTINGS = "settings"

# No such subject exists: any response about it shows that the upstream implements the contract.
PROBE = Subject("GitHub", "backup-status-badge", "Repository", "doctor-probe")


@click.command(cls=BadgeCommand, epilog=examples("badge settings", "badge settings --example > badge.env"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--example", "as_example", is_flag=True, help="Print a settings file with all defaults, to edit.")
def settings(*, as_json: bool, as_example: bool) -> None:
    """Show every setting: its value (secrets are hidden), where it came from and its meaning."""
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
    click.echo("\n* set in the environment or in the settings file; all others have their defaults.")


class Level(StrEnum):
    """The level of a finding, as it is printed."""

    OK = "ok"
    NOTE = "note"
    """Works, but may not be what was intended."""
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one test of the installation."""

    level: Level
    what: str
    message: str

    @classmethod
    def of(cls, what: str, fault: str | None, fine: str) -> Finding:
        """Return a failure if there is a fault, otherwise a success."""
        return cls(Level.FAIL, what, fault) if fault else cls(Level.OK, what, fine)


@click.command(cls=BadgeCommand, epilog=examples("badge check-config", "badge check-config --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per finding.")
def check_config(*, as_json: bool) -> None:
    """Test the settings, data folder, cache, catalogue and sources, and say how to fix each problem.

    Exit code 0 if everything works, 1 if something doesn't, 2 if a setting is invalid.
    """
    faulty = set()
    for finding in _all_findings():
        _print(finding, as_json=as_json)
        if finding.level is Level.FAIL:
            faulty.add(finding.what)
    sys.exit(2 if SETTINGS in faulty else 1 if faulty else 0)


def _print(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        level = finding.level
        shown = {"fine": level is not Level.FAIL, "level": level.lower(), "what": finding.what, "said": finding.message}
        click.echo(json.dumps(shown))
    else:
        click.echo(f"{finding.level:<4} {finding.what:<9} {finding.message}")


def _all_findings() -> Iterator[Finding]:
    for sentence in unknown_variables():
        yield Finding(Level.NOTE, SETTINGS, sentence)
    try:
        # Not `settings_or_fault`, which would exit: invalid settings are findings too.
        configuration = app.load_configuration()
    except BadSettings as bad:
        for fault in bad.faults:
            yield Finding(Level.FAIL, SETTINGS, str(fault))
    else:
        yield from _findings(configuration)


def _findings(configuration: app.Configuration) -> Iterator[Finding]:
    known, configured = configuration.settings, configuration.sources
    yield Finding(Level.OK, SETTINGS, "all valid; `badge settings` shows them")
    yield from (Finding(Level.NOTE, SETTINGS, sentence) for sentence in known.warnings)
    if configuration.notify is not None:
        names = ", ".join(channel.name for channel in configuration.notify.channels)
        yield Finding(Level.OK, "notify", f"{names}: valid; `badge notify test` sends a message")
    yield _data_dir(known)
    with contextlib.closing(parts_of(known)) as parts:
        yield _cache(known, parts)
        if (shared := _shared_by_path(known, configured)) is not None:
            yield shared
        if parts.database is not None:
            yield _catalogue(known, parts)
        if known.upstream_url:
            yield _upstream(parts)
        sources = parts.resolver.routing.sources if configured else []
        for entry, source in zip(configured, sources, strict=True):
            yield _source(entry, source, known)
    fault = png.fault_of_this_machine()
    yield Finding.of("pictures", fault and png_check.consequence_of(fault), "PNGs can be drawn")
    if known.public_url is None:
        text = (
            "BADGE_PUBLIC_URL is not set: pages build links from the address that each request was sent to; requests "
            "from loopback can read /metrics without a token, so a proxy on this machine may expose the metrics"
        )
        yield Finding(Level.NOTE, "links", text)
    elif known.path_prefix:
        text = f"paths begin with {known.path_prefix}, which proxies must pass on unchanged"
        yield Finding(Level.OK, "links", text)


def _data_dir(known: Settings) -> Finding:
    folder = known.data_dir
    if (fault := _data_dir_fault(folder) or fault_of_stored_key(known)) is None and is_open_to_others(folder):
        return Finding(Level.NOTE, "data", f"other users can access {folder}: `chmod go= {folder}` prevents that")
    return Finding.of("data", fault, f"{folder} is writable")


def _data_dir_fault(folder: Path) -> str | None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return f"{folder} can't be created ({error.strerror}): set BADGE_DATA_DIR to a writable folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} is not writable by this user: change its owner, or set BADGE_DATA_DIR"
    return None


def _cache(known: Settings, parts: app.Parts) -> Finding:
    if known.redis_url is None and binary_path() is None:
        text = "the embedded Valkey doesn't run on this machine, so each worker caches on its own: set BADGE_REDIS_URL"
        return Finding(Level.FAIL, "cache", text)
    # Not `parts.cache.is_up`, because a process's first Redis command may exceed the time limit.
    if known.redis_url is None and not answers(socket_path(known.data_dir)):
        return Finding(Level.NOTE, "cache", "the embedded Valkey is not running; it starts with the service")
    name, fault = shown(known)["BADGE_REDIS_URL"] or "the embedded Valkey", parts.cache_fault()
    return Finding.of("cache", fault and f"{name} {fault}", f"{name} works")


def _shared_by_path(known: Settings, configured: Sequence[ConfiguredSource]) -> Finding | None:
    """Return a note if another deployment that uses the same Redis could be taken for this one; see `place_of`."""
    names = [source.entry.name for source in configured if source.entry.has_secret_by_path]
    if known.redis_url is None or known.public_url is not None or not names:
        return None
    text = (
        "if another deployment uses this Redis and reads different secrets from the same paths, the two would share "
        f"the statuses of {', '.join(names)}: set BADGE_PUBLIC_URL to keep them apart"
    )
    return Finding(Level.NOTE, "cache", text)


def _catalogue(known: Settings, parts: app.Parts) -> Finding:
    assert parts.database is not None
    where = known.catalogue_name
    try:
        migrate(known.catalogue_location)
        found = integrity_of(parts.database.get(), THOROUGH_SECONDS)
        ahead = parts.catalogue.store.number_ahead() if parts.catalogue else 0
    except UNUSABLE as error:
        return Finding(Level.FAIL, "catalogue", f"{where} can't be used: {why_unusable(error)}")
    if found is Integrity.DAMAGED:
        return Finding(Level.FAIL, "catalogue", f"{where} can't be used: {DAMAGED}")
    # A failure even if the clock has been corrected since: the stored times still count as unknown.
    if ahead:
        return Finding(Level.FAIL, "catalogue", f"{where}: {clock_warning(ahead)}")
    if found is Integrity.UNKNOWN:
        text = f"{where} could not be checked for damage within {THOROUGH_SECONDS:.0f} s, or could not be read"
        return Finding(Level.NOTE, "catalogue", text)
    return Finding(Level.OK, "catalogue", f"{where} can be read")


def _upstream(parts: app.Parts) -> Finding:
    address, seconds = parts.settings.upstream_url, parts.settings.upstream_timeout.total_seconds()
    kind = failure_of(parts.resolver.routing.sources[0], PROBE, seconds)
    advice = _ADVICE.get(kind or "", "is BADGE_UPSTREAM_URL right, and does that API implement the native contract?")
    return Finding.of("upstream", kind and f"{address}: {kind}; {advice}", f"{address} implements the native contract")


def _source(configured: ConfiguredSource, source: StatusSource, known: Settings) -> Finding:
    name, seconds = configured.entry.name, known.upstream_timeout.total_seconds()
    failure = failure_of(source, probe_for(configured.entry), seconds)
    fault = failure and f"{name}: {failure}; see `badge sources try {name} SUBJECT`"
    return Finding.of("source", fault, f"{name}: answers")


# By kind of failure; for any other kind, `_upstream` has general advice.
_ADVICE = {
    "unauthorised": "check BADGE_UPSTREAM_API_KEY",
    "forbidden": "the key in BADGE_UPSTREAM_API_KEY may not read statuses",
    "timeout": "it takes longer than BADGE_UPSTREAM_TIMEOUT",
    "connect": "nothing listens there, or a firewall blocks it",
}
