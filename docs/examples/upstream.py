"""A backup API in the native contract, in ten lines: `flask --app docs/examples/upstream.py run --port 9000`."""

from flask import Flask, request

app = Flask(__name__)
BACKUPS = {("GitHub", "acme", "Repository", "web"): ("succeeded", "2026-11-23T03:04:10Z", 1)}


@app.get("/ops/status")
def status() -> tuple[dict[str, object], int]:
    """What is known of the subject in the query, if anything is."""
    names = ("platform", "account", "subjectType", "subjectName")
    coordinates = {name: request.args.get(name, "") for name in names}
    if (known := BACKUPS.get(tuple(coordinates.values()))) is None:  # type: ignore[call-overload] # four texts
        return {"title": "Not Found", "status": 404, "code": "NOT_FOUND"}, 404
    word, at, revision = known
    return {**coordinates, "status": word, "observedAt": at, "revision": revision, "visibility": "public"}, 200
