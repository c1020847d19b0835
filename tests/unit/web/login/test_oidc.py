"""Which users of a provider are let in."""

from __future__ import annotations

import pytest

from badge.web.login.oidc import Provider

ADA = {"email": "Ada@Example.org", "email_verified": True}


def provider(*allowed: str) -> Provider:
    return Provider("https://id.example.org", "badge", None, allowed)


@pytest.mark.parametrize("allowed", ["ada@example.org", "@example.org", "*"])
def test_a_user_with_an_allowed_address_is_let_in(allowed: str) -> None:
    assert provider(allowed).lets_in(ADA)


@pytest.mark.parametrize("allowed", ["eve@example.org", "@example.com", "@sub.example.org", "example.org"])
def test_others_are_not_let_in(allowed: str) -> None:
    assert not provider(allowed).lets_in(ADA)


@pytest.mark.parametrize("verified", [False, None, "true", 1])
@pytest.mark.parametrize("allowed", ["ada@example.org", "@example.org"])
def test_an_address_counts_only_if_the_provider_has_verified_it(allowed: str, verified: object) -> None:
    assert not provider(allowed).lets_in({**ADA, "email_verified": verified})
    assert not provider(allowed).lets_in({"email": ADA["email"]})


def test_with_an_asterisk_even_a_user_without_an_address_is_let_in() -> None:
    assert provider("*").lets_in({"sub": "ada"})
