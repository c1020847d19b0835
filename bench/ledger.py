"""The statuses that a service has acknowledged, for comparison with those that its badges show."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import requests

STATUSES = ("succeeded", "failed")
SECONDS = 20.0


@dataclass
class Ledger:
    """The reports to one deployment, sent one after the other by a single sender."""

    key: str
    subjects: list[str]
    urls: list[str]
    """URLs of its instances; each report goes to a random one."""
    possible: dict[str, set[str]] = field(default_factory=dict)
    """What each badge may show: the last acknowledged status, and those sent since without an acknowledgement."""
    acknowledged: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)

    def report(self, subject: str) -> bool:
        """Report a status that differs from the last one; returns whether it was acknowledged."""
        before = self.possible.get(subject, set())
        status = random.choice([one for one in STATUSES if one not in before] or STATUSES)
        names = dict(zip(("platform", "account", "subjectType", "subjectName"), subject.split("/"), strict=True))
        try:
            answer = requests.post(
                f"{random.choice(self.urls)}/ops/status/report",
                json={**names, "status": status},
                headers={"X-API-Key": self.key},
                timeout=SECONDS,
            )
            is_acknowledged = answer.status_code == 200
        except requests.RequestException:
            is_acknowledged = False
        if is_acknowledged:
            self.acknowledged += 1
            self.possible[subject] = {status}
        else:
            self.refused += 1
            self.possible[subject] = before | {status}
        return is_acknowledged

    def check(self, subject: str, when: str) -> None:
        """Compare the subject's badge on every instance with the ledger."""
        for url in self.urls:
            # The random parameter makes this a new URL, which is not in the edge cache.
            address = f"{url}/badge/{subject}.txt?nonce={random.random()}"
            try:
                shown = requests.get(address, timeout=SECONDS).text.strip()
            except requests.RequestException:
                shown = "nothing"
            possible = self.possible.get(subject, set())
            if shown not in possible:
                self.lost.append(f"{when}: {subject} shows {shown} instead of {' or '.join(possible)}")

    def copy_possible(self) -> dict[str, set[str]]:
        """Return a copy of `possible`: what the badges may show after a backup taken now is restored."""
        return {subject: set(statuses) for subject, statuses in self.possible.items()}
