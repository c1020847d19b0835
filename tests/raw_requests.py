"""Raw requests by name: hundreds of common, odd and malformed ones."""

from __future__ import annotations

import json
from itertools import product

from tests.wire import request

BADGE = "/badge/acme/web"
OTHER = "/nothing/here"
LOOK_UP = "/ops/status/get"
LIMIT = 256 * 1024


def corpus(key: str, ping: str) -> dict[str, bytes]:
    """Return the requests; `key` is an API key, and `ping` the path of a check's ping URL."""
    return {
        **_methods(),
        **_targets(),
        **_lengths(),
        **_framing(),
        **_bodies(key, ping),
        **_headers(),
        **_versions(),
        **_beginnings(),
        **_pages(key),
    }


def _methods() -> dict[str, bytes]:
    methods = ("HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get", "G", "X" * 21, "G(T")
    places = (BADGE, "/livez", "/dashboard", LOOK_UP, OTHER)
    made = {f"method {method} {place}": request(place, method=method) for method, place in product(methods, places)}
    return {**made, "method CONNECT": request("x:443", method="CONNECT"), "options *": request("*", method="OPTIONS")}


TARGETS = (
    "/badge/acme/web.svg",
    "/badge/acme/web.png",
    "/badge/acme/web.json",
    "/badge/acme/web.txt",
    "/badge/acme/web?style=plastic&label=x",
    "/badge/acme/web?strict=1",
    "/badge/acme/none?strict=1",
    "/badge/acme/web?token=wrong",
    "/badge/acme/web?",
    "/badge/acme/web?a=%00&b=%ff",
    "/badge/acme/web?a=b?c#d",
    "/badge/acme/web#x?y",
    "/badge/acme/web;a=b",
    "/badge/acme%2Fweb",
    "/badge/GitLab/a%2Fb/Repository/c",
    "/badge/GitLab/a%252Fb/Repository/c",
    "/badge/acme/%00",
    "/badge/acme/%",
    "/badge/acme/%zz",
    "/badge/acme/%E6%97%A5",
    "/badge/acme/%ff",
    "/summary",
    "/summary/?format=json",
    "/summary/GitHub/nobody.txt",
    "//summary/GitHub/%ff",
    "/badge",
    "/badge/",
    "/BADGE/acme/web",
    "/%62adge/acme/web",
    "//badge/acme/web",
    "///badge/acme/web",
    "/badge//acme//web",
    "/badge/../livez",
    "/./badge/acme/web",
    "/badge/acme/web/",
    "/badge/acme/web\\x",
    "/badge/acme/two words",
    "/badge/acme/two  words",
    "/badge/acme/tab\tbed",
    "/badge/acme/日本",
    b"/badge/acme/\xff\xfe",
    b"/badge/acme/a\x00b",
    b"/badge/acme/a\x7fb",
    "http://evil.example/badge/acme/web",
    "HTTP://evil.example:99/badge/acme/web?strict=1",
    "https://u:p@[::1]/badge/acme/web",
    "http://evil.example",
    "http://evil.example/livez",
    "http:///badge/acme/web",
    "http://[bad/badge/acme/web",
    "ftp://evil.example/badge/acme/web",
    "badge/acme/web",
    "*",
    "?x",
    "/",
    "//",
    "/livez?x",
    "//livez",
    "/livez/",
    "/livez#x",
    "/two words",
    "/日本",
    "/nothing/%2F%00",
    "//evil.example/%2f..",
)


def _targets() -> dict[str, bytes]:
    made = {f"target {target!r}": request(target) for target in TARGETS}
    return {**made, **{f"head of {target!r}": request(target, method="HEAD") for target in TARGETS[:30:3]}}


def _lengths() -> dict[str, bytes]:
    made = {}
    for start, length in product(
        ("/badge/acme/", "/nothing/"), (7_999, 8_000, 8_001, 8_176, 8_177, 8_190, 8_200, 70_000)
    ):
        made[f"target of {length} bytes under {start}"] = request(start.ljust(length, "n"))
    return made


CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
FRAMING: dict[str, tuple[tuple[str | bytes, ...], bytes]] = {
    "length": (("Content-Length: 5",), b"hello"),
    "length 0": (("Content-Length: 0",), b""),
    "length with a plus": (("Content-Length: +5",), b"hello"),
    "length below 0": (("Content-Length: -1",), b""),
    "length list": (("Content-Length: 5, 5",), b"hello"),
    "length with a space": (("Content-Length: 5 5",), b"hello"),
    "length in hex": (("Content-Length: 0x5",), b"hello"),
    "length with underscore": (("Content-Length: 5_0",), b"hello"),
    "length empty": (("Content-Length:",), b"hello"),
    "length in other digits": ((b"Content-Length: \xd9\xa5",), b"hello"),
    "length twice": (("Content-Length: 5", "Content-Length: 5"), b"hello"),
    "two lengths": (("Content-Length: 5", "Content-Length: 6"), b"hello!"),
    "length after a space": ((b"Content-Length : 5",), b"hello"),
    "length by underscore": (("Content_Length: 5",), b""),
    "chunked": (("Transfer-Encoding: chunked",), CHUNKS),
    "chunked in capitals": (("Transfer-Encoding: CHUNKED",), CHUNKS),
    "chunked and length": (("Transfer-Encoding: chunked", "Content-Length: 5"), CHUNKS),
    "length and chunked": (("Content-Length: 5", "Transfer-Encoding: chunked"), CHUNKS),
    "identity": (("Transfer-Encoding: identity",), b""),
    "identity and length": (("Transfer-Encoding: identity", "Content-Length: 5"), b"hello"),
    "chunked twice": (("Transfer-Encoding: chunked, chunked",), CHUNKS),
    "chunked in two headers": (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), CHUNKS),
    "gzip and chunked": (("Transfer-Encoding: gzip, chunked",), CHUNKS),
    "chunked and gzip": (("Transfer-Encoding: chunked, gzip",), CHUNKS),
    "unknown coding": (("Transfer-Encoding: xchunked",), CHUNKS),
    "coding with parameter": (("Transfer-Encoding: chunked;q=1",), CHUNKS),
    "coding after a space": ((b"Transfer-Encoding : chunked",), CHUNKS),
    "coding with vertical tab": ((b"Transfer-Encoding: \x0bchunked",), CHUNKS),
    "coding empty": (("Transfer-Encoding:",), b""),
    "extension": (("Transfer-Encoding: chunked",), b'5;a=b;c="d"\r\nhello\r\n0\r\n\r\n'),
    "extension with bare CR": (("Transfer-Encoding: chunked",), b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "extension with bare LF": (("Transfer-Encoding: chunked",), b"5;a\nhello\r\n0\r\n\r\n"),
    "trailer": (("Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
    "forbidden trailer": (("Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"),
    "chunk too short": (("Transfer-Encoding: chunked",), b"6\r\nhello\r\n0\r\n\r\n"),
    "chunk without end": (("Transfer-Encoding: chunked",), b"5\r\nhelloX\r\n0\r\n\r\n"),
    "chunk size no hex": (("Transfer-Encoding: chunked",), b"g\r\nhello\r\n0\r\n\r\n"),
    "chunk size 0x": (("Transfer-Encoding: chunked",), b"0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk size below 0": (("Transfer-Encoding: chunked",), b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk size empty": (("Transfer-Encoding: chunked",), b"\r\nhello\r\n0\r\n\r\n"),
    "chunk size with a space": (("Transfer-Encoding: chunked",), b" 5\r\nhello\r\n0\r\n\r\n"),
    "chunk size huge": (("Transfer-Encoding: chunked",), b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n"),
    "chunk line feeds": (("Transfer-Encoding: chunked",), b"5\nhello\n0\n\n"),
    "folded coding": ((b"Transfer-Encoding:\r\n chunked",), CHUNKS),
}


def _framing() -> dict[str, bytes]:
    made = {}
    for (name, (headers, body)), (method, target) in product(FRAMING.items(), (("GET", BADGE), ("POST", OTHER))):
        made[f"{name} in {method}"] = request(target, *headers, method=method, body=body)
    made["chunked in HTTP/1.0"] = request(OTHER, *FRAMING["chunked"][0], method="POST", version="HTTP/1.0", body=CHUNKS)
    return made


def _bodies(key: str, ping: str) -> dict[str, bytes]:
    subject = {"platform": "GitHub", "account": "acme", "subjectType": "Repository", "subjectName": "web"}
    query, own_key = json.dumps(subject).encode(), f"X-API-Key: {key}"
    sized = ("Content-Type: application/json", own_key)
    made = {}
    for name, length in (("the limit", LIMIT), ("more than the limit", LIMIT + 1), ("much more", 600_000)):
        body = b" " * (length - len(query)) + query
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (length, body)
        for place in (LOOK_UP, ping):
            made[f"body of {name} to {place[:5]}"] = request(
                place, *sized, f"Content-Length: {length}", method="POST", body=body
            )
            made[f"chunked body of {name} to {place[:5]}"] = request(
                place, *sized, "Transfer-Encoding: chunked", method="POST", body=chunked
            )
    for value in ("100-continue", "100-Continue", "something"):
        for version in ("HTTP/1.1", "HTTP/1.0"):
            headers = (f"Expect: {value}", *sized, f"Content-Length: {len(query)}")
            made[f"expect {value} {version}"] = request(LOOK_UP, *headers, method="POST", version=version, body=query)
        made[f"expect {value} for a badge"] = request(BADGE, f"Expect: {value}")
    typed = (
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
    )
    for media_type in typed:
        asking = (own_key, f"Content-Type: {media_type}", f"Content-Length: {len(query)}")
        made[f"look-up as {media_type!r}"] = request(LOOK_UP, *asking, method="POST", body=query)
    made["look-up without key"] = request(LOOK_UP, f"Content-Length: {len(query)}", method="POST", body=query)
    made["look-up in bad JSON"] = request(LOOK_UP, *sized, "Content-Length: 2", method="POST", body=b"[}")
    for method in ("GET", "HEAD", "POST"):
        made[f"ping by {method}"] = request(ping, "Content-Length: 2", method=method, body=b"ok")
    made["ping fail"] = request(f"{ping}/fail")
    made["ping nobody"] = request("/ping/00000000-0000-0000-0000-000000000000")
    return made


# fmt: off
HEADERS: dict[str, tuple[str | bytes, ...]] = {
    "49 more headers": tuple(f"X-{number}: y" for number in range(49)),
    "50 more headers": tuple(f"X-{number}: y" for number in range(50)),
    "200 headers": tuple(f"X-{number}: y" for number in range(200)),
    "a header of 8,190 bytes": ("X: " + "y" * 8_185,),
    "a header of 8,192 bytes": ("X: " + "y" * 8_187,),
    "a header of 70,000 bytes": ("X: " + "y" * 70_000,),
    "a header name of 9,000 bytes": ("X" * 9_000 + ": y",),
    "many large headers": tuple(f"X-{number}: {'y' * 8_000}" for number in range(40)),
    "two hosts": ("Host: x", "Host: y"),
    "empty host": ("Host:",),
    "host list": ("Host: x, y",),
    "host with a path": ("Host: x/badge",),
    "bare LF after a header": (b"X: y\nZ: w",),
    "folded header": (b"X: y\r\n z",),
    "space before the first header": (b" X: y", "Host: x"),
    "no colon": ("hidden",),
    "no name": (": hidden",),
    "space in a name": ("Hidden Name: y",),
    "space before the colon": ("Hidden : y",),
    "NUL in a value": (b"X: a\x00b",),
    "CR in a value": (b"X: a\rb",),
    "DEL in a value": (b"X: a\x7fb",),
    "tab in a value": (b"X: a\tb",),
    "high bytes in a value": (b"X: \xe6\x97\xff",),
    "high bytes in a name": (b"\xe6: a",),
    "underscores": (
        "X_Forwarded_For: 9.9.9.9", "X-Forwarded-For: 8.8.8.8",
        "Remote_Addr: 9.9.9.9", "Remote-Addr: 7.7.7.7",
    ),
    "forwarded": (
        "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: evil",
        "Forwarded: for=127.0.0.1;host=evil", "X-Real-IP: 1.1.1.1",
    ),
    "https": ("X-Forwarded-Proto: https",),
    "http": ("X-Forwarded-Proto: http",),
    "https by protocol": ("X-Forwarded-Protocol: ssl", "X-Forwarded-Ssl: on"),
    "https and http": ("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"),
    "https twice": ("X-Forwarded-Proto: https", "X-Forwarded-Proto: http"),
    "proxy": (
        "Proxy: http://evil.example", "X-Forwarded-Prefix: /evil",
        "X-Original-URL: /livez", "X-Rewrite-URL: /livez",
    ),
    "variables": ("Wsgi.url-Scheme: https", "Raw-URI: /livez", "Request-URI: /livez"),
    "two cookies": ("Cookie: a=b; badge_session=x", "Cookie: c=d"),
    "repeated headers": (
        "Accept: text/html", "X: 1", "Accept: */*",
        "X: 2", "Accept-Language: de", "Accept-Language: en",
    ),
    "any tag": ("If-None-Match: *",),
    "wrong tags": ('If-None-Match: "a", W/"b"',),
    "tags in two headers": ('If-None-Match: "a"', "If-None-Match: *"),
    "other conditions": (
        "If-Modified-Since: Fri, 27 Nov 2026 00:00:00 GMT", 'If-Match: "a"',
        "If-Range: x", "Range: bytes=0-1",
    ),
    "websocket": (
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "close": ("Connection: close",),
    "close in capitals": ("Connection: CLOSE",),
    "close in a list": ("Connection: x, close",),
    "close in a second header": ("Connection: x", "Connection: close"),
    "keep-alive": ("Connection: keep-alive", "Keep-Alive: timeout=99"),
    "accept": ("Accept: text/html;q=0.1, image/png", "Accept-Encoding: gzip, br", "Accept-Language: de"),
    "method override": ("X-HTTP-Method-Override: DELETE",),
}
# fmt: on


def _with_host(headers: tuple[str | bytes, ...]) -> tuple[str | bytes, ...]:
    """Add `Host: localhost`, with which /metrics can be read unless another header reveals a proxy."""
    has_one = any(str(header).lower().lstrip("b' ").startswith("host") for header in headers)
    return headers if has_one else ("Host: localhost", *headers)


def _headers() -> dict[str, bytes]:
    return {
        f"{name} at {target}": request(target, *_with_host(headers))
        for (name, headers), target in product(HEADERS.items(), (BADGE, "/metrics"))
    }


def _versions() -> dict[str, bytes]:
    made = {}
    for version, target in product(
        (
            "HTTP/1.0",
            "",
            "HTTP/0.9",
            "HTTP/1.2",
            "HTTP/2.0",
            "HTTP/1.10",
            "HTTP/1.1 ",
            "http/1.1",
            "HTTP/1,1",
            "HTTPS/1.1",
        ),
        (BADGE, "/livez"),
    ):
        made[f"version {version!r} at {target}"] = request(target, version=version)
    for target in (BADGE, "/livez"):
        made[f"1.0 kept open at {target}"] = request(target, "Connection: keep-alive", version="HTTP/1.0")
        made[f"1.0 without host at {target}"] = f"GET {target} HTTP/1.0\r\n\r\n".encode()
        made[f"1.1 without host at {target}"] = f"GET {target} HTTP/1.1\r\n\r\n".encode()
    return made


def _beginnings() -> dict[str, bytes]:
    made = {}
    for name, start in {
        "an empty line": b"\r\n",
        "two empty lines": b"\r\n\r\n",
        "a line feed": b"\n",
        "a space": b" ",
        "a NUL": b"\x00",
        "a proxy's line": b"PROXY TCP4 9.9.9.9 8.8.8.8 1 2\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    }.items():
        made[f"{name} first"] = start + request(BADGE)
    made["line feeds only"] = request(BADGE).replace(b"\r\n", b"\n")
    made["five badges at once"] = request(BADGE) * 5
    made["badge, page and look-up at once"] = (
        request(BADGE) + request("/livez") + request(LOOK_UP, "Content-Length: 0", method="POST")
    )
    made["a body and a badge at once"] = request(BADGE, "Content-Length: 5", body=b"hello") + request(BADGE)
    made["malformed second request"] = request("/livez") + b"GET /badge/acme/two words HTTP/1.1\r\nHost: x\r\n\r\n"
    return made


def _pages(key: str) -> dict[str, bytes]:
    places = (
        "/", "/dashboard", "/dashboard/", "/dashboard/GitHub/acme/Repository/web", "/badges",
        "/docs", "/doctor", "/login", "/version", "/openapi.yaml",
        "/readyz", "/healthz", "/static/pages.css", "/static/none.css", "/static/../app.py",
        "/feed.atom", "/favicon.ico", "/status/acme/web", "/ops/status/list", "/ops/status",
    )  # fmt: skip
    made = {f"page {place}": request(place, "Accept: text/html") for place in places}
    made["list with key"] = request("/ops/status/list?platform=Veeam", f"X-API-Key: {key}")
    made["log in"] = request(
        "/login",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Length: 10",
        method="POST",
        body=b"password=x",
    )
    return made
