"""Removes the path prefix from requests, so that routes are the same with and without one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from flask import Flask, request
from werkzeug.exceptions import NotFound

from badge.raw_path import answers_without_prefix, is_badge_path, raw_path, raw_path_of, raw_target, without_prefix
from badge.web.page import sentence

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_OUTSIDE = "badge.outside_prefix"
"""Key in the WSGI environment: whether the request is for a path outside the prefix."""


class WithoutPrefix:
    """WSGI middleware that removes the prefix from the paths of requests, and marks requests for other paths."""

    def __init__(self, application: WSGIApplication, prefix: str) -> None:
        self._application = application
        self._prefix = prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on as if the service were at the root of its host."""
        target = without_prefix(raw_target(environ), self._prefix)
        if target is not None:
            path = unquote_to_bytes(raw_path_of(target)).decode("latin-1")
            environ |= {"RAW_URI": target, "SCRIPT_NAME": "", "PATH_INFO": path}
        elif not answers_without_prefix(raw_path(environ)):
            environ[_OUTSIDE] = True
        return self._application(environ, start_response)


class OutsidePrefix(NotFound):
    """The request is for a path outside the prefix. `fault` is the error message, to be used within a sentence."""

    def __init__(self, prefix: str) -> None:
        where = f"{prefix}, the path in BADGE_PUBLIC_URL"
        self.fault = f"the service answers only under {where}, and proxies in front of it must pass this path on"
        super().__init__(sentence(self.fault))


def refuse_outside(site: Flask, prefix: str) -> None:
    """Answer requests for paths outside the prefix with "not found".

    GET and HEAD requests for badge paths get the image for an invalid path; readers of a README would see any other
    answer as a broken image. Such requests come from READMEs with URLs from before there was a prefix, and from proxies
    that remove the prefix by mistake. Other methods on badge paths get the same answer as under the prefix.
    """

    @site.before_request
    def refuse() -> None:
        is_for_image = request.method in ("GET", "HEAD") or not is_badge_path(request.environ)
        if _OUTSIDE in request.environ and is_for_image:
            raise OutsidePrefix(prefix)
