"""Which requests look as if they were made on this machine."""

from __future__ import annotations

import pytest

from badge.web.loopback import is_loopback_url, looks_local

ENVIRONMENTS = [
    ({}, True),
    ({"HTTP_HOST": "localhost:8000"}, True),
    ({"HTTP_HOST": "[::1]:8000", "REMOTE_ADDR": "::1"}, True),
    ({"HTTP_HOST": "127.1.2.3"}, True),
    ({"REMOTE_ADDR": "10.0.0.1"}, False),
    ({"REMOTE_ADDR": ""}, False),
    ({"HTTP_HOST": ""}, False),
    ({"HTTP_HOST": "localhost.evil.example"}, False),
    ({"HTTP_HOST": "evil.example@127.0.0.1"}, False),
    ({"HTTP_HOST": "127.0.0.1/evil"}, False),
    ({"HTTP_HOST": "127.0.0.1:port"}, False),
    ({"HTTP_HOST": "[::1"}, False),
    ({"HTTP_HOST": "2130706433"}, False),
    ({"HTTP_X_FORWARDED_HOST": "localhost"}, False),
    ({"HTTP_CF_CONNECTING_IP": "127.0.0.1"}, False),
]


@pytest.mark.parametrize(("change", "expected"), ENVIRONMENTS)
def test_a_local_request_has_a_loopback_peer_and_host_and_no_proxy(change: dict[str, str], *, expected: bool) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000", **change}
    assert looks_local(environ) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1", True),
        ("https://[::1]/backups", True),
        ("https://badges.example.org", False),
        ("http://localhost.example.org", False),
        ("http://10.0.0.1:8000", False),
    ],
)
def test_a_loopback_url_leads_to_the_machine_itself(url: str, *, expected: bool) -> None:
    assert is_loopback_url(url) is expected
