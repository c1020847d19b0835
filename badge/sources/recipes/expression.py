"""JMESPath expressions, compiled and checked at start-up; every later failure raises `ExpressionFailed`.

JMESPath has neither parameters nor date arithmetic, so names and times are compared in Python. Nothing from a URL
becomes part of an expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

LONGEST = 2000


class BadExpression(ValueError):
    """The text is not a valid expression, or JMESPath reads it in a surprising way; the message says what is wrong."""


class ExpressionFailed(Exception):
    """The expression can't be evaluated on this document: a function got a value of the wrong type."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression."""

    text: str
    compiled: ParsedResult

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Compile and check an expression; raises `BadExpression`."""
        if len(text) > LONGEST:
            raise BadExpression(f"must have at most {LONGEST} characters")
        try:
            compiled = jmespath.compile(text)
        except (JMESPathError, RecursionError) as error:
            raise BadExpression(f"is not a valid JMESPath expression: {_first_line(error)}") from None
        for node in _nodes(compiled.parsed):
            _check(node)
        return cls(text, compiled)

    def on(self, document: object) -> object:
        """Evaluate the expression on a document; raises `ExpressionFailed`."""
        try:
            return cast("object", self.compiled.search(document))
        except (JMESPathError, RecursionError, ValueError, TypeError, ArithmeticError) as error:
            raise ExpressionFailed(f"{self.text}: {_first_line(error)}") from None

    def holds_for(self, document: object) -> bool:
        """Whether the result counts as true: anything but null, false and empty values (JMESPath, "Or Expressions")."""
        found = self.on(document)
        return found is not None and found is not False and found not in ("", [], {})


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node["children"]:
        yield from _nodes(child)


def _check(node: Mapping[str, Any]) -> None:
    """Reject mistakes that JMESPath reports only during evaluation, and syntax that it parses unexpectedly."""
    if node["type"] == "function_expression":
        known = Functions.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise BadExpression(f"calls {node['value']}(), which JMESPath doesn't have")
        _check_arity(node["value"], len(node["children"]), known["signature"])
    if node["type"] == "subexpression" and node["children"][0]["type"] == "not_expression":
        raise BadExpression("contains !a.b, which JMESPath reads as (!a).b, always null; write !(a.b)")


def _check_arity(name: str, given: int, signature: tuple[Mapping[str, Any], ...]) -> None:
    is_variadic = bool(signature[-1].get("variadic"))
    if given < len(signature) or (given > len(signature) and not is_variadic):
        expected = f"at least {len(signature)}" if is_variadic else len(signature)
        raise BadExpression(f"calls {name}() with the wrong number of arguments: {given} instead of {expected}")
