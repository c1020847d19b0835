"""How requests are passed to the application as WSGI, and its responses passed back as ASGI."""

from __future__ import annotations

from typing import Any

import pytest

from badge.edge.wsgi import environ_of, messages_of
from badge.finished import WholeResponse

SCOPE: dict[str, Any] = {
    "method": "POST",
    "http_version": "1.0",
    "scheme": "https",
    "headers": [],
    "client": ("192.0.2.1", 40_000),
    "server": ("2001:db8::1", 8000),
}


@pytest.mark.parametrize(
    ("addresses", "shown"),
    [
        ({}, ("192.0.2.1", "2001:db8::1", "8000")),
        ({"client": ("::ffff:192.0.2.1", 1)}, ("::ffff:192.0.2.1", "2001:db8::1", "8000")),
        ({"client": None, "server": None}, ("", "localhost", "80")),
        # What gunicorn passes on instead of the path of a Unix socket.
        ({"client": ("/", "r"), "server": ("/", "r")}, ("", "localhost", "80")),
        ({"client": (0, 97), "server": ("/run/s", None)}, ("", "localhost", "80")),
    ],
)
def test_only_addresses_with_a_port_are_passed_on(addresses: dict[str, Any], shown: tuple[str, ...]) -> None:
    environ = environ_of({**SCOPE, **addresses}, "/", b"")
    assert (environ["REMOTE_ADDR"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == shown


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a%2Fb?c=%20", "/a/b", "c=%20"),
        ("//a/b", "//a/b", ""),
        ("/a#b?c", "/a", ""),
        ("/a?b#c", "/a", "b"),
        ("http://evil.example/a?b", "/a", "b"),
        ("http://[bad/a", "http://[bad/a", ""),
        ("*", "*", ""),
    ],
)
def test_path_and_query_are_those_of_the_target(target: str, path: str, query: str) -> None:
    environ = environ_of(SCOPE, target, b"")
    assert (environ["RAW_URI"], environ["PATH_INFO"], environ["QUERY_STRING"]) == (target, path, query)


def test_repeated_headers_are_joined() -> None:
    headers = [(b"cookie", b"a=b"), (b"content-type", b"text/plain"), (b"cookie", b"c=d"), (b"x-y", b"\xff")]
    environ = environ_of({**SCOPE, "headers": headers}, "/", b"")
    shown = {name: environ[name] for name in environ if name.startswith(("HTTP_", "CONTENT_"))}
    assert shown == {"HTTP_COOKIE": "a=b,c=d", "CONTENT_TYPE": "text/plain", "HTTP_X_Y": "\xff"}


@pytest.mark.parametrize(
    ("response", "length"),
    [
        (WholeResponse(200, [], b"hello"), [b"5"]),
        (WholeResponse(200, [("content-length", "5")], b"hello"), [b"5"]),
        (WholeResponse(204, [], b""), []),
    ],
)
def test_a_response_has_a_length(response: WholeResponse, length: list[bytes]) -> None:
    start, _ = messages_of(response, "GET")
    assert [value for name, value in start["headers"] if name.lower() == b"content-length"] == length
