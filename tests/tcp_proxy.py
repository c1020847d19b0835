"""A proxy that damages a real server's answers in every way that networks do."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

DELAY_SECONDS = 0.2
DRIP_SECONDS = 0.04
CUT_AFTER = 3
BLACK_HOLE = "black-hole"
"""In this mode, nothing reaches the server either."""

POLL_SECONDS = 0.2


@dataclass
class TcpProxy:
    """Address of the proxy, and its current mode, which also applies to open connections."""

    port: int
    mode: str = "pass"
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


Spoil = Callable[[TcpProxy, socket.socket, bytes], None]
MODES: dict[str, Spoil] = {}


def mode(name: str) -> Callable[[Spoil], Spoil]:
    def register(spoil: Spoil) -> Spoil:
        MODES[name] = spoil
        return spoil

    return register


@mode("pass")
def _pass(proxy: TcpProxy, client: socket.socket, reply: bytes) -> None:
    client.sendall(reply)


@mode("delay")
def _delay(proxy: TcpProxy, client: socket.socket, reply: bytes) -> None:
    proxy.ending.wait(DELAY_SECONDS)
    client.sendall(reply)


@mode("half-open")
def _swallow(proxy: TcpProxy, client: socket.socket, reply: bytes) -> None:
    """The server gets every request, but no answer arrives."""


MODES[BLACK_HOLE] = _swallow


@mode("drip")
def _drip(proxy: TcpProxy, client: socket.socket, reply: bytes) -> None:
    for byte in reply:
        client.sendall(bytes([byte]))
        if proxy.ending.wait(DRIP_SECONDS):
            return


@mode("garbage")
def _garbage(proxy: TcpProxy, client: socket.socket, reply: bytes) -> None:
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@mode("reset")
def _reset(proxy: TcpProxy, client: socket.socket, reply: bytes) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(client.detach())


@mode("cut")
def _cut(proxy: TcpProxy, client: socket.socket, reply: bytes) -> None:
    client.sendall(reply[:CUT_AFTER])
    client.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def running_proxy(target: Path) -> Iterator[TcpProxy]:
    """Run a proxy to the server on a Unix socket, with a thread per connection, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    proxy = TcpProxy(listener.getsockname()[1])

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_serve, args=(proxy, client, target), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.ending.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(proxy: TcpProxy, client: socket.socket, target: Path) -> None:
    # Either side may break its connection in any way; these modes provoke that.
    with contextlib.suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
        server.connect(str(target))
        while client.fileno() >= 0 and not proxy.ending.is_set():
            ready, _, _ = select.select([client, server], [], [], POLL_SECONDS)
            if client in ready:
                request = client.recv(65_536)
                if not request:
                    return
                if proxy.mode != BLACK_HOLE:
                    server.sendall(request)
            if server in ready:
                reply = server.recv(65_536)
                if not reply:
                    return
                MODES[proxy.mode](proxy, client, reply)
