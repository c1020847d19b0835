"""Messages as JSON and as text."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.model import Reason, Subject, Verification, VerificationMethod, VerificationOutcome, Visibility
from badge.notices import Condition, Message, Notice, NoticeKind, plain_name
from tests.doubles import START

WEB = Subject("GitHub", "acme", "Repository", "web")
FAILED = Notice(
    kind=NoticeKind.FAILED,
    subject=WEB,
    before=Condition.PROTECTED,
    after=Condition.FAILED,
    started_at=START - timedelta(minutes=5),
    finished_at=START,
    last_success_at=START - timedelta(days=1),
    reason=Reason.STORAGE,
    url="https://badges.example.org/status/GitHub/acme/Repository/web",
)

MOMENTS = st.none() | st.datetimes(START.replace(year=2000, tzinfo=None), START.replace(year=2100, tzinfo=None)).map(
    lambda at: at.replace(tzinfo=START.tzinfo)
)
VERIFICATIONS = st.builds(
    Verification, st.sampled_from(VerificationOutcome), MOMENTS, st.none() | st.sampled_from(VerificationMethod)
)
NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters="/."), min_size=1, max_size=20)


@st.composite
def notices(draw: st.DrawFn, kind: NoticeKind) -> Notice:
    return Notice(
        kind=kind,
        subject=Subject.parse(*(draw(NAMES) for _ in range(4))),
        before=draw(st.none() | st.sampled_from(Condition)),
        after=draw(st.sampled_from(Condition)),
        visibility=draw(st.sampled_from(Visibility)),
        started_at=draw(MOMENTS),
        finished_at=draw(MOMENTS),
        last_success_at=draw(MOMENTS),
        overdue_since=draw(MOMENTS),
        reason=draw(st.none() | st.sampled_from(Reason)),
        verification=draw(st.none() | VERIFICATIONS),
        url=draw(st.none() | st.just("https://badges.example.org/status/x")),
    )


@given(st.data())
def test_a_message_is_read_back_from_its_json(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(NoticeKind))
    some = data.draw(st.lists(notices(kind), min_size=1, max_size=3))
    count = 1 if len(some) == 1 else data.draw(st.integers(2, 500))
    message = Message("id", START, kind, some, count)
    assert Message.from_document("id", message.document()) == message


def test_a_failure_is_written_as_json() -> None:
    assert Message("id", START, NoticeKind.FAILED, [FAILED]).document() == {
        "type": "backup.failed",
        "timestamp": "2026-11-23T12:00:00Z",
        "data": {
            "subject": "GitHub/acme/Repository/web",
            "platform": "GitHub",
            "account": "acme",
            "subjectType": "Repository",
            "subjectName": "web",
            "before": "protected",
            "after": "failed",
            "visibility": "public",
            "startedAt": "2026-11-23T11:55:00Z",
            "finishedAt": "2026-11-23T12:00:00Z",
            "lastSuccessAt": "2026-11-22T12:00:00Z",
            "reason": "storage",
            "url": "https://badges.example.org/status/GitHub/acme/Repository/web",
        },
    }


def test_a_failure_is_written_as_text() -> None:
    message = Message("id", START, NoticeKind.FAILED, [FAILED])
    assert message.title == "Backup failed: GitHub/acme/Repository/web"
    assert message.text.splitlines() == [
        "Status: protected → failed",
        "Reason: storage",
        "Last run ended: 2026-11-23 12:00 UTC",
        "Last success: 2026-11-22 12:00 UTC",
        "https://badges.example.org/status/GitHub/acme/Repository/web",
    ]


@pytest.mark.parametrize("name", ["@everyone", "<!channel>", "*bold*", "`x`", "[a](https://evil.example)", "a\u00a0b"])
def test_chats_do_not_treat_names_as_markup(name: str) -> None:
    shown = plain_name(Subject("GitHub", "acme", "Repository", name))
    assert not set(shown) & set("@<>!*`[]()|&\u00a0:")


def test_ordinary_names_are_shown_as_they_are() -> None:
    assert plain_name(Subject("GitLab", "group/sub", "Repository", "Ünï-code_1.2")) == (
        "GitLab/group/sub/Repository/Ünï-code_1.2"
    )
