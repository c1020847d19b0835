"""Every page is valid HTML for any name (html-validate), and the first page of a long list is quick."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from badge.catalogue.schema import subjects
from badge.model import BackupStatus, Subject, Visibility
from badge.subject_pattern import PathPattern, Selection
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.parsers.node import node
from tests.store import index_all
from tests.web.login.test_access import BY_TOKEN, OIDC, log_in
from tests.web.test_snippets import SUBJECTS

MANY = 10_000
FIRST_PAGE_SECONDS = 0.2


def test_every_page_is_valid_html(dashboards: Dashboards, tmp_path: Path) -> None:
    paths = ["/", "/?subject=acme/web&max_age=x", "/?subject=x", "/badges", "/docs", "/dashboard", "/dashboard/a"]
    paths += ["/dashboard?subject=x", "/doctor", "/doctor?subject=acme/web&camo=x"]
    local = dashboards(tmp_path / "local")
    pages = [(path, local.get(path).text) for path in paths]
    for subject in SUBJECTS:
        local.report(subject)
    filled = ["/dashboard", "/dashboard?sort=worst&q=a&status=succeeded", "/dashboard?q=%3Cscript%3E"]
    filled += [f"/dashboard/{subject.path}?dialog=open" for subject in SUBJECTS]
    pages += [(path, local.get(path).text) for path in filled]
    by_token, by_provider = dashboards(tmp_path / "token", **BY_TOKEN), dashboards(tmp_path / "oidc", **OIDC)
    pages += [("token", by_token.get("/login").text), ("oidc", by_provider.get("/login").text)]
    log_in(by_token)
    by_token.report(SUBJECTS[0], visibility=Visibility.PRIVATE)
    assert by_token.parts.catalogue is not None
    by_token.parts.catalogue.tokens.create("readme", Selection([PathPattern.only(SUBJECTS[0])]))
    private = f"/dashboard/{SUBJECTS[0].path}?dialog=open"
    pages += [(path, by_token.get(path).text) for path in ("/dashboard", private)]
    faults = node("validate.mjs", [text for _, text in pages])
    assert [(path, found) for (path, _), found in zip(pages, faults, strict=True) if found] == []


def test_the_validator_detects_an_error() -> None:
    (found,) = node("validate.mjs", ["<!doctype html><html lang='en'><body><p><div></p><img src='x'></body></html>"])
    assert found


@pytest.fixture
def full(dashboards: Dashboards) -> Dashboard:
    dashboard = dashboards()
    assert dashboard.parts.catalogue is not None
    rows = [row(number) for number in range(MANY)]
    with dashboard.parts.catalogue.store.database.writing() as connection:
        connection.execute(insert(subjects), rows)
        index_all(connection)
    return dashboard


def row(number: int) -> dict[str, object]:
    subject = Subject.legacy(f"account-{number % 97}", f"repository-{number:05}")
    platform_key, account_key, type_key, name_key = subject.key(fold_case=True)
    status = BackupStatus.FAILED if number % 10 == 0 else BackupStatus.SUCCEEDED
    return {
        "platform_key": platform_key,
        "account_key": account_key,
        "type_key": type_key,
        "name_key": name_key,
        "platform": subject.platform,
        "account": subject.account,
        "type": subject.type,
        "name": subject.name,
        "status": status.value,
        "last_finished": status.value,
        "visibility": "public",
        "revision": 1,
        "updated_at": START - timedelta(seconds=number),
    }


@pytest.mark.alone
@pytest.mark.parametrize(
    "path",
    [
        "/dashboard",
        "/dashboard?sort=worst",
        "/dashboard?sort=latest",
        "/dashboard?q=repository-09+account",
        "/dashboard?status=failed&sort=worst",
    ],
)
def test_the_first_page_of_ten_thousand_is_quick(full: Dashboard, path: str) -> None:
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        answer = full.get(path)
        taken.append(time.perf_counter() - began)
    assert answer.text.count("<li class=") == 50
    # The best of several, because other processes use the CPU too.
    assert min(taken) < FIRST_PAGE_SECONDS
