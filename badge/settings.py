"""Every setting: its environment variable, type, default and reason. Read once, at start-up.

They come from the environment and, where that is silent, from the settings file (`settings_file`). Secrets
can also be given as the name of a file that holds them (`BADGE_REDIS_URL_FILE`), as container platforms mount them.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from badge import database_url, settings_file
from badge.settings_file import PROJECT_FOLDER, SettingsFile
from badge.validation import DURATION, problem_of

PREFIX = "BADGE_"

# Into the service's own environment, because Debian's Python is externally managed; the lock files are complete.
INSTALL = ".venv/bin/pip install --no-deps --require-hashes -r"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(value: object) -> object:
    """`90s`, `15m`, `26h`, `7d`, `250ms` or a number of seconds; raises `ValueError` for other text."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)?", value.strip())
    if match is None:
        raise ValueError(DURATION)
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])
    except OverflowError:
        raise ValueError("that is too long") from None


def show_duration(value: timedelta) -> str:
    """The shortest exact spelling that `parse_duration` reads back."""
    milliseconds = round(value.total_seconds() * 1000)
    if milliseconds == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        size = round(_UNITS[unit] * 1000)
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def http_address(value: str) -> str:
    """The address, if another service can be asked there; raises `ValueError` that says what to write instead."""
    parts = urlsplit(value)
    is_whole = parts.scheme in ("http", "https") and _is_host(parts.hostname) and _has_valid_port(parts)
    if not is_whole or re.search(r"\s", value):
        raise ValueError("give an absolute http:// or https:// URL")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("give the URL without user, query or fragment")
    return value.rstrip("/")


def _bind(value: str) -> str:
    if value.startswith("unix:"):
        return value
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("give host:port, such as 127.0.0.1:8000, or unix:/path")
    return value


REDIS_URLS = re.compile(
    r"(unix:///.+"  # one server on this machine
    r"|rediss?://([^@/]*@)?[^@/,]+(/\d*)?(\?.*)?"  # one server
    r"|rediss?\+sentinel://([^@/]*@)?[^@/]+/[^/?]+(/\d*)?(\?.*)?"  # the name of what Sentinel watches is needed
    r"|rediss?\+cluster://([^@/]*@)?[^@/]+/?(\?.*)?)"
)


def _redis_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
    if not REDIS_URLS.fullmatch(url) or not all(_has_valid_port(urlsplit(f"//{host}")) for host in hosts):
        raise ValueError(
            "give redis://host:port/0, rediss://host:port/0, unix:///path, "
            "redis+sentinel://host:port,host:port/service/0 or redis+cluster://host:port,host:port"
        )
    return value


def _is_host(name: str | None) -> bool:
    """Whether it may be a host's: no part of it is empty or longer than 63 characters (RFC 1035, section 2.3.4)."""
    try:
        return bool((name or "").encode("idna"))
    except UnicodeError:
        return False


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _catalogue_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if url.startswith("postgresql") and find_spec("psycopg") is None:
        raise ValueError(f"install PostgreSQL's driver first: {INSTALL} requirements-postgresql.txt")
    if fault := database_url.fault_of(url):
        raise ValueError(fault)
    return value


def _at_least(characters: int) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < characters:
            raise ValueError(f"give {characters} characters or more")
        return value

    return check


def _allowed(value: str) -> str:
    entries = [entry.strip().lower() for entry in value.split(",") if entry.strip()]
    if not entries or not all(re.fullmatch(r"\*|[^@\s]*@[^@\s]+", entry) for entry in entries):
        raise ValueError("give addresses (ada@example.org), domains (@example.org) with commas between, or *")
    return ",".join(entries)


def _between(least: timedelta, most: timedelta) -> AfterValidator:
    """Limits of a duration; pydantic's own complaint would spell them as Python objects."""

    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise ValueError(f"give something from {show_duration(least)} to {show_duration(most)}")
        return value

    return AfterValidator(check)


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Lifetime = Annotated[Duration, _between(timedelta(seconds=1), timedelta(days=1))]
HttpUrl = Annotated[str, AfterValidator(http_address)]


DEFAULT = "default"
ENVIRONMENT = "environment"


class Settings(BaseModel):
    """All settings, each with its reason; `load` builds it with readable complaints."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    bind: Annotated[str, AfterValidator(_bind)] = Field(
        "127.0.0.1:8000", description="Address to listen on: host:port, or unix:/path."
    )
    public_url: HttpUrl | None = Field(
        None, description="The service's public address; absolute links are built from it."
    )
    data_dir: Path = Field(
        PROJECT_FOLDER / "var",
        description="Folder for the catalogue's database, the signing key and the embedded cache's socket.",
    )
    label: str = Field("backup", max_length=64, description="Text on the left half of a badge.")
    workers: int = Field(2, ge=1, le=64, description="Number of worker processes.")
    threads: int = Field(8, ge=1, le=256, description="Threads per worker; each serves one request at a time.")
    preload: bool = Field(True, description="Load the application before forking, so that workers share memory.")
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token for /metrics; not needed for requests from the machine itself."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Log format: json, console (for people), or auto (console on a terminal, else json)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")

    dashboard: Literal["local", "token", "oidc", "open", "off"] = Field(
        "local",
        description=(
            "Who may see the dashboard: local (this machine only), token or oidc (after logging in), open "
            "(everyone, without private subjects) or off."
        ),
    )
    dashboard_token: Annotated[SecretStr, AfterValidator(_at_least(16))] | None = Field(
        None, description="The token to log in with if BADGE_DASHBOARD is token; at least 16 characters."
    )
    oidc_issuer: HttpUrl | None = Field(
        None, description="The OpenID Connect provider if BADGE_DASHBOARD is oidc; also requires BADGE_PUBLIC_URL."
    )
    oidc_client_id: str | None = Field(None, description="Client ID registered with the provider.")
    oidc_client_secret: SecretStr | None = Field(None, description="Client secret; leave empty for a public client.")
    oidc_allow: Annotated[str, AfterValidator(_allowed)] | None = Field(
        None,
        description=(
            "Users to let in, separated by commas: verified email addresses (ada@example.org), whole domains "
            "(@example.org), or * for everyone."
        ),
    )
    session_lifetime: Annotated[Duration, _between(timedelta(minutes=5), timedelta(days=30))] = Field(
        timedelta(hours=12), description="How long a login to the dashboard lasts."
    )
    secret_key: Annotated[SecretStr, AfterValidator(_at_least(32))] | None = Field(
        None,
        description=(
            "Key that signs logins and private badge tokens: at least 32 random characters, the same on every "
            "machine. By default one is generated and stored in BADGE_DATA_DIR."
        ),
    )

    sources: Path | None = Field(
        None,
        description=(
            "Path of a sources.toml, which says which backup system to ask for which subject (docs/how-to/sources.md)."
        ),
    )
    upstream_url: HttpUrl | None = Field(
        None,
        description="A backup API that speaks the native contract, asked for every subject in place of the catalogue.",
    )
    upstream_api_key: SecretStr | None = Field(None, description="API key sent to BADGE_UPSTREAM_URL as X-API-Key.")
    upstream_method: Literal["get", "post"] = Field(
        "get",
        description=(
            "How to query BADGE_UPSTREAM_URL: get (/ops/status, with conditional requests) or post (/ops/status/get)."
        ),
    )
    upstream_timeout: Annotated[Duration, _between(timedelta(milliseconds=50), timedelta(seconds=30))] = Field(
        timedelta(seconds=5), description="Total time limit for one request to a source."
    )
    catalogue_url: Annotated[SecretStr, AfterValidator(_catalogue_url)] | None = Field(
        None, description="Database of the catalogue; by default SQLite in BADGE_DATA_DIR."
    )
    catalogue_retention: Annotated[Duration, _between(timedelta(days=1), timedelta(days=3650))] = Field(
        timedelta(days=90),
        description="How long the catalogue keeps finished runs; the newest run of a subject is never deleted.",
    )
    catalogue_runs: int = Field(
        100, ge=1, le=10_000, description="Number of runs that the catalogue keeps per subject."
    )

    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = Field(
        None, description="Redis or Valkey for cached statuses; by default an embedded Valkey is started."
    )
    redis_timeout: Annotated[Duration, _between(timedelta(milliseconds=5), timedelta(milliseconds=300))] = Field(
        timedelta(milliseconds=50), description="Time limit for one Redis command."
    )
    redis_memory_mb: int = Field(64, ge=4, le=4096, description="Memory limit of the embedded Valkey, in MB.")
    local_entries: int = Field(
        5_000, ge=0, le=1_000_000, description="Reports that each worker keeps in memory in case Redis fails."
    )
    edge_cache: Annotated[Duration, _between(timedelta(0), timedelta(milliseconds=500))] = Field(
        timedelta(milliseconds=500),
        description="How long a finished badge is served again unchanged; 0 turns this off.",
    )
    edge_cache_entries: int = Field(
        4_096, ge=1, le=1_000_000, description="Finished badges that each worker holds, at most."
    )
    edge_cache_mb: int = Field(8, ge=1, le=1_024, description="Memory for finished badges in each worker, in MB.")
    fresh_finished: Lifetime = Field(timedelta(seconds=120), description="Lifetime of succeeded and failed.")
    fresh_running: Lifetime = Field(timedelta(seconds=30), description="Lifetime of in progress and scheduled.")
    fresh_deleted: Lifetime = Field(timedelta(seconds=600), description="Lifetime of deleted.")
    fresh_absent: Lifetime = Field(
        timedelta(seconds=60), description="Lifetime of unknown if there is no such subject."
    )
    fresh_failure: Lifetime = Field(
        timedelta(seconds=15), description="Lifetime of unknown if the status could not be determined."
    )
    fresh_provisional: Lifetime = Field(
        timedelta(seconds=5), description="Lifetime of a provisional answer, given without waiting for the source."
    )
    max_status_age: Annotated[Duration, _between(timedelta(hours=1), timedelta(days=7))] = Field(
        timedelta(hours=24),
        description="A status that its source has not confirmed for this long is shown as unknown.",
    )

    wait: Annotated[Duration, _between(timedelta(milliseconds=50), timedelta(milliseconds=1700))] = Field(
        timedelta(milliseconds=1700), description="How long a request for a badge waits for a source."
    )
    waiting: int = Field(
        0,
        ge=0,
        le=256,
        description="Requests per worker that may wait for a source at the same time; 0 means half of BADGE_THREADS.",
    )
    upstream_concurrency: int = Field(
        8, ge=1, le=256, description="Concurrent requests from each worker to one source."
    )
    upstream_queue: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Requests to one source that may queue for those slots; further ones are not sent.",
    )
    upstream_per_second: int = Field(
        20, ge=1, le=10_000, description="Average requests per second from each worker to one source."
    )
    upstream_new_per_second: int = Field(
        10, ge=1, le=10_000, description="Of these, requests for subjects that have never been seen."
    )
    upstream_new_burst: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Requests for never-seen subjects that may be sent at once before that rate applies.",
    )
    upstream_max_bytes: int = Field(
        262_144,
        ge=1024,
        le=16_777_216,
        description="Maximum size of an answer from a source, in bytes after decompression.",
    )
    ops_per_minute: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Calls to /ops per API key and minute in each worker; more are answered with 429.",
    )
    pings_per_minute: int = Field(
        60, ge=1, le=1_000_000, description="Pings per check and minute in each worker; more are answered with 429."
    )

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _named_file: Path | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any) -> None:
        """Keep where the values came from, as `load` tells it."""
        if context:
            self._origins, self._named_file = context["origins"], context["named_file"]

    def origin_of(self, name: str) -> str:
        """Where the value of the setting came from: `default`, `environment` or `/path/badge.env:3`."""
        return self._origins.get(name, DEFAULT)

    @property
    def named_file(self) -> Path | None:
        """The settings file, if BADGE_SETTINGS_FILE names it."""
        return self._named_file

    @property
    def most_waiting(self) -> int:
        """How many answers of a worker may wait at a time."""
        return self.waiting or max(1, self.threads // 2)

    @property
    def address(self) -> str | None:
        """The service's own address, as far as it can be known here; without a public one, the machine's."""
        if self.public_url is None and not self.bind.startswith("unix:"):
            host, _, port = self.bind.rpartition(":")
            # The wildcard addresses, to which a browser can't connect everywhere.
            here = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - compared with, not bound to
            return f"http://{here}:{port}"
        return self.public_url

    @property
    def catalogue_location(self) -> str:
        """The catalogue's database URL, with its password."""
        if self.catalogue_url is not None:
            return self.catalogue_url.get_secret_value()
        return f"sqlite:///{self._catalogue_file}"

    @property
    def catalogue_name(self) -> str:
        """The catalogue as people are told of it: its file, or its URL without the password."""
        if self.catalogue_url is not None:
            return _without_password(self.catalogue_url.get_secret_value())
        return str(self._catalogue_file)

    @property
    def _catalogue_file(self) -> Path:
        return self.data_dir.resolve() / "catalogue.sqlite3"


GROUPS = {
    "bind": "Basics",
    "dashboard": "Dashboard",
    "sources": "Sources",
    "redis_url": "Cache",
    "wait": "Limits",
}
"""The first setting of each group, and the group's heading in the reference."""

FORMER_VARIABLES = {
    "edge_cache": "BADGE_HOT_PATH",
    "edge_cache_entries": "BADGE_HOT_PATH_ENTRIES",
    "edge_cache_mb": "BADGE_HOT_PATH_MB",
    "fresh_provisional": "BADGE_FRESH_UNWAITED",
}
"""The variables that settings were read from before they were renamed; they still work."""

SECRETS = frozenset(name for name, setting in Settings.model_fields.items() if "SecretStr" in str(setting.annotation))

PATHS = frozenset(
    name
    for name, setting in Settings.model_fields.items()
    if Path in (setting.annotation, *get_args(setting.annotation))
)
"""Relative ones in the settings file start at its folder."""

ENVIRONMENT_ONLY = frozenset({"BADGE_API_KEY", settings_file.VARIABLE})
"""Variables that are no settings of the service: the key of `badge report --to`, and the file of the settings."""


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One thing that is wrong, with the variable to change."""

    variable: str
    problem: str
    where: str = ""
    """File and line, where it stands in one."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.variable, self.problem) if part)


class BadSettings(Exception):
    """All faults of a configuration at once."""

    def __init__(self, faults: list[SettingFault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


def variable_for(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in the environment and the settings file; raises `BadSettings` with every fault in it.

    With an `environment` handed in, that is all that is read.
    """
    if environment is not None:
        return load_from(environment, None)
    return load_from(os.environ, settings_file.find_file(os.environ))


def load_from(environment: Mapping[str, str], file: SettingsFile | None) -> Settings:
    """The settings in these two; the environment wins. Raises `BadSettings` with every fault in it."""
    places = [_Place(environment), *([_Place(file.values, file)] if file else [])]
    faults = list(_faults_of_file(file)) if file else []
    given = {name: found for name in Settings.model_fields for found in _given(places, name, faults)}
    values = {name: found.value for name, found in given.items()}
    wrong = _contradictions(values)
    context = {
        "origins": {name: found.place.origin(found.variable) for name, found in given.items()},
        "named_file": file.path if file and file.is_named else None,
    }
    try:
        settings = Settings.model_validate(values, context=context)
    except ValidationError as error:
        names = ((str(detail["loc"][0]), detail) for detail in error.errors())
        wrong += [(name, problem_of(detail, _limits(name))) for name, detail in names]
    faults += [_fault(name, problem, given.get(name)) for name, problem in wrong]
    if faults:
        raise BadSettings(faults)
    return settings


@dataclass(frozen=True, slots=True)
class _Place:
    """The environment, or the settings file."""

    values: Mapping[str, str]
    file: SettingsFile | None = None

    def origin(self, variable: str) -> str:
        return f"{self.file.path}:{self.file.lines[variable]}" if self.file else ENVIRONMENT

    def fault(self, variable: str, problem: str) -> SettingFault:
        return SettingFault(variable, problem, self.origin(variable) if self.file else "")

    def path(self, value: str) -> str:
        return str(self.file.path.parent / value) if self.file else value


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as it was given, and where."""

    value: str
    variable: str
    place: _Place


def _given(places: Sequence[_Place], name: str, faults: list[SettingFault]) -> Iterator[_Given]:
    """The value in the first place that has one; none where that is at fault."""
    variable = variable_for(name)
    spellings = [variable, FORMER_VARIABLES.get(name, variable)]
    for place in places:
        used = next((one for one in spellings if place.values.get(one)), None)
        by_file = f"{variable}_FILE"
        if name in SECRETS and place.values.get(by_file):
            if used:
                faults.append(place.fault(variable, f"is given twice, also as {by_file}; keep one"))
            else:
                yield from _secret(place, by_file, faults)
            return
        if used:
            value = place.values[used]
            yield _Given(place.path(value) if name in PATHS else value, used, place)
            return


def _secret(place: _Place, variable: str, faults: list[SettingFault]) -> Iterator[_Given]:
    try:
        value = Path(place.path(place.values[variable])).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        faults.append(place.fault(variable, f"can't be read: {reason}"))
        return
    if value:
        yield _Given(value, variable, place)


def _faults_of_file(file: SettingsFile) -> Iterator[SettingFault]:
    for fault in file.faults:
        if fault.line is None:
            where = settings_file.VARIABLE if file.is_named else ""
            yield SettingFault(str(file.path), fault.problem, where)
        else:
            yield SettingFault(f"{file.path}:{fault.line}", fault.problem)
    known = _known_variables()
    for variable in file.values:
        if variable in ENVIRONMENT_ONLY:
            yield _Place(file.values, file).fault(variable, "is read from the environment only")
        elif variable not in known:
            yield _Place(file.values, file).fault(variable, _no_setting(variable, known))


# What the ways of BADGE_DASHBOARD can't do without.
_NEEDED = {
    "token": ("dashboard_token",),
    "oidc": ("oidc_issuer", "oidc_client_id", "oidc_allow", "public_url"),
}


def _contradictions(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings that are wrong beside others, with what is wrong."""
    way = values.get("dashboard", "")
    faults = [
        (name, f"has to be given where BADGE_DASHBOARD is {way}") for name in _NEEDED.get(way, ()) if name not in values
    ]
    if "upstream_api_key" in values and "upstream_url" not in values:
        faults.append(("upstream_api_key", "is given without BADGE_UPSTREAM_URL"))
    if "sources" in values and "upstream_url" in values:
        faults.append(("sources", "is given beside BADGE_UPSTREAM_URL; keep one"))
    return faults


def _fault(name: str, problem: str, given: _Given | None) -> SettingFault:
    if given is None:
        return SettingFault(variable_for(name), problem)
    return given.place.fault(given.variable, problem)


def _limits(name: str) -> tuple[int | None, int | None]:
    """The least and the largest number that a setting can be; None where there is no such limit."""
    metadata = Settings.model_fields[name].metadata
    least, most = ([getattr(item, side) for item in metadata if hasattr(item, side)] for side in ("ge", "le"))
    return next(iter(least), None), next(iter(most), None)


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """A sentence for each BADGE_ variable that is no setting, with the one that was probably meant.

    Not a fault: Kubernetes sets BADGE_SERVICE_HOST by itself for a service called "badge".
    """
    environment = os.environ if environment is None else environment
    known = _known_variables() | ENVIRONMENT_ONLY
    return [
        f"{variable} {_no_setting(variable, known)}"
        for variable in sorted(environment)
        if variable.startswith(PREFIX) and variable not in known
    ]


def _known_variables() -> set[str]:
    names = {variable_for(name) for name in Settings.model_fields}
    return names | set(FORMER_VARIABLES.values()) | {f"{variable_for(name)}_FILE" for name in SECRETS}


def _no_setting(variable: str, known: set[str]) -> str:
    near = difflib.get_close_matches(variable, sorted(known), n=1, cutoff=0.8)
    return "is no setting" + "".join(f"; did you mean {name}?" for name in near)


def shown(settings: Settings) -> dict[str, str]:
    """Each variable with its value as text, secrets hidden."""
    return {variable_for(name): _as_text(name, getattr(settings, name)) for name in Settings.model_fields}


def changed(settings: Settings) -> list[str]:
    """A line for each setting whose value is not the default: `BADGE_LABEL=backups (environment)`, secrets hidden."""
    values = shown(settings)
    return [
        f"{variable_for(name)}={values[variable_for(name)]} ({settings.origin_of(name)})"
        for name, setting in Settings.model_fields.items()
        if getattr(settings, name) != setting.default
    ]


def _as_text(name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return _without_password(value.get_secret_value()) if name.endswith("_url") else "<secret>"
        case timedelta():
            return show_duration(value)
        case _:
            return str(value)


def _without_password(secret: str) -> str:
    """A URL keeps its scheme, host and path; user, password and query are hidden."""
    parts = urlsplit(secret)
    user, _, hosts = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'<secret>@' if user else ''}{hosts}{parts.path}"
