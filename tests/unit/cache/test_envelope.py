"""Old and new versions of the service can share a cache."""

from __future__ import annotations

import json
from datetime import timedelta

from badge.cache.envelope import seal, unseal
from badge.model import BackupStatus, CacheEntry, Report, Verification, VerificationOutcome
from tests.doubles import START

KEY = ("catalogue", "github", "acme", "repository", "web")
VERIFICATION = Verification(VerificationOutcome.PASSED, START - timedelta(days=3))


def sealed(verification: Verification | None) -> bytes:
    report = Report(
        status=BackupStatus.SUCCEEDED, observed_at=START, verification=verification, revision=7, validator='"7"'
    )
    return seal(KEY, CacheEntry(report=report, fetched_at=START, confirmed_at=START, fresh_until=START))


def read(raw: bytes) -> Report:
    report = unseal(KEY, raw, START, timedelta(0)).report
    assert report is not None
    return report


def test_the_verification_is_the_only_addition_to_what_older_versions_read() -> None:
    with_it, without = (json.loads(sealed(verification)) for verification in (VERIFICATION, None))
    assert with_it["r"].pop("ver") == ["passed", 1795176000000000, None]
    assert without["r"].pop("ver") is None
    assert with_it == without
    assert with_it["v"] == 3


def test_an_entry_of_a_version_without_verifications_is_fetched_anew_rather_than_confirmed() -> None:
    older = json.loads(sealed(None))
    del older["r"]["ver"]
    report = read(json.dumps(older).encode())
    assert (report.status, report.revision, report.verification) == (BackupStatus.SUCCEEDED, 7, None)
    assert report.validator is None
    assert read(sealed(None)).validator == '"7"'
