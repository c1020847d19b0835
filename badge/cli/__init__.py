"""`flask badge …`: reporting backups, handing out keys, looking into the service."""

from __future__ import annotations

from badge.cli.check import check
from badge.cli.command import BadgeGroup, examples
from badge.cli.demo import demo
from badge.cli.doctor import doctor, settings
from badge.cli.draw import draw, url
from badge.cli.explain import explain
from badge.cli.forget import forget
from badge.cli.key import key
from badge.cli.report import report
from badge.cli.sources import sources
from badge.cli.status import status

badge = BadgeGroup(
    "badge",
    help="Report backups, expect them in time, hand out API keys, and look into the Backup Status Badge service.",
    epilog=examples(
        "flask badge report GitHub/acme/Repository/web succeeded",
        "flask badge check create acme/web --every 24h --grace 2h",
        "flask badge explain acme/web",
        "flask badge doctor",
    )
    + "\n\nExit codes: 0 done, 1 it could not be done, 2 the call or the settings are wrong.",
    commands=[report, forget, check, status, explain, url, draw, key, settings, sources, doctor, demo],
)
