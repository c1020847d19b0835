"""From the output of real backup programs to a badge: Prometheus, Pushgateway, restic and borg."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests

from badge.app import utc_now
from badge.model import BackupStatus, Subject, Verification, VerificationMethod, VerificationOutcome
from badge.ports import Clock, SourceUnavailable
from badge.sources.recipes.presets import preset
from tests.backup_sources import WEB, crontab_line, fetch, sources_in, verifying_lines
from tests.servers import eventually, free_port, needs, running_program, running_service

SUCCEEDED, FAILED, UNKNOWN = BackupStatus.SUCCEEDED, BackupStatus.FAILED, BackupStatus.UNKNOWN
SLASHED = Subject.parse("GitHub", "acme", "Repository", 'we"b/\\x')


# --- Prometheus and the Pushgateway ---


@dataclass
class Monitoring:
    """A Prometheus that scrapes a Pushgateway every half second."""

    prometheus: str
    gateway: str
    gateway_process: subprocess.Popen[bytes]

    def push(self, subject: Subject, value: int) -> None:
        self.push_to({"job": "backup", "subject": f"{subject.account}/{subject.name}"}, f"backup_success {value}\n")

    def push_to(self, group: Mapping[str, str], metrics: str) -> None:
        encoded = {label: urlsafe_b64encode(value.encode()).decode() for label, value in group.items()}
        path = "/".join(f"{label}@base64/{value}" for label, value in encoded.items())
        answer = requests.put(f"{self.gateway}/metrics/{path}", data=metrics, timeout=5)
        assert answer.status_code == 200, answer.text


CONFIGURATION = """
global: {scrape_interval: 500ms, scrape_timeout: 400ms}
scrape_configs:
- {job_name: gateway, honor_labels: true, static_configs: [{targets: ['127.0.0.1:PORT']}]}
"""


@pytest.fixture(scope="module")
def monitoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitoring]:
    for program in ("prometheus", "prometheus-pushgateway"):
        needs(program, is_there=shutil.which(program) is not None)
    folder = tmp_path_factory.mktemp("prometheus")
    web, gateway = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    config = folder / "prometheus.yml"
    config.write_text(CONFIGURATION.replace("PORT", gateway.rpartition(":")[2]))
    with (
        running_program(
            "prometheus-pushgateway", f"--web.listen-address={gateway}", ready=f"http://{gateway}/-/ready"
        ) as pushed,
        running_program(
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={web}",
            ready=f"http://{web}/-/ready",
        ),
    ):
        yield Monitoring(f"http://{web}", f"http://{gateway}", pushed)


PUSHED = """
[[source]]
name = "pushed"
preset = "prometheus-pushgateway"
url = "URL"
match = { platform = "GitHub", type = "Repository" }
stale_after = "26h"

[[source]]
name = "short"
preset = "prometheus-pushgateway"
url = "URL"
match = { platform = "GitHub", type = "Repository" }
stale_after = "1m"
promql = 'max(push_time_seconds{subject="{account}/{subjectName}"}) - 3600'

[[source]]
name = "plain"
preset = "prometheus"
url = "URL"
match = { platform = "GitHub", type = "Repository" }
promql = 'backup_success{subject="{account}/{subjectName}"}'

[[source]]
name = "verified"
preset = "prometheus"
url = "URL"
match = { platform = "GitHub", type = "Repository" }
promql = 'backup_success{subject="{account}/{subjectName}"}'
then = { promql = 'backup_verified_timestamp_seconds{subject="{account}/{subjectName}"}' }

[[source]]
name = "wrong"
preset = "prometheus"
url = "URL"
match = { platform = "GitHub", type = "Repository", account = "acme", name = "web" }
promql = 'max('
"""


PLUGIN = "barman_cloud_cloudnative_pg_io"
# As in CloudNativePG's documentation ("Monitoring"), without a label for the cluster.
CLOUDNATIVE_PG = """# HELP cnpg_collector_up 1 if PostgreSQL is up, 0 otherwise.
# TYPE cnpg_collector_up gauge
cnpg_collector_up{cluster="pg"} 1
# HELP cnpg_collector_last_failed_backup_timestamp The last failed backup as a unix timestamp (Deprecated)
# TYPE cnpg_collector_last_failed_backup_timestamp gauge
cnpg_collector_last_failed_backup_timestamp FAILED
# HELP cnpg_collector_last_available_backup_timestamp The last available backup as a unix timestamp (Deprecated)
# TYPE cnpg_collector_last_available_backup_timestamp gauge
cnpg_collector_last_available_backup_timestamp AVAILABLE
"""


def cloudnative_pg(*, failed: str, available: str) -> str:
    """Return the metrics of a CloudNativePG instance."""
    return CLOUDNATIVE_PG.replace("FAILED", failed).replace("AVAILABLE", available)


def with_plugin(*, failed: str, available: str) -> str:
    """Return the metrics of an instance that is backed up by the Barman Cloud plugin: its own times stay 0."""
    by_plugin = cloudnative_pg(failed=failed, available=available).replace("cnpg_collector", PLUGIN)
    return cloudnative_pg(failed="0", available="0") + by_plugin


PRESET_CASES: Mapping[str, tuple[Mapping[str, str], Sequence[tuple[str, BackupStatus]]]] = {
    "prometheus-restic-exporter": (
        {"host": "nas"},
        [
            ('restic_backup_timestamp{client_hostname="nas",snapshot_hash="a"} NOW', SUCCEEDED),
            ('restic_backup_timestamp{client_hostname="nas",snapshot_hash="a"} 1600000000', FAILED),
        ],
    ),
    "prometheus-cloudnative-pg": (
        {"cluster": "pg", "namespace": "databases"},
        [
            (cloudnative_pg(failed="1.63238406e+09", available="NOW"), SUCCEEDED),
            (cloudnative_pg(failed="NOW", available="1.63238406e+09"), FAILED),
            (cloudnative_pg(failed="0", available="NOW"), SUCCEEDED),
            (cloudnative_pg(failed="NOW", available="0"), FAILED),
            (cloudnative_pg(failed="0", available="0"), UNKNOWN),
        ],
    ),
    "prometheus-cloudnative-pg-plugin": (
        {"cluster": "pg", "namespace": "databases"},
        [
            (with_plugin(failed="0", available="NOW"), SUCCEEDED),
            (with_plugin(failed="NOW", available="1.63238406e+09"), FAILED),
            (with_plugin(failed="0", available="0"), UNKNOWN),
        ],
    ),
}
# The label `job` as the Prometheus Operator sets it for a PodMonitor; for the other presets, any value will do.
JOBS = {"prometheus-cloudnative-pg": "databases/pg", "prometheus-cloudnative-pg-plugin": "databases/pg"}


@pytest.mark.parametrize("name", PRESET_CASES)
def test_prometheus_evaluates_the_expression_of_each_preset(monitoring: Monitoring, tmp_path: Path, name: str) -> None:
    values, states = PRESET_CASES[name]
    rows = ", ".join(f'{key} = "{value}"' for key, value in values.items())
    stale = 'stale_after = "26h"\n' if "stale_after" in preset(name).requires else ""
    text = f'[[source]]\nname = "own"\npreset = "{name}"\nurl = "{monitoring.prometheus}"\n{stale}'
    source = sources_in(tmp_path, f'{text}[source.subjects]\n"acme/web" = {{ {rows} }}\n')["own"]
    assert not fetch(source).exists
    for metrics, status in states:
        monitoring.push_to({"job": JOBS.get(name, name)}, metrics.replace("NOW", f"{utc_now():%s}") + "\n")
        assert eventually(lambda wanted=status: fetch(source).status is wanted, 10), metrics  # type: ignore[misc] # the default binds the loop variable


def test_a_second_query_gives_the_verification(monitoring: Monitoring, tmp_path: Path) -> None:
    source = sources_in(tmp_path, PUSHED.replace("URL", monitoring.prometheus))["verified"]
    verified_at = utc_now().replace(microsecond=0) - timedelta(days=3)

    def shows(number: float, verification: Verification | None) -> bool:
        metrics = f"backup_success 1\nbackup_verified_timestamp_seconds {number}\n"
        monitoring.push_to({"job": "verified", "subject": f"{SLASHED.account}/{SLASHED.name}"}, metrics)
        return eventually(lambda: fetch(source, SLASHED).verification == verification, 30)

    assert shows(verified_at.timestamp(), Verification(VerificationOutcome.PASSED, verified_at))
    assert shows(-1, Verification(VerificationOutcome.FAILED))
    assert shows(0, None)
    assert fetch(source, SLASHED).status is SUCCEEDED


def test_the_badge_follows_prometheus_through_success_failure_no_data_and_a_stopped_target(
    monitoring: Monitoring, tmp_path: Path
) -> None:
    sources = sources_in(tmp_path, PUSHED.replace("URL", monitoring.prometheus))
    never = fetch(sources["pushed"])
    assert (never.status, never.exists) == (BackupStatus.UNKNOWN, False)

    began = utc_now()
    monitoring.push(WEB, 1)
    assert eventually(lambda: fetch(sources["pushed"]).status is BackupStatus.SUCCEEDED, 10)
    report = fetch(sources["pushed"])
    assert report.finished_at is not None
    assert abs((report.finished_at - began).total_seconds()) < 30
    assert fetch(sources["plain"]).status is BackupStatus.SUCCEEDED

    monitoring.push(WEB, 0)
    assert eventually(lambda: fetch(sources["pushed"]).status is BackupStatus.FAILED, 10)
    assert fetch(sources["plain"]).status is BackupStatus.FAILED

    monitoring.push(WEB, 1)
    assert eventually(lambda: fetch(sources["plain"]).status is BackupStatus.SUCCEEDED, 10)
    monitoring.push(SLASHED, 1)
    assert eventually(lambda: fetch(sources["pushed"], SLASHED).status is BackupStatus.SUCCEEDED, 10)
    assert fetch(sources["short"]).status is BackupStatus.FAILED  # an hour old, by Prometheus' own clock
    with pytest.raises(SourceUnavailable, match="badRequest"):
        fetch(sources["wrong"])

    monitoring.gateway_process.kill()
    # Its series end with the first failed scrape.
    assert eventually(lambda: not fetch(sources["pushed"]).exists, 10)
    assert fetch(sources["pushed"]).status is BackupStatus.UNKNOWN


# --- restic and borg, with the crontab lines from docs/how-to/systems ---


@dataclass(frozen=True)
class Repository:
    """A repository of restic or borg, and the folder that cron writes to."""

    name: str
    folder: Path
    environment: Mapping[str, str]
    init: Sequence[str]
    back_up: Callable[[datetime], Sequence[str]]

    @property
    def statuses(self) -> Path:
        return self.folder / "statuses"

    def run(self, command: Sequence[str]) -> None:
        subprocess.run(command, env={**os.environ, **self.environment}, check=True, capture_output=True, timeout=60)

    def cron(self, **environment: str) -> None:
        """Run the crontab line from the documentation, as cron does."""
        self.statuses.mkdir(exist_ok=True)
        shell = crontab_line(self.name).split(maxsplit=5)[5].replace("/var/lib/badge", str(self.statuses))
        together = {**os.environ, **self.environment, **environment}
        subprocess.run(["sh", "-c", shell], env=together, check=False, capture_output=True, timeout=60)

    @property
    def configuration(self) -> str:
        return CONFIGURED.format(name=self.name, folder=self.statuses, zone=ZONE)

    def status(self, clock: Clock = utc_now) -> tuple[BackupStatus, bool]:
        report = fetch(sources_in(self.folder, self.configuration, clock)[self.name])
        return report.status, report.exists

    def badge(self) -> str:
        file = self.folder / "sources.toml"
        file.write_text(self.configuration)
        with running_service(self.folder / "data", BADGE_SOURCES=str(file), BADGE_WORKERS="1") as service:
            return service.get("/badge/acme/web.txt").text


ZONE = "America/New_York"
CONFIGURED = """
[[source]]
name = "{name}"
preset = "{name}"
folder = "{folder}"
match = {{ platform = "GitHub", type = "Repository" }}
stale_after = "26h"
times.timezone = "{zone}"
"""


def restic(folder: Path) -> Repository:
    def back_up(moment: datetime) -> Sequence[str]:
        local = moment.astimezone(ZoneInfo(ZONE)).strftime("%Y-%m-%d %H:%M:%S")
        return ["restic", "backup", "--time", local, __file__]

    environment = {
        "RESTIC_REPOSITORY": str(folder / "repository"),
        "RESTIC_PASSWORD": "x",
        "RESTIC_CACHE_DIR": str(folder / "cache"),
        "TZ": ZONE,
    }
    return Repository("restic", folder, environment, ["restic", "init"], back_up)


def borg(folder: Path) -> Repository:
    def back_up(moment: datetime) -> Sequence[str]:
        utc = moment.strftime("%Y-%m-%dT%H:%M:%S")
        return ["borg", "create", "--timestamp", utc, f"::{moment:%s}", __file__]

    environment = {
        "BORG_REPO": str(folder / "repository"),
        "BORG_BASE_DIR": str(folder / "base"),
        "BORG_PASSPHRASE": "x",
        "TZ": ZONE,
    }
    return Repository("borg", folder, environment, ["borg", "init", "--encryption", "repokey"], back_up)


@pytest.fixture(params=[restic, borg], ids=["restic", "borg"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    made: Repository = request.param(tmp_path)
    needs(made.name, is_there=shutil.which(made.name) is not None)
    return made


@pytest.mark.slow
def test_a_file_can_say_how_the_latest_check_ended(repository: Repository) -> None:
    repository.run(repository.init)
    repository.run(repository.back_up(utc_now()))
    repository.statuses.mkdir()
    script, line = (
        each.replace("/var/lib/badge", str(repository.statuses)) for each in verifying_lines(repository.name)
    )
    together = {**os.environ, **repository.environment}
    found = {}
    for outcome in ("passed", "failed"):
        for commands in (script, line):
            subprocess.run(["sh", "-c", commands], env=together, check=False, capture_output=True, timeout=60)
        report = fetch(sources_in(repository.folder, repository.configuration, utc_now)[repository.name])
        found[outcome] = (report.status, report.verification and report.verification.outcome)
        assert report.verification is not None
        assert report.verification.how is VerificationMethod.CHECKED
        packs = [path for path in (repository.folder / "repository" / "data").rglob("*") if path.is_file()]
        damaged = max(packs, key=lambda pack: pack.stat().st_size)
        damaged.chmod(0o600)
        damaged.write_bytes(damaged.read_bytes()[:200])
    assert found == {outcome: (SUCCEEDED, outcome) for outcome in found}


def test_the_badge_follows_a_repository_from_empty_to_outdated(repository: Repository) -> None:
    repository.cron()
    assert repository.status() == (BackupStatus.UNKNOWN, False)

    repository.run(repository.init)
    repository.cron()
    assert repository.status() == (UNKNOWN, True)

    repository.run(repository.back_up(utc_now() - timedelta(days=3)))
    repository.cron()
    assert repository.status() == (BackupStatus.FAILED, True)
    assert repository.badge() == "failed\n"

    repository.run(repository.back_up(utc_now()))
    repository.cron()
    assert repository.status() == (BackupStatus.SUCCEEDED, True)
    assert repository.badge() == "succeeded\n"

    # A failed listing leaves the previous file in place.
    repository.cron(RESTIC_PASSWORD="wrong", BORG_PASSPHRASE="wrong")
    assert repository.status() == (BackupStatus.SUCCEEDED, True)

    assert repository.status(lambda: utc_now() + timedelta(hours=25)) == (BackupStatus.SUCCEEDED, True)
    assert repository.status(lambda: utc_now() + timedelta(hours=27)) == (BackupStatus.FAILED, True)
