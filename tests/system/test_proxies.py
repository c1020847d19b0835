"""Varnish and Squid in front of the real service: they cache what they may, and serve programs nothing stale."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import requests

from badge.model import Subject
from badge.web.badges.private_tokens import PrivateTokens
from tests.proxies.running import running_squid, running_varnish
from tests.servers import PROJECT, Service, eventually, free_port, needs, running_program, running_service

PROXIES = ("varnish", "squid")
FOR_PROGRAMS = (".json", ".txt", ".json?expect=succeeded&max_age=1h", "?strict=1", "?format=shields")
SIGNING_KEY = "k" * 32
TOKEN = PrivateTokens(lambda: SIGNING_KEY).of(Subject.legacy("acme", "secret"))


@dataclass
class Site:
    """A service and the proxies in front of it."""

    service: Service
    urls: dict[str, str]

    def get(self, proxy: str, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.urls[proxy]}/badge/{path}", headers=headers, timeout=10)

    def passed_on(self) -> float:
        """Return how many requests for badges have reached the service so far."""
        return self.service.counted("badge_requests_total")

    def ping_path(self, name: str, visibility: str) -> str:
        """Create a check; return the path to ping."""
        expected = ("--every", "24h", "--visibility", visibility, "--json")
        made = self.service.flask_badge("check", "create", f"acme/{name}", *expected)
        return "/ping/" + str(json.loads(made)["pingUrl"]).partition("/ping/")[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with running_service(folder / "service", BADGE_FRESH_FINISHED="1s", BADGE_SECRET_KEY=SIGNING_KEY) as service:
        port = int(service.url.rpartition(":")[2])
        service.flask_badge("report", "acme/web", "succeeded")
        service.flask_badge("report", "acme/secret", "failed", "--visibility", "private")
        with running_varnish(folder, port) as varnish, running_squid(folder, port) as squid:
            yield Site(service, {"varnish": varnish, "squid": squid})


@pytest.mark.parametrize("form", ["?v={}", "?format=shields&v={}"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_answers_are_cached_and_validated(site: Site, proxy: str, form: str) -> None:
    path = "acme/none" + form.format(proxy)  # "no such subject" is cached for a minute
    first, passed_on = site.get(proxy, path), site.passed_on()
    assert site.get(proxy, path).content == first.content
    again = site.get(proxy, path, **{"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert site.get(proxy, path, **{"If-None-Match": '"other"'}).content == first.content
    assert site.passed_on() == passed_on


@pytest.mark.parametrize("proxy", PROXIES)
def test_private_answers_are_never_cached(site: Site, proxy: str) -> None:
    for form in ("?", ".json?", ".json?expect=succeeded&", "?strict=1&", "?format=shields&"):
        passed_on, private = site.passed_on(), f"acme/secret{form}token={TOKEN}"
        answers = [site.get(proxy, private) for _ in range(3)]
        assert all("failed" in answer.text for answer in answers)
        if answers[0].status_code == 200:
            answers.append(site.get(proxy, private, **{"If-None-Match": answers[0].headers["ETag"]}))
            assert (answers[-1].status_code, answers[-1].content) == (304, b"")
        assert site.passed_on() == passed_on + len(answers)
        assert "failed" not in site.get(proxy, f"acme/secret{form}").text


@pytest.mark.parametrize("proxy", PROXIES)
def test_an_expired_answer_is_fetched_again(site: Site, proxy: str) -> None:
    path = f"acme/web.txt?v={proxy}"
    first, passed_on = site.get(proxy, path), site.passed_on()
    time.sleep(2.1)  # noqa: TID251 - until it has expired; proxies count in whole seconds
    again = site.get(proxy, path)
    assert again.text == first.text == "succeeded\n"
    assert again.headers["Date"] != first.headers["Date"]
    assert site.passed_on() == passed_on + 1


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prometheus' blackbox exporter; yields its URL."""
    program = "prometheus-blackbox-exporter"
    needs(program, is_there=shutil.which(program) is not None)
    (configuration := tmp_path_factory.mktemp("exporter") / "blackbox.yml").write_text(
        "modules: {http_2xx: {prober: http}}"
    )
    url = f"http://127.0.0.1:{free_port()}"
    options = [f"--config.file={configuration}", f"--web.listen-address={url.removeprefix('http://')}"]
    with running_program(program, *options, ready=f"{url}/-/healthy"):
        yield url


@pytest.mark.slow
def test_the_blackbox_exporter_alerts_unless_the_last_finished_backup_succeeded(site: Site, exporter: str) -> None:
    page = (PROJECT / "docs" / "how-to" / "monitors.md").read_text()
    (documented,) = re.findall(r"targets: \['https://badges\.example\.org(.*)'\]", page)

    def probe(address: str, path: str) -> bool:
        given = {"target": address + path, "module": "http_2xx"}
        lines = requests.get(f"{exporter}/probe", params=given, timeout=10).text.splitlines()
        return "probe_success 1" in lines

    def is_well(name: str, token: str = "") -> bool:
        # A new URL each time, because proxies cache an answer for a second.
        path = documented.replace("acme/web", f"acme/{name}") + f"&v={next(numbers)}{token}"
        (succeeds,) = {probe(address, path) for address in (site.service.url, *site.urls.values())}
        return succeeds

    numbers = itertools.count()
    ping = site.ping_path("monitored", "public")
    assert not is_well("monitored")
    for signal, expected in (("", True), ("/start", True), ("/fail", False), ("/start", False)):
        assert site.service.get(ping + signal).text == "OK"
        assert is_well("monitored") is expected
    token = f"&token={PrivateTokens(lambda: SIGNING_KEY).of(Subject.legacy('acme', 'hidden'))}"
    assert site.service.get(site.ping_path("hidden", "private")).text == "OK"
    assert is_well("hidden", token)
    assert not is_well("hidden")


def test_during_an_outage_programs_get_errors_and_images_are_served_until_they_would_change(site: Site) -> None:
    """Runs last, because it stops the service that this module shares."""
    overdue_at = datetime.now(UTC) + timedelta(seconds=8)
    ended_at = (overdue_at - timedelta(hours=1)).isoformat()
    site.service.flask_badge("report", "acme/nightly", "succeeded", "--finished-at", ended_at)
    programs, image = [f"acme/nightly{form}" for form in FOR_PROGRAMS], "acme/nightly?max_age=1h"
    for proxy in PROXIES:
        assert {site.get(proxy, path).status_code for path in programs} == {200}
        assert "backup: succeeded" in site.get(proxy, image).text
    assert "backup: succeeded" in site.get("squid", "acme/web").text
    site.service.process.terminate()
    site.service.process.wait(15)
    assert "backup: succeeded" in site.get("squid", image).text  # Varnish ignores stale-if-error

    def is_gone(path: str) -> bool:
        return all(site.get(proxy, path).status_code in (502, 503, 504) for proxy in PROXIES)

    assert eventually(lambda: all(map(is_gone, programs)), 2.5)
    assert eventually(lambda: is_gone(image), 10)
    assert datetime.now(UTC) > overdue_at - timedelta(seconds=2)  # rounding to whole seconds
    assert "backup: succeeded" in site.get("squid", "acme/web").text
