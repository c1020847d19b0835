"""Presets whose expressions look back in time, on a real Prometheus with a day of backup programs' metrics."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from badge.app import utc_now
from badge.deadline import Deadline
from badge.model import BackupStatus, Report, Subject
from badge.sources.configuration.factory import build_routing
from badge.sources.configuration.sources_file import load
from tests.doubles import RecordedEvents
from tests.servers import free_port, needs, running_program

SUCCEEDED, FAILED, UNKNOWN = BackupStatus.SUCCEEDED, BackupStatus.FAILED, BackupStatus.UNKNOWN
OLDEST, SCRAPE = timedelta(hours=32), timedelta(minutes=2)

Steps = Mapping[float, float | str | None]
"""Hours ago → the value from then on.

A number is the value itself, a string such as "31" stands for the Unix time 31 hours ago, and None ends the series.
"""


@dataclass(frozen=True)
class Past:
    """What was scraped, by series, and the expected report."""

    name: str
    series: Mapping[str, Steps]
    status: BackupStatus
    finished: float | None = None
    """Hours ago."""


def velero(
    name: str, status: BackupStatus, succeeded: Steps, failures: Steps, kind: str = "failure", last: float = 1
) -> Past:
    labels = f'{{schedule="{name}"}}'
    kinds = ("failure", "partial_failure", "validation_failure")
    counts = {one: failures if one == kind else dict.fromkeys(failures, 0) for one in kinds}
    series: dict[str, Steps] = {f"velero_backup_{one}_total{labels}": steps for one, steps in counts.items()}
    series[f"velero_backup_last_successful_timestamp{labels}"] = succeeded
    series[f"velero_backup_last_status{labels}"] = {31: last}
    return Past(name, series, status)


VELERO = [
    velero("only successes", SUCCEEDED, {31: "31", 6: "6"}, {31: 0}),
    velero("a failure, and the status set back to 1", FAILED, {31: "31", 25: "25"}, {31: 0, 6: 1}),
    velero("a partial failure", FAILED, {31: "31", 25: "25"}, {31: 0, 6: 1}, "partial_failure"),
    velero("a refused backup", FAILED, {31: "31", 25: "25"}, {31: 0, 6: 1}, "validation_failure"),
    velero("a success after failures", SUCCEEDED, {31: "31", 6: "6"}, {31: 0, 25: 1, 15: 2}),
    velero("Velero was restarted after a failure", FAILED, {31: "31", 25: "25"}, {31: 0, 15: 1, 10: 0}),
    velero("Velero was restarted after a success", SUCCEEDED, {31: "31", 20: "20"}, {31: 3, 10: 0}, last=0),
    velero("a failure since Velero was restarted", FAILED, {31: "31", 20: "20"}, {31: 3, 10: 0, 5: 1}),
    velero("no success yet", FAILED, {}, {5: 0, 2: 1}),
    velero("neither a success nor a failure", UNKNOWN, {}, {5: 0}, last=0),
    velero("Velero is down", UNKNOWN, {31: "31", 25: "25", 1: None}, {31: 0, 6: 1, 1: None}),
]


def gickup(name: str, status: BackupStatus, *destinations: tuple[Steps, Steps], finished: float | None = None) -> Past:
    """Return a past; each destination has the durations of its last success and the results of its last run."""
    series: dict[str, Steps] = {}
    for index, (took, success) in enumerate(destinations):
        labels = f'{{hoster="github.com",owner="acme",repository="{name}",type="local",path="/{index}"}}'
        series |= {f"gickup_repo_time{labels}": took, f"gickup_repo_success{labels}": success}
    return Past(name, series, status, finished)


FRESH: tuple[Steps, Steps] = ({31: 3.5, 6: 4.25}, {31: 1})
GICKUP = [
    gickup("a success each day", SUCCEEDED, FRESH, finished=6),
    gickup("a first success", SUCCEEDED, ({3: 3.5}, {3: 1}), finished=3),
    gickup("a failed mirror whose success metric stays 1", FAILED, ({31: 3.5}, {31: 1})),
    gickup("one of two destinations fails and its success metric stays 1", FAILED, FRESH, ({31: 3.5}, {31: 1})),
    gickup("one of two destinations reports a failure", FAILED, FRESH, ({31: 3.5}, {31: 1, 6: 0})),
    gickup("a success after a failure", SUCCEEDED, ({31: 3.5, 6: 4.25}, {31: 1, 20: 0, 6: 1}), finished=6),
    gickup("a removed destination", SUCCEEDED, FRESH, ({31: 3.5, 4: None}, {31: 1, 4: None}), finished=6),
    gickup("a gap is not a success", FAILED, ({31: 3.5, 8: None, 6: 3.5}, {31: 1, 8: None, 6: 1})),
    gickup("a success after a gap", SUCCEEDED, ({31: 3.5, 8: None, 6: 4.25}, {31: 1, 8: None, 6: 1}), finished=6),
    gickup("Gickup is down", UNKNOWN, ({31: 3.5, 6: 4.25, 1: None}, {31: 1, 1: None})),
]


def backrest(name: str, status: BackupStatus, took: Steps, last: Steps, finished: float | None = None) -> Past:
    labels = f'plan_id="{name}",repo_id="b2",task_type="backup"'
    series = {
        f"backrest_tasks_duration_secs{{{labels}}}": took,
        # The status is in a label, so only one of the two series exists at a time.
        f'backrest_last_task_status{{{labels},status="success"}}': {h: 0 if v == 0 else None for h, v in last.items()},
        f'backrest_last_task_status{{{labels},status="failed"}}': {h: 1 if v == 1 else None for h, v in last.items()},
    }
    return Past(name, series, status, finished)


BACKREST = [
    backrest("a success each day", SUCCEEDED, {31: 30.5, 6: 31.25}, {31: 0}, finished=6),
    backrest("a first success", SUCCEEDED, {3: 30.5}, {3: 0}, finished=3),
    backrest("a failure", FAILED, {31: 30.5, 6: 1.25}, {31: 0, 6: 1}),
    backrest("a success after a failure", SUCCEEDED, {31: 1.5, 6: 31.25}, {31: 1, 6: 0}, finished=6),
    backrest("a plan that no longer runs", FAILED, {31: 30.5}, {31: 0}),
    backrest("a gap is not a run", FAILED, {31: 30.5, 8: None, 6: 30.5}, {31: 0, 8: None, 6: 0}),
    backrest("a run after a restart", SUCCEEDED, {31: 30.5, 8: None, 6: 31.25}, {31: 0, 8: None, 6: 0}, finished=6),
    backrest("Backrest was restarted", UNKNOWN, {31: 30.5, 6: 31.25, 1: None}, {31: 0, 1: None}),
]

PASTS = [("velero", past) for past in VELERO]
PASTS += [("gickup", past) for past in GICKUP]
PASTS += [("backrest", past) for past in BACKREST]


def scraped(series: str, steps: Steps, now: datetime) -> Iterator[str]:
    """Yield the samples of a series, until some minutes from now."""
    name, labels = series.split("{", 1)
    moment = now - OLDEST
    while moment < now + timedelta(minutes=20):
        ago = (now - moment) / timedelta(hours=1)
        began = [hours for hours in steps if hours >= ago]
        value = steps[min(began)] if began else None
        if isinstance(value, str):
            value = (now - timedelta(hours=float(value))).timestamp()
        if value is not None:
            yield f"{name}{{{labels} {value} {moment.timestamp():.0f}"
        moment += SCRAPE


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a Prometheus that scrapes nothing and has all of `PASTS` in its database."""
    for program in ("prometheus", "promtool"):
        needs(program, is_there=shutil.which(program) is not None)
    folder, now = tmp_path_factory.mktemp("prometheus"), utc_now()
    (folder / "prometheus.yml").touch()
    lines = [line for _, past in PASTS for series, steps in past.series.items() for line in scraped(series, steps, now)]
    (folder / "past.txt").write_text("\n".join([*lines, "# EOF", ""]))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "past.txt"), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    web = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with running_program("prometheus", *options, f"--web.listen-address={web}", ready=f"http://{web}/-/ready"):
        yield f"http://{web}"


VALUES = {"velero": 'schedule = "NAME"', "gickup": 'hoster = "github.com"', "backrest": 'plan = "NAME"'}
SOURCE = """
[[source]]
name = "own"
preset = "prometheus-PRESET"
url = "URL"
match = { platform = "GitHub", account = "acme", type = "Repository", name = "NAME" }
stale_after = "26h"
values = { VALUES }
"""


def report_of(preset: str, name: str, url: str, folder: Path) -> Report:
    file = folder / "sources.toml"
    text = SOURCE.replace("PRESET", preset).replace("URL", url).replace("VALUES", VALUES[preset])
    file.write_text(text.replace("NAME", name))
    source, *_ = build_routing(load(file), None, utc_now, RecordedEvents()).sources
    return source.fetch(Subject.legacy("acme", name), None, Deadline.after(5))


@pytest.mark.parametrize(("preset", "past"), PASTS, ids=[f"{preset}: {past.name}" for preset, past in PASTS])
def test_each_history_gives_the_status_that_an_operator_expects(
    preset: str, past: Past, prometheus: str, tmp_path: Path
) -> None:
    report = report_of(preset, past.name, prometheus, tmp_path)
    assert report.status is past.status
    if past.finished is not None:
        assert report.finished_at is not None
        began = utc_now() - timedelta(hours=past.finished)
        # The expressions have a resolution of five minutes, the series one of two.
        assert -timedelta(minutes=1) < report.finished_at - began < timedelta(minutes=8)
