"""The resolver: lifetimes, caching, outages, old reports, private subjects."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from badge.cache.memory import MemoryStatusCache
from badge.events import (
    CallerWaited,
    CircuitBreakerMoved,
    FailureKind,
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
from badge.ports import CacheKey, LeaseAttempt, SourceUnavailable
from badge.resilience.budget import BudgetLimits
from badge.resolving.lifetimes import Lifetimes
from tests.doubles import START, ManualClock, Resolving, ScriptedSource

WEB = Subject.legacy("acme", "web")
KEY = ("scripted", *WEB.key(fold_case=False))
SUCCEEDED = Report(status=BackupStatus.SUCCEEDED, observed_at=START)
PRIVATE = replace(SUCCEEDED, visibility=Visibility.PRIVATE)


@dataclass
class Bench:
    """A resolver over a source whose answer the test sets; None is an outage."""

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
        """Replace the cache."""
        self.cache = self.parts.cache = cache
        self.resolver = self.parts.made()

    def _answer(self, subject: Subject) -> Report:
        if self.says is None:
            raise SourceUnavailable(FailureKind.TIMEOUT, self.retry_after, is_about_subject=self.is_about_subject)
        return replace(self.says, observed_at=self.clock()) if self.follows_clock else self.says

    def resolve(self, *, may_see_private: bool = False) -> Resolution:
        return self.resolver.resolve(WEB, may_see_private=lambda: may_see_private)

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


def test_an_expired_report_is_shown_while_a_new_one_is_fetched() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    bench.clock.advance(minutes=30)
    shown = bench.resolve()
    assert (shown.status, shown.origin, shown.is_provisional) == (BackupStatus.SUCCEEDED, Origin.CACHE, True)
    assert shown.fresh_for == timedelta(seconds=5)
    assert bench.seen() == (BackupStatus.FAILED, Origin.CACHE)
    assert RefreshBegun() in bench.events.seen


def test_a_report_older_than_an_hour_is_replaced_before_the_answer() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    bench.clock.advance(hours=1)
    assert bench.seen() == (BackupStatus.FAILED, Origin.UPSTREAM)


def test_a_local_source_is_called_on_the_caller_s_thread() -> None:
    bench = Bench()
    bench.source.local = True
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    bench.clock.advance(minutes=30)
    assert bench.seen() == (BackupStatus.FAILED, Origin.UPSTREAM)


def test_a_local_source_is_called_each_time_without_a_shared_cache() -> None:
    """A report invalidates only the cache of the process that received it; a copy in another would outlive it."""
    bench = Bench()
    bench.source.local = True
    bench.use(MemoryStatusCache(bench.clock))
    bench.resolve()
    bench.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    assert bench.seen() == (BackupStatus.FAILED, Origin.UPSTREAM)
    bench.says = None
    assert bench.seen() == (BackupStatus.FAILED, Origin.STALE)


def test_a_local_source_that_keeps_failing_is_not_called_for_a_while() -> None:
    bench = Bench(None)
    bench.source.local = True
    for number in range(10):
        bench.resolver.resolve(Subject.legacy("acme", f"web-{number}"))
    assert len(bench.source.asked) == 3
    assert bench.events.seen.count(SourceCallSuppressed("scripted", Refusal.BREAKER)) == 7
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=1)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.UPSTREAM)


def test_a_local_source_that_hangs_blocks_a_bounded_number_of_callers() -> None:
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


def test_no_such_subject_is_an_answer_and_is_cached() -> None:
    bench = Bench(Report.absent(START))
    first = bench.resolve()
    assert (first.is_known, first.report.exists) == (True, False)
    assert first.fresh_for == timedelta(seconds=60)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.CACHE)
    assert len(bench.source.asked) == 1


def test_a_cached_report_has_the_rest_of_its_lifetime() -> None:
    bench = Bench()
    bench.resolve()
    bench.clock.advance(seconds=50)
    assert bench.resolve().fresh_for == timedelta(seconds=70)


def test_during_an_outage_the_cached_report_is_shown() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = None
    bench.clock.advance(minutes=30)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)  # the background refresh fails
    resolution = bench.resolve()
    assert (resolution.status, resolution.origin) == (BackupStatus.SUCCEEDED, Origin.STALE)
    assert (resolution.is_stale, resolution.is_old) == (True, False)
    assert resolution.fresh_for == timedelta(seconds=15)


class LossyCache(MemoryStatusCache):
    """A cache whose server lost its data; only this process still has the entry."""

    def get(self, key: CacheKey) -> CacheEntry | None:
        return None

    def claim(self, key: CacheKey) -> LeaseAttempt:
        return replace(super().claim(key), entry=None)

    def recall(self, key: CacheKey) -> CacheEntry | None:
        return super().get(key)


def test_an_entry_the_cache_lost_is_recalled_during_an_outage() -> None:
    bench = Bench()
    bench.use(LossyCache(bench.clock))
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.UPSTREAM)
    bench.says = None
    bench.clock.advance(minutes=30)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.STALE)
    bench.clock.advance(hours=24)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.FALLBACK)


def test_after_an_hour_the_picture_shows_the_report_s_age() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = None
    bench.clock.advance(minutes=59, seconds=59)
    assert not bench.resolve().is_old
    bench.clock.advance(seconds=1)
    assert bench.resolve().is_old
    assert bench.resolve().age == timedelta(hours=1)


def test_after_a_day_a_cached_report_is_unknown() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = None
    bench.clock.advance(hours=23, minutes=59, seconds=59)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.STALE)
    bench.clock.advance(seconds=1)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.FALLBACK)


def test_an_outage_with_nothing_cached_is_unknown_for_a_short_time() -> None:
    bench = Bench(None)
    resolution = bench.resolve()
    assert (resolution.status, resolution.origin) == (BackupStatus.UNKNOWN, Origin.FALLBACK)
    assert resolution.fresh_for == timedelta(seconds=15)


def test_after_an_outage_the_source_s_answer_is_shown_again() -> None:
    bench = Bench(None)
    bench.resolve()
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=4)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.UPSTREAM)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)


def pauses(bench: Bench, count: int) -> list[float]:
    """The pauses in seconds between calls to a failing source."""
    found = []
    for _ in range(count):
        asked, began = len(bench.source.asked), bench.clock()
        while len(bench.source.asked) == asked:
            bench.resolve()
            bench.clock.advance(seconds=1)
        found.append((bench.clock() - began).total_seconds())
    return found


def test_retries_back_off_up_to_a_minute() -> None:
    # 5 to 60 s, less a fifth at this jitter; the first call does not wait.
    assert pauses(Bench(None), 6) == [1, 4, 8, 16, 32, 48]


def test_a_failure_is_shared_like_a_result() -> None:
    bench = Bench(None)
    for resolver in (bench.resolver, bench.parts.made(), bench.parts.made()):
        assert resolver.resolve(WEB).origin is Origin.FALLBACK
    assert len(bench.source.asked) == 1


def test_a_source_is_not_called_during_the_pause_it_asked_for() -> None:
    bench = Bench(None)
    bench.retry_after = timedelta(minutes=3)
    other = Subject.legacy("acme", "api")
    assert bench.resolve().origin is Origin.FALLBACK
    bench.clock.advance(minutes=2, seconds=59)
    for resolver in (bench.resolver, bench.parts.made()):  # other processes know it too, for all subjects
        assert resolver.resolve(other).origin is Origin.FALLBACK
        assert resolver.resolve(WEB).origin is Origin.FALLBACK
    assert len(bench.source.asked) == 1
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=1)
    assert bench.resolver.resolve(other).status is BackupStatus.SUCCEEDED


def test_a_pause_is_limited_to_a_quarter_of_an_hour() -> None:
    bench = Bench(None)
    bench.retry_after = timedelta(days=3)
    bench.resolve()
    bench.clock.advance(minutes=15)
    bench.resolve()
    assert len(bench.source.asked) == 2


def test_a_subject_refused_by_the_budget_is_unknown_for_a_short_time() -> None:
    bench = Bench(limits=BudgetLimits(per_second=1, new_per_second=0.001, new_burst=1))
    assert bench.resolve().origin is Origin.UPSTREAM
    refused = bench.resolver.resolve(Subject.legacy("acme", "api"))
    assert (refused.origin, refused.fresh_for) == (Origin.FALLBACK, timedelta(seconds=5))
    assert len(bench.source.asked) == 1
    bench.clock.advance(minutes=10)
    bench.resolve()  # a known subject has another budget
    assert len(bench.source.asked) == 2
    assert SourceCallSuppressed("scripted", Refusal.NEW_SUBJECTS) in bench.events.seen


def test_if_no_more_callers_may_wait_the_cached_report_is_shown() -> None:
    bench = Bench()
    bench.resolve()
    bench.parts.pool.has_room = False
    bench.clock.advance(minutes=10)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)
    assert SourceCallSuppressed("scripted", Refusal.QUEUE) in bench.events.seen


def test_a_source_that_keeps_failing_is_not_called_and_its_report_is_stale() -> None:
    bench = Bench()
    bench.resolve()
    bench.says = None
    for number in range(3):
        bench.resolver.resolve(Subject.legacy("acme", f"repo-{number}"))
    asked = len(bench.source.asked)
    assert asked == 4
    bench.cache.put(KEY, replace(bench.entry(), fresh_until=bench.clock()))  # expired, before the next trial
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.STALE)
    assert len(bench.source.asked) == asked
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=1)
    bench.resolve()
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)


def test_failures_of_single_subjects_do_not_open_the_breaker() -> None:
    bench = Bench(None)
    bench.is_about_subject = True
    for number in range(10):
        bench.resolver.resolve(Subject.legacy("acme", f"repo-{number}"))
    assert len(bench.source.asked) == 10
    assert not any(isinstance(event, CircuitBreakerMoved) for event in bench.events.seen)


def test_an_old_observed_at_makes_a_report_old() -> None:
    bench = Bench(replace(SUCCEEDED, observed_at=START - timedelta(hours=3)), follows_clock=False)
    assert bench.resolve().is_old
    bench.says = replace(SUCCEEDED, observed_at=START - timedelta(hours=25))
    bench.clock.advance(minutes=5)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.FALLBACK)


def test_small_clock_differences_do_not_make_a_report_old() -> None:
    for minutes in (-4, 4):
        bench = Bench(replace(SUCCEEDED, observed_at=START + timedelta(minutes=minutes)), follows_clock=False)
        assert bench.resolve().age == timedelta(0)


def test_a_status_is_not_shown_after_its_stale_after() -> None:
    bench = Bench(replace(SUCCEEDED, stale_after=START + timedelta(seconds=40)))
    assert bench.resolve().fresh_for == timedelta(seconds=40)
    bench.says = None
    bench.clock.advance(seconds=39)
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.CACHE)
    bench.clock.advance(seconds=1)
    assert bench.seen() == (BackupStatus.UNKNOWN, Origin.FALLBACK)


def test_a_lifetime_ends_at_the_next_run() -> None:
    bench = Bench(replace(SUCCEEDED, next_run_at=START + timedelta(seconds=20)))
    assert bench.resolve().fresh_for == timedelta(seconds=20)
    late = Bench(replace(SUCCEEDED, next_run_at=START - timedelta(hours=1)))
    assert late.resolve().fresh_for == timedelta(seconds=120)


def public_face(bench: Bench) -> list[Resolution]:
    """Return what the public sees over time: the first answer, cached ones, refreshed ones."""
    faces = [bench.resolve()]
    for seconds in (1, 29, 45, 3_700, 100_000):
        bench.clock.advance(seconds=seconds)
        faces.append(bench.resolve())
    return faces


def timeless(resolution: Resolution) -> Resolution:
    """Return the same resolution as of `START`."""
    report = replace(resolution.report, observed_at=START)
    return replace(resolution, report=report, now=START, confirmed_at=resolution.confirmed_at and START)


def test_private_and_absent_subjects_look_alike_at_any_time() -> None:
    faces = public_face(Bench(PRIVATE))
    assert faces == public_face(Bench(Report.absent(START)))
    assert len({str(timeless(face)) for face in faces}) == 1


def test_private_absent_and_unknown_subjects_look_alike_during_an_outage() -> None:
    shown = []
    for report in (PRIVATE, Report.absent(START), None):
        bench = Bench(report)
        bench.resolve()
        bench.says = None
        bench.clock.advance(minutes=10)
        bench.resolve()  # notices the outage
        shown.append(bench.resolve())
    assert shown[0] == shown[1] == shown[2]
    assert shown[0].origin is Origin.FALLBACK


API = Subject.legacy("acme", "api")


@pytest.mark.parametrize("report", [PRIVATE, Report.absent(START)])
def test_in_an_outage_even_a_freshly_cached_hidden_subject_is_undetermined(report: Report) -> None:
    bench = Bench(report)
    bench.resolve()
    bench.says = None
    bench.resolver.resolve(API)  # notices the outage
    during = bench.resolve()
    assert (during.origin, during.fresh_for) == (Origin.FALLBACK, timedelta(seconds=15))
    bench.says = report
    bench.clock.advance(seconds=30)
    bench.resolver.resolve(API)  # notices that it is over
    assert bench.resolve().is_known


@pytest.mark.parametrize("report", [PRIVATE, Report.absent(START)])
def test_once_the_budget_for_new_names_is_spent_hidden_subjects_are_undetermined(report: Report) -> None:
    # Otherwise, an answer would reveal that somebody has requested this name before.
    bench = Bench(report, limits=BudgetLimits(new_per_second=0.1, new_burst=1))
    assert bench.resolve().is_known
    cached, new = bench.resolve(), bench.resolver.resolve(API)
    assert (cached, cached.origin) == (new, Origin.FALLBACK)
    bench.clock.advance(seconds=10)
    assert bench.resolve().is_known


@pytest.mark.parametrize("report", [PRIVATE, Report.absent(START)])
def test_if_permission_cannot_be_determined_hidden_subjects_are_undetermined(report: Report) -> None:
    bench = Bench(report)
    bench.resolve()
    seen = bench.resolver.resolve(WEB, may_see_private=lambda: None)
    assert (seen.origin, seen.fresh_for) == (Origin.FALLBACK, timedelta(seconds=15))


@pytest.mark.parametrize(("report", "times"), [(SUCCEEDED, 0), (PRIVATE, 1), (Report.absent(START), 1)])
def test_permission_is_checked_once_and_never_for_a_cached_public_subject(report: Report, times: int) -> None:
    bench, asked = Bench(report), []

    def permission() -> bool:
        asked.append(True)
        return False

    bench.resolve()
    bench.resolver.resolve(WEB, may_see_private=permission)
    assert len(asked) == times


class TickingClock(ManualClock):
    """A clock that advances each time it is read, as real ones do."""

    def __call__(self) -> datetime:
        self.advance(microseconds=1)
        return self.now


def test_after_a_report_the_next_badge_does_not_call_a_local_source() -> None:
    source = ScriptedSource(lambda _: PRIVATE, local=True)
    resolver = Resolving(source, clock=TickingClock()).resolver
    resolver.resolve(WEB)
    resolver.renew(WEB)
    assert len(source.asked) == 2
    resolver.resolve(WEB)
    assert len(source.asked) == 2


def test_after_a_report_the_next_badge_calls_a_remote_source() -> None:
    bench = Bench()
    bench.resolve()
    bench.resolver.renew(WEB)
    assert len(bench.source.asked) == 1
    assert bench.seen() == (BackupStatus.SUCCEEDED, Origin.UPSTREAM)


def test_a_caller_with_permission_sees_private_subjects() -> None:
    bench = Bench(PRIVATE)
    assert bench.resolve(may_see_private=True).status is BackupStatus.SUCCEEDED
    bench.says = None
    bench.clock.advance(minutes=10)
    bench.resolve()
    assert bench.resolve(may_see_private=True).origin is Origin.STALE


def test_the_source_gets_its_previous_report() -> None:
    bench = Bench(replace(SUCCEEDED, validator='"7"'))
    bench.resolve()
    bench.clock.advance(minutes=3)
    bench.resolve()
    known = bench.source.asked[1][1]
    assert known is not None
    assert known.validator == '"7"'


def test_invalidating_calls_the_source_at_once() -> None:
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


def test_every_call_to_the_source_emits_an_event() -> None:
    bench = Bench(None)
    bench.resolve()
    bench.says = SUCCEEDED
    bench.clock.advance(seconds=5)
    bench.resolve()
    failed, answered = (event for event in bench.events.seen if isinstance(event, (SourceFailed, SourceAnswered)))
    assert (type(failed), type(answered)) == (SourceFailed, SourceAnswered)


def test_a_fetch_that_began_before_an_invalidation_is_not_cached() -> None:
    bench = Bench()

    def changed_meanwhile(subject: Subject) -> Report:
        bench.clock.advance(milliseconds=10)
        bench.resolver.invalidate(subject)
        return replace(SUCCEEDED, observed_at=bench.clock())

    bench.source.answer = changed_meanwhile
    bench.resolve()
    assert bench.cache.get(KEY) is None


def test_lifetimes_come_from_the_settings() -> None:
    bench = Bench(lifetimes=Lifetimes(finished=timedelta(seconds=7), too_old=timedelta(hours=2)))
    assert bench.resolve().fresh_for == timedelta(seconds=7)
