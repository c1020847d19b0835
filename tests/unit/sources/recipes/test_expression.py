"""JMESPath's traps, each found when the file is read and not by a badge."""

from __future__ import annotations

import pytest

from badge.sources.recipes.expression import BadExpression, Expression, ExpressionFailed

REFUSED = {
    "bad syntax": ("status ==", "is no JMESPath expression"),
    "a function that is none, which JMESPath only notices when it calls it": ("lower(status)", "calls lower()"),
    "the same behind a short cut": ("a && b[?lower(c) == 'x']", "calls lower()"),
    "too few arguments": ("starts_with(status)", "gives starts_with() 1 arguments; it takes 2"),
    "too many arguments": ("length(a, b)", "gives length() 2 arguments; it takes 1"),
    "!a.b, which is (!a).b and always null": ("!last.incomplete", "write !(a.b)"),
    "let, which later versions have": ("let $x = a in $x", "is no JMESPath expression"),
    "the root, which later versions have": ("items[?a == $.b]", "is no JMESPath expression"),
    "more than anybody writes": ("a" * 3000, "longer than"),
    "too deep": ("(" * 1900, "is no JMESPath expression"),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadExpression) as raised:
        Expression.parse(text)
    assert why in str(raised.value)


@pytest.mark.parametrize("text", ["!(last.incomplete)", "not_null(a, b, c)", "a && !b", "items[?!done].id"])
def test_what_is_fine(text: str) -> None:
    assert Expression.parse(text).on({}) in (None, True, False)


@pytest.mark.parametrize("text", ["starts_with(a, 'x')", "max_by(items, &t)", "sort(items)"])
def test_a_value_of_another_kind_is_one_failure(text: str) -> None:
    document = {"a": None, "items": [{"t": None}, {"t": 1}]}
    with pytest.raises(ExpressionFailed) as raised:
        Expression.parse(text).on(document)
    assert str(raised.value).startswith(f"{text}: ")


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_what_counts_as_false(value: object) -> None:
    assert not Expression.parse("a").holds_for({"a": value})


@pytest.mark.parametrize("value", [True, 0, 1, "0", "false", [None], {"a": None}])
def test_what_counts_as_true_zero_included(value: object) -> None:
    assert Expression.parse("a").holds_for({"a": value})
