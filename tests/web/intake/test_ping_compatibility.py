"""Each row of docs/reference/ping-compatibility.md: what Healthchecks answers to pings, and what this service does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from badge.catalogue.keys import Scope
from badge.model import Subject
from tests.servers import PROJECT
from tests.web.intake.test_ping import NOBODY_S, OTHER_RID, Intake, intake_of

PAGE = PROJECT / "docs" / "reference" / "ping-compatibility.md"
RUN_ID = "123e4567-e89b-12d3-a456-426614174abc"
RUN_IDS = {"A0": f"{RUN_ID.upper()}0", "A": RUN_ID.upper(), "B": OTHER_RID, "a": RUN_ID}
# What Healthchecks calls the statuses of this service.
EQUIVALENT = {"new": "scheduled", "started": "inProgress", "up": "succeeded", "down": "failed"}


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    pings: str
    healthchecks: str
    here: str
    judgement: str

    @property
    def is_equivalent(self) -> bool:
        """Whether both accept the last ping or both refuse it, and then show the same status."""
        code, _, state = self.healthchecks.partition(" ")
        own_code, _, status = self.here.partition(" ")
        return (code < "300") is (own_code < "300") and EQUIVALENT[state] == status


def cases() -> Iterator[Case]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            pings, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            yield Case(pings.strip("`"), *cells)


CASES = list(cases())


@pytest.fixture
def compared(tmp_path: Path) -> Iterator[tuple[Intake, str]]:
    with intake_of(tmp_path) as intake:
        for name in ("one", "two"):
            intake.check(Subject.legacy("acme", name), "twice")
        yield intake, intake.own.keys.create("servers", {Scope.PING})


@pytest.mark.parametrize("case", CASES, ids=[case.pings for case in CASES])
def test_pings_are_answered_as_the_table_says(compared: tuple[Intake, str], case: Case) -> None:
    intake, key = compared
    uuid = intake.uuid
    names = {"uuid": uuid, "UUID": uuid.upper(), "bare": uuid.replace("-", ""), "braces": f"{{{uuid}}}"}
    for ping in case.pings.split(" → "):
        intake.clock.advance(seconds=1)
        method, path, *rest = ping.split(" ", 2)
        path = path.format(**names, other=NOBODY_S, key=key)
        path = re.sub(r"rid=(A0|A|B|a)$", lambda match: f"rid={RUN_IDS[match[1]]}", path)
        data = b"x" * int("".join(filter(str.isdigit, rest[0]))) if rest else None
        answer = intake.client.open(f"/ping/{path}", method=method, data=data)
    assert f"{answer.status_code} {intake.badge}" == case.here


def test_every_difference_is_judged() -> None:
    assert len(CASES) == 96
    words = {"same", "stricter", "more lenient", "different"}
    for case in CASES:
        judgement, _, reason = case.judgement.partition(": ")
        assert judgement in words
        assert case.is_equivalent is (judgement == "same")
        assert judgement == "same" or reason


def test_clients_are_told_how_much_of_a_log_to_send(compared: tuple[Intake, str]) -> None:
    intake, key = compared
    for path in ("", "/start", "/log"):
        assert intake.ping(path).headers["Ping-Body-Limit"] == "10000"
    assert intake.ping("/web", uuid=key).headers["Ping-Body-Limit"] == "10000"
