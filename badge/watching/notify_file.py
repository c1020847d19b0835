"""`notify.toml`: channels, rules and limits. All faults are reported together.

The keys are documented in docs/reference/notifications.md.
"""

from __future__ import annotations

import binascii
import os
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainValidator, TypeAdapter, ValidationError

from badge.installation import install_command
from badge.notices import SELECTABLE, NoticeKind
from badge.settings import BadSettings, Duration, HttpUrl, SettingFault
from badge.settings.documents import read_document
from badge.settings.kinds import between, existing_file
from badge.sources.recipes.table import Table, faults_of
from badge.sources.secrets import Secret, SecretReference
from badge.subject_pattern import MOST_PATTERNS, PathPattern, Selection
from badge.validation import did_you_mean
from badge.watching.changes import ChangeRules
from badge.watching.grouping import Rule

MOST_CHANNELS, MOST_RULES = 20, 100
SECRET_PREFIX = "whsec_"  # noqa: S105 - what Standard Webhooks puts before secrets, not a secret
SHORTEST_SECRET = 24
"""In bytes (Standard Webhooks, "Signature scheme")."""
_SECOND, _MINUTE, _HOUR, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


def _signing_secret(secret: Secret) -> Secret:
    try:
        key = b64decode(secret.reveal().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < SHORTEST_SECRET:
        raise ValueError(f"must be {SECRET_PREFIX} followed by at least {SHORTEST_SECRET} random bytes in base64")
    return secret


class WebhookTable(Table):
    """A `[[channel]]` that gets signed JSON (standardwebhooks.com)."""

    name: ChannelName
    kind: Literal["webhook"]
    url: HttpUrl
    secret: Annotated[SecretReference, AfterValidator(_signing_secret)]
    ca_file: Annotated[Path, AfterValidator(existing_file)] | None = None


def _with_apprise(kind: str) -> str:
    if find_spec("apprise") is None:
        raise ValueError(f"install Apprise first: {install_command('notify')}")
    return kind


class AppriseTable(Table):
    """A `[[channel]]` that Apprise sends text to."""

    name: ChannelName
    kind: Annotated[Literal["apprise"], AfterValidator(_with_apprise)]
    url: SecretReference


ChannelTable = WebhookTable | AppriseTable


def _pattern(text: object) -> PathPattern:
    if not isinstance(text, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic collects ValueErrors
    return PathPattern.parse(text)


_Pattern = Annotated[PathPattern, PlainValidator(_pattern)]


def _selectable(word: object) -> NoticeKind:
    for kind in SELECTABLE:
        if kind == word:
            return kind
    near = did_you_mean(str(word), SELECTABLE)
    raise ValueError(f"must be one of {', '.join(SELECTABLE)}{near}")


class RuleTable(Table):
    """A `[[rule]]`."""

    channels: Annotated[list[str], Field(min_length=1, max_length=MOST_CHANNELS)]
    subjects: Annotated[list[_Pattern], Field(max_length=MOST_PATTERNS)] = Field([])
    events: Annotated[list[Annotated[NoticeKind, BeforeValidator(_selectable)]], Field(min_length=1)] = Field(
        [*SELECTABLE]
    )


class WatchTable(Table):
    """The table `[watch]`: what counts as a change."""

    every: Annotated[Duration, between(_SECOND, _HOUR)] = timedelta(seconds=30)
    unknown_after: Annotated[Duration, between(timedelta(0), 30 * _DAY)] = _HOUR
    flapping_changes: Annotated[int, Field(ge=2, le=100)] = 5
    flapping_within: Annotated[Duration, between(_MINUTE, 7 * _DAY)] = _HOUR
    steady_after: Annotated[Duration, between(_MINUTE, 7 * _DAY)] = _HOUR
    verified_within: Annotated[Duration, between(_DAY, 3650 * _DAY)] | None = None
    storm: Annotated[int, Field(ge=1, le=10_000)] = 10
    subjects: Annotated[int, Field(ge=1, le=100_000)] = 10_000


class DeliveryTable(Table):
    """The table `[delivery]`: timeout and retries, and how many messages are kept."""

    timeout: Annotated[Duration, between(_SECOND, _MINUTE)] = timedelta(seconds=15)
    first_retry: Annotated[Duration, between(_SECOND, _HOUR)] = timedelta(seconds=10)
    longest_retry: Annotated[Duration, between(_SECOND, _DAY)] = _HOUR
    give_up_after: Annotated[Duration, between(_MINUTE, 30 * _DAY)] = 3 * _DAY
    waiting: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    undelivered: Annotated[int, Field(ge=1, le=100_000)] = 1_000


@dataclass(frozen=True, slots=True)
class NotifyFile:
    """The file, validated. Without arguments: no channels, and the defaults."""

    channels: Sequence[ChannelTable] = ()
    rules: Sequence[Rule] = ()
    watch: WatchTable = field(default_factory=WatchTable)
    delivery: DeliveryTable = field(default_factory=DeliveryTable)

    @property
    def change_rules(self) -> ChangeRules:
        """When changes are reported."""
        return ChangeRules(**{name: getattr(self.watch, name) for name in ChangeRules.__dataclass_fields__})


def load(path: Path, environment: Mapping[str, str] | None = None) -> NotifyFile:
    """Return the file's content; raises `BadSettings` with every fault of the file."""
    reading = _Reading(path.name, os.environ if environment is None else environment)
    found = reading.file(read_document(path, "BADGE_NOTIFY"))
    if reading.faults or found is None:
        raise BadSettings(reading.faults)
    return found


_Model = TypeVar("_Model", bound=BaseModel)
_KINDS: Mapping[str, type[ChannelTable]] = {"webhook": WebhookTable, "apprise": AppriseTable}
_TABLES = ("channel", "rule", "watch", "delivery")


class _Reading:
    """One pass over the file, collecting its faults."""

    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        self.name, self.environment = file, environment
        self.faults: list[SettingFault] = []
        self._labels: set[str] = set()

    def file(self, document: Mapping[str, Any]) -> NotifyFile | None:
        for key in document.keys() - {*_TABLES}:
            self._fault("", f"{key} is not a key of this file{did_you_mean(key, _TABLES)}")
        channels = [self._channel(number, table) for number, table in self._list(document, "channel", MOST_CHANNELS)]
        names = self._names(document)
        rules = [self._rule(number, table, names) for number, table in self._list(document, "rule", MOST_RULES)]
        watch = self._read(WatchTable, document.get("watch", {}), "watch")
        delivery = self._read(DeliveryTable, document.get("delivery", {}), "delivery")
        if not names and not self.faults:
            self._fault("", "must have at least one [[channel]] table")
        if not rules:
            rules = [RuleTable(channels=names)] if names else []
        if None not in rules:  # an invalid rule may use any channel
            self._check_use(names, [rule for rule in rules if rule])
        if self.faults or watch is None or delivery is None:
            return None
        made = [Rule(rule.channels, Selection.of(rule.subjects), frozenset(rule.events)) for rule in rules if rule]
        return NotifyFile([channel for channel in channels if channel], made, watch, delivery)

    def _fault(self, where: str, problem: str) -> None:
        self.faults.append(SettingFault(": ".join(part for part in (self.name, where) if part), problem))

    def _list(self, document: Mapping[str, Any], key: str, most: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        tables = document.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._fault(key, f"write each as a [[{key}]] table")
            return
        if len(tables) > most:
            self._fault(key, f"there must be at most {most} [[{key}]] tables")
            return
        yield from enumerate(tables, 1)

    @staticmethod
    def _names(document: Mapping[str, Any]) -> list[str]:
        """Return the channels' names, including those of invalid channels, so that each fault is reported once."""
        tables = document.get("channel", [])
        found = [table.get("name") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
        return list(dict.fromkeys(name for name in found if isinstance(name, str)))

    def _channel(self, number: int, table: Mapping[str, Any]) -> ChannelTable | None:
        label = str(table.get("name", f"channel {number}"))
        if label in self._labels:
            self._fault(f"{label}: name", "is used by two channels; each needs a name of its own")
        self._labels.add(label)
        model = _KINDS.get(str(table.get("kind")))
        if model is None:
            near = did_you_mean(str(table.get("kind", "")), _KINDS)
            self._fault(f"{label}: kind", f"must be {' or '.join(_KINDS)}{near}")
            return None
        return self._read(model, table, label)

    def _rule(self, number: int, table: Mapping[str, Any], names: Sequence[str]) -> RuleTable | None:
        label = f"rule {number}"
        rule = self._read(RuleTable, table, label)
        for index, name in enumerate(rule.channels if rule else []):
            if name not in names:
                self._fault(f"{label}: channels[{index}]", f"there is no such channel{did_you_mean(name, names)}")
        return rule

    def _check_use(self, names: Sequence[str], rules: Sequence[RuleTable]) -> None:
        used = {name for rule in rules for name in rule.channels}
        for name in names:
            if rules and name not in used:
                self._fault(name, "no rule sends anything to this channel; add it to a rule, or remove it")

    def _read(self, model: type[_Model], table: object, label: str) -> _Model | None:
        try:
            return TypeAdapter(model).validate_python(table, context={"environment": self.environment})
        except ValidationError as error:
            for key, problem in faults_of(error):
                hint = did_you_mean(key, model.model_fields) if problem == "there is no such key" else ""
                self._fault(": ".join(part for part in (label, key) if part), problem + hint)
            return None
