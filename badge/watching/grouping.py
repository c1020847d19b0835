"""Which notices go where, and which of them are joined into one message. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from badge.model import Subject
from badge.notices import ALWAYS, FEED_KINDS, MOST_SHOWN, Message, Notice, NoticeKind
from badge.subject_pattern import EVERY_SUBJECT, Selection


@dataclass(frozen=True, slots=True)
class Rule:
    """Which notices go to which channels."""

    channels: Sequence[str]
    subjects: Selection = EVERY_SUBJECT
    kinds: Collection[NoticeKind] = frozenset(NoticeKind)

    def selects(self, notice: Notice) -> bool:
        """Whether the notice goes to the rule's channels."""
        return (notice.kind in self.kinds or notice.kind in ALWAYS) and self.subjects.covers(notice.subject)


def for_channel(channel: str, rules: Iterable[Rule], notices: Iterable[Notice]) -> Sequence[Notice]:
    """Return the notices that any rule sends to the channel, each once."""
    own = [rule for rule in rules if channel in rule.channels]
    return [notice for notice in notices if any(rule.selects(notice) for rule in own)]


def for_feed(notices: Iterable[Notice], *, is_public_only: bool) -> Sequence[Notice]:
    """Return the notices that belong in a feed."""
    return [each for each in notices if each.kind in FEED_KINDS and (each.is_public or not is_public_only)]


def messages_of(
    notices: Iterable[Notice], now: datetime, most_single: int, new_id: Callable[[], str]
) -> Iterator[Message]:
    """Yield the messages for one destination, those about the same subject in order.

    More than `most_single` notices of one kind become one message.
    """
    for once_each in _rounds(notices):
        by_kind = defaultdict[NoticeKind, list[Notice]](list)
        for notice in once_each:
            by_kind[notice.kind].append(notice)
        for kind, alike in by_kind.items():
            if len(alike) > most_single:
                yield Message(new_id(), now, kind, alike[:MOST_SHOWN], len(alike))
            else:
                yield from (Message(new_id(), now, kind, [notice]) for notice in alike)


def _rounds(notices: Iterable[Notice]) -> Sequence[Sequence[Notice]]:
    """Return the first notice of each subject, then the second ones, and so on."""
    seen, rounds = Counter[Subject](), list[list[Notice]]()
    for notice in notices:
        place = seen[notice.subject]
        seen[notice.subject] += 1
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(notice)
    return rounds
