"""`python -m badge.watching.channels.apprise_process`: send one message, read as JSON from standard input.

Without a title, only the URL is checked. The exit code is the only output, so that no secret can get into a log.
"""

from __future__ import annotations

import json
import logging
import resource
import sys

SENT, NOT_SENT, BAD_URL = 0, 1, 3
MOST_MEMORY = 1024**3
"""Limit on the address space, in bytes. Without it, a response could fill the machine's memory."""


def main(text: str) -> int:
    """Send the message; returns the exit code."""
    import apprise  # noqa: PLC0415 - only in this process, after its memory was limited

    logging.disable()  # Apprise logs addresses and what servers answer
    job = json.loads(text)
    asset = apprise.AppriseAsset(
        app_id="Backup Status Badge", app_desc="Backup Status Badge", app_url="", http_redirects=False, plugin_paths=[]
    )
    service = apprise.Apprise.instantiate(job["url"], asset=asset, suppress_exceptions=True)
    if service is None:
        return BAD_URL
    if "title" not in job:
        return SENT
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    was_sent = sender.notify(
        title=job["title"], body=job["body"], notify_type=job["type"], body_format=apprise.NotifyFormat.TEXT
    )
    return SENT if was_sent else NOT_SENT


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    sys.exit(main(sys.stdin.read()))
