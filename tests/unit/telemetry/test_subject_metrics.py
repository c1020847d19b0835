"""The metrics of subjects: Prometheus' own parser reads back what was written, whatever the names are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from badge.listing import SubjectFacts
from badge.model import BackupStatus
from badge.telemetry.subject_metrics import SUBJECT_METRICS, exposition
from tests.hostile import MARKUP, PAYLOADS
from tests.servers import PROJECT

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

WEB = SubjectFacts(
    *("GitHub", "acme", "Repository", "web"),
    status="succeeded",
    is_overdue=False,
    last_finished="succeeded",
    succeeded_at=1_795_000_000_250_000,
    took=90_500_000,
    size_bytes=2**40,
    verification="passed",
    verified_how="restored",
    verified_at=1_794_000_000_000_000,
)
BARE = SubjectFacts(*WEB[:4], "unknown", *[None] * 8)
OF_SOURCE = ("backup_source_listed", "backup_subjects_missing")


def samples(
    facts: Iterable[SubjectFacts],
    listed: Mapping[str, bool] = {"catalogue": True},
    number: int = 1,
) -> Samples:
    text = b"".join(exposition([[*facts]], listed, number)).decode()
    read = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found: Samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in read}
    assert len(found) == len(read)
    return found


def test_each_fact_has_a_metric() -> None:
    shared = {"platform": "GitHub", "account": "acme", "type": "Repository", "name": "web"}
    read = samples([WEB])
    found = {name: value for (name, labels), value in read.items() if dict(labels) == shared}
    assert read["backup_last_verification_success", tuple(sorted({**shared, "how": "restored"}.items()))] == 1
    assert found == {
        "backup_overdue": 0,
        "backup_last_finished_success": 1,
        "backup_last_success_timestamp_seconds": 1_795_000_000.25,
        "backup_last_size_bytes": 2**40,
        "backup_last_duration_seconds": 90.5,
        "backup_last_verified_timestamp_seconds": 1_794_000_000,
    }


@pytest.mark.parametrize("status", BackupStatus)
def test_exactly_one_status_of_a_subject_is_1(status: BackupStatus) -> None:
    found = {
        dict(labels)["status"]: value
        for (name, labels), value in samples([WEB._replace(status=status.value)]).items()
        if name == "backup_status"
    }
    assert found == {one.value: float(one is status) for one in BackupStatus}


def test_what_is_not_known_has_no_series() -> None:
    assert {name for name, _ in samples([BARE])} - {*OF_SOURCE} == {"backup_status"}


def test_a_failure_and_an_overdue_backup_are_told_apart() -> None:
    late = WEB._replace(status="failed", is_overdue=True, last_finished="failed")
    values = {(name, dict(labels).get("status")): value for (name, labels), value in samples([late]).items()}
    assert (values["backup_overdue", None], values["backup_last_finished_success", None]) == (1, 0)


def test_a_failed_verification_has_no_time() -> None:
    found = samples([WEB._replace(verification="failed", verified_how=None, verified_at=None)])
    outcomes = {
        dict(labels)["how"]: value for (name, labels), value in found.items() if name.endswith("verification_success")
    }
    assert outcomes == {"": 0}
    assert "backup_last_verified_timestamp_seconds" not in {name for name, _ in found}


def test_of_a_deleted_subject_only_the_status_remains() -> None:
    found = samples([WEB._replace(status="deleted")])
    assert {name for name, _ in found} - {*OF_SOURCE} == {"backup_status"}


def test_sources_that_were_not_listed_and_subjects_beyond_the_limit_are_counted() -> None:
    found = samples([WEB], {"own": True, 'a "b"': False}, number=12)
    assert found["backup_source_listed", (("source", "own"),)] == 1
    assert found["backup_source_listed", (("source", 'a "b"'),)] == 0
    assert found["backup_subjects_missing", ()] == 11


NAMES = st.one_of(
    st.sampled_from([name for name in (*PAYLOADS, *MARKUP) if "\0" not in name]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('"\\n,{}= \n'), min_size=1, max_size=20),
)


@given(parts=st.tuples(NAMES, NAMES, NAMES, NAMES))
def test_hostile_names_are_read_back_as_they_are(parts: tuple[str, str, str, str]) -> None:
    wanted = dict(zip(("platform", "account", "type", "name"), parts, strict=True))
    platform, account, type, name = parts
    for metric, labels in samples([WEB._replace(platform=platform, account=account, type=type, name=name)]):
        if metric not in OF_SOURCE:
            assert {label: value for label, value in labels if label not in ("status", "how")} == wanted


def test_exactly_the_declared_metrics_are_written_and_documented() -> None:
    text = b"".join(exposition([[WEB]], {"catalogue": True}, 1)).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert list(families) == [metric.name for metric in SUBJECT_METRICS]
    page = (PROJECT / "docs" / "reference" / "metrics.md").read_text()
    for metric in SUBJECT_METRICS:
        family = families[metric.name]
        assert (family.type, family.documentation) == ("gauge", metric.help)
        assert all(tuple(sample.labels) == metric.labels for sample in family.samples)
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"  # noqa: RUF001 - a dash for an empty cell
        assert f"| `{metric.name}` | {labels} | {metric.help} |" in page
