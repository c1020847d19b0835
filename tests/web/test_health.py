"""Health: liveness depends on nothing else; readiness degrades, and becomes a 503 only while draining."""

import threading
from pathlib import Path

import pytest

from badge import __version__
from badge.app import built_around
from tests.dashboard import Dashboards
from tests.site import Site


def test_liveness_does_not_depend_on_anything_else(site: Site) -> None:
    site.says = None
    for path in ("/livez", "/healthz"):
        assert site.get(path).get_json() == {"status": "ok"}


def test_ready_if_everything_is_up(site: Site) -> None:
    assert site.get("/readyz").get_json() == {"status": "ready", "checks": {"cache": "up", "source": "up"}}


def test_with_a_failing_source_a_process_is_degraded_but_takes_traffic(site: Site) -> None:
    site.says = None
    site.get("/badge/acme/web")
    answer = site.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")


@pytest.mark.parametrize(("feed", "names"), [("on", {"watcher"}), ("off", set())])
def test_the_watcher_is_checked_if_anything_depends_on_it(dashboards: Dashboards, feed: str, names: set[str]) -> None:
    checks = dashboards(BADGE_FEED=feed).get("/readyz").json["checks"]  # type: ignore[index] # JSON
    assert checks.keys() == {"cache", "source", "catalogue"} | names


def test_closing_waits_for_a_reading_of_the_lease(dashboards: Dashboards, tmp_path: Path) -> None:
    service = dashboards(BADGE_FEED="on")
    parts, took = service.parts, threading.Event()
    assert parts.database is not None
    database = parts.database.get()

    def read_late() -> None:
        took.wait(0.2)
        database.read_cache_identity()
        took.set()

    assert parts.lease_readings.submit(read_late)
    parts.close()
    assert took.is_set()
    assert not list(tmp_path.glob("*-wal")), "a connection is still open"


def test_a_draining_process_is_not_ready(site: Site) -> None:
    built_around(site.app).readiness.drain()
    answer = site.get("/readyz")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "draining"})
    assert site.get("/livez").status_code == 200


def test_the_version_is_the_package_s(site: Site) -> None:
    assert site.get("/version").get_json()["version"] == __version__


def test_answers_carry_the_request_id_except_cacheable_badges(site: Site) -> None:
    given = {"X-Request-ID": "from-the-proxy-1"}
    assert site.get("/livez", headers=given).headers["X-Request-ID"] == "from-the-proxy-1"
    assert "X-Request-ID" not in site.get("/badge/acme/web", headers=given).headers
    for bad in ("short", "x" * 65, "two words", "new\u00ednline"):
        made = site.get("/livez", headers={"X-Request-ID": bad}).headers["X-Request-ID"]
        assert made != bad
        assert len(made) == 16
