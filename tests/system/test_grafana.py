"""A real Prometheus, configured as docs/how-to/grafana.md says, scrapes a service: alerts fire and panels have data."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from badge.app import utc_now
from badge.catalogue.events import ReportedVerification, VerificationEvent
from badge.listing import ListingFilter, Standing
from badge.model import BackupStatus, Subject, VerificationOutcome, Visibility
from tests.dashboard import Dashboard
from tests.servers import PROJECT, eventually, free_port, needs, running_program
from tests.serving import served

TOKEN = "scrape-me"
RULES = PROJECT / "config" / "alerts.yaml"
GRAFANA: dict[str, Any] = json.loads((PROJECT / "config" / "grafana" / "backups.json").read_text())
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INSTANCES = 2
SECONDS = 30.0
"""Ample, for a busy machine."""

WEB, API, OLD, NEW, LOST = (Subject.legacy("acme", name) for name in ("web", "api", "old", "new", "lost"))


def test_promtool_accepts_the_rules_and_each_alert_on_backups_fires_and_resolves() -> None:
    needs("promtool", is_there=shutil.which("promtool") is not None)
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, timeout=60)
    tests = PROJECT / "tests" / "samples" / "prometheus" / "alerts.test.yaml"
    subprocess.run(["promtool", "test", "rules", str(tests)], check=True, timeout=60)


@dataclass
class Monitored:
    """A service, and the Prometheus that scrapes it."""

    service: Dashboard
    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        answer = requests.get(f"{self.url}/api/v1/query", {"query": expression}, timeout=10).json()
        assert answer["status"] == "success", f"{expression}: {answer['error']}"
        return list(answer["data"]["result"])

    def firing(self) -> set[tuple[str, str]]:
        """Return the alerts that fire, and the names of their subjects."""
        alerts = requests.get(f"{self.url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        firing = [one["labels"] for one in alerts if one["state"] == "firing"]
        found = [(labels["alertname"], labels.get("name", "")) for labels in firing]
        assert len(found) == len(set(found)), "an alert fires twice"
        return set(found)

    def report(self, subject: Subject, status: BackupStatus, **more: Any) -> None:
        """Advance the clock by a minute, then report a run that took an hour and has just ended."""
        self.service.clock.advance(minutes=1)
        now = self.service.clock()
        self.service.record_run(subject, status, started_at=now - HOUR, finished_at=now, **more)

    def fill(self) -> None:
        """Report a public and a private subject, a deleted one, one never backed up, and one that becomes unknown."""
        parts = self.service.parts.catalogue
        assert parts is not None
        self.report(WEB, BackupStatus.SUCCEEDED, size_bytes=10**9)
        self.report(API, BackupStatus.SUCCEEDED, size_bytes=10**6, visibility=Visibility.PRIVATE)
        self.service.record_run(OLD, BackupStatus.DELETED)
        parts.checks.create(API, HOUR, HOUR / 2)
        parts.store.record(VerificationEvent(WEB, ReportedVerification(VerificationOutcome.PASSED)))
        parts.store.record(VerificationEvent(API, ReportedVerification(VerificationOutcome.FAILED)))
        parts.checks.create(NEW, DAY, HOUR)
        self.report(LOST, BackupStatus.SUCCEEDED, stale_after=self.service.clock() + timedelta(seconds=90))
        self.service.clock.advance(minutes=1)


def documented_configuration() -> dict[str, Any]:
    page = (PROJECT / "docs" / "how-to" / "grafana.md").read_text()
    (block,) = re.findall(r"```yaml\n(.+?)```", page, re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(block)
    return found


def configure(folder: Path, address: str) -> Path:
    """Write the documented configuration, with this service's address, and short intervals."""
    configuration = documented_configuration()
    for job in configuration["scrape_configs"]:
        job["scrape_interval"] = job["scrape_timeout"] = "300ms"
        assert job["authorization"]["credentials_file"] == "/etc/prometheus/badge-token"
        job["authorization"]["credentials_file"] = str(folder / "token")
        # As if there were several instances: nothing may be counted twice.
        targets = [address, address.replace("127.0.0.1", "localhost")]
        assert len(targets) == INSTANCES
        job["static_configs"] = [{"targets": targets}]
    (folder / "token").write_text(TOKEN + "\n")
    configuration["global"] = {"evaluation_interval": "300ms"}
    configuration["rule_files"] = [str(folder / "alerts.yaml")]
    (folder / "alerts.yaml").write_text(re.sub(r"for: \d+[mh]$", "for: 500ms", RULES.read_text(), flags=re.MULTILINE))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    return folder / "prometheus.yml"


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    needs("prometheus", is_there=shutil.which("prometheus") is not None)
    folder, web = tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{free_port()}"
    with closing(Dashboard(folder / "service", BADGE_METRICS_TOKEN=TOKEN)) as service:
        service.clock.now = utc_now() - 5 * HOUR
        with served(service.client.application) as url:
            options = (f"--config.file={configure(folder, url.removeprefix('http://'))}", f"--web.listen-address={web}")
            storage = f"--storage.tsdb.path={folder / 'data'}"
            with running_program("prometheus", *options, storage, ready=f"http://{web}/-/ready"):
                monitored = Monitored(service, f"http://{web}")
                monitored.fill()
                yield monitored


@pytest.mark.slow
def test_alerts_fire_and_resolve_through_failure_overdue_and_recovery(monitored: Monitored) -> None:
    failed, overdue = ("BackupFailed", "web"), ("BackupOverdue", "api")
    always = {("BackupUnknown", "lost"), ("BackupVerificationFailed", "api")}
    assert eventually(lambda: always <= monitored.firing(), SECONDS)
    monitored.report(WEB, BackupStatus.FAILED)
    assert eventually(lambda: monitored.firing() == always | {failed}, SECONDS)
    monitored.service.clock.advance(hours=1.6)
    assert eventually(lambda: monitored.firing() == always | {failed, overdue}, SECONDS)
    monitored.report(WEB, BackupStatus.SUCCEEDED, size_bytes=10**9)
    assert eventually(lambda: monitored.firing() == always | {overdue}, SECONDS)
    monitored.report(API, BackupStatus.SUCCEEDED, size_bytes=10**6)
    assert eventually(lambda: monitored.firing() == always, SECONDS)


# --- the dashboard ---


def expressions() -> list[tuple[str, str]]:
    """Return the panels' titles and queries."""
    return [(panel["title"], target["expr"]) for panel in GRAFANA["panels"] for target in panel["targets"]]


def as_sent(expression: str) -> str:
    """Return a query as Grafana sends it while all platforms and accounts are selected."""
    return expression.replace("$platform", ".*").replace("$account", ".*")


def test_each_panel_of_the_dashboard_has_data(monitored: Monitored) -> None:
    monitored.report(WEB, BackupStatus.SUCCEEDED, size_bytes=10**9)
    monitored.report(API, BackupStatus.FAILED, size_bytes=10**6)
    assert eventually(lambda: bool(monitored.query('backup_status{status="failed", name="api"} == 1')), SECONDS)
    for title, expression in expressions():
        assert monitored.query(as_sent(expression)), title
    for variable in GRAFANA["templating"]["list"][1:]:
        series = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert series
        found = monitored.query(f"group by ({series[2]}) ({as_sent(series[1])})")
        assert [one["metric"][series[2]] for one in found] in (["GitHub"], ["acme"])


def test_the_panels_say_what_the_service_says(monitored: Monitored) -> None:
    monitored.report(API, BackupStatus.SUCCEEDED)
    monitored.service.clock.advance(hours=1.6)  # so that it is overdue
    monitored.report(WEB, BackupStatus.FAILED)
    monitored.report(Subject.legacy("acme", "fine"), BackupStatus.SUCCEEDED)
    parts, by_title = monitored.service.parts.catalogue, dict(expressions())
    assert parts is not None
    totals = parts.store.totals(ListingFilter())
    expected = {title: float(totals.by_standing.get(standing, 0)) for title, standing in STANDINGS.items()}
    assert all(expected.values())
    expected["Backups"] = totals.to_protect

    fine = 'backup_status{name="fine", status="succeeded"} == 1'
    assert eventually(lambda: len(monitored.query(fine)) == INSTANCES, SECONDS)
    found = {title: float(monitored.query(as_sent(by_title[title]))[0]["value"][1]) for title in expected}
    assert found == expected


STANDINGS = {
    "Protected": Standing.PROTECTED,
    "Failed": Standing.FAILED,
    "Overdue": Standing.OVERDUE,
    "Unknown": Standing.UNKNOWN,
}


def test_the_queries_of_the_page_are_valid(monitored: Monitored) -> None:
    page = (PROJECT / "docs" / "how-to" / "grafana.md").read_text()
    section = page.partition("## Your own queries")[2]
    queries = re.findall(r"^    # .+\n((?:    .+\n)+)", section, re.MULTILINE)
    assert queries
    for query in queries:
        monitored.query(query)


def test_the_dashboard_has_the_form_that_grafana_imports() -> None:
    assert GRAFANA["schemaVersion"] >= 36
    assert GRAFANA["uid"]
    assert GRAFANA["title"]
    assert GRAFANA.get("id") is None  # Grafana assigns one
    panels = GRAFANA["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert {"type", "title", "gridPos", "fieldConfig", "options"} <= set(panel)
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
    variables = [variable["name"] for variable in GRAFANA["templating"]["list"]]
    assert variables == ["datasource", "platform", "account"]
    assert not overlapping(panels)


def overlapping(panels: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the pairs of panels that share a cell of Grafana's grid."""
    cells: dict[tuple[int, int], str] = {}
    found = []
    for panel in panels:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in cells:
                    found.append((cells[x, y], panel["title"]))
                cells[x, y] = panel["title"]
    return found


def test_each_metric_in_rules_panels_and_queries_exists() -> None:
    page = (PROJECT / "docs" / "reference" / "metrics.md").read_text()
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    for expression in (*rules, *(expression for _, expression in expressions())):
        for name in re.findall(r"\b(?:backup|badge)_[a-z_]+", expression):
            assert f"`{name.removesuffix('_bucket')}`" in page, name
