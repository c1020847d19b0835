"""Two instances of the whole service on one PostgreSQL and one Valkey, as in a deployment on several machines."""

from __future__ import annotations

import json
from pathlib import Path

from tests.postgres import running_postgres
from tests.servers import Service, eventually, flask_badge, running_service, running_valkey


def shows(service: Service, status: str) -> bool:
    """Whether the badge shows this status within a second."""
    return eventually(lambda: service.get("/badge/acme/web.txt").text == f"{status}\n", 1.0)


def test_a_ping_to_one_instance_shows_on_the_other_s_badge_at_once(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    with running_postgres() as postgres, running_valkey(tmp_path / "valkey") as valkey:
        shared = {"BADGE_CATALOGUE_URL": postgres.new_database(), "BADGE_REDIS_URL": valkey.url}
        # Both create the schema at the same time.
        with (
            running_service(tmp_path / "one", **shared) as one,
            running_service(tmp_path / "other", **shared) as other,
        ):
            made = flask_badge("check", "create", "acme/web", "--every", "24h", "--json", **shared)
            path = json.loads(made.stdout)["pingUrl"].partition("/ping/")[2]
            for signal, shown in (("/start", "inProgress"), ("/1", "failed"), ("", "succeeded")):
                assert one.get(f"/ping/{path}{signal}").text == "OK"
                assert shows(other, shown)
            doctor = flask_badge("check-config", **shared, BADGE_DATA_DIR=str(tmp_path / "one")).stdout
            assert "ok   catalogue postgresql+psycopg://<secret>@/test_1 can be read" in doctor

            postgres.stop()
            # Either instance shows the cached status; a ping is refused and has to be sent again.
            assert shows(other, "succeeded")
            refused = one.get(f"/ping/{path}/fail")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            postgres.restart()
            assert one.get(f"/ping/{path}/fail").text == "OK"
            assert shows(other, "failed")
