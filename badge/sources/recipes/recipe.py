"""A recipe: how to query a system about one subject, and how to read its answer. Data, no code.

Presets are recipes in files; an entry in sources.toml can override any key. The keys are documented in
docs/reference/sources-toml.md.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from badge.model import BackupStatus
from badge.settings import Duration
from badge.sources.recipes.expression import Expression
from badge.sources.recipes.promql import check_promql
from badge.sources.recipes.table import Table
from badge.sources.recipes.template import Template, check_path, texts_in


class Outcome(StrEnum):
    """The outcome that a rule assigns to a run.

    It is one of the six statuses; or `warning`, `partial` or `cancelled`, whose status is set by the recipe's options;
    or `absent`.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IN_PROGRESS = "inProgress"
    SCHEDULED = "scheduled"
    DELETED = "deleted"
    UNKNOWN = "unknown"
    WARNING = "warning"
    PARTIAL = "partial"
    CANCELLED = "cancelled"
    ABSENT = "absent"
    """There is no such subject."""


NOT_OVER = frozenset({Outcome.IN_PROGRESS, Outcome.SCHEDULED})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def _path(template: Template) -> Template:
    check_path(template.text)
    return template


def _promql(template: Template) -> Template:
    check_promql(template)
    return template


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(_text(value))
    except (OSError, LookupError, ValueError):
        raise ValueError("must be a time zone such as UTC or Europe/Berlin") from None


def _age_limit(limit: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= limit <= timedelta(days=3650):
        raise ValueError("must be a duration from 1m to 3650d")
    return limit


def _with_valid_templates(value: object) -> object:
    for text in texts_in(value):
        Template.parse(text)
    return value


# Headers whose values are secrets.
_CREDENTIAL_HEADERS = re.compile(
    r"(proxy-)?authorization|cookie|(.*-)?(api)?(key|token|secret|password)", re.IGNORECASE
)


def _header_names(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", name) or not text.isprintable() or not text.isascii():
            raise ValueError("must have header names of letters, digits and -, with printable ASCII values")
        if _CREDENTIAL_HEADERS.fullmatch(name):
            raise ValueError(f"{name} holds credentials; put them into `auth`, with secrets as env:NAME or file:/path")
        if any(Template(text).placeholders):
            raise ValueError(f"{name} has a placeholder; use it in path, query, json or form instead")
    return value


JmesPath = Annotated[Expression, PlainValidator(lambda value: Expression.parse(_text(value)))]
Text = Annotated[Template, PlainValidator(lambda value: Template.parse(_text(value)))]
Path = Annotated[Text, AfterValidator(_path)]
PromQl = Annotated[Text, AfterValidator(_promql)]
AgeLimit = Annotated[Duration, AfterValidator(_age_limit)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
StatusCodes = tuple[Annotated[int, Field(ge=201, le=599)], ...]


class Request(Table):
    """The request. Names go into the query, the body and path segments, never into the host."""

    method: Literal["GET", "POST"] = "GET"
    path: Path = Template("")
    query: dict[str, Text] = Field(default_factory=dict)
    body: Annotated[dict[str, Any], AfterValidator(_with_valid_templates)] | None = Field(None, alias="json")
    form: dict[str, Text] | None = None
    headers: Annotated[dict[str, str], AfterValidator(_header_names)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.body is not None and self.form is not None:
            raise ValueError("give json or form, not both")
        # A GET may have a JSON body, because bareos-restapi has no other way to filter.
        if self.method == "GET" and self.form is not None:
            raise ValueError('a form needs method = "POST"')
        return self


class Then(Table):
    """A follow-up request with values from the first answer.

    Its answer is added to every item as `then`, which is null for a 404, or if one of the values is missing.
    """

    path: Path | None = None
    query: dict[str, Text] = Field(default_factory=dict)
    promql: PromQl | None = None
    """A second Prometheus query, sent to the same path as the first."""
    values: dict[str, JmesPath] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_request(self) -> Self:
        if (self.path is None) == (self.promql is None):
            raise ValueError("give either path or promql")
        return self


class HttpMeanings(Table):
    """Which HTTP statuses besides 200 are answers, and which mean that the credentials were refused."""

    absent: StatusCodes = (404,)
    gone: StatusCodes = (410,)
    auth: StatusCodes = (401,)


class Where(Table):
    """A filter that keeps the items for which the expression yields this string.

    The comparison is done in Python, so names never become part of an expression.
    """

    expr: JmesPath
    equals: Text


class Rule(Table):
    """The outcome of a run for which `when` is true."""

    when: JmesPath
    status: Outcome
    read_on: bool = False
    """Whether the item also describes the previous run, whose outcome the following rules and `state` determine."""

    @model_validator(mode="after")
    def _is_not_over(self) -> Self:
        if self.read_on and self.status not in NOT_OVER:
            raise ValueError("use read_on only with inProgress or scheduled, the statuses of a run that is not over")
        return self


class NextRun(Table):
    """Which item describes the next run, and where to find its time."""

    where: JmesPath
    field: JmesPath


class Fields(Table):
    """Where to find a report's other fields in an item."""

    started_at: JmesPath | None = Field(None, alias="startedAt")
    finished_at: JmesPath | None = Field(None, alias="finishedAt")
    last_success_at: JmesPath | None = Field(None, alias="lastSuccessAt")
    next_run_at: JmesPath | None = Field(None, alias="nextRunAt")
    size_bytes: JmesPath | None = Field(None, alias="sizeBytes")
    url: JmesPath | None = None
    private: JmesPath | None = None
    """Any value but false makes the subject private."""


class Verified(Table):
    """How to find the latest verification of the backup. If neither `passed` nor `failed` holds, there is none.

    The expressions get an object with `answer`, `then` (the answer to the follow-up request) and `item` (the newest).
    """

    passed: JmesPath
    failed: JmesPath
    at: JmesPath
    how: JmesPath | None = None


class Times(Table):
    """How times are written."""

    timezone: Zone | None = None
    """Zone for times without one; if it isn't set, such times can't be read."""


class Recipe(Table):
    """A recipe; the fields are in the order in which an answer is read."""

    request: Request | None = None
    promql: PromQl | None = None
    then: Then | None = None
    http: HttpMeanings = HttpMeanings()
    denied_when: JmesPath | None = None
    """Evaluated on the whole answer: true if the login has expired, though the HTTP status doesn't say so."""
    ok_when: JmesPath | None = None
    """Evaluated on the whole answer: false if it is not a valid answer."""
    items: JmesPath = Expression.parse("@")
    where: tuple[Where, ...] = ()
    next: NextRun | None = None
    exclude: JmesPath | None = None
    unique: bool = False
    latest_by: JmesPath | None = None
    lists_runs: bool = False
    """Whether every recent run, failed or not, is among the items, so that they are the subject's history."""
    rules: tuple[Rule, ...] = ()
    state: JmesPath | None = None
    map: dict[str, Outcome] = Field(default_factory=dict)
    default: Outcome = Outcome.UNKNOWN
    empty: Outcome = Outcome.ABSENT
    fields: Fields = Fields()
    verification: Verified | None = None
    clock: JmesPath | None = None
    """Evaluated on an item: the current time by the system's own clock, from which the age of its times is computed."""
    times: Times = Times()
    partial_as: Literal["failed", "succeeded"] = "failed"
    warning_as: Literal["succeeded", "failed"] = "succeeded"
    cancelled_as: Literal["failed", "unknown", "previous"] = "failed"
    stale_after: AgeLimit | None = None
    stale_as: Literal["failed", "unknown"] = "failed"
    max_run: AgeLimit = timedelta(hours=24)

    @model_validator(mode="after")
    def _gives_a_status(self) -> Self:
        if not self.rules and self.state is None:
            raise ValueError("give rules, or state and map; otherwise no status can be read")
        if self.state is not None and not self.map:
            raise ValueError("state needs map: give the status for each of its values")
        if self.lists_runs and self.latest_by is None:
            raise ValueError("lists_runs needs latest_by: give the time that the runs are sorted by")
        return self

    def meaning(self, outcome: Outcome) -> BackupStatus:
        """Return the status that this recipe's options assign to an outcome."""
        match outcome:
            case Outcome.WARNING:
                return BackupStatus(self.warning_as)
            case Outcome.PARTIAL:
                return BackupStatus(self.partial_as)
            case Outcome.CANCELLED:
                return BackupStatus.FAILED if self.cancelled_as == "failed" else BackupStatus.UNKNOWN
            case Outcome.ABSENT:
                return BackupStatus.UNKNOWN
            case _:
                return BackupStatus(outcome.value)


RECIPE_KEYS = frozenset(Recipe.model_fields)
