"""Builds requests from a recipe and a subject's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode

from badge.sources.http.messages import HttpRequest
from badge.sources.http.request import form_request, json_request
from badge.sources.recipes.promql import escape
from badge.sources.recipes.reading import text_of
from badge.sources.recipes.recipe import Recipe, Request
from badge.sources.recipes.template import Template, expand_deep, expand_path


def request_for(base_url: str, recipe: Recipe, names: Mapping[str, str]) -> HttpRequest:
    """Return the request for the subject with these names, without authentication; raises `NothingToAsk`."""
    template = recipe.request or Request()
    url = base_url + _path(template.path, template.query, recipe.promql, names)
    if template.form is not None:
        request = form_request(url, {key: text.expand(names) for key, text in template.form.items()})
    elif template.body is not None:
        request = replace(json_request(url, expand_deep(template.body, names)), method=template.method)
    else:
        request = HttpRequest(template.method, url)
    return request.with_headers(template.headers)


def follow_up_request(base_url: str, recipe: Recipe, document: object, names: Mapping[str, str]) -> HttpRequest | None:
    """Return the follow-up request with values from the first answer.

    Returns None if there is none to send, or if one of the values is missing.
    """
    if (then := recipe.then) is None:
        return None
    found = {name: text_of(expression.on(document)) for name, expression in then.values.items()}
    if not all(found.values()):
        return None
    known = {**{name: text for name, text in found.items() if text is not None}, **names}
    path = then.path if then.path is not None else (recipe.request or Request()).path
    return HttpRequest("GET", base_url + _path(path, then.query, then.promql, known))


def _path(path: Template, query: Mapping[str, Template], promql: Template | None, names: Mapping[str, str]) -> str:
    """Return the path and query with these names filled in."""
    parameters = {key: text.expand(names) for key, text in query.items()}
    if promql is not None:
        parameters["query"] = promql.expand(names, encode=escape)
    # An empty parameter is left out, so that a source can remove one of its preset's.
    encoded = urlencode({key: value for key, value in parameters.items() if value}, quote_via=quote, safe="")
    return expand_path(path, names) + (f"?{encoded}" if encoded else "")
