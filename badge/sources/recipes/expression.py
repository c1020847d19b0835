"""JMESPath expressions: compiled, looked over at start, and never raising anything but one word.

JMESPath has neither parameters nor time arithmetic, so nothing of a URL gets into an expression:
comparisons with a subject's names, and all reckoning in time, are Python's.
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
    """It can't be an expression, or not the one that was meant; the message says why."""


class ExpressionFailed(Exception):
    """It is one, but not for this document: a function met a value of a kind that it does not take."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression."""

    text: str
    compiled: ParsedResult

    @classmethod
    def parse(cls, text: str) -> Expression:
        """The expression; raises `BadExpression`."""
        if len(text) > LONGEST:
            raise BadExpression(f"is longer than {LONGEST} characters")
        try:
            compiled = jmespath.compile(text)
        except (JMESPathError, RecursionError) as error:
            raise BadExpression(f"is no JMESPath expression: {_first_line(error)}") from None
        for node in _nodes(compiled.parsed):
            _look_over(node)
        return cls(text, compiled)

    def on(self, document: object) -> object:
        """What it finds; raises `ExpressionFailed`."""
        try:
            return cast("object", self.compiled.search(document))
        except (JMESPathError, RecursionError, ValueError, TypeError, ArithmeticError) as error:
            raise ExpressionFailed(f"{self.text}: {_first_line(error)}") from None

    def holds_for(self, document: object) -> bool:
        """Whether what it finds counts as true: all but null, false and what is empty (JMESPath, "Or Expressions")."""
        found = self.on(document)
        return found is not None and found is not False and found not in ("", [], {})


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node["children"]:
        yield from _nodes(child)


def _look_over(node: Mapping[str, Any]) -> None:
    """Refuse what JMESPath only stumbles over later, or reads otherwise than it looks."""
    if node["type"] == "function_expression":
        known = Functions.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise BadExpression(f"calls {node['value']}(), which is no function of JMESPath")
        _check_arity(node["value"], len(node["children"]), known["signature"])
    # `!a.b` is read as `(!a).b`, which is always null.
    if node["type"] == "subexpression" and node["children"][0]["type"] == "not_expression":
        raise BadExpression("means (!a).b by !a.b, which is always null; write !(a.b)")


def _check_arity(name: str, given: int, signature: tuple[Mapping[str, Any], ...]) -> None:
    is_variadic = bool(signature[-1].get("variadic"))
    if given < len(signature) or (given > len(signature) and not is_variadic):
        raise BadExpression(f"gives {name}() {given} arguments; it takes {len(signature)}")
