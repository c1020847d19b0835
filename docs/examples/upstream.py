"""A backup API that implements the native contract: `flask --app docs/examples/upstream.py run --port 9000`."""

from datetime import UTC, datetime

from flask import Flask, request

app = Flask(__name__)
BACKUPS = {"GitHub/acme/Repository/web": ("succeeded", 1), "GitHub/acme/Repository/api": ("failed", 7)}
NAMES = ("platform", "account", "subjectType", "subjectName")


@app.get("/ops/status")
def status() -> tuple[dict[str, object], int]:
    """Return the status of the subject in the query, or 404 if it is unknown."""
    subject = {name: request.args.get(name, "") for name in NAMES}
    if (known := BACKUPS.get("/".join(subject.values()))) is None:
        return {"title": "Not Found", "status": 404, "code": "NOT_FOUND"}, 404
    now = datetime.now(UTC).isoformat()
    return {**subject, "status": known[0], "revision": known[1], "observedAt": now, "visibility": "public"}, 200
