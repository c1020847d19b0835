"""Lists the subjects of all sources in sources.toml that have a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from badge.listing import (
    ListedSubject,
    ListUnavailable,
    NoList,
    StatusListing,
    SummaryListing,
)
from badge.ports import Clock, SourceRouting, SourceUnavailable
from badge.sources.configuration.sources_file import ConfiguredSource
from badge.sources.http.transport import HttpTransport
from badge.sources.native.listing import LARGEST_PAGE_BYTES, NativeWalk
from badge.sources.snapshot_listing import CatalogueWalk, SnapshotListing, Walk, Walked


def listing_of(
    configured: Sequence[ConfiguredSource], routing: SourceRouting, catalogue: SummaryListing | None, clock: Clock
) -> SummaryListing | None:
    """Return the listing: the catalogue itself if it is the only source, and None if no source has a list."""
    # The catalogue searches and sorts in its database; a snapshot of it would be slower, and up to 30 s old.
    if catalogue is not None and len(configured) == 1:
        return catalogue
    walks = {
        source.entry.name: walk for source in configured if (walk := _walk_of(source, catalogue, clock)) is not None
    }
    return SnapshotListing(JoinedWalk(routing, walks), clock) if walks else None


def _walk_of(source: ConfiguredSource, catalogue: StatusListing | None, clock: Clock) -> Walk | None:
    entry = source.entry
    if entry.kind == "catalogue":
        return None if catalogue is None else CatalogueWalk(catalogue)
    # Recipes describe how to query one subject, not how to list subjects.
    if entry.kind != "native":
        return None
    assert entry.url is not None
    transport = HttpTransport(LARGEST_PAGE_BYTES, ca_file=entry.ca_file)
    return NativeWalk(entry.url, entry.api_key.reveal() if entry.api_key else None, transport, clock)


@dataclass(frozen=True, slots=True)
class JoinedWalk:
    """Joins the lists of several sources, each reduced to the subjects for which that source answers.

    If a source fails, the others are still listed and the result is marked as incomplete. Sources without a list are
    skipped.
    """

    routing: SourceRouting
    walks: Mapping[str, Walk]
    """By source name."""

    def __call__(self) -> Walked:
        """Return the subjects of all sources.

        Raises `ListUnavailable` if every source with a list fails, and `NoList` if no source has one.
        """
        walked: dict[str, Walked] = {}
        silent: list[str] = []
        listless: list[str] = []
        for name, walk in self.walks.items():
            try:
                walked[name] = walk()
            except SourceUnavailable:
                silent.append(name)
            except NoList:
                listless.append(name)
        if not walked:
            raise ListUnavailable(silent) if silent else NoList
        items = [item for name, read in walked.items() for item in read.items if self._answers(name, item)]
        is_whole = not silent and all(read.is_whole for read in walked.values())
        to_the_end = {name: read.is_whole for name, read in walked.items()}
        return Walked(items, is_whole, silent, to_the_end, listless)

    def _answers(self, name: str, item: ListedSubject) -> bool:
        source = self.routing.source_for(item.subject)
        return source is not None and source.name == name
