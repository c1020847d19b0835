"""What the resolver shows: lifetimes, what is kept, what is too old, what is private."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from badge.cache.memory import MemoryStatusCache
from badge.events import (
    CallerWaited,
    CircuitBreakerMoved,
    RefreshBegun,
    Refusal,
    SourceAnswered,
    SourceCallSuppressed,
    SourceFailed,
    Wait,
)
from badge.model import (
    BackupStatus,
    CacheEntry,
    Origin,
    Report,
    Resolution,
    Subject,
    Visibility,
)
from badge.ports import LeaseAttempt, SourceUnavailable, SubjectKey
from badge.resilience.budget import BudgetLimits
from badge.resolving.lifetimes import Lifetimes
from tests.doubles import START, Resolving, ScriptedSource

WEB = Subject.legacy("acme", "web")
KEY = WEB.key(fold_case=False)
SUCCEEDED = Report(status=BackupStatus.SUCCEEDED, observed_at=START)
PRIVATE = replace(SUCCEEDED, visibility=Visibility.PRIVATE)


@dataclass
class Bench:
    """A resolver over a source whose answer tests set; None is an outage."""

    says: Report | None = SUCCEEDED
    follows_clock: bool = True
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    limits: BudgetLimits = field(default_factory=BudgetLimits)
    retry_after: timedelta | None = None
    is_about_subject: bool = False

    def __post_init__(self) -> None:
        self.source = ScriptedSource(self._answer)
        self.parts = Resolving(self.source, lifetimes=self.lifetimes, limits=self.limits)
        self.cache, self.clock, self.events = self.parts.cache, self.parts.clock, self.parts.events
        self.resolver = self.parts.resolver

    def use(self, cache: MemoryStatusCache) -> None:
        """Keep reports there."""
        self.cache = self.parts.cache = cache
        self.resolver = self.parts.made()

    def _answer(self, subject: Subject) -> Report:
        if self.says is None:
            raise SourceUnavailable("timeout", self.retry_after, is_about_subject=self.is_about_subject)
        return replace(self.says, observed_at=self.clock()) if self.follows_clock else self.says

    def resolve(self, *, may_see_private: bool = False) -> Resolution:
        return self.resolver.resolve(WEB, may_see_private=may_see_private)

    def entry(self) -> CacheEntry:
        entry = self.cache.get(KEY)
        assert entry is not None
        return entry

    def seen(self) -> tuple[BackupStatus, Origin]:
        resolution = self.resolve()
        return resolution.status, resolution.origin


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        (BackupStatus.SUCCEEDED, 120),
        (BackupStatus.FAILED, 120),
        (BackupStatus.IN_PROGRESS, 30),
        (BackupStatus.SCHEDULED, 30),
        (BackupStatus.DELETED, 600),
        (BackupStatus.UNKNOWN, 15),
    ],
)
def test_each_status_has_its_lifetime(status: BackupStatus, seconds: int) -> None:
    bench = Bench(replace(SUCCEEDED, status=status))
    assert bench.resolve().fresh_for == timedelta(seconds=seconds)
    bench.clock.advance(seconds=seconds - 1)
    assert bench.seen() == (status, Origin.CACHE)
    assert len(bench.source.asked) == 1
    bench.clock.advance(seconds=1)
    assert bench.seen() == (status, Origin.CACHE)
    assert len(bench.source.asked) == 2


def test_what_is_no_longer_fresh_is_shown_while_a_new_report_is_fetched() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    bench.clock.advance(minutes=30)
    shown = bench.resolve()
    assert (shown.status, shown.origin, shown.is_provisional) == (BackupStatus.SUCCEEDED, Origin.CACHE, True)
    assert shown.fresh_for == timedelta(seconds=5)
    assert bench.seen() == (BackupStatus.FAILED, Origin.CACHE)
    assert RefreshBegun() in bench.events.seen


def test_knowledge_of_more_than_an_hour_is_worth_waiting_for_a_newer_one() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    bench.clock.advance(hours=1)
    assert bench.seen() == (BackupStatus.FAILED, Origin.UPSTREAM)


def test_a_source_at_hand_is_asked_while_the_reader_waits() -> None:
    bench = Bench()
    bench.source.local = True
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    bench.clock.advance(minutes=30)
    assert bench.seen() == (BackupStatus.FAILED, Origin.UPSTREAM)


def test_a_source_at_hand_is_asked_where_no_other_process_would_see_what_is_kept() -> None:
    """A report makes the process forget that took it; what this one keeps for itself would outlive it."""
    bench = Bench()
    bench.source.local = True
    bench.use(MemoryStatusCache(bench.clock))
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    assert bench.seen() == (BackupStatus.FAILED, Origin.UPSTREAM)
    bench.says = None
    assert bench.seen() == (BackupStatus.FAILED, Origin.STALE)


def test_a_source_at_hand_that_keeps_failing_is_left_alone_for_a_while() -> None:
    bench = Bench(None)
    bench.source.local = True
    for number in range(10):
        bench.resolver.resolve(Subject.legacy("acme", f"web-{number}"))
    assert len(bench.source.asked) == 3
    assert bench.events.seen.count(SourceCallSuppressed("scripted", Refusal.BREAKER)) == 7
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=1)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.UPSTREAM)


def test_a_source_at_hand_that_hangs_holds_a_bounded_number_of_readers() -> None:
    bench, has_begun, may_end = Bench(), threading.Event(), threading.Event()
    bench.source.local = True
    bench.resolve()
    bench.clock.advance(minutes=3)

    def hang(subject: Subject) -> Report:
        has_begun.set()
        assert may_end.wait(10)
        return replace(SUCCEEDED, status=BackupStatus.FAILED)

    bench.source.answer = hang
    bench.resolver.__post_init__(most_waiting=1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(bench.seen)
        assert has_begun.wait(10)
        assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)
        assert CallerWaited(Wait.NOT_ADMITTED) in bench.events.seen
        may_end.set()
        assert first.result(10) == (BackupStatus.FAILED, Origin.UPSTREAM)


def test_no_such_subject_is_an_answer_and_is_kept() -> None:
    bench = Bench(Report.absent(START))
    first = bench.resolve()
    assert (first.origin, first.report.exists) == (Origin.UPSTREAM, False)
    assert first.fresh_for == timedelta(seconds=60)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.CACHE)


def test_what_is_left_of_the_lifetime_is_handed_on() -> None:
    bench = Bench()
    bench.resolve()
    bench.clock.advance(seconds=50)
    assert bench.resolve().fresh_for == timedelta(seconds=70)


def test_an_outage_shows_what_is_kept() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = None
    bench.clock.advance(minutes=30)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)  # the refresh behind it fails
    resolution = bench.resolve()
    assert (resolution.status, resolution.origin) == (BackupStatus.SUCCEEDED, Origin.STALE)
    assert (resolution.is_stale, resolution.is_old) == (True, False)
    assert resolution.fresh_for == timedelta(seconds=15)


class LossyCache(MemoryStatusCache):
    """A server that was emptied: only this process still knows."""

    def get(self, key: SubjectKey) -> CacheEntry | None:
        return None

    def claim(self, key: SubjectKey) -> LeaseAttempt:
        return replace(super().claim(key), entry=None)

    def recall(self, key: SubjectKey) -> CacheEntry | None:
        return super().get(key)


def test_what_the_cache_lost_during_an_outage_is_recalled_as_long_as_anybody_knows_it() -> None:
    bench = Bench()
    bench.use(LossyCache(bench.clock))
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.UPSTREAM)
    bench.says = None
    bench.clock.advance(minutes=30)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.STALE)
    bench.clock.advance(hours=24)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.FALLBACK)


def test_from_an_hour_on_the_picture_says_how_old_its_knowledge_is() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = None
    bench.clock.advance(minutes=59, seconds=59)
    assert not bench.resolve().is_old
    bench.clock.advance(seconds=1)
    assert bench.resolve().is_old
    assert bench.resolve().age == timedelta(hours=1)


def test_past_a_day_what_is_kept_is_unknown() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = None
    bench.clock.advance(hours=23, minutes=59, seconds=59)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.STALE)
    bench.clock.advance(seconds=1)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.FALLBACK)


def test_an_outage_with_nothing_kept_is_unknown_for_a_moment() -> None:
    bench = Bench(None)
    resolution = bench.resolve()
    assert (resolution.status, resolution.origin) == (BackupStatus.UNKNOWN, Origin.FALLBACK)
    assert resolution.fresh_for == timedelta(seconds=15)


def test_after_an_outage_the_source_is_believed_again() -> None:
    bench = Bench(None)
    bench.resolve()
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=4)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.UPSTREAM)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)


def pauses(bench: Bench, count: int) -> list[float]:
    """The seconds after which a failing source is asked again, one time after the other."""
    found = []
    for _ in range(count):
        asked, began = len(bench.source.asked), bench.clock()
        while len(bench.source.asked) == asked:
            bench.resolve()
            bench.clock.advance(seconds=1)
        found.append((bench.clock() - began).total_seconds())
    return found


def test_what_fails_is_asked_again_ever_later_up_to_a_minute() -> None:
    # 5 to 60 s, a fifth less by this chance; the first has nothing to wait for.
    assert pauses(Bench(None), 6) == [1, 4, 8, 16, 32, 48]


def test_a_failure_is_shared_like_a_result() -> None:
    bench = Bench(None)
    for resolver in (bench.resolver, bench.parts.made(), bench.parts.made()):
        assert resolver.resolve(WEB).origin is Origin.FALLBACK
    assert len(bench.source.asked) == 1


def test_a_source_is_not_asked_before_the_time_it_named() -> None:
    bench = Bench(None)
    bench.retry_after = timedelta(minutes=3)
    other = Subject.legacy("acme", "api")
    assert bench.resolve().origin is Origin.FALLBACK
    bench.clock.advance(minutes=2, seconds=59)
    for resolver in (bench.resolver, bench.parts.made()):  # another process knows of it too, and for all subjects
        assert resolver.resolve(other).origin is Origin.FALLBACK
        assert resolver.resolve(WEB).origin is Origin.FALLBACK
    assert len(bench.source.asked) == 1
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=1)
    assert bench.resolver.resolve(other).status is BackupStatus.SUCCEEDED


def test_the_time_a_source_names_is_believed_up_to_a_quarter_of_an_hour() -> None:
    bench = Bench(None)
    bench.retry_after = timedelta(days=3)
    bench.resolve()
    bench.clock.advance(minutes=15)
    bench.resolve()
    assert len(bench.source.asked) == 2


def test_what_is_refused_by_the_budget_is_unknown_for_a_moment_and_not_asked_for() -> None:
    bench = Bench(limits=BudgetLimits(per_second=1, new_per_second=0.001, new_burst=1))
    assert bench.resolve().origin is Origin.UPSTREAM
    refused = bench.resolver.resolve(Subject.legacy("acme", "api"))
    assert (refused.origin, refused.fresh_for) == (Origin.FALLBACK, timedelta(seconds=5))
    assert len(bench.source.asked) == 1
    bench.clock.advance(minutes=10)
    bench.resolve()  # one that was seen before is another budget's
    assert len(bench.source.asked) == 2
    assert SourceCallSuppressed("scripted", Refusal.NEW_SUBJECTS) in bench.events.seen


def test_where_no_more_may_wait_what_is_kept_is_shown() -> None:
    bench = Bench()
    bench.resolve()
    bench.parts.pool.has_room = False
    bench.clock.advance(minutes=10)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)
    assert SourceCallSuppressed("scripted", Refusal.QUEUE) in bench.events.seen


def test_a_source_that_keeps_failing_is_left_alone_and_what_is_kept_called_stale() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = None
    for number in range(3):
        bench.resolver.resolve(Subject.legacy("acme", f"repo-{number}"))
    asked = len(bench.source.asked)
    assert asked == 4
    bench.cache.put(KEY, replace(bench.entry(), fresh_until=bench.clock()))  # no longer fresh, before the next trial
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.STALE)
    assert len(bench.source.asked) == asked
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=1)
    bench.resolve()
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)


def test_odd_names_do_not_open_the_breaker_for_everybody() -> None:
    bench = Bench(None)
    bench.is_about_subject = True
    for number in range(10):
        bench.resolver.resolve(Subject.legacy("acme", f"repo-{number}"))
    assert len(bench.source.asked) == 10
    assert not any(isinstance(event, CircuitBreakerMoved) for event in bench.events.seen)


def test_knowledge_that_the_source_itself_calls_old_is_old() -> None:
    bench = Bench(replace(SUCCEEDED, observed_at=START - timedelta(hours=3)), follows_clock=False)
    assert bench.resolve().is_old
    bench.says = replace(SUCCEEDED, observed_at=START - timedelta(hours=25))
    bench.clock.advance(minutes=5)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.FALLBACK)


def test_clocks_that_differ_a_little_make_nothing_old() -> None:
    for minutes in (-4, 4):
        bench = Bench(replace(SUCCEEDED, observed_at=START + timedelta(minutes=minutes)), follows_clock=False)
        assert bench.resolve().age == timedelta(0)


def test_a_status_does_not_outlive_the_moment_its_source_set() -> None:
    bench = Bench(replace(SUCCEEDED, stale_after=START + timedelta(seconds=40)))
    assert bench.resolve().fresh_for == timedelta(seconds=40)
    bench.says = None
    bench.clock.advance(seconds=39)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)
    bench.clock.advance(seconds=1)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.FALLBACK)


def test_the_next_run_ends_a_lifetime_early() -> None:
    bench = Bench(replace(SUCCEEDED, next_run_at=START + timedelta(seconds=20)))
    assert bench.resolve().fresh_for == timedelta(seconds=20)
    late = Bench(replace(SUCCEEDED, next_run_at=START - timedelta(hours=1)))
    assert late.resolve().fresh_for == timedelta(seconds=120)


def public_face(bench: Bench) -> list[Resolution]:
    """What a stranger sees over a life: first, from the cache, renewed."""
    faces = [bench.resolve()]
    for seconds in (30, 45):
        bench.clock.advance(seconds=seconds)
        faces.append(bench.resolve())
    return faces


def test_private_and_absent_can_not_be_told_apart() -> None:
    assert public_face(Bench(PRIVATE)) == public_face(Bench(Report.absent(START)))


def test_private_absent_and_never_heard_of_are_one_during_an_outage() -> None:
    shown = []
    for report in (PRIVATE, Report.absent(START), None):
        bench = Bench(report)
        bench.resolve()
        bench.says = None
        bench.clock.advance(minutes=10)
        bench.resolve()  # finds out that there is an outage
        shown.append(bench.resolve())
    assert shown[0] == shown[1] == shown[2]
    assert shown[0].origin is Origin.FALLBACK


def test_who_may_see_private_ones_does() -> None:
    bench = Bench(PRIVATE)
    assert bench.resolve(may_see_private=True).status is BackupStatus.SUCCEEDED
    bench.says = None
    bench.clock.advance(minutes=10)
    bench.resolve()
    assert bench.resolve(may_see_private=True).origin is Origin.STALE


def test_the_source_is_given_what_it_said_before() -> None:
    bench = Bench(replace(SUCCEEDED, validator='"7"'))
    bench.resolve()
    bench.clock.advance(minutes=3)
    bench.resolve()
    known = bench.source.asked[1][1]
    assert known is not None
    assert known.validator == '"7"'


def test_forgetting_asks_the_source_at_once() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    bench.resolver.invalidate(WEB)
    assert bench.seen() == (BackupStatus.FAILED, Origin.UPSTREAM)


def test_spellings_share_an_entry_only_where_the_source_folds_case() -> None:
    bench = Bench()
    bench.source.folds = True
    bench.resolve()
    assert bench.resolver.resolve(Subject.legacy("ACME", "Web")).origin is Origin.CACHE
    bench.source.folds = False
    assert bench.resolver.resolve(Subject.legacy("ACME", "Web")).origin is Origin.UPSTREAM


def test_every_question_to_the_source_is_told() -> None:
    bench = Bench(None)
    bench.resolve()
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=5)
    bench.resolve()
    failed, answered = (event for event in bench.events.seen if isinstance(event, (SourceFailed, SourceAnswered)))
    assert (type(failed), type(answered)) == (SourceFailed, SourceAnswered)


def test_an_answer_begun_before_a_forget_is_not_kept() -> None:
    bench = Bench()

    def changed_meanwhile(subject: Subject) -> Report:
        bench.clock.advance(milliseconds=10)
        bench.resolver.invalidate(subject)
        return replace(SUCCEEDED, observed_at=bench.clock())

    bench.source.answer = changed_meanwhile
    bench.resolve()
    assert bench.cache.get(WEB.key(fold_case=False)) is None


def test_lifetimes_come_from_the_settings_handed_in() -> None:
    bench = Bench(lifetimes=Lifetimes(finished=timedelta(seconds=7), too_old=timedelta(hours=2)))
    assert bench.resolve().fresh_for == timedelta(seconds=7)
