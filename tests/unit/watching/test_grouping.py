"""Rules choose who gets which notices, and a storm becomes one message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from badge.model import Subject, Visibility
from badge.notices import MOST_SHOWN, Condition, Message, Notice, NoticeKind
from badge.subject_pattern import PathPattern, Selection
from badge.watching.grouping import Rule, for_channel, for_feed, messages_of
from tests.doubles import START

K = NoticeKind


def notice(name: str, kind: NoticeKind = K.FAILED, visibility: Visibility = Visibility.PUBLIC) -> Notice:
    subject = Subject("GitHub", "acme", "Repository", name)
    return Notice(kind=kind, subject=subject, before=None, after=Condition.FAILED, visibility=visibility)


def only(pattern: str) -> Selection:
    return Selection.of([PathPattern.parse(pattern)])


def test_a_channel_gets_what_any_of_its_rules_selects_once() -> None:
    rules = [
        Rule(["ops", "mail"], only("GitHub/acme/*/web")),
        Rule(["ops"], kinds={K.FAILED}),
        Rule(["chat"], kinds={K.RECOVERED}),
    ]
    notices = [notice("web"), notice("api"), notice("api", K.RECOVERED)]
    assert for_channel("ops", rules, notices) == notices[:2]
    assert for_channel("mail", rules, notices) == notices[:1]
    assert for_channel("chat", rules, notices) == notices[2:]


def test_flapping_is_reported_whatever_kinds_a_rule_selects() -> None:
    flapping = [notice("web", K.FLAPPING), notice("web", K.STEADY)]
    assert for_channel("ops", [Rule(["ops"], kinds={K.FAILED})], flapping) == flapping
    assert for_channel("ops", [Rule(["ops"], only("GitHub/other/*/*"))], flapping) == []


def test_the_public_feed_has_failures_and_recoveries_of_public_subjects() -> None:
    private = notice("secret", visibility=Visibility.PRIVATE)
    notices = [notice("web"), private, notice("web", K.RECOVERED), notice("web", K.UNKNOWN), notice("web", K.DELETED)]
    assert for_feed(notices, is_public_only=True) == [notices[0], notices[2]]
    assert for_feed(notices, is_public_only=False) == notices[:3]


def messages(notices: list[Notice], most_single: int = 10) -> list[Message]:
    ids = iter(map(str, range(10_000)))
    return list(messages_of(notices, START, most_single, lambda: next(ids)))


def test_a_storm_is_one_message_which_names_some_of_the_subjects() -> None:
    storm = [notice(f"r{number}", K.UNKNOWN) for number in range(500)]
    [other, message] = messages([notice("web"), *storm])
    assert (other.kind, other.count) == (K.FAILED, 1)
    assert (message.kind, message.count) == (K.UNKNOWN, 500)
    assert message.notices == storm[:MOST_SHOWN]
    assert message.title == "The status of 500 backups is unknown"
    assert message.text.endswith("\nand 480 more")


@given(st.lists(st.sampled_from(K), max_size=60), st.integers(1, 20))
def test_every_notice_is_counted_in_exactly_one_message(kinds: list[NoticeKind], most_single: int) -> None:
    notices = [notice(f"r{number}", kind) for number, kind in enumerate(kinds)]
    made = messages(notices, most_single)
    counts = [message.count or 0 for message in made]
    assert sum(counts) == len(notices)
    assert all(count == 1 or count > most_single for count in counts)
    assert len({message.id for message in made}) == len(made)
    for kind in K:
        assert sum(message.count == 1 for message in made if message.kind is kind) <= most_single


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(K)), max_size=40))
def test_messages_about_one_subject_are_in_order(changes: list[tuple[int, NoticeKind]]) -> None:
    made = messages([notice(f"r{number}", kind) for number, kind in changes], most_single=2)
    for number in range(5):
        named = [m.kind for m in made for n in m.notices if n.subject.name == f"r{number}"]
        assert named == [kind for who, kind in changes if who == number]
