"""`expect=succeeded`: answers for monitors, as images with strict=1, JSON and text."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from badge.contract import format_time
from badge.model import BackupStatus, Report, Verification, VerificationMethod, VerificationOutcome
from tests.doubles import START
from tests.site import SUCCEEDED, Site

WEB = "/badge/acme/web"
HOURS_AGO = {hours: START - timedelta(hours=hours) for hours in range(48)}

EXPECTED: list[tuple[str, dict[str, Any], str, int]] = [
    ("succeeded", {}, "", 200),
    ("failed", {"status": BackupStatus.FAILED}, "", 503),
    (
        "running, the last one succeeded",
        {"status": BackupStatus.IN_PROGRESS, "last_finished": BackupStatus.SUCCEEDED},
        "",
        200,
    ),
    (
        "running, the last one failed",
        {"status": BackupStatus.IN_PROGRESS, "last_finished": BackupStatus.FAILED},
        "",
        503,
    ),
    ("running for the first time", {"status": BackupStatus.IN_PROGRESS}, "", 503),
    ("queued for the first time", {"status": BackupStatus.SCHEDULED}, "", 503),
    (
        "an outdated success that its source reports as a failure",
        {"status": BackupStatus.FAILED, "last_finished": BackupStatus.SUCCEEDED},
        "",
        503,
    ),
    (
        "an outdated success that its source reports as unknown",
        {"status": BackupStatus.UNKNOWN, "last_finished": BackupStatus.SUCCEEDED},
        "26h",
        503,
    ),
    (
        "an outdated success",
        {"last_finished": BackupStatus.SUCCEEDED, "stale_after": START},
        "",
        503,
    ),
    ("unknown to its source", {"status": BackupStatus.UNKNOWN}, "", 503),
    ("young enough", {"last_success_at": HOURS_AGO[25]}, "26h", 200),
    ("too old", {"last_success_at": HOURS_AGO[26]}, "26h", 503),
    ("judged by its end if there is no success time", {"finished_at": HOURS_AGO[3]}, "4h", 200),
    ("without any time", {}, "26h", 503),
    ("an invalid limit", {"last_success_at": HOURS_AGO[40]}, "soon", 200),
    ("a limit over ten years", {}, "9999999d", 200),
    ("a limit under an hour", {"last_success_at": HOURS_AGO[40]}, "5m", 200),
    ("a success slightly ahead of now", {"last_success_at": START + timedelta(minutes=5)}, "26h", 200),
    ("a success too far in the future", {"last_success_at": START + timedelta(minutes=6)}, "", 503),
    ("an end too far in the future", {"finished_at": START + timedelta(minutes=6)}, "", 503),
    ("deleted", {"status": BackupStatus.DELETED}, "", 410),
    ("a failed verification", {"verification": Verification(VerificationOutcome.FAILED)}, "", 503),
    ("a passed one", {"verification": Verification(VerificationOutcome.PASSED, HOURS_AGO[2])}, "", 200),
]


@pytest.mark.parametrize(("_", "changes", "max_age", "code"), EXPECTED, ids=[case[0] for case in EXPECTED])
def test_a_monitor_gets_200_only_for_a_success(
    site: Site, _: str, changes: dict[str, Any], max_age: str, code: int
) -> None:
    site.says = replace(SUCCEEDED, **changes)
    query = f"expect=succeeded&max_age={max_age}"
    for path in (f"{WEB}?strict=1&{query}", f"{WEB}.json?{query}", f"{WEB}.txt?{query}"):
        assert site.get(path).status_code == code


VERIFIED = [
    ("never", None, 503),
    ("recently", Verification(VerificationOutcome.PASSED, HOURS_AGO[23]), 200),
    ("too long ago", Verification(VerificationOutcome.PASSED, HOURS_AGO[24]), 503),
    ("at an unknown time", Verification(VerificationOutcome.PASSED), 503),
    ("too far in the future", Verification(VerificationOutcome.PASSED, START + timedelta(minutes=6)), 503),
    ("without success", Verification(VerificationOutcome.FAILED, HOURS_AGO[1]), 503),
]


@pytest.mark.parametrize(("_", "verification", "code"), VERIFIED, ids=[case[0] for case in VERIFIED])
def test_a_monitor_can_require_a_recent_verification(
    site: Site, _: str, verification: Verification | None, code: int
) -> None:
    site.says = replace(SUCCEEDED, verification=verification)
    answer = site.get(f"{WEB}.json?expect=succeeded&verified_within=24h")
    assert answer.status_code == code
    assert json.loads(answer.data)["verification"] == (verification and verification.outcome)


def test_the_answer_expires_when_the_verification_becomes_too_old(site: Site) -> None:
    at = HOURS_AGO[24] + timedelta(seconds=40)
    site.says = replace(SUCCEEDED, verification=Verification(VerificationOutcome.PASSED, at))
    answer = site.get(f"{WEB}.json?expect=succeeded&verified_within=24h")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=40, must-revalidate")
    image = site.get(f"{WEB}?verified_within=24h").headers["Cache-Control"]
    assert image == "public, max-age=40, stale-while-revalidate=0, stale-if-error=0"


def test_the_json_gives_the_verification_in_three_fields(site: Site) -> None:
    known = Verification(VerificationOutcome.FAILED, HOURS_AGO[1], VerificationMethod.RESTORED)
    site.says = replace(SUCCEEDED, verification=known)
    found = json.loads(site.get(f"{WEB}.json").data)
    shown = {name: found[name] for name in ("status", "message", "verification", "verifiedAt", "verifiedHow")}
    assert shown == {
        "status": "succeeded",
        "message": "succeeded",
        "verification": "failed",
        "verifiedAt": format_time(HOURS_AGO[1]),
        "verifiedHow": "restored",
    }
    assert json.loads(site.get(f"{WEB}.json?show=verified").data)["message"] == "verification failed"


def test_an_image_for_readers_stays_200(site: Site) -> None:
    site.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    assert site.get(f"{WEB}?expect=succeeded").status_code == 200


def test_the_json_says_what_is_wrong(site: Site) -> None:
    site.says = replace(
        SUCCEEDED, status=BackupStatus.IN_PROGRESS, last_finished=BackupStatus.FAILED, last_success_at=START
    )
    document = site.get(f"{WEB}.json?expect=succeeded").get_json()
    assert document["code"] == "NOT_SUCCEEDED"
    assert (document["backupStatus"], document["lastFinished"]) == ("inProgress", "failed")
    assert document["lastSuccessAt"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(("says", "code"), [(Report.absent(START), 404), (None, 503)])
def test_an_unknown_status_is_not_a_success(site: Site, says: Report | None, code: int) -> None:
    site.says = says
    assert site.get(f"{WEB}.json?expect=succeeded").status_code == code


def test_the_answer_expires_when_the_success_becomes_too_old(site: Site) -> None:
    site.says = replace(SUCCEEDED, last_success_at=START - timedelta(hours=25, minutes=59, seconds=20))
    answer = site.get(f"{WEB}.json?expect=succeeded&max_age=26h")
    assert "max-age=40," in answer.headers["Cache-Control"]
    site.clock.advance(seconds=40)
    assert site.get(f"{WEB}.json?expect=succeeded&max_age=26h").status_code == 503


def test_a_stale_success_counts_until_it_is_too_old(site: Site) -> None:
    site.says = replace(SUCCEEDED, last_success_at=START)
    site.get(WEB)
    site.says = None
    site.clock.advance(hours=5)
    assert site.get(f"{WEB}.json?expect=succeeded&max_age=6h").status_code == 200
    assert site.get(f"{WEB}.json?expect=succeeded&max_age=5h").status_code == 503
