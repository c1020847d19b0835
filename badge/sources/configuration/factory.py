"""Builds the sources of sources.toml."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from badge.ports import Clock, Events, StatusSource
from badge.sources.configuration.auth_table import NO_AUTHENTICATION
from badge.sources.configuration.sources_file import ConfiguredSource
from badge.sources.http.transport import HttpTransport
from badge.sources.native.source import NativeSource
from badge.sources.place import place_of
from badge.sources.recipes.declarative import DeclarativeSource
from badge.sources.recipes.json_file import JsonFileSource, OneFile, OnePerSubject
from badge.sources.routing import Routing
from badge.sources.secrets import Secret

CatalogueFactory = Callable[[str], StatusSource]
"""Returns the catalogue as a source with the name that the file gives it."""


def build_routing(
    configured: Sequence[ConfiguredSource],
    catalogue: CatalogueFactory | None,
    clock: Clock,
    events: Events,
    deployment: str = "",
) -> Routing:
    """Build the file's sources; `catalogue` is required if one of them is of kind catalogue.

    `deployment` distinguishes this deployment from others with the same sources, in the keys of a shared cache.
    """
    routes = []
    for source in configured:
        place = _place(source, deployment)
        routes.append((source.matcher, _built(source, place, catalogue, clock, events)))
    return Routing(routes)


def catalogue_names(configured: Sequence[ConfiguredSource]) -> frozenset[str]:
    """Return the names of the sources of kind catalogue."""
    return frozenset(source.entry.name for source in configured if source.entry.kind == "catalogue")


def _place(source: ConfiguredSource, deployment: str) -> str:
    entry = source.entry
    auth = {key: value for key, value in entry.auth or () if isinstance(value, (str, dict, Secret))}
    return place_of(
        entry.name,
        deployment=deployment,
        where=[entry.kind, entry.url, entry.method, entry.file, entry.folder, entry.file_name.text],
        values=entry.values,
        # Unlike the secrets in `auth`, the API key is read only once, so the digest covers the key itself, even if it
        # comes from a file.
        who={**auth, "api_key": Secret(value=entry.api_key.reveal()) if entry.api_key else None},
        rules=source.identity,
    )


def _built(
    source: ConfiguredSource, place: str, catalogue: CatalogueFactory | None, clock: Clock, events: Events
) -> StatusSource:
    match source.entry.kind:
        case "catalogue":
            assert catalogue is not None
            return catalogue(source.entry.name)
        case "native":
            return _native(source, place, clock, events)
        case "file":
            return _file(source, place, clock, events)
        case "http":
            return _http(source, place, clock, events)


def _native(source: ConfiguredSource, place: str, clock: Clock, events: Events) -> NativeSource:
    entry = source.entry
    assert entry.url is not None
    return NativeSource(
        entry.url,
        entry.api_key.reveal() if entry.api_key else None,
        HttpTransport(entry.max_bytes, ca_file=entry.ca_file),
        clock,
        events,
        place,
        name=entry.name,
        by_post=entry.method == "post",
    )


def _file(source: ConfiguredSource, place: str, clock: Clock, events: Events) -> JsonFileSource:
    entry = source.entry
    assert source.recipe is not None
    if entry.folder is not None:
        location: OneFile | OnePerSubject = OnePerSubject(entry.folder, entry.file_name)
    else:
        assert entry.file is not None
        location = OneFile(entry.file)
    return JsonFileSource(
        name=entry.name,
        place=place,
        location=location,
        recipe=source.recipe,
        matcher=source.matcher,
        clock=clock,
        events=events,
        max_bytes=entry.max_bytes,
        is_private=entry.visibility == "private",
    )


def _http(source: ConfiguredSource, place: str, clock: Clock, events: Events) -> DeclarativeSource:
    entry = source.entry
    assert entry.url is not None
    assert source.recipe is not None
    transport = HttpTransport(entry.max_bytes, ca_file=entry.ca_file)
    return DeclarativeSource(
        name=entry.name,
        place=place,
        base_url=entry.url,
        recipe=source.recipe,
        matcher=source.matcher,
        authentication=entry.auth.authentication(entry.url, transport, clock) if entry.auth else NO_AUTHENTICATION,
        transport=transport,
        clock=clock,
        events=events,
        identity=source.identity,
        folds=entry.folds_case,
        is_private=entry.visibility == "private",
    )
