"""`badge url`: what its snippets link to."""

from __future__ import annotations

import pytest

from tests.command_line import run_badge

BASE = "https://badges.example.org"
IMAGE = f"![Backup status of acme/web]({BASE}/badge/GitHub/acme/Repository/web)"
STATUS = f"[{IMAGE}]({BASE}/status/GitHub/acme/Repository/web)"
REPOSITORY = f"[{IMAGE}](https://github.com/acme/web)"


@pytest.mark.parametrize(
    ("options", "settings", "written"),
    [
        ([], {}, STATUS),
        (["--link", "repository"], {}, REPOSITORY),
        (["--link", "none"], {}, IMAGE),
        ([], {"BADGE_LINK": "none"}, IMAGE),
        (["--link", "status"], {"BADGE_LINK": "none"}, STATUS),
        ([], {"BADGE_STATUS_PAGES": "off"}, REPOSITORY),
    ],
)
def test_a_snippet_links_to_what_was_chosen(options: list[str], settings: dict[str, str], written: str) -> None:
    result = run_badge("url", "acme/web", "--format", "markdown", *options, BADGE_PUBLIC_URL=BASE, **settings)
    assert (result.exit_code, result.stdout) == (0, f"{written}\n")


def test_a_private_badge_links_to_its_page_with_its_token() -> None:
    result = run_badge(
        "url", "acme/web", "--private", "--format", "markdown", BADGE_PUBLIC_URL=BASE, BADGE_SECRET_KEY="k" * 32
    )
    image, _, page = result.stdout.strip().removesuffix(")").rpartition(")](")
    token = image.partition("?token=")[2]
    assert len(token) == 22
    assert page == f"{BASE}/status/GitHub/acme/Repository/web?token={token}"


def test_a_link_that_leads_nowhere_is_refused() -> None:
    off = run_badge("url", "acme/web", "--link", "status", BADGE_PUBLIC_URL=BASE, BADGE_STATUS_PAGES="off")
    assert (off.exit_code, "because BADGE_STATUS_PAGES is off" in off.output) == (2, True)
    unknown = run_badge("url", "Forgejo/acme/Repository/web", "--link", "repository", BADGE_PUBLIC_URL=BASE)
    assert (unknown.exit_code, "The address of this repository is not known" in unknown.output) == (2, True)


@pytest.mark.parametrize(
    ("pages", "advice"), [("on", "use --link status or --link none."), ("off", "use --link none.")]
)
def test_an_unknown_address_is_answered_with_the_links_that_work(pages: str, advice: str) -> None:
    subject = "Forgejo/acme/Repository/web"
    result = run_badge("url", subject, "--link", "repository", BADGE_PUBLIC_URL=BASE, BADGE_STATUS_PAGES=pages)
    assert result.stderr.endswith(f"The address of this repository is not known; {advice}\n")
