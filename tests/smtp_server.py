"""A minimal mail server for tests (RFC 5321), which keeps every message that it gets."""

from __future__ import annotations

import contextlib
import email
import socketserver
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default

from tests.serving import serving


@dataclass
class Mailbox:
    """What arrived, in order."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)


@contextlib.contextmanager
def running_smtp() -> Iterator[Mailbox]:
    """Run a mail server on a port of its own."""
    box = Mailbox()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 test")
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                if word == b"DATA":
                    self.say("354 go on")
                    box.mails.append(self.read_mail())
                self.say("221 bye" if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    return

        def read_mail(self) -> EmailMessage:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return email.message_from_bytes(b"".join(lines), policy=default)

        def say(self, reply: str) -> None:
            self.wfile.write(f"{reply}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    box.port = server.server_address[1]
    with serving(server):
        yield box
