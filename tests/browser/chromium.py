"""Where Chromium is, and how it is started."""

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
# Without these Chromium looks for its maker's hosts at every start.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
