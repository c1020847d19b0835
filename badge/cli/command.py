"""Shared by all commands: one-line errors, examples in --help, and the service's parts as configured."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import click

from badge import app
from badge.appearance import WORDS
from badge.catalogue.faults import UNUSABLE, why_unusable
from badge.catalogue.migration import migrate
from badge.model import BackupStatus, InvalidSubject, Subject, status_named
from badge.settings import BadSettings, Settings, load, parse_duration, show_duration
from badge.settings.passwords import without_password
from badge.subject_pattern import PathPattern, Selection
from badge.telemetry.logs import LOGGER
from badge.validation import DURATION
from badge.watching.store import WatchStore
from badge.web.pages.repository_url import subject_named
from badge.web.paths import SUBJECT_ROOTS, Paths

NO_CATALOGUE = "This service shows other systems' backups and has no catalogue."

REDIS_TIMEOUT = timedelta(seconds=1)

# A century. Without a limit, now plus a duration could be after the year 9999, which Python can't represent.
LONGEST_DURATION = timedelta(days=36_500)


class Fault(click.ClickException):
    """An error message on standard error; exit code 2 for invalid usage or settings, 1 for a failure."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc] # click reads it from the instance too


@contextlib.contextmanager
def _one_line_errors(ctx: click.Context) -> Iterator[None]:
    """Shorten click's usage errors to one line; --help shows the full usage."""
    try:
        yield
    except click.UsageError as error:
        # This error prints the help of a group that is called without arguments.
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            raise
        # Some of click's messages list choices on separate lines, and end without a full stop.
        message = " ".join(error.format_message().split())
        stop = "" if message.endswith((".", "?")) else "."
        raise Fault(f"{message}{stop} See {ctx.command_path} --help.") from None


class BadgeCommand(click.Command):
    """A command with one-line usage errors."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        with _one_line_errors(ctx):
            return super().parse_args(ctx, args)


class BadgeGroup(click.Group):
    """A group of `BadgeCommand`s. `old_names` maps former names, which --help does not list, to current ones."""

    command_class = BadgeCommand

    def __init__(self, *args: Any, old_names: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.old_names = old_names or {}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, current or former."""
        return super().get_command(ctx, self.old_names.get(cmd_name, cmd_name))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the group's own options."""
        with _one_line_errors(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command."""
        with _one_line_errors(ctx):
            return super().resolve_command(ctx, args)


def examples(*lines: str) -> str:
    """Return an epilog for --help that click does not rewrap."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class SubjectArgument(click.ParamType[Subject]):
    """`GitHub/acme/Repository/web`, `acme/web` for a GitHub repository, or any URL that the badge builder accepts.

    Paths are percent-encoded, as in a badge's URL.
    """

    name = "subject"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Subject:
        """Parse a subject; raises click's usage error."""
        # click also passes in values that are already converted, such as defaults.
        if isinstance(value, Subject):
            return value
        try:
            return subject_named(_without_prefix(str(value)))
        except InvalidSubject as invalid:
            self.fail(f"{invalid}.", param, ctx)


def _without_prefix(text: str) -> str:
    """Return a pasted URL of this service without its path prefix; needs the settings only for such a URL."""
    is_of_service = any(root in text for root in SUBJECT_ROOTS)
    return Paths(settings_or_fault().path_prefix).own(text) if is_of_service else text


class StatusArgument(click.Choice[BackupStatus]):
    """One of these statuses, in any spelling that `status_named` accepts."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        """Return the spelling shown in help and errors."""
        del ctx
        status = status_named(str(choice))
        return WORDS[status].replace(" ", "-") if status else str(choice)


class DurationOption(click.ParamType[timedelta]):
    """A duration such as `90d` or `12h`, at most a century."""

    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse a duration; raises click's usage error."""
        if isinstance(value, str) and value.strip().isdecimal():  # in settings, it would mean seconds
            self.fail(f"{DURATION}.", param, ctx)
        try:
            duration = parse_duration(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        assert isinstance(duration, timedelta)
        if duration <= timedelta(0):
            self.fail("must be longer than 0s.", param, ctx)
        if duration > LONGEST_DURATION:
            self.fail(f"must be at most {show_duration(LONGEST_DURATION)}.", param, ctx)
        return duration


class PatternOption(click.ParamType[PathPattern]):
    """A subject's path, which may have `*`, `?` and `[…]` in it, and may lack the name: `GitHub/acme/*`."""

    name = "pattern"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PathPattern:
        """Return the pattern; an invalid one is a usage error."""
        if isinstance(value, PathPattern):
            return value
        try:
            return PathPattern.parse(str(value))
        except InvalidSubject as invalid:
            self.fail(f"{invalid}.", param, ctx)


def selection_of(patterns: Sequence[PathPattern]) -> Selection:
    """Return the subjects that these patterns select, or all if there are none; too many are a usage error."""
    try:
        return Selection.of(patterns)
    except InvalidSubject as invalid:
        raise Fault(f"--for: {invalid}.") from None


def shown_selection(selection: Selection) -> str:
    """Return the patterns on one line."""
    return "all subjects" if selection.texts is None else ", ".join(selection.texts)


@contextlib.contextmanager
def local_parts() -> Iterator[app.Parts]:
    """Provide the service's parts as configured, but with more time for Redis, and close them afterwards.

    A command doesn't retry: if Redis timed out while dropping a cached status, badges would show that status until it
    expires.
    """
    with faults_by_line():
        parts = parts_of(load().model_copy(update={"redis_timeout": REDIS_TIMEOUT}))
    with contextlib.closing(parts):
        yield parts


def parts_of(settings: Settings) -> app.Parts:
    """Return the service's parts with these settings; commands print their own messages, so nothing is logged."""
    LOGGER.addHandler(logging.NullHandler())
    return app.build_parts(settings)


def settings_or_fault() -> Settings:
    """Return the current settings; exits with a line for each fault in them."""
    with faults_by_line():
        return load()


@contextlib.contextmanager
def faults_by_line() -> Iterator[None]:
    """Turn `BadSettings` into a message with a line for each fault."""
    try:
        yield
    except BadSettings as bad:
        raise Fault("\n".join(str(fault) for fault in bad.faults)) from None


@contextlib.contextmanager
def own_catalogue() -> Iterator[tuple[app.Parts, app.CatalogueParts]]:
    """Provide this service's catalogue, with its schema migrated; its errors are reported in one line."""
    with local_parts() as parts:
        if parts.catalogue is None:
            raise Fault(NO_CATALOGUE)
        with migrated_database(parts.settings):
            yield parts, parts.catalogue


@contextlib.contextmanager
def watch_database() -> Iterator[WatchStore]:
    """Provide the watcher's tables, with the schema migrated; an unusable database is reported in one line."""
    with local_parts() as parts:
        store = app.watch_store(parts)
        url = store.database.url
        with contextlib.closing(store.database), _migrated(url, f"database {without_password(url)}"):
            yield store


def migrated_database(settings: Settings) -> contextlib.AbstractContextManager[None]:
    """Create or migrate the schema before the block; an unusable database is reported in one line."""
    return _migrated(settings.catalogue_location, f"catalogue {settings.catalogue_name}")


@contextlib.contextmanager
def _migrated(url: str, name: str) -> Iterator[None]:
    try:
        migrate(url)
        yield
    except UNUSABLE as error:
        raise Fault(f"The {name} can't be used: {why_unusable(error)}.", exit_code=1) from None


def invalidate_status(parts: app.Parts, subject: Subject) -> None:
    """Drop the cached status, so that badges show a change at once."""
    parts.resolver.invalidate(subject)
    if parts.settings.redis_url is not None and not parts.cache.is_up():
        lifetime = show_duration(parts.settings.fresh_finished)
        click.echo(f"Redis does not respond: badges may show the previous status for {lifetime}.", err=True)
