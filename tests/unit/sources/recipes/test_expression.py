"""JMESPath's pitfalls, which are reported when the file is read."""

from __future__ import annotations

import pytest

from badge.sources.recipes.expression import BadExpression, Expression, ExpressionFailed

REFUSED = {
    "bad syntax": ("status ==", "is not a valid JMESPath expression"),
    "an unknown function, which JMESPath only notices during the call": ("lower(status)", "calls lower()"),
    "an unknown function behind a short circuit": ("a && b[?lower(c) == 'x']", "calls lower()"),
    "too few arguments": (
        "starts_with(status)",
        "calls starts_with() with the wrong number of arguments: 1 instead of 2",
    ),
    "too few for any number": (
        "not_null()",
        "calls not_null() with the wrong number of arguments: 0 instead of at least 1",
    ),
    "too many arguments": ("length(a, b)", "calls length() with the wrong number of arguments: 2 instead of 1"),
    "!a.b, which is (!a).b and always null": ("!last.incomplete", "write !(a.b)"),
    "let, which later versions have": ("let $x = a in $x", "is not a valid JMESPath expression"),
    "the root, which later versions have": ("items[?a == $.b]", "is not a valid JMESPath expression"),
    "too long": ("a" * 3000, "at most 2000 characters"),
    "too deeply nested": ("(" * 1900, "is not a valid JMESPath expression"),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_expressions_are_refused(text: str, why: str) -> None:
    with pytest.raises(BadExpression) as raised:
        Expression.parse(text)
    assert why in str(raised.value)


@pytest.mark.parametrize("text", ["!(last.incomplete)", "not_null(a, b, c)", "a && !b", "items[?!done].id"])
def test_good_expressions_are_accepted(text: str) -> None:
    assert Expression.parse(text).on({}) in (None, True, False)


@pytest.mark.parametrize("text", ["starts_with(a, 'x')", "max_by(items, &t)", "sort(items)"])
def test_a_value_of_the_wrong_type_is_one_kind_of_failure(text: str) -> None:
    document = {"a": None, "items": [{"t": None}, {"t": 1}]}
    with pytest.raises(ExpressionFailed) as raised:
        Expression.parse(text).on(document)
    assert str(raised.value).startswith(f"{text}: ")


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_null_false_and_empty_values_count_as_false(value: object) -> None:
    assert not Expression.parse("a").holds_for({"a": value})


@pytest.mark.parametrize("value", [True, 0, 1, "0", "false", [None], {"a": None}])
def test_other_values_count_as_true_including_zero(value: object) -> None:
    assert Expression.parse("a").holds_for({"a": value})
