"""Chromium's path and command line."""

from pathlib import Path

# The headless shell is the same engine without the desktop browser, and takes half the time.
_PLACES = [Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")]
CHROMIUM = next((path for path in _PLACES if path.exists()), _PLACES[0])
# Without these options, Chromium contacts its vendor's hosts at every start.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
