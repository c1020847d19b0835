"""The last runs and the reason in a badge's JSON: who may see them, and what they cost."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from urllib.parse import parse_qsl

import pytest

from badge.deadline import Deadline
from badge.events import FailureKind
from badge.model import BackupStatus, Origin, PastRun, Reason, Report, Resolution, Subject, Visibility
from badge.ports import SourceUnavailable
from badge.subject_pattern import PathPattern, Selection
from badge.web.badges.answer import answer
from badge.web.badges.bounded_reads import MOST_READS
from badge.web.badges.pictures import Pictures
from badge.web.badges.recent_runs import MOST_RUNS, RecentRun, RecentRuns
from badge.web.badges.request import read_badge_request
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.site import SUCCEEDED, Site

WEB = Subject.legacy("acme", "web")
JSON = f"/badge/{WEB.path}.json"
RUN = PastRun(BackupStatus.SUCCEEDED, START - timedelta(hours=1), START)
SHOWN = Resolution(report=SUCCEEDED, origin=Origin.CACHE, age=timedelta(0), fresh_for=timedelta(minutes=1), now=START)


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    return dashboards()


@dataclass
class Runs:
    """A history that records how it is read, and may fail or hang."""

    runs: Sequence[PastRun] = (RUN,)
    is_out: bool = False
    hangs_until: threading.Event | None = None
    asked: list[tuple[Subject, int, bool]] = field(default_factory=list)

    def history(self, subject: Subject, limit: int, *, skip: int = 0, public_only: bool = False) -> Sequence[PastRun]:
        self.asked.append((subject, limit, public_only))
        if self.hangs_until:
            self.hangs_until.wait(5)
        if self.is_out:
            raise SourceUnavailable(FailureKind.DATABASE)
        return self.runs

    def histories(self, subjects: Sequence[Subject], limit: int) -> Mapping[Subject, Sequence[PastRun]]:
        return {subject: self.history(subject, limit) for subject in subjects}


def read(history: Runs | None, resolution: Resolution = SHOWN, seconds: float = 1.8) -> Sequence[RecentRun] | None:
    return RecentRuns(lambda _: history).of(WEB, resolution, Deadline.after(seconds))


def ended(dashboard: Dashboard, hours: int, status: BackupStatus = BackupStatus.SUCCEEDED, **more: object) -> None:
    """Record a run that took a minute and ended that many hours ago."""
    at = START - timedelta(hours=hours)
    dashboard.record_run(WEB, status, started_at=at - timedelta(minutes=1), finished_at=at, **more)


def test_the_json_has_the_last_runs_and_the_reason(dashboard: Dashboard) -> None:
    ended(dashboard, 2)
    ended(dashboard, 1, BackupStatus.FAILED, reason=Reason.STORAGE)
    document = dashboard.get(JSON).get_json()
    assert document["reason"] == "storage"
    assert document["recentRuns"] == [
        {"status": "failed", "finishedAt": "2026-11-23T11:00:00Z"},
        {"status": "succeeded", "finishedAt": "2026-11-23T10:00:00Z"},
    ]
    dashboard.clock.advance(minutes=3)
    dashboard.record_run(WEB, BackupStatus.IN_PROGRESS)
    document = dashboard.get(JSON).get_json()
    assert document["reason"] is None
    assert document["recentRuns"][0] == {"status": "inProgress", "finishedAt": None}


def test_at_most_thirty_runs_are_shown(dashboard: Dashboard) -> None:
    for hours in range(MOST_RUNS + 2, 0, -1):
        ended(dashboard, hours)
    runs = dashboard.get(JSON).get_json()["recentRuns"]
    assert len(runs) == MOST_RUNS
    assert runs[0]["finishedAt"] == "2026-11-23T11:00:00Z"


def test_a_source_without_history_has_no_runs(site: Site) -> None:
    assert site.get(JSON).get_json()["recentRuns"] is None


@pytest.mark.parametrize(
    ("form", "resolution", "reads"),
    [
        ("", SHOWN, 0),
        (".svg", SHOWN, 0),
        (".png", SHOWN, 0),
        (".txt", SHOWN, 0),
        ("?strict=1", SHOWN, 0),
        ("?format=shields", SHOWN, 0),
        (".json", SHOWN, 1),
        (".json", replace(SHOWN, report=Report.absent(START)), 0),
        (".json", replace(SHOWN, report=replace(SUCCEEDED, status=BackupStatus.DELETED)), 0),
        (".json", replace(SHOWN, origin=Origin.FALLBACK), 0),
    ],
)
def test_only_the_json_of_a_status_reads_runs(form: str, resolution: Resolution, reads: int) -> None:
    history = Runs()
    path, _, query = f"/badge/{WEB.path}{form}".partition("?")
    wanted = read_badge_request({"RAW_URI": path}, dict(parse_qsl(query)), "backup")
    reader = partial(RecentRuns(lambda _: history).of, WEB, resolution, Deadline.after(1.8))
    answer(wanted, resolution, Pictures(), recent_runs=reader)
    assert len(history.asked) == reads


def test_runs_of_a_private_subject_need_its_token(dashboard: Dashboard) -> None:
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    assert dashboard.parts.catalogue is not None
    token = dashboard.parts.catalogue.tokens.create("readme", Selection([PathPattern.only(WEB)]))
    assert len(dashboard.get(f"{JSON}?token={token}").get_json()["recentRuns"]) == 1
    for query in ("", "?token=wrong"):
        assert "recentRuns" not in dashboard.get(JSON + query).text


def test_a_subject_that_has_just_become_private_shows_no_runs(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    assert len(dashboard.get(JSON).get_json()["recentRuns"]) == 1
    dashboard.report(WEB, BackupStatus.FAILED, visibility=Visibility.PRIVATE)
    document = dashboard.get(JSON).get_json()  # answered from the cache, which has not noticed
    assert (document["status"], document["recentRuns"]) == ("succeeded", [])


def test_runs_are_read_only_for_subjects_that_the_reader_may_see() -> None:
    history = Runs()
    private = replace(SUCCEEDED, visibility=Visibility.PRIVATE)
    assert read(history, replace(SHOWN, report=Report.absent(START))) is None
    assert history.asked == []
    for report in (SUCCEEDED, private):
        assert read(history, replace(SHOWN, report=report)) == [RecentRun(BackupStatus.SUCCEEDED, START)]
    assert history.asked == [(WEB, MOST_RUNS, True), (WEB, MOST_RUNS, False)]


def test_an_impossible_time_is_not_shown() -> None:
    ahead = replace(RUN, finished_at=START + timedelta(hours=1))
    assert read(Runs([ahead])) == [RecentRun(BackupStatus.SUCCEEDED, None)]


def test_runs_that_cannot_be_read_are_unknown() -> None:
    assert read(Runs(is_out=True)) is None
    history = Runs()
    assert read(history, seconds=0.9) is None
    assert history.asked == []


def test_a_hanging_database_blocks_only_a_few_threads() -> None:
    release = threading.Event()
    history = Runs(hangs_until=release)
    runs = RecentRuns(lambda _: history)
    readers = [
        threading.Thread(target=runs.of, args=(WEB, SHOWN, Deadline.after(1.8)), daemon=True)
        for _ in range(MOST_READS + 2)
    ]
    for reader in readers:
        reader.start()
    for reader in readers[MOST_READS:]:
        reader.join(0.5)
    assert len(history.asked) == MOST_READS
    release.set()
    for reader in readers:
        reader.join()
    assert runs.of(WEB, SHOWN, Deadline.after(1.8)) is not None
