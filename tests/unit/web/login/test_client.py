"""Which client address a failed login counts against."""

from __future__ import annotations

import pytest

from badge.web.login.client import client_address


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("93.184.216.34", "", "93.184.216.34/32"),
        ("93.184.216.34", "198.51.100.1", "93.184.216.34/32"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1/32"),
        ("10.0.0.2", "192.0.2.1, 198.51.100.1", "198.51.100.1/32"),
        ("127.0.0.1", "nonsense", "127.0.0.1/32"),
        ("127.0.0.1", "", "127.0.0.1/32"),
        ("2001:4860:1:2:3::4", "", "2001:4860:1:2::/64"),
        ("::1", "198.51.100.1", "198.51.100.1/32"),
        ("fd00:1::2", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1/32"),
        ("::ffff:93.184.216.34", "198.51.100.1", "93.184.216.34/32"),
        ("100.64.0.1", "198.51.100.1", "198.51.100.1/32"),
        ("127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1/32"),
        ("", "", ""),
    ],
)
def test_a_forwarded_address_counts_only_if_the_peer_s_is_not_public(peer: str, forwarded: str, expected: str) -> None:
    assert client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}) == expected
