"""Old and new versions of the service can share a cache."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from badge.cache.envelope import seal, unseal
from badge.model import BackupStatus, CacheEntry, Outcomes, Report, Verification, VerificationOutcome
from tests.doubles import START

KEY = ("catalogue", "github", "acme", "repository", "web")
VERIFICATION = Verification(VerificationOutcome.PASSED, START - timedelta(days=3))


def sealed(verification: Verification | None, outcomes: Outcomes | None = None) -> bytes:
    report = Report(
        status=BackupStatus.SUCCEEDED,
        observed_at=START,
        outcomes=outcomes,
        verification=verification,
        revision=7,
        validator='"7"',
    )
    return seal(KEY, CacheEntry(report=report, fetched_at=START, confirmed_at=START, fresh_until=START))


def read(raw: bytes) -> Report:
    report = unseal(KEY, raw, START, timedelta(0)).report
    assert report is not None
    return report


def test_verification_and_outcomes_are_the_only_additions_to_what_older_versions_read() -> None:
    with_it = json.loads(sealed(VERIFICATION, Outcomes.parse("ssf")))
    without = json.loads(sealed(None))
    assert with_it["r"].pop("ver") == ["passed", 1795176000000000, None]
    assert without["r"].pop("ver") is None
    assert (with_it["r"].pop("hi"), without["r"].pop("hi")) == ("ssf", None)
    assert with_it == without
    assert with_it["v"] == 3


@pytest.mark.parametrize("missing", ["ver", "hi"])
def test_an_entry_of_a_version_without_these_is_fetched_anew_rather_than_confirmed(missing: str) -> None:
    older = json.loads(sealed(None))
    del older["r"][missing]
    report = read(json.dumps(older).encode())
    assert (report.status, report.revision, report.verification) == (BackupStatus.SUCCEEDED, 7, None)
    assert report.outcomes is None
    assert report.validator is None
    assert read(sealed(None)).validator == '"7"'
