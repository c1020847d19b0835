"""Small drawings of our own, as SVG path data on a square of 14 units.

Status glyphs express by shape what the colours express; logos go before the label. No trademarks.
"""

from __future__ import annotations

STATUS_GLYPHS = {
    "succeeded": "M5.6 11.4 1.8 7.6l1.5-1.5 2.3 2.3 5.1-5.1 1.5 1.5z",
    "failed": "M3.4 1.9 7 5.5l3.6-3.6 1.5 1.5L8.5 7l3.6 3.6-1.5 1.5L7 8.5l-3.6 3.6-1.5-1.5L5.5 7 1.9 3.4z",
    "inProgress": "M7 1.5a5.5 5.5 0 1 0 5.5 5.5h-2A3.5 3.5 0 1 1 7 3.5v2.2L11 2.6 7-.4z",
    "scheduled": "M7 1a6 6 0 1 0 0 12A6 6 0 0 0 7 1zm0 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8zm-1 1v3.6l2.7 2 1-1.4L7.8 6.7V4z",
    "deleted": "M5 1v1H2v2h10V2H9V1zM3 5l.8 8h6.4L11 5z",
    "unknown": "M4 5.2C4 3 5.3 1.6 7.2 1.6c1.8 0 3.1 1.1 3.1 2.8 0 1.2-.6 2-1.7 2.7-.6.4-.7.6-.7 1.3H6c0-1.4.3-2 1.3-2.6.7-.5 1-.8 1-1.4 0-.6-.4-1-1.1-1-.8 0-1.2.6-1.2 1.8zM6 9.8h2v2.4H6z",
    "overdue": "M7 1a6 6 0 1 0 0 12A6 6 0 0 0 7 1zM6 3.5h2v4.2H6zm0 5.3h2v2H6z",
}

LOGOS = {
    "shield": "M7 .7 1.8 2.7v3.7c0 3.2 2.2 5.9 5.2 6.9 3-1 5.2-3.7 5.2-6.9V2.7z",
    "archive": "M1 2h12v3H1zm.8 4h10.4v7H1.8zM5 7.5V9h4V7.5z",
    "cloud": "M4 11.5a3 3 0 0 1-.3-6A3.8 3.8 0 0 1 11 6.2a2.7 2.7 0 0 1-.4 5.3z",
    "disk": "M2 1.5h8l2.5 2.5v8.5H1.5V2zM4 2v3h5V2zm3 .5h1.2v2H7zM3.5 7.5V12h7V7.5z",
    "database": "M7 1c3 0 5.2.9 5.2 2v8c0 1.1-2.2 2-5.2 2s-5.2-.9-5.2-2V3c0-1.1 2.2-2 5.2-2zM3 4.7v1.2c.6.5 2.2.9 4 .9s3.4-.4 4-.9V4.7c-1 .4-2.4.6-4 .6s-3-.2-4-.6zm0 3.6v1.2c.6.5 2.2.9 4 .9s3.4-.4 4-.9V8.3c-1 .4-2.4.6-4 .6s-3-.2-4-.6z",
    "clock": "M7 1a6 6 0 1 0 0 12A6 6 0 0 0 7 1zm0 1.8a4.2 4.2 0 1 1 0 8.4 4.2 4.2 0 0 1 0-8.4zM6.2 4v3.5l2.5 1.7.9-1.3-1.8-1.2V4z",
}
