"""Private tokens: derived from the signing key, or stored."""

from dataclasses import dataclass

import pytest

from badge.deadline import Deadline
from badge.events import FailureKind
from badge.model import Subject, SubjectScope
from badge.ports import SourceUnavailable
from badge.web.badges.bounded_reads import MOST_READS, READ_SECONDS
from badge.web.badges.private_tokens import LENGTH, PrivateTokens
from badge.web.signing_key import NoSigningKey

WEB = Subject.legacy("acme", "web")
ACME = SubjectScope("GitHub", "acme")
TOKENS = PrivateTokens(lambda: "k" * 32)
STORED = "bst_stored"


def opens(subject: Subject, token: str, tokens: PrivateTokens = TOKENS, seconds: float = 1.8) -> bool | None:
    return tokens.opens(subject, token, Deadline.after(seconds))


@dataclass
class Store:
    """A store with one token, which fails on demand and counts its look-ups."""

    is_lost: bool = False
    looked_up: int = 0

    def opens(self, subject: Subject, plain: str) -> bool:
        self.looked_up += 1
        if self.is_lost:
            raise SourceUnavailable(FailureKind.DATABASE)
        return (subject, plain) == (WEB, STORED)

    def opens_summary(self, scope: SubjectScope | None, name: str | None, plain: str) -> bool:
        return (scope, name, plain) == (ACME, None, STORED)


def test_a_token_is_valid_for_every_spelling_of_its_subject_and_for_no_other() -> None:
    token = TOKENS.of(WEB)
    assert len(token) == LENGTH
    assert opens(WEB, token)
    assert opens(Subject.legacy("ACME", "Web"), token)
    others = ("acme/web2", "acme2/web", "GitLab/acme/Repository/web", "GitHub/acme/Project/web")
    assert not any(opens(Subject.from_path(path), token) for path in others)


def test_a_new_key_invalidates_all_tokens() -> None:
    assert not opens(WEB, TOKENS.of(WEB), PrivateTokens(lambda: "n" * 32))


@pytest.mark.parametrize("wrong", ["", "x", TOKENS.of(WEB)[:-1], TOKENS.of(WEB) + "=", "é" * LENGTH, "\ud800" * LENGTH])
def test_any_other_token_is_invalid(wrong: str) -> None:
    assert not opens(WEB, wrong)


def test_a_stored_token_is_valid_and_a_derived_one_still_is() -> None:
    store = Store()
    tokens = PrivateTokens(lambda: "k" * 32, store)
    assert opens(WEB, STORED, tokens)
    assert opens(Subject.legacy("acme", "api"), STORED, tokens) is False
    assert opens(WEB, TOKENS.of(WEB), tokens)
    assert opens(WEB, "", tokens) is False
    assert store.looked_up == 2


def test_without_a_signing_key_stored_tokens_are_valid_and_derived_ones_undecided() -> None:
    def no_key() -> str:
        raise NoSigningKey

    tokens = PrivateTokens(no_key, Store())
    assert opens(WEB, STORED, tokens)
    assert opens(WEB, "bst_other", tokens) is False
    assert opens(WEB, TOKENS.of(WEB), tokens) is None


def test_a_store_that_does_not_answer_in_time_leaves_a_token_undecided() -> None:
    store = Store(is_lost=True)
    tokens = PrivateTokens(lambda: "k" * 32, store)
    assert opens(WEB, STORED, tokens) is None
    assert opens(WEB, TOKENS.of(WEB), tokens)
    assert opens(WEB, STORED, tokens, seconds=READ_SECONDS / 2) is None
    for _ in range(MOST_READS):
        tokens._lookups._free.acquire()
    assert opens(WEB, STORED, tokens) is None
    assert store.looked_up == 1
