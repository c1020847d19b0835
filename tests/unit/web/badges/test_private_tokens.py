"""Private tokens: one for each subject, derived from the signing key."""

import pytest

from badge.model import Subject
from badge.web.badges.private_tokens import LENGTH, PrivateTokens

WEB = Subject.legacy("acme", "web")
TOKENS = PrivateTokens(lambda: "k" * 32)


def test_a_token_is_valid_for_every_spelling_of_its_subject_and_for_no_other() -> None:
    token = TOKENS.of(WEB)
    assert len(token) == LENGTH
    assert TOKENS.is_good(WEB, token)
    assert TOKENS.is_good(Subject.legacy("ACME", "Web"), token)
    others = ("acme/web2", "acme2/web", "GitLab/acme/Repository/web", "GitHub/acme/Project/web")
    assert not any(TOKENS.is_good(Subject.from_path(path), token) for path in others)


def test_a_new_key_invalidates_all_tokens() -> None:
    assert not PrivateTokens(lambda: "n" * 32).is_good(WEB, TOKENS.of(WEB))


@pytest.mark.parametrize("wrong", ["", "x", TOKENS.of(WEB)[:-1], TOKENS.of(WEB) + "=", "é" * LENGTH, "\ud800" * LENGTH])
def test_any_other_token_is_invalid(wrong: str) -> None:
    assert not TOKENS.is_good(WEB, wrong)
