"""BADGE_BIND: one line says why the service cannot listen there and what to set instead."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from badge.serving.listening import fault_of
from tests.servers import free_port


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "[::1]")])
def test_a_port_in_use_is_a_fault_and_a_free_one_is_not(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as other:
        other.bind((host.strip("[]"), 0))
        other.listen()
        bind = f"{host}:{other.getsockname()[1]}"
        assert (fault_of(bind) or "").startswith(f"another program is listening on {bind}; stop it, or set another")
    assert fault_of(bind) is None


def test_an_address_of_another_machine_is_a_fault() -> None:
    assert "is not an address of this machine" in (fault_of(f"192.0.2.1:{free_port()}") or "")


def test_a_socket_in_use_is_a_fault_and_a_dead_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        for bind in (f"unix:{path}", f"unix://{path}"):
            assert fault_of(bind) == f"another program is listening on {path}; stop it, or set another path"
    assert fault_of(f"unix:{path}") is None
    assert fault_of(f"unix:{tmp_path}/new") is None


def test_a_path_that_cannot_be_a_socket_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "exists and is not a socket" in (fault_of(f"unix:{tmp_path}/file") or "")
    assert "there is no folder" in (fault_of(f"unix:{tmp_path}/none/s") or "")
