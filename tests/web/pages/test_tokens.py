"""The dialog of a private repository: tokens are created, shown once, listed and revoked, only by its own forms."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from werkzeug.test import TestResponse

from badge.catalogue.schema import private_tokens
from badge.model import Subject, Visibility
from badge.subject_pattern import PathPattern, Selection
from badge.web.pages.tokens import MOST_SHOWN
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.web.login.test_access import BY_TOKEN, log_in
from tests.web.pages.test_pages import one, text

SECRET = Subject.legacy("acme", "Secret [x]")
PAGE = f"/dashboard/{SECRET.path}"


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    dashboard = dashboards(**BY_TOKEN)
    dashboard.report(SECRET, visibility=Visibility.PRIVATE)
    log_in(dashboard)
    return dashboard


def submit(dashboard: Dashboard, page: str = PAGE, **fields: str) -> TestResponse:
    csrf_token = str(one(dashboard.soup(f"{PAGE}?dialog=open"), ".tokens input[name=csrf_token]")["value"])
    return dashboard.client.post(page, data={"csrf_token": csrf_token, **fields})


def address_in(page: BeautifulSoup) -> str:
    return text(page, "#snippet-url")


def shown_to_readers(dashboard: Dashboard, query: str) -> int:
    return dashboard.get(f"/badge/{SECRET.path}.txt?{query}").status_code


def test_a_token_is_created_shown_once_and_revoked(dashboard: Dashboard) -> None:
    before = dashboard.soup(f"{PAGE}?dialog=open")
    assert "token=" not in address_in(before)
    name = str(one(before, "#token-name")["value"])
    page = BeautifulSoup(submit(dashboard, name=name).data, "html.parser")
    query = urlsplit(address_in(page)).query
    token = parse_qs(query)["token"][0]
    assert token.startswith("bst_")
    assert dashboard.parts.catalogue is not None
    assert dashboard.parts.catalogue.token_uses.wait(30)
    assert dashboard.parts.catalogue.tokens.list()[0].last_used_on is None
    assert "; never used" in text(page, ".tokens li")
    assert f"Created the token “{name}”" in page.get_text()
    assert shown_to_readers(dashboard, query) == 200
    # Other choices keep the token; a page that is opened without it does not show it again.
    restyled = dashboard.soup(f"{PAGE}?dialog=open&style=plastic&token={token}")
    assert parse_qs(urlsplit(address_in(restyled)).query) == {"token": [token], "style": ["plastic"]}
    assert dashboard.parts.catalogue.token_uses.wait(30)
    later = dashboard.soup(f"{PAGE}?dialog=open")
    assert token not in str(later)
    assert name in one(later, ".tokens ul").get_text()
    assert f"; last used {START:%Y-%m-%d}" in text(later, ".tokens li")
    assert submit(dashboard, revoke=name).status_code == 303
    assert shown_to_readers(dashboard, query) == 404
    assert not dashboard.soup(f"{PAGE}?dialog=open").select(".tokens ul")


def test_a_name_in_use_is_reported_beside_its_field(dashboard: Dashboard) -> None:
    submit(dashboard, name="readme")
    again = BeautifulSoup(submit(dashboard, name="readme").data, "html.parser")
    assert "There is a token called readme" in text(again, "#token-fault")
    assert "token=" not in address_in(again)


def test_a_token_of_another_subject_is_neither_listed_nor_revoked(dashboard: Dashboard) -> None:
    assert dashboard.parts.catalogue is not None
    tokens = dashboard.parts.catalogue.tokens
    tokens.create("others", Selection([PathPattern.parse("other/*")]))
    assert "others" not in dashboard.get(f"{PAGE}?dialog=open").text
    submit(dashboard, revoke="others")
    assert [one.name for one in tokens.list()] == ["others"]


def test_the_newest_tokens_are_listed_and_the_others_counted(dashboard: Dashboard) -> None:
    assert dashboard.parts.catalogue is not None
    names = [f"token-{number}" for number in range(MOST_SHOWN + 2)][::-1]
    for name in names:
        dashboard.parts.catalogue.tokens.create(name, Selection([PathPattern.only(SECRET)]))
        dashboard.clock.advance(seconds=1)
    page = dashboard.soup(f"{PAGE}?dialog=open")
    shown = [button["value"] for button in page.select(".tokens button[name=revoke]")]
    assert shown == names[::-1][:MOST_SHOWN]
    assert "2 older tokens: badge token list on the server shows all." in text(page, ".tokens")


def test_a_forged_form_changes_nothing(dashboard: Dashboard) -> None:
    assert dashboard.parts.catalogue is not None
    assert dashboard.client.post(PAGE, data={"name": "forged"}).status_code == 400
    assert submit(dashboard, csrf_token="forged", name="forged").status_code == 400
    assert dashboard.parts.catalogue.tokens.list() == []


def test_viewers_who_may_not_see_private_subjects_can_change_nothing(dashboards: Dashboards) -> None:
    anonymous = dashboards(**BY_TOKEN)
    anonymous.report(SECRET, visibility=Visibility.PRIVATE)
    assert anonymous.client.post(PAGE, data={"name": "forged"}).status_code == 303
    assert anonymous.parts.catalogue is not None
    assert anonymous.parts.catalogue.tokens.list() == []


def test_an_open_dashboard_offers_no_tokens(dashboards: Dashboards) -> None:
    everyone = dashboards(BADGE_DASHBOARD="open")
    everyone.report(SECRET, visibility=Visibility.PRIVATE)
    assert everyone.client.post(PAGE, data={"name": "forged"}).status_code == 403
    assert "token-name" not in everyone.get(f"{PAGE}?dialog=open").text


def test_a_failing_database_is_reported_and_the_page_still_works(dashboard: Dashboard) -> None:
    csrf_token = str(one(dashboard.soup(f"{PAGE}?dialog=open"), ".tokens input[name=csrf_token]")["value"])
    assert dashboard.parts.database is not None
    with dashboard.parts.database.get().writing() as connection:
        private_tokens.drop(connection)
    assert "token-name" not in dashboard.get(f"{PAGE}?dialog=open").text
    assert dashboard.client.post(PAGE, data={"csrf_token": csrf_token, "name": "readme"}).status_code == 503
    labels = {"operation": "tokens", "error": "SQLITE_ERROR"}
    failures = dashboard.parts.events.metrics.registry.get_sample_value("badge_catalogue_failures_total", labels)
    assert failures == 2
